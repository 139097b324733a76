//! What the quota engine reads and writes: fences, decisions, certificates. Set-based; a round of
//! any size is a handful of statements.

use std::collections::HashMap;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId, LicenseId, ProductId, ReservationId},
};
use licet_runtime::{
    database::{Database, Tx},
    fault::Fault,
    outbox::{self, Event},
    stored,
};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    cells::{Cells, parameters},
    licenses::{signed, unsigned},
};
use crate::rules::{
    certificate::{Certificate, CertificateKey, RevocationReason},
    decision::{Decision, DenialReason, NextShortage},
    license::KeyType,
    name::Name,
    quota::holdings::{Claim, ClaimKind},
    reservation::{Reservation, ReservationProgress},
};

/// A statement in the text of the database at hand.
macro_rules! statement {
    ($tx:expr, $name:literal, [$($value:expr),*]) => {{
        let values: Vec<Value> = vec![$($value.into()),*];
        $crate::store::quota::statement!($tx, $name, values)
    }};
    ($tx:expr, $name:literal, $values:expr) => {{
        let text = if $tx.get_database_backend() == DbBackend::Postgres {
            include_str!(concat!("sql/postgres/", $name, ".sql"))
        } else {
            include_str!(concat!("sql/sqlite/", $name, ".sql"))
        };
        Statement::from_sql_and_values($tx.get_database_backend(), text, $values)
    }};
}
pub(crate) use statement;

/// A statement whose parameters are the rows that it is about, and others after them.
macro_rules! of_rows {
    ($tx:expr, $name:literal, [$($column:expr),* $(,)?] $(, $other:expr)*) => {{
        let others: Vec<Value> = vec![$($other.into()),*];
        let values = parameters($tx.get_database_backend(), vec![$($column),*]);
        statement!($tx, $name, values.into_iter().chain(others))
    }};
}
pub(super) use of_rows;

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

/// Locks the fences and moves each on by one version, to its instant at least; licences without one
/// are left out.
pub(crate) async fn move_fences(
    tx: &Tx,
    licenses: &[(LicenseId, Instant)],
) -> Result<Vec<Fence>, Fault> {
    let query = of_rows!(
        tx,
        "move_fences",
        [
            Cells::text(licenses.iter().map(|(id, _)| id)),
            Cells::long(licenses.iter().map(|(_, now)| now.as_micros())),
        ]
    );
    fences(FenceRow::find_by_statement(query).all(tx).await?)
}

/// Reads the fences as they stand.
pub(crate) async fn read_fences(
    connection: &impl ConnectionTrait,
    licenses: &[LicenseId],
) -> Result<Vec<Fence>, Fault> {
    let query = of_rows!(connection, "read_fences", [Cells::text(licenses.iter())]);
    fences(FenceRow::find_by_statement(query).all(connection).await?)
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

fn since_columns(wanted: &[Since]) -> Vec<Cells> {
    vec![
        Cells::text(wanted.iter().map(|since| since.license_id)),
        Cells::long(wanted.iter().map(|since| since.version)),
        Cells::long(wanted.iter().map(|since| since.as_of.as_micros())),
    ]
}

/// A decision or a certificate that changed: what it holds now.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) license_id: LicenseId,
    pub(crate) id: Uuid,
    /// `None`: it holds nothing any more.
    pub(crate) claim: Option<Claim>,
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
        until_us: i64,
    }
    let values = parameters(tx.get_database_backend(), since_columns(since));
    let query = statement!(tx, "changed_decisions", values);
    let rows = Row::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            let holds = row.state == "GRANTED";
            let until = stored::instant("expire_us", row.expire_us)?;
            let claim = Claim {
                kind: ClaimKind::Reserved,
                names: split_names(&row.names),
                until,
                reach: until.max(stored::instant("until_us", row.until_us)?),
            };
            Ok(Changed {
                license_id: stored::parsed("license_id", &row.license_id)?,
                id: stored::parsed("decision_id", &row.decision_id)?,
                claim: holds.then_some(claim),
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
        until_us: Option<i64>,
    }
    let columns = since_columns(since);
    let values = parameters(tx.get_database_backend(), columns);
    let query = statement!(tx, "changed_certificates", values);
    let rows = Row::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            let id: CertificateId = stored::parsed("certificate_id", &row.certificate_id)?;
            let until = stored::instant_if("until_us", row.until_us)?;
            let claim = until.map(|until| Claim {
                kind: ClaimKind::Active,
                names: split_names(&row.names),
                until,
                reach: until,
            });
            Ok(Changed {
                license_id: stored::parsed("license_id", &row.license_id)?,
                id: id.uuid(),
                claim,
            })
        })
        .collect()
}

