//! Certificates as they are looked for. They are written where they are decided about.

use std::collections::HashMap;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, ProductId, ReservationId},
};
use licet_runtime::{
    caller::AccountScope,
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{in_scope, instant_if, parsed, parsed_if},
};
use row::{Column, Entity};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Order,
    QueryFilter, QueryOrder, QuerySelect, Statement, Value, sea_query::Query,
};

use super::{
    allocation::key_cells,
    cells::{Cells, parameters},
    quota::{CertificateRow, of_rows, optional, statement},
    sans::row::{Column as SanColumn, Entity as SanEntity},
};
use crate::rules::{
    certificate::{Certificate, CertificateKey, CertificateState, EarlyRevocation},
    lookup::CertificateFilter,
};

mod row {
    //! A recorded certificate.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "certificate")]
    pub(super) struct Model {
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) certificate_id: String,
        pub(super) license_id: Option<String>,
        pub(super) issuer_sha256: String,
        pub(super) serial_hex: String,
        pub(super) product_id: String,
        pub(super) key_type: Option<String>,
        pub(super) names: String,
        pub(super) not_before_us: i64,
        pub(super) not_after_us: i64,
        pub(super) record_us: i64,
        pub(super) until_us: i64,
        pub(super) revoke_us: Option<i64>,
        pub(super) revoke_reason: Option<String>,
        pub(super) ca_revoke_us: Option<i64>,
        pub(super) allocate_us: Option<i64>,
        pub(super) reservation_id: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What is kept under some keys.
#[derive(Debug, Default)]
pub(crate) struct FoundByKey {
    pub(crate) certificates: HashMap<CertificateKey, Certificate>,
    /// Revocations that came before their certificates (SL-15).
    pub(crate) early: HashMap<CertificateKey, EarlyRevocation>,
}

/// The certificates that are kept under some keys, and the revocations that wait for them.
pub(crate) async fn find_certificates(
    connection: &impl ConnectionTrait,
    keys: &[&CertificateKey],
) -> Result<FoundByKey, Fault> {
    #[derive(FromQueryResult)]
    struct Early {
        wanted_account_id: String,
        wanted_issuer_sha256: String,
        wanted_serial_hex: String,
        early_reason: String,
        early_ca_revoke_us: Option<i64>,
    }
    let [accounts, issuers, serials] = key_cells(keys.iter().copied());
    let query = of_rows!(
        connection,
        "find_certificates",
        [accounts, issuers, serials]
    );
    let mut found = FoundByKey::default();
    for row in connection.query_all_raw(query).await? {
        if row
            .try_get::<Option<String>>("", "certificate_id")?
            .is_some()
        {
            let row = CertificateRow::from_query_result(&row, "")?;
            let certificate = Certificate::try_from(row)?;
            found
                .certificates
                .insert(certificate.key.clone(), certificate);
        }
        if row.try_get::<Option<String>>("", "early_reason")?.is_some() {
            let row = Early::from_query_result(&row, "")?;
            let key = CertificateKey {
                account_id: parsed("account_id", &row.wanted_account_id)?,
                issuer_sha256: row.wanted_issuer_sha256,
                serial_hex: row.wanted_serial_hex,
            };
            let revocation = EarlyRevocation {
                reason: parsed("reason", &row.early_reason)?,
                ca_time: instant_if("ca_revoke_us", row.early_ca_revoke_us)?,
            };
            found.early.insert(key, revocation);
        }
    }
    Ok(found)
}

/// Which licences of an account speak for a certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Covering {
    /// The running one that holds its product (SL-20).
    pub(crate) by_product: Option<LicenseId>,
    /// The one that its reservation was granted under, in whatever state.
    pub(crate) by_reservation: Option<LicenseId>,
    /// Whether that one runs.
    pub(crate) reservation_runs: bool,
}

/// A certificate whose licence is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) account_id: AccountId,
    pub(crate) product_id: &'a ProductId,
    pub(crate) reservation_id: Option<ReservationId>,
    /// As of when.
    pub(crate) now: Instant,
}

impl<'a> Wanted<'a> {
    /// The licence of a certificate as of `now`.
    pub(crate) fn of(certificate: &'a Certificate, now: Instant) -> Self {
        Self {
            account_id: certificate.key.account_id,
            product_id: &certificate.product_id,
            reservation_id: certificate.reservation_id,
            now,
        }
    }
}

