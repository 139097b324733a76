//! Changes of licences since a version of their fences, for the engine's memory to catch up on.

use licet_domain::{
    clock::Instant,
    ids::{CertificateId, LicenseId},
};
use licet_runtime::{database::Tx, fault::Fault, stored};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{
    query::{Query, Rows},
    san_lists::split_sans,
};
use crate::rules::quota::holdings::{Claim, ClaimKind};

/// The version after which a licence's changes are wanted; 0 for everything that still holds SANs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    pub(crate) license_id: LicenseId,
    pub(crate) version: i64,
    pub(crate) as_of: Instant,
}

fn wanted(since: &[Since]) -> Rows<'_, Since> {
    Rows::of(since)
        .text("license_id", |since| since.license_id)
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
    rows.into_iter()
        .map(|row| {
            let id: CertificateId = stored::parsed("certificate_id", &row.certificate_id)?;
            let until = stored::instant_if("until_us", row.until_us)?;
            let claim = until.map(|until| Claim {
                kind: ClaimKind::Active,
                sans: split_sans(&row.names),
                until,
                reach: until,
            });
            Ok(ChangedClaim {
                license_id: stored::parsed("license_id", &row.license_id)?,
                id: id.uuid(),
                claim,
            })
        })
        .collect()
}
