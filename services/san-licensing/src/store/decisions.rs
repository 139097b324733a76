//! Decisions of authorisations; a granted one is a reservation (SL-12).

use std::collections::HashMap;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, ReservationId},
};
use licet_runtime::{
    all_accounts::AllAccounts,
    database::{Database, Tx},
    fault::Fault,
    outbox::{self, Event},
    stored,
};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    fences::{self, FenceMove},
    licenses::{signed, unsigned},
    query::{Query, Rows, insert},
    san_lists::{join_sans, split_sans},
};
use crate::rules::{
    decision::{Decision, DenialReason, NextShortage},
    license::LicenseKey,
    packed_san::PackedSan,
    reservation::{Reservation, ReservationProgress},
};

/// The account of a decision, and its id.
pub(crate) type DecisionKey = (AccountId, Uuid);

/// A stored decision.
#[derive(Clone, Debug)]
pub(crate) struct DecisionRecord {
    pub(crate) license_id: LicenseId,
    pub(crate) fingerprint: [u8; 32],
    /// Progress of a grant's reservation; `None` for a denial.
    pub(crate) progress: Option<ReservationProgress>,
    pub(crate) sans: Vec<PackedSan>,
    pub(crate) decision: Decision,
}

impl DecisionRecord {
    /// The reservation of a grant.
    pub(crate) fn reservation(&self, id: ReservationId) -> Option<Reservation> {
        Some(Reservation {
            id,
            license_id: self.license_id,
            sans: self.sans.clone(),
            decide_time: self.decision.time,
            expire_time: self.decision.expire?,
            progress: self.progress?,
        })
    }
}

impl From<&NewDecision> for DecisionRecord {
    fn from(new: &NewDecision) -> Self {
        Self {
            license_id: new.license.id,
            fingerprint: new.fingerprint,
            progress: new
                .decision
                .is_granted()
                .then_some(ReservationProgress::Granted),
            sans: new.sans.clone(),
            decision: new.decision.clone(),
        }
    }
}

/// The parts of a denial that a grant does not have.
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
    account_id: String,
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

impl TryFrom<DecisionRow> for (DecisionKey, DecisionRecord) {
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
        let record = DecisionRecord {
            license_id: stored::parsed("license_id", &row.license_id)?,
            fingerprint: fingerprint
                .map_err(|_| Fault::internal("fingerprint does not have 32 bytes"))?,
            // `DENIED` is no progress of a reservation.
            progress: row.state.parse().ok(),
            sans: split_sans(&row.names),
            decision,
        };
        let account_id = stored::parsed("account_id", &row.account_id)?;
        Ok(((account_id, id), record))
    }
}

/// Finds decisions.
pub(crate) async fn find(
    tx: &Tx,
    keys: &[DecisionKey],
) -> Result<HashMap<DecisionKey, DecisionRecord>, Fault> {
    let rows = Rows::of(keys)
        .text("account_id", |(account_id, _)| account_id)
        .text("decision_id", |(_, id)| id);
    let query = Query::on(tx).rows("wanted", rows);
    let query = query.statement(include_str!("sql/find_decisions.sql"))?;
    let rows = DecisionRow::find_by_statement(query).all(tx).await?;
    rows.into_iter().map(TryFrom::try_from).collect()
}

/// A decision to be inserted.
#[derive(Clone, Debug)]
pub(crate) struct NewDecision {
    pub(crate) license: LicenseKey,
    pub(crate) id: Uuid,
    pub(crate) version: i64,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) sans: Vec<PackedSan>,
    /// The first instant at which the requested certificate would no longer count.
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

    /// The parts of a denial that a grant does not have.
    fn denial(&self) -> Result<Option<String>, Fault> {
        let decision = &self.decision;
        if decision.is_granted() {
            return Ok(None);
        }
        let denial = Denial {
            reasons: decision.reasons.clone(),
            short_by: decision.short_by,
            fits: decision.fits,
            latest_not_after: decision.latest_not_after,
            next: decision.next,
        };
        stored::to_json("denial_json", &denial).map(Some)
    }
}

