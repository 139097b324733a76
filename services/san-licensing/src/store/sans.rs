//! The distinct SANs on a licence's certificates, and until when each counts (SL-18).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId},
};
use licet_runtime::{database::Tx, fault::Fault, page::Page, stored::instant};
use row::{Column, Entity};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Func, SimpleExpr},
};

use super::{
    query::{Query, Rows, sql},
    san_lists::join_sans,
};
use crate::rules::{
    certificate::Certificate,
    filters::{SIGMAS, SanFilter, UniqueSan},
};

pub(super) mod row {
    //! A SAN on a certificate.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "certificate_san")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) license_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) name: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) certificate_id: String,
        pub(super) record_us: i64,
        pub(super) until_us: i64,
    }

    licet_runtime::plain_entity!(pub(crate));
}

/// A certificate whose SANs begin or cease to count in a licence.
#[derive(Clone, Copy)]
pub(super) struct CountedCertificate<'a> {
    pub(super) certificate: &'a Certificate,
    pub(super) license_id: LicenseId,
    /// When they begin or cease to.
    pub(super) time: Instant,
}

impl<'a> CountedCertificate<'a> {
    /// In the certificate's licence, if it has one.
    pub(super) fn from(certificate: &'a Certificate, time: Instant) -> Option<Self> {
        Some(Self {
            certificate,
            license_id: certificate.license_id?,
            time,
        })
    }
}

fn rows<'a>(counted: &'a [CountedCertificate<'a>]) -> Rows<'a, CountedCertificate<'a>> {
    Rows::of(counted)
        .text("account_id", |counted| counted.certificate.key.account_id)
        .text("license_id", |counted| counted.license_id)
        .text("certificate_id", |counted| counted.certificate.id)
        .string("names", |counted| join_sans(&counted.certificate.sans))
}

/// Inserts the SANs of certificates, which count from `time` on.
pub(super) async fn insert_all(tx: &Tx, counted: &[CountedCertificate<'_>]) -> Result<(), Fault> {
    if counted.is_empty() {
        return Ok(());
    }
    let rows = rows(counted)
        .long("record_us", |counted| counted.time.as_micros())
        .long("until_us", |counted| counted.certificate.until.as_micros());
    let query = Query::on(tx).rows("counted", rows);
    let query = query.statement_of(sql!("insert_certificate_sans"))?;
    tx.execute_raw(query).await?;
    Ok(())
}

/// Ends the SANs of certificates at `time`.
pub(super) async fn end_all(tx: &Tx, ended: &[CountedCertificate<'_>]) -> Result<(), Fault> {
    if ended.is_empty() {
        return Ok(());
    }
    let rows = rows(ended).long("time_us", |ended| ended.time.as_micros());
    let query = Query::on(tx).rows("ended", rows);
    let query = query.statement_of(sql!("end_certificate_sans"))?;
    tx.execute_raw(query).await?;
    Ok(())
}

/// The rows whose text is in one of some half-open ranges; `None` for no ranges.
fn in_any(ranges: Vec<(String, String)>, text: impl Fn() -> SimpleExpr) -> Option<Condition> {
    let each = ranges.into_iter().map(|(start, end)| {
        Condition::all()
            .add(ExprTrait::gte(text(), start))
            .add(ExprTrait::lt(text(), end))
    });
    each.fold(None, |any, range| {
        Some(any.unwrap_or_else(Condition::any).add(range))
    })
}

/// A page of the distinct SANs that are active as of the first page, ascending.
pub(crate) async fn list_unique(
    tx: &Tx,
    account_id: AccountId,
    filter: &SanFilter,
    page: &Page,
) -> Result<Vec<UniqueSan>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        name: String,
        certificates: i64,
        last_until_us: i64,
    }
    let now = page.as_of.as_micros();
    let mut wanted = Condition::all()
        .add(Column::AccountId.eq(account_id.to_string()))
        .add(Column::LicenseId.eq(filter.license_id.to_string()))
        .add(Column::RecordUs.lte(now))
        .add(Column::UntilUs.gt(now))
        .add_option(page.after_key().map(|name| Column::Name.gt(name)));
    let folded = || {
        let one = Func::cust("REPLACE").arg(Column::Name.into_expr());
        SimpleExpr::from(one.arg(SIGMAS[1]).arg(SIGMAS[0]))
    };
    wanted = wanted
        .add_option(in_any(filter.ranges(), || Column::Name.into_expr()))
        .add_option(in_any(filter.folded_ranges(), folded));
    // A SAN counts until the last certificate that holds it ends (SL-5).
    let until_before = filter.until_before.map(Instant::as_micros);
    let returning = until_before.map(|before| ExprTrait::lt(Column::UntilUs.max(), before));
    let rows = Entity::find()
        .select_only()
        .column(Column::Name)
        .column_as(Column::CertificateId.count(), "certificates")
        .column_as(Column::UntilUs.max(), "last_until_us")
        .filter(wanted)
        .group_by(Column::Name)
        .having(Condition::all().add_option(returning))
        .order_by_asc(Column::Name)
        .limit(page.limit())
        .into_model::<Row>()
        .all(tx)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(UniqueSan {
                san: row.name.into(),
                until: instant("until_us", row.last_until_us)?,
                certificates: u64::try_from(row.certificates).map_err(Fault::internal)?,
            })
        })
        .collect()
}
