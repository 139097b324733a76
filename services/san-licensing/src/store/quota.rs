//! What the quota engine reads and writes: fences, decisions, certificates. Set-based; a round of
//! any size is a handful of statements.

use std::collections::HashMap;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId, LicenseId, ProductId, ReservationId},
};
use licet_runtime::{database::Tx, fault::Fault, stored};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};
use serde_json::json;
use uuid::Uuid;

use crate::rules::{
    certificate::{Certificate, CertificateKey, RevocationReason},
    decision::Decision,
    license::KeyType,
    name::Name,
    reservation::{Reservation, ReservationProgress},
};

/// A statement in the text of the database at hand.
macro_rules! statement {
    ($tx:expr, $name:literal, [$($value:expr),*]) => {{
        let text = if $tx.get_database_backend() == DbBackend::Postgres {
            include_str!(concat!("sql/postgres/", $name, ".sql"))
        } else {
            include_str!(concat!("sql/sqlite/", $name, ".sql"))
        };
        let values: Vec<Value> = vec![$($value.into()),*];
        Statement::from_sql_and_values($tx.get_database_backend(), text, values)
    }};
}
pub(crate) use statement;

/// A licence's fence: whoever decides about the licence moves it, and knows what to catch up on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fence {
    pub(crate) license_id: LicenseId,
    pub(crate) version: i64,
    pub(crate) as_of: Instant,
}

#[derive(FromQueryResult)]
struct FenceRow {
    license_id: String,
    version: i64,
    as_of_us: i64,
}

fn fences(rows: Vec<FenceRow>) -> Result<Vec<Fence>, Fault> {
    rows.into_iter()
        .map(|row| {
            Ok(Fence {
                license_id: stored::parsed("license_id", &row.license_id)?,
                version: row.version,
                as_of: stored::instant("as_of_us", row.as_of_us)?,
            })
        })
        .collect()
}

fn id_list<T: ToString>(ids: impl IntoIterator<Item = T>) -> String {
    json!(ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>()).to_string()
}

/// Locks the fences and moves each on by one version; licences without one are left out.
pub(crate) async fn move_fences(
    tx: &Tx,
    licenses: &[LicenseId],
    now: Instant,
) -> Result<Vec<Fence>, Fault> {
    let ids = id_list(licenses);
    let query = statement!(tx, "move_fences", [ids, now.as_micros()]);
    fences(FenceRow::find_by_statement(query).all(tx).await?)
}

/// Reads the fences as they stand.
pub(crate) async fn read_fences(tx: &Tx, licenses: &[LicenseId]) -> Result<Vec<Fence>, Fault> {
    let query = statement!(tx, "read_fences", [id_list(licenses)]);
    fences(FenceRow::find_by_statement(query).all(tx).await?)
}

/// A fence for a new licence.
pub(crate) async fn insert_fence(tx: &Tx, license: LicenseId, now: Instant) -> Result<(), Fault> {
    let query = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "INSERT INTO license_fence (license_id, version, as_of_us) VALUES ($1, 1, $2)",
        [license.to_string().into(), now.as_micros().into()],
    );
    tx.execute_raw(query).await?;
    Ok(())
}

/// From which version on a licence's changes are wanted; 0 asks for all that is still of effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    pub(crate) license_id: LicenseId,
    pub(crate) version: i64,
    pub(crate) as_of: Instant,
}

fn since_list(wanted: &[Since]) -> String {
    let list: Vec<_> = wanted
        .iter()
        .map(|since| {
            json!({
                "l": since.license_id,
                "v": since.version,
                "t": since.as_of.as_micros(),
            })
        })
        .collect();
    json!(list).to_string()
}

/// A decision or a certificate that changed: what it holds now.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) license_id: LicenseId,
    pub(crate) id: Uuid,
    pub(crate) names: Vec<Name>,
    /// `None`: it holds nothing any more.
    pub(crate) until: Option<Instant>,
}

pub(super) fn split_names(names: &str) -> Vec<Name> {
    names.lines().map(Name::from).collect()
}

/// The reservations that changed.
pub(crate) async fn changed_decisions(tx: &Tx, since: &[Since]) -> Result<Vec<Changed>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        license_id: String,
        decision_id: String,
        state: String,
        names: String,
        expire_us: i64,
    }
    let query = statement!(tx, "changed_decisions", [since_list(since)]);
    let rows = Row::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            let holds = row.state == "GRANTED";
            let expire = stored::instant("expire_us", row.expire_us)?;
            Ok(Changed {
                license_id: stored::parsed("license_id", &row.license_id)?,
                id: stored::parsed("decision_id", &row.decision_id)?,
                names: split_names(&row.names),
                until: holds.then_some(expire),
            })
        })
        .collect()
}