fn rows(decisions: &[NewDecision]) -> Result<Rows<'_, NewDecision>, Fault> {
    let expire = |new: &NewDecision| new.decision.expire.unwrap_or(new.decision.time);
    Rows::of(decisions)
        .text("account_id", |new| new.license.account_id)
        .text("license_id", |new| new.license.id)
        .text("decision_id", |new| new.id)
        .long("version", |new| new.version)
        .bytes("fingerprint", |new| new.fingerprint)
        .text("state", NewDecision::state)
        .string("names", |new| join_sans(&new.sans))
        .long("decided_us", |new| new.decision.time.as_micros())
        .long("expire_us", |new| expire(new).as_micros())
        .long("until_us", |new| new.until.as_micros())
        .try_long("quota", |new| signed("quota", new.decision.quota))?
        .try_long("used", |new| signed("used", new.decision.used))?
        .try_long("reserved", |new| signed("reserved", new.decision.reserved))?
        .try_long("needed", |new| signed("needed", new.decision.needed))?
        .try_optional_text("denial_json", NewDecision::denial)
}

/// Inserts decisions.
pub(crate) async fn insert_all(tx: &Tx, decisions: &[NewDecision]) -> Result<(), Fault> {
    insert(tx, "decision", rows(decisions)?).await
}

/// Result of [`write_optimistically`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoundWrite {
    /// The whole round is written.
    Written,
    /// Nothing is written: one of the decisions is already recorded.
    Repeated,
    /// Nothing is written: another instance moved a fence first.
    FenceMoved,
}

/// Moves the fences on from their expected versions, records the decisions and writes the events, in one
/// statement of PostgreSQL. Where it returns anything but `Written`, at most some fences have moved.
///
/// # Errors
/// It is unknown whether the round is written.
pub(crate) async fn write_optimistically(
    database: &Database,
    moves: &[FenceMove],
    decisions: &[NewDecision],
    events: &[Event<'_>],
) -> Result<RoundWrite, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        met: bool,
        holds: bool,
    }
    let connection = database.write_alone();
    let query = Query::on(connection)
        // The events' statement expects them as its first parameter.
        .value("events", outbox::rows(events))
        .part("insert events", outbox::INSERT_POSTGRES)
        .rows("expected", fences::rows(moves))
        .rows("decisions", rows(decisions)?);
    let query = query.statement(include_str!("sql/postgres/decide_round.sql"))?;
    match Row::find_by_statement(query).one(connection).await {
        Ok(Some(row)) if row.holds => Ok(RoundWrite::Written),
        Ok(Some(row)) if row.met => Ok(RoundWrite::Repeated),
        Ok(_) => Ok(RoundWrite::FenceMoved),
        Err(error) => match Fault::from(error) {
            Fault::Contention(_) => Ok(RoundWrite::FenceMoved),
            fault @ (Fault::Invalid(_)
            | Fault::Refused(_)
            | Fault::Transient(_)
            | Fault::Internal(_)) => Err(fault),
        },
    }
}

/// A reservation to be closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClosedDecision {
    pub(crate) key: DecisionKey,
    pub(crate) version: i64,
    pub(crate) progress: ReservationProgress,
    pub(crate) time: Instant,
}

/// Closes reservations.
pub(crate) async fn close(tx: &Tx, closed: &[ClosedDecision]) -> Result<(), Fault> {
    let rows = Rows::of(closed)
        .text("account_id", |closed| closed.key.0)
        .text("decision_id", |closed| closed.key.1)
        .text("state", |closed| closed.progress.as_str())
        .long("version", |closed| closed.version)
        .long("closed_us", |closed| closed.time.as_micros());
    let query = Query::on(tx).rows("closed", rows);
    let query = query.statement(include_str!("sql/close_decisions.sql"))?;
    tx.execute_raw(query).await?;
    Ok(())
}

/// Removes the SANs of up to `limit` denials from before `before`, the oldest first. Returns how many. No decision
/// depends on them, so the fences stay.
pub(crate) async fn drop_denied_sans(tx: &Tx, before: Instant, limit: u64) -> Result<u64, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        account_id: String,
        decision_id: String,
    }
    let text = "SELECT account_id, decision_id FROM decision \
        WHERE state = 'DENIED' AND names <> '' AND decided_us < $1 ORDER BY decided_us LIMIT $2";
    let values = [before.as_micros().into(), limit.into()];
    let query = Statement::from_sql_and_values(tx.get_database_backend(), text, values);
    let reads = AllAccounts::new(tx, "denials of any account may be old");
    let denied = Row::find_by_statement(query).all(&reads).await?;
    if denied.is_empty() {
        return Ok(0);
    }
    let rows = Rows::of(&denied)
        .text("account_id", |row| &row.account_id)
        .text("decision_id", |row| &row.decision_id);
    let query = Query::on(tx).rows("denied", rows);
    let query = query.statement(include_str!("sql/drop_denied_sans.sql"))?;
    Ok(tx.execute_raw(query).await?.rows_affected())
}