/// A decision as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct KeptDecision {
    pub(crate) license_id: LicenseId,
    pub(crate) fingerprint: [u8; 32],
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
            fingerprint: new.fingerprint,
            progress: new
                .decision
                .is_granted()
                .then_some(ReservationProgress::Granted),
            names: new.names.clone(),
            decision: new.decision.clone(),
        }
    }
}

/// What a denial says beyond the figures of every decision.
#[derive(Serialize, Deserialize)]
struct Denial {
    reasons: Vec<DenialReason>,
    short_by: u64,
    fits: Option<Instant>,
    latest_not_after: Option<Instant>,
    #[serde(default)]
    next: Option<NextShortage>,
}

#[derive(FromQueryResult)]
struct DecisionRow {
    decision_id: String,
    license_id: String,
    fingerprint: Vec<u8>,
    state: String,
    names: String,
    decided_us: i64,
    expire_us: i64,
    quota: i64,
    used: i64,
    reserved: i64,
    needed: i64,
    denial_json: Option<String>,
}

impl TryFrom<DecisionRow> for (Uuid, KeptDecision) {
    type Error = Fault;

    fn try_from(row: DecisionRow) -> Result<Self, Fault> {
        let id = stored::parsed("decision_id", &row.decision_id)?;
        let denial = row.denial_json.as_deref();
        let denial = denial.map(|text| stored::from_json::<Denial>("denial_json", text));
        let denial = denial.transpose()?;
        let expire = denial
            .is_none()
            .then(|| stored::instant("expire_us", row.expire_us))
            .transpose()?;
        let denial = denial.unwrap_or(Denial {
            reasons: Vec::new(),
            short_by: 0,
            fits: None,
            latest_not_after: None,
            next: None,
        });
        let decision = Decision {
            id,
            reasons: denial.reasons,
            time: stored::instant("decided_us", row.decided_us)?,
            expire,
            quota: unsigned("quota", row.quota)?,
            used: unsigned("used", row.used)?,
            reserved: unsigned("reserved", row.reserved)?,
            needed: unsigned("needed", row.needed)?,
            short_by: denial.short_by,
            fits: denial.fits,
            latest_not_after: denial.latest_not_after,
            next: denial.next,
        };
        let fingerprint = row.fingerprint.try_into();
        let kept = KeptDecision {
            license_id: stored::parsed("license_id", &row.license_id)?,
            fingerprint: fingerprint
                .map_err(|_| Fault::internal("fingerprint is not of 32 bytes"))?,
            // A denial's word is none of a reservation's.
            progress: row.state.parse().ok(),
            names: split_names(&row.names),
            decision,
        };
        Ok((id, kept))
    }
}