/// The certificates that changed.
pub(crate) async fn changed_certificates(tx: &Tx, since: &[Since]) -> Result<Vec<Changed>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        license_id: String,
        certificate_id: String,
        names: String,
        until_us: i64,
    }
    let query = statement!(tx, "changed_certificates", [since_list(since)]);
    let rows = Row::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            let id: CertificateId = stored::parsed("certificate_id", &row.certificate_id)?;
            Ok(Changed {
                license_id: stored::parsed("license_id", &row.license_id)?,
                id: id.uuid(),
                names: split_names(&row.names),
                until: Some(stored::instant("until_us", row.until_us)?),
            })
        })
        .collect()
}

/// A decision as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct KeptDecision {
    pub(crate) license_id: LicenseId,
    pub(crate) fingerprint: String,
    /// What became of a grant; `None` for a denial.
    pub(crate) progress: Option<ReservationProgress>,
    pub(crate) names: Vec<Name>,
    pub(crate) decision: Decision,
}

impl KeptDecision {
    /// The reservation that a grant made.
    pub(crate) fn reservation(&self, id: ReservationId) -> Option<Reservation> {
        Some(Reservation {
            id,
            license_id: self.license_id,
            names: self.names.clone(),
            decide_time: self.decision.time,
            expire_time: self.decision.expire?,
            progress: self.progress?,
        })
    }
}

impl From<&NewDecision> for KeptDecision {
    fn from(new: &NewDecision) -> Self {
        Self {
            license_id: new.license_id,
            fingerprint: new.fingerprint.clone(),
            progress: new
                .decision
                .is_granted()
                .then_some(ReservationProgress::Granted),
            names: new.names.clone(),
            decision: new.decision.clone(),
        }
    }
}

/// The decisions that are kept under some ids.
pub(crate) async fn find_decisions(
    tx: &Tx,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, KeptDecision>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        decision_id: String,
        license_id: String,
        fingerprint: String,
        state: String,
        names: String,
        decision_json: String,
    }
    let query = statement!(tx, "find_decisions", [id_list(ids)]);
    let rows = Row::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            let kept = KeptDecision {
                license_id: stored::parsed("license_id", &row.license_id)?,
                fingerprint: row.fingerprint,
                // A denial's word is none of a reservation's.
                progress: row.state.parse().ok(),
                names: split_names(&row.names),
                decision: stored::from_json("decision_json", &row.decision_json)?,
            };
            Ok((stored::parsed("decision_id", &row.decision_id)?, kept))
        })
        .collect()
}

/// A decision to keep.
#[derive(Clone, Debug)]
pub(crate) struct NewDecision {
    pub(crate) license_id: LicenseId,
    pub(crate) id: Uuid,
    pub(crate) version: i64,
    pub(crate) fingerprint: String,
    pub(crate) names: Vec<Name>,
    pub(crate) decision: Decision,
}

impl NewDecision {
    fn state(&self) -> &'static str {
        if self.decision.is_granted() {
            "GRANTED"
        } else {
            "DENIED"
        }
    }
}

/// Keeps decisions.
pub(crate) async fn insert_decisions(tx: &Tx, decisions: &[NewDecision]) -> Result<(), Fault> {
    let rows: Vec<_> = decisions
        .iter()
        .map(|new| {
            let decision = &new.decision;
            Ok(json!({
                "l": new.license_id,
                "i": new.id,
                "v": new.version,
                "f": new.fingerprint,
                "s": new.state(),
                "n": new.names.join("\n"),
                "d": decision.time.as_micros(),
                "e": decision.expire.unwrap_or(decision.time).as_micros(),
                "j": stored::to_json("decision_json", decision)?,
            }))
        })
        .collect::<Result<_, Fault>>()?;
    let query = statement!(tx, "insert_decisions", [json!(rows).to_string()]);
    tx.execute_raw(query).await?;
    Ok(())
}

/// A reservation that ends before its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClosedDecision {
    pub(crate) id: Uuid,
    pub(crate) version: i64,
    pub(crate) progress: ReservationProgress,
    pub(crate) time: Instant,
}

/// Closes reservations.
pub(crate) async fn close_decisions(tx: &Tx, closed: &[ClosedDecision]) -> Result<(), Fault> {
    let rows: Vec<_> = closed
        .iter()
        .map(|closed| {
            json!({
                "i": closed.id,
                "s": closed.progress,
                "v": closed.version,
                "c": closed.time.as_micros(),
            })
        })
        .collect();
    let query = statement!(tx, "close_decisions", [json!(rows).to_string()]);
    tx.execute_raw(query).await?;
    Ok(())
}

