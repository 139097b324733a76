//! One round: lock and move the fences of its licences, catch up on the changes of other instances, decide
//! every command in order, and write everything in one transaction.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{
    database::{Database, Tx, Work},
    fault::Fault,
};
use sea_orm::DbBackend;

use super::{
    decide::{decide_all, read_all},
    loading::load,
    memory::{advance, catch_up, lock},
    plan::Plan,
    records::Records,
    submission::{Change, Read, Submission},
};
use crate::{
    rules::{
        license::LicenseKey,
        quota::{
            fence_version::Nonce,
            holdings::{Holdings, Licenses},
        },
    },
    store::{
        self,
        decisions::RoundWrite,
        fences::{Fence, FenceMove},
    },
};

/// The distinct licences of commands.
fn distinct_licenses<C>(submissions: &[Submission<C>]) -> Vec<LicenseId> {
    let ids: BTreeSet<_> = submissions
        .iter()
        .map(|submission| submission.license_id)
        .collect();
    ids.into_iter().collect()
}

/// Loads the licences of a round that are not in memory.
pub(super) async fn load_missing(
    database: &Database,
    submissions: &[Submission<Change>],
    memory: &mut Licenses,
) -> Result<(), Fault> {
    load(database, distinct_licenses(submissions), memory).await
}

/// Replies to reads, from one snapshot.
pub(super) async fn read(
    database: &Database,
    submissions: &[Submission<Read>],
    memory: &mut Licenses,
) -> Result<(), Fault> {
    let licenses = find_keys(database, &distinct_licenses(submissions), memory).await?;
    let mut fences = store::fences::read(database.read_alone(), &licenses).await?;
    let is_behind = |fence: &Fence| {
        let holdings = memory.get(&fence.license.id);
        holdings.is_none_or(|holdings| holdings.version != fence.version)
    };
    let account_of: HashMap<_, _> = licenses
        .iter()
        .map(|key| (key.id, key.account_id))
        .collect();
    let mut ids = Vec::new();
    for submission in submissions {
        if let Read::PreviewRevocation(pending) = &submission.command
            && let Some(account_id) = account_of.get(&submission.license_id)
        {
            ids.extend(pending.command.ids.iter().map(|id| (*account_id, *id)));
        }
    }
    let mut plan = Plan::default();
    if !ids.is_empty() || fences.iter().any(is_behind) {
        let tx = database.read();
        fences = store::fences::read(&tx, &licenses).await?;
        catch_up(&tx, memory, &fences, 0).await?;
        if !ids.is_empty() {
            plan = Plan::with_records(Records::find_certificates(&tx, &ids).await?);
        }
    }
    // A reply is never as of a time before a decision of another instance (T-5).
    advance(memory, &fences);
    read_all(&plan, memory, submissions);
    Ok(())
}

/// The keys of some licences: from memory, or else looked up. Leaves out licences that do not exist.
async fn find_keys(
    database: &Database,
    licenses: &[LicenseId],
    memory: &Licenses,
) -> Result<Vec<LicenseKey>, Fault> {
    let (known, unknown): (Vec<_>, Vec<_>) =
        licenses.iter().partition(|id| memory.contains_key(*id));
    let mut keys = keys_in(known, memory);
    if !unknown.is_empty() {
        keys.extend(store::licenses::find_keys(database.read_alone(), &unknown).await?);
    }
    Ok(keys)
}

/// The keys of those of some licences that are in memory.
fn keys_in(licenses: impl IntoIterator<Item = LicenseId>, memory: &Licenses) -> Vec<LicenseKey> {
    let each = licenses.into_iter();
    each.filter_map(|id| Some(memory.get(&id)?.limits().key()))
        .collect()
}

/// Some licences of a round in the order in which their fences are locked, each with its decision time: the latest
/// clock of its commands, or its time in memory if that is later (T-5).
fn decided_at(
    submissions: &[Submission<Change>],
    keys: &[LicenseKey],
    memory: &Licenses,
) -> Vec<(LicenseKey, Instant)> {
    let mut latest = HashMap::new();
    for submission in submissions {
        let (id, clock) = (submission.license_id, submission.requester.clock);
        let seen = memory.get(&id).map_or(clock, Holdings::as_of);
        let now = latest.entry(id).or_insert(seen);
        *now = clock.max(*now);
    }
    let mut decided: Vec<_> = keys
        .iter()
        .filter_map(|key| Some((*key, *latest.get(&key.id)?)))
        .collect();
    decided.sort_unstable();
    decided
}

