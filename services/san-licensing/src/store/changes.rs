//! Changes of licences since a version of their fences, for the engine's memory to catch up on.

use licet_domain::{
    clock::Instant,
    ids::{CertificateId, LicenseId},
};
use licet_runtime::{database::Tx, fault::Fault, stored};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::{
    fences::license_rows,
    query::{Query, Rows},
    san_lists::split_sans,
};
use crate::rules::{
    license::LicenseKey,
    quota::holdings::{Claim, ClaimKind},
};

/// The version after which a licence's changes are wanted; 0 for everything that still holds SANs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    pub(crate) license: LicenseKey,
    pub(crate) version: i64,
    pub(crate) as_of: Instant,
}

fn wanted(since: &[Since]) -> Rows<'_, Since> {
    Rows::of(since)
        .text("account_id", |since| since.license.account_id)
        .text("license_id", |since| since.license.id)
        .long("version", |since| since.version)
        .long("as_of_us", |since| since.as_of.as_micros())
}

/// A decision or certificate that has changed.
#[derive(Debug)]
pub(crate) struct ChangedClaim {
    pub(crate) license_id: LicenseId,
    pub(crate) id: Uuid,
    /// The SANs that it holds now, if any.
    pub(crate) claim: Option<Claim>,
}

/// Finds changed reservations.
pub(crate) async fn find_reservations(
    tx: &Tx,
    since: &[Since],
) -> Result<Vec<ChangedClaim>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        license_id: String,
        decision_id: String,
        state: String,
        names: String,
        expire_us: i64,
        until_us: i64,
    }
    let query = Query::on(tx).rows("wanted", wanted(since));
    let query = query.statement(include_str!("sql/changed_decisions.sql"))?;
    let rows = Row::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            let holds = row.state == "GRANTED";
            let until = stored::instant("expire_us", row.expire_us)?;
            let claim = Claim {
                kind: ClaimKind::Reserved,
                sans: split_sans(&row.names),
                until,
                reach: until.max(stored::instant("until_us", row.until_us)?),
            };
            Ok(ChangedClaim {
                license_id: stored::parsed("license_id", &row.license_id)?,
                id: stored::parsed("decision_id", &row.decision_id)?,
                claim: holds.then_some(claim),
            })
        })
        .collect()
}

/// Finds changed certificates.
pub(crate) async fn find_certificates(
    tx: &Tx,
    since: &[Since],
) -> Result<Vec<ChangedClaim>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        license_id: String,
        certificate_id: String,
        names: String,
        until_us: Option<i64>,
    }
    let query = Query::on(tx).rows("wanted", wanted(since));
    let query = query.statement(include_str!("sql/changed_certificates.sql"))?;
    let rows = Row::find_by_statement(query).all(tx).await?;
    let each = rows.into_iter();
    each.map(|row| {
        certificate_claim(
            &row.license_id,
            &row.certificate_id,
            &row.names,
            row.until_us,
        )
    })
    .collect()
}

/// Finds the licences with more than `most` certificates, ended ones included.
pub(crate) async fn find_large(
    tx: &Tx,
    licenses: &[LicenseKey],
    most: i64,
) -> Result<Vec<LicenseKey>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        account_id: String,
        license_id: String,
    }
    let wanted = license_rows(licenses);
    let query = Query::on(tx).value("most", most).rows("wanted", wanted);
    let query = query.statement(include_str!("sql/find_large_licenses.sql"))?;
    let rows = Row::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            Ok(LicenseKey {
                account_id: stored::parsed("account_id", &row.account_id)?,
                id: stored::parsed("license_id", &row.license_id)?,
            })
        })
        .collect()
}

/// A position in a licence's certificates, by the version of their last change.
#[derive(Debug, Default)]
pub(crate) struct PagePosition {
    version: i64,
    certificate_id: String,
}

/// A page of a licence's certificates.
#[derive(Debug)]
pub(crate) struct CertificatePage {
    pub(crate) changed: Vec<ChangedClaim>,
    /// `None` if the page is empty.
    pub(crate) last: Option<PagePosition>,
}

/// A page of the certificates that have not changed since the version `up_to`, ended ones included.
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    license: LicenseKey,
    up_to: i64,
    after: &PagePosition,
    most: i64,
) -> Result<CertificatePage, Fault> {
    let query = Query::on(connection)
        .value("account_id", license.account_id.to_string())
        .value("license_id", license.id.to_string())
        .value("up_to", up_to)
        .value("after_version", after.version)
        .value("after_id", after.certificate_id.as_str())
        .value("most", most);
    let query = query.statement(include_str!("sql/certificate_page.sql"))?;
    let rows = PageRow::find_by_statement(query).all(connection).await?;
    let last = rows.last().map(|row| PagePosition {
        version: row.version,
        certificate_id: row.certificate_id.clone(),
    });
    let each = rows.into_iter();
    let changed = each.map(|row| {
        certificate_claim(
            &row.license_id,
            &row.certificate_id,
            &row.names,
            Some(row.until_us),
        )
    });
    Ok(CertificatePage {
        changed: changed.collect::<Result<_, _>>()?,
        last,
    })
}

#[derive(FromQueryResult)]
struct PageRow {
    license_id: String,
    certificate_id: String,
    version: i64,
    names: String,
    until_us: i64,
}

/// What a certificate holds until an instant; nothing without one.
fn certificate_claim(
    license_id: &str,
    certificate_id: &str,
    names: &str,
    until_us: Option<i64>,
) -> Result<ChangedClaim, Fault> {
    let id: CertificateId = stored::parsed("certificate_id", certificate_id)?;
    let until = stored::instant_if("until_us", until_us)?;
    Ok(ChangedClaim {
        license_id: stored::parsed("license_id", license_id)?,
        id: id.uuid(),
        claim: until.map(|until| Claim {
            kind: ClaimKind::Active,
            sans: split_sans(names),
            until,
            reach: until,
        }),
    })
}