/// The decisions that are kept under some ids.
pub(crate) async fn find_decisions(
    tx: &Tx,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, KeptDecision>, Fault> {
    let query = of_rows!(tx, "find_decisions", [Cells::text(ids.iter())]);
    let rows = DecisionRow::find_by_statement(query).all(tx).await?;
    rows.into_iter().map(TryFrom::try_from).collect()
}

/// A decision to keep.
#[derive(Clone, Debug)]
pub(crate) struct NewDecision {
    pub(crate) license_id: LicenseId,
    pub(crate) id: Uuid,
    pub(crate) version: i64,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) names: Vec<Name>,
    /// The first instant at which the certificate asked for would no longer count.
    pub(crate) until: Instant,
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

fn decision_columns(decisions: &[NewDecision]) -> Result<Vec<Cells>, Fault> {
    let each = || decisions.iter().map(|new| &new.decision);
    let long = |value: fn(&Decision) -> u64| {
        let values = each().map(|decision| signed("weight", value(decision)));
        Ok::<_, Fault>(Cells::Long(values.collect::<Result<_, _>>()?))
    };
    let denials = each().map(|decision| {
        if decision.is_granted() {
            return Ok(String::new());
        }
        let denial = Denial {
            reasons: decision.reasons.clone(),
            short_by: decision.short_by,
            fits: decision.fits,
            latest_not_after: decision.latest_not_after,
            next: decision.next,
        };
        stored::to_json("denial_json", &denial)
    });
    let expire = each().map(|decision| decision.expire.unwrap_or(decision.time).as_micros());
    Ok(vec![
        Cells::text(decisions.iter().map(|new| new.license_id)),
        Cells::text(decisions.iter().map(|new| new.id)),
        Cells::long(decisions.iter().map(|new| new.version)),
        Cells::bytes(decisions.iter().map(|new| new.fingerprint)),
        Cells::text(decisions.iter().map(NewDecision::state)),
        Cells::Text(decisions.iter().map(|new| new.names.join("\n")).collect()),
        Cells::long(each().map(|decision| decision.time.as_micros())),
        Cells::long(expire),
        long(|decision| decision.quota)?,
        long(|decision| decision.used)?,
        long(|decision| decision.reserved)?,
        long(|decision| decision.needed)?,
        Cells::Text(denials.collect::<Result<_, _>>()?),
        Cells::long(decisions.iter().map(|new| new.until.as_micros())),
    ])
}

/// Keeps decisions.
pub(crate) async fn insert_decisions(tx: &Tx, decisions: &[NewDecision]) -> Result<(), Fault> {
    let values = parameters(tx.get_database_backend(), decision_columns(decisions)?);
    let query = statement!(tx, "insert_decisions", values);
    tx.execute_raw(query).await?;
    Ok(())
}

/// What came of a round that was written alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Whole,
    /// A decision is kept already.
    Repeated,
    /// A fence stands elsewhere.
    Missed,
}

/// Moves the fences on from where they are expected, keeps the decisions and writes the events, all
/// in one statement of PostgreSQL. Unless it did, nothing but fences has moved.
///
/// # Errors
/// [`Fault::Contention`] when nothing happened, another fault when that is unknown.
pub(crate) async fn decide_alone(
    database: &Database,
    expected: &[Fence],
    decisions: &[NewDecision],
    events: &[Event<'_>],
) -> Result<Written, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        met: bool,
        holds: bool,
    }
    let backend = DbBackend::Postgres;
    let fences = vec![
        Cells::text(expected.iter().map(|fence| fence.license_id)),
        Cells::long(expected.iter().map(|fence| fence.version)),
        Cells::long(expected.iter().map(|fence| fence.as_of.as_micros())),
    ];
    let values = std::iter::once(outbox::rows(events).into())
        .chain(parameters(backend, fences))
        .chain(parameters(backend, decision_columns(decisions)?));
    let text = include_str!("sql/postgres/decide_round.sql");
    let text = text.replace("{insert events}", outbox::INSERT_POSTGRES);
    let query = Statement::from_sql_and_values(backend, text, values);
    let row = Row::find_by_statement(query).one(database.write_alone());
    match row.await {
        Ok(Some(row)) if row.holds => Ok(Written::Whole),
        Ok(Some(row)) if row.met => Ok(Written::Repeated),
        Ok(_) => Ok(Written::Missed),
        Err(error) => Err(error.into()),
    }
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
    let query = of_rows!(
        tx,
        "close_decisions",
        [
            Cells::text(closed.iter().map(|closed| closed.id)),
            Cells::text(closed.iter().map(|closed| closed.progress.as_str())),
            Cells::long(closed.iter().map(|closed| closed.version)),
            Cells::long(closed.iter().map(|closed| closed.time.as_micros())),
        ]
    );
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
    ca_revoke_us: Option<i64>,
    allocate_us: Option<i64>,
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
            ca_revoke_time: stored::instant_if("ca_revoke_us", row.ca_revoke_us)?,
            allocate_time: stored::instant_if("allocate_us", row.allocate_us)?,
            reservation_id: stored::parsed_if("reservation_id", row.reservation_id.as_deref())?,
        })
    }
}