/// Finds the accounts' licences for the products and reservations of certificates, each as of its
/// own instant, in the order of `wanted`. An ended licence covers nothing (SL-16).
pub(crate) async fn find_covering(
    connection: &impl ConnectionTrait,
    wanted: &[Wanted<'_>],
) -> Result<Vec<Covering>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        position: i64,
        by_product: Option<String>,
        by_reservation: Option<String>,
        reservation_runs: bool,
    }
    let each = || wanted.iter();
    let query = of_rows!(
        connection,
        "find_covering",
        [
            Cells::long((0..).take(wanted.len())),
            Cells::text(each().map(|wanted| wanted.account_id)),
            Cells::text(each().map(|wanted| wanted.product_id.as_str())),
            optional(each().map(|wanted| wanted.reservation_id.map(|id| id.uuid()))),
            Cells::long(each().map(|wanted| wanted.now.as_micros())),
        ]
    );
    let mut rows = Row::find_by_statement(query).all(connection).await?;
    rows.sort_unstable_by_key(|row| row.position);
    if rows.len() != wanted.len() {
        return Err(Fault::internal("a certificate has no row, or two"));
    }
    rows.iter()
        .map(|row| {
            Ok(Covering {
                by_product: parsed_if("by_product", row.by_product.as_deref())?,
                by_reservation: parsed_if("by_reservation", row.by_reservation.as_deref())?,
                reservation_runs: row.reservation_runs,
            })
        })
        .collect()
}

/// The certificates of a page, newest first.
pub(crate) async fn list(
    tx: &Tx,
    filter: &CertificateFilter,
    page: &Page,
) -> Result<Vec<Certificate>, Fault> {
    let license_id = filter.license_id.to_string();
    let mut wanted = Condition::all().add(Column::LicenseId.eq(&license_id));
    if let Some(name) = &filter.name {
        let holders = Query::select()
            .column(SanColumn::CertificateId)
            .from(SanEntity)
            .and_where(SanColumn::LicenseId.eq(&license_id))
            .and_where(SanColumn::Name.eq(name.as_ref()))
            .to_owned();
        wanted = wanted.add(Column::CertificateId.in_subquery(holders));
    }
    let until_before = filter.until_before.map(Instant::as_micros);
    let wanted = wanted
        .add_option(filter.state.map(|state| in_state(state, page.as_of)))
        .add_option(until_before.map(|before| Column::UntilUs.lt(before)));
    let rows = Entity::find()
        .filter(wanted)
        .filter(page.rows_after(&Order::Desc, Column::RecordUs, Column::CertificateId)?)
        .order_by_desc(Column::RecordUs)
        .order_by_desc(Column::CertificateId)
        .limit(page.limit())
        .into_model::<CertificateRow>()
        .all(tx)
        .await?;
    rows.into_iter().map(Certificate::try_from).collect()
}

/// The certificates of a page that no licence covers, of the accounts that are seen, newest first.
pub(crate) async fn list_unallocated(
    tx: &Tx,
    scope: &AccountScope,
    account_id: Option<AccountId>,
    page: &Page,
) -> Result<Vec<Certificate>, Fault> {
    let of_account = account_id.map(|id| Column::AccountId.eq(id.to_string()));
    let rows = Entity::find()
        .filter(Column::LicenseId.is_null())
        .filter(in_scope(scope, Column::AccountId).add_option(of_account))
        .filter(page.rows_after(&Order::Desc, Column::RecordUs, Column::CertificateId)?)
        .order_by_desc(Column::RecordUs)
        .order_by_desc(Column::CertificateId)
        .limit(page.limit())
        .into_model::<CertificateRow>()
        .all(tx)
        .await?;
    rows.into_iter().map(Certificate::try_from).collect()
}

/// The rows that count as `state` at `now`; says in SQL what `Certificate::state` says.
fn in_state(state: CertificateState, now: Instant) -> Condition {
    let micros = now.as_micros();
    let unrevoked = || {
        Condition::all().add(
            Condition::any()
                .add(Column::RevokeUs.is_null())
                .add(Column::RevokeUs.gt(micros)),
        )
    };
    match state {
        CertificateState::Revoked => Condition::all().add(Column::RevokeUs.lte(micros)),
        CertificateState::Expired => unrevoked().add(Column::UntilUs.lte(micros)),
        CertificateState::Active => unrevoked().add(Column::UntilUs.gt(micros)),
    }
}