/// Decides a round of authorisations from memory, and writes it in one statement that takes effect only if
/// memory is exact. Otherwise undoes the decisions in memory.
pub(super) async fn decide_optimistically(
    database: &Database,
    submissions: &[Submission<Change>],
    memory: &mut Licenses,
    moves: &[FenceMove],
) -> Result<RoundWrite, Fault> {
    for to_make in moves {
        if let Some(holdings) = memory.get_mut(&to_make.license.id) {
            holdings.version = to_make.to();
            holdings.advance(to_make.as_of);
        }
    }
    let mut plan = Plan::default();
    decide_all(&mut plan, memory, submissions);
    let events = plan.events(memory)?;
    let written =
        store::decisions::write_optimistically(database, moves, &plan.decisions, &events).await?;
    if written == RoundWrite::Written {
        for made in moves {
            if let Some(holdings) = memory.get_mut(&made.license.id) {
                holdings.is_last_mover = true;
            }
        }
        return Ok(written);
    }
    for new in &plan.decisions {
        if let Some(holdings) = memory.get_mut(&new.license.id) {
            holdings.release(new.id);
        }
    }
    for not_made in moves {
        if let Some(holdings) = memory.get_mut(&not_made.license.id) {
            holdings.version = not_made.from;
            // The move may have been made without its decisions: it must not be made again in the same run.
            holdings.is_last_mover = false;
        }
    }
    Ok(written)
}

/// The moves of the fences that memory expects. `None` if the round must read from the database, as for a repeat that
/// needs its first reply.
pub(super) fn expected_moves(
    database: &Database,
    submissions: &[Submission<Change>],
    memory: &Licenses,
) -> Option<Vec<FenceMove>> {
    if database.backend() != DbBackend::Postgres {
        return None;
    }
    let keys = keys_in(distinct_licenses(submissions), memory);
    let expected: Vec<_> = decided_at(submissions, &keys, memory)
        .into_iter()
        .map(|(license, as_of)| {
            let holdings = memory.get(&license.id)?;
            Some(FenceMove {
                license,
                from: holdings.version,
                new_run: (!holdings.is_last_mover).then(Nonce::draw),
                as_of,
            })
        })
        .collect::<Option<_>>()?;
    let at: BTreeMap<_, _> = expected
        .iter()
        .map(|one| (one.license.id, one.as_of))
        .collect();
    let is_new = |submission: &Submission<Change>| {
        let Change::Authorize(pending) = &submission.command else {
            return false;
        };
        let (id, request) = (submission.license_id, &pending.command.request);
        at.get(&id).is_some_and(|now| request.not_after > *now)
            && memory
                .get(&id)
                .is_some_and(|holdings| holdings.claim(request.id).is_none())
    };
    submissions.iter().all(is_new).then_some(expected)
}

/// A round of changes.
pub(super) struct Round<'a> {
    submissions: &'a [Submission<Change>],
    /// The licences that exist.
    keys: Vec<LicenseKey>,
    /// Memory before the round. A failed run leaves it empty, and the next run reloads it.
    memory: Mutex<Licenses>,
}

impl<'a> Round<'a> {
    /// A round of changes. `memory` has all of their licences that exist.
    pub(super) fn new(submissions: &'a [Submission<Change>], memory: Licenses) -> Self {
        Self {
            submissions,
            keys: keys_in(distinct_licenses(submissions), &memory),
            memory: Mutex::new(memory),
        }
    }
}

impl Work for Round<'_> {
    /// Memory after the round; the replies are set.
    type Output = Licenses;

    async fn run(&self, tx: &Tx) -> Result<Licenses, Fault> {
        let mut memory =
            std::mem::take(&mut *self.memory.lock().unwrap_or_else(PoisonError::into_inner));
        let licenses = decided_at(self.submissions, &self.keys, &memory);
        lock(tx, &mut memory, &licenses).await?;
        let records = Records::find(tx, self.submissions, &memory).await?;
        let mut plan = Plan::with_records(records);
        decide_all(&mut plan, &mut memory, self.submissions);
        plan.write(tx, &memory).await?;
        Ok(memory)
    }
}