#[derive(FromQueryResult)]
pub(super) struct CertificateRow {
    account_id: String,
    certificate_id: String,
    license_id: Option<String>,
    issuer_sha256: String,
    serial_hex: String,
    product_id: String,
    key_type: Option<String>,
    names: String,
    not_before_us: i64,
    not_after_us: i64,
    record_us: i64,
    until_us: i64,
    revoke_us: Option<i64>,
    revoke_reason: Option<String>,
    reservation_id: Option<String>,
}

impl TryFrom<CertificateRow> for Certificate {
    type Error = Fault;

    fn try_from(row: CertificateRow) -> Result<Self, Fault> {
        Ok(Self {
            id: stored::parsed("certificate_id", &row.certificate_id)?,
            license_id: stored::parsed_if("license_id", row.license_id.as_deref())?,
            key: CertificateKey {
                account_id: stored::parsed::<AccountId>("account_id", &row.account_id)?,
                issuer_sha256: row.issuer_sha256,
                serial_hex: row.serial_hex,
            },
            product_id: stored::parsed::<ProductId>("product_id", &row.product_id)?,
            key_type: stored::parsed_if::<KeyType>("key_type", row.key_type.as_deref())?,
            names: split_names(&row.names),
            not_before: stored::instant("not_before_us", row.not_before_us)?,
            not_after: stored::instant("not_after_us", row.not_after_us)?,
            record_time: stored::instant("record_us", row.record_us)?,
            until: stored::instant("until_us", row.until_us)?,
            revoke_time: stored::instant_if("revoke_us", row.revoke_us)?,
            revoke_reason: stored::parsed_if::<RevocationReason>(
                "revoke_reason",
                row.revoke_reason.as_deref(),
            )?,
            reservation_id: stored::parsed_if("reservation_id", row.reservation_id.as_deref())?,
        })
    }
}

/// The certificates that are kept under some keys.
pub(crate) async fn find_certificates(
    tx: &Tx,
    keys: &[&CertificateKey],
) -> Result<HashMap<CertificateKey, Certificate>, Fault> {
    let list: Vec<_> = keys
        .iter()
        .map(|key| json!({ "a": key.account_id, "i": key.issuer_sha256, "s": key.serial_hex }))
        .collect();
    let query = statement!(tx, "find_certificates", [json!(list).to_string()]);
    let rows = CertificateRow::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            let certificate = Certificate::try_from(row)?;
            Ok((certificate.key.clone(), certificate))
        })
        .collect()
}

/// The certificates with some ids.
pub(crate) async fn find_certificates_by_id(
    tx: &Tx,
    ids: &[CertificateId],
) -> Result<HashMap<CertificateId, Certificate>, Fault> {
    let query = statement!(tx, "find_certificates_by_id", [id_list(ids)]);
    let rows = CertificateRow::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            let certificate = Certificate::try_from(row)?;
            Ok((certificate.id, certificate))
        })
        .collect()
}

/// Keeps certificates, each with the version of its licence's fence.
pub(crate) async fn insert_certificates(
    tx: &Tx,
    certificates: &[(Certificate, i64)],
) -> Result<(), Fault> {
    let rows: Vec<_> = certificates
        .iter()
        .map(|(certificate, version)| {
            json!({
                "a": certificate.key.account_id,
                "c": certificate.id,
                "l": certificate.license_id,
                "v": version,
                "i": certificate.key.issuer_sha256,
                "s": certificate.key.serial_hex,
                "p": certificate.product_id,
                "k": certificate.key_type,
                "n": certificate.names.join("\n"),
                "m": certificate.names.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
                "b": certificate.not_before.as_micros(),
                "e": certificate.not_after.as_micros(),
                "r": certificate.record_time.as_micros(),
                "u": certificate.until.as_micros(),
                "h": certificate.reservation_id,
            })
        })
        .collect();
    let rows = json!(rows).to_string();
    let query = statement!(tx, "insert_certificates", [rows.clone()]);
    tx.execute_raw(query).await?;
    let query = statement!(tx, "insert_certificate_sans", [rows]);
    tx.execute_raw(query).await?;
    Ok(())
}

/// Ends certificates by revocation.
pub(crate) async fn revoke_certificates(
    tx: &Tx,
    revoked: &[(Certificate, i64)],
) -> Result<(), Fault> {
    let rows: Vec<_> = revoked
        .iter()
        .map(|(certificate, version)| {
            json!({
                "c": certificate.id,
                "l": certificate.license_id,
                "n": certificate.names.join("\n"),
                "m": certificate.names.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
                "t": certificate.revoke_time.map(Instant::as_micros),
                "r": certificate.revoke_reason,
                "v": version,
            })
        })
        .collect();
    let rows = json!(rows).to_string();
    let query = statement!(tx, "revoke_certificates", [rows.clone()]);
    tx.execute_raw(query).await?;
    let query = statement!(tx, "end_certificate_sans", [rows]);
    tx.execute_raw(query).await?;
    Ok(())
}