/// The certificates with some ids.
pub(crate) async fn find_certificates_by_id(
    tx: &Tx,
    ids: &[CertificateId],
) -> Result<HashMap<CertificateId, Certificate>, Fault> {
    let query = of_rows!(tx, "find_certificates_by_id", [Cells::text(ids.iter())]);
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
    let each = || certificates.iter().map(|(certificate, _)| certificate);
    let query = of_rows!(
        tx,
        "insert_certificates",
        [
            Cells::text(each().map(|certificate| certificate.key.account_id)),
            Cells::text(each().map(|certificate| certificate.id)),
            optional(each().map(|certificate| certificate.license_id)),
            Cells::long(certificates.iter().map(|(_, version)| *version)),
            Cells::text(each().map(|certificate| &certificate.key.issuer_sha256)),
            Cells::text(each().map(|certificate| &certificate.key.serial_hex)),
            Cells::text(each().map(|certificate| certificate.product_id.as_str())),
            optional(each().map(|certificate| certificate.key_type.map(KeyType::as_str))),
            names(each()),
            Cells::long(each().map(|certificate| certificate.not_before.as_micros())),
            Cells::long(each().map(|certificate| certificate.not_after.as_micros())),
            Cells::long(each().map(|certificate| certificate.record_time.as_micros())),
            Cells::long(each().map(|certificate| certificate.until.as_micros())),
            optional(each().map(|certificate| certificate.reservation_id)),
        ]
    );
    tx.execute_raw(query).await?;
    let counted: Vec<_> = each()
        .filter(|certificate| certificate.license_id.is_some())
        .map(|certificate| (certificate, certificate.record_time.as_micros()))
        .collect();
    insert_sans(tx, &counted).await
}

/// Lets the SANs of certificates count in their licences, each from an instant on, in microseconds.
pub(super) async fn insert_sans(tx: &Tx, counted: &[(&Certificate, i64)]) -> Result<(), Fault> {
    let each = || counted.iter().map(|(certificate, _)| *certificate);
    if counted.is_empty() {
        return Ok(());
    }
    let query = of_rows!(
        tx,
        "insert_certificate_sans",
        [
            optional(each().map(|certificate| certificate.license_id)),
            Cells::text(each().map(|certificate| certificate.id)),
            names(each()),
            Cells::long(counted.iter().map(|(_, from_us)| *from_us)),
            Cells::long(each().map(|certificate| certificate.until.as_micros())),
        ]
    );
    tx.execute_raw(query).await?;
    Ok(())
}

/// Ends what the SANs of certificates count in licences, each at an instant.
pub(super) async fn end_sans(
    tx: &Tx,
    ended: &[(&Certificate, Option<LicenseId>, Instant)],
) -> Result<(), Fault> {
    let each = || ended.iter().map(|(certificate, ..)| *certificate);
    let query = of_rows!(
        tx,
        "end_certificate_sans",
        [
            optional(ended.iter().map(|(_, license_id, _)| *license_id)),
            Cells::text(each().map(|certificate| certificate.id)),
            names(each()),
            Cells::long(ended.iter().map(|(.., time)| time.as_micros())),
        ]
    );
    tx.execute_raw(query).await?;
    Ok(())
}

pub(super) fn optional<T: ToString>(values: impl Iterator<Item = Option<T>>) -> Cells {
    Cells::text(values.map(|value| value.map_or_else(String::new, |value| value.to_string())))
}

fn names<'a>(certificates: impl Iterator<Item = &'a Certificate>) -> Cells {
    Cells::text(certificates.map(|certificate| certificate.names.join("\n")))
}

/// Ends certificates by revocation.
pub(crate) async fn revoke_certificates(
    tx: &Tx,
    revoked: &[(Certificate, i64)],
) -> Result<(), Fault> {
    let each = || revoked.iter().map(|(certificate, _)| certificate);
    // A revoked certificate has its time and reason; what has none ends when it ends anyway.
    let time = |certificate: &Certificate| certificate.revoke_time.unwrap_or(certificate.until);
    let query = of_rows!(
        tx,
        "revoke_certificates",
        [
            Cells::text(each().map(|certificate| certificate.id)),
            Cells::long(each().map(|certificate| time(certificate).as_micros())),
            optional(
                each()
                    .map(|certificate| { certificate.revoke_reason.map(RevocationReason::as_str) })
            ),
            Cells::long(revoked.iter().map(|(_, version)| *version)),
            optional(each().map(|certificate| certificate.ca_revoke_time.map(Instant::as_micros))),
        ]
    );
    tx.execute_raw(query).await?;
    let ended: Vec<_> = each()
        .map(|certificate| (certificate, certificate.license_id, time(certificate)))
        .collect();
    end_sans(tx, &ended).await
}
