//! One round: the fences of its licences are locked and moved, what other instances changed is
//! caught up on, every command is decided in order, and all of it is written in one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{
    database::{Database, Tx, Work},
    fault::Fault,
};
use sea_orm::DbBackend;

use super::{
    committer::{Answer, Command, Submission},
    decided::{Decided, Kept, visible},
};
use crate::{
    rules::quota::holdings::{Holdings, Licenses},
    store::{
        self,
        quota::{Changed, Fence, Since, Written},
    },
};

/// What a committed round leaves.
pub(super) struct Done {
    pub(super) known: Licenses,
    /// In the order of the commands.
    pub(super) answers: Vec<Result<Answer, Fault>>,
}

/// In the order in which their fences are locked.
fn distinct_licenses(submissions: &[Submission]) -> Vec<LicenseId> {
    let ids: BTreeSet<_> = submissions
        .iter()
        .map(|submission| submission.license_id)
        .collect();
    ids.into_iter().collect()
}

/// Reads the licences of a round that nothing is known of.
pub(super) async fn load_missing(
    database: &Database,
    submissions: &[Submission],
    known: &mut Licenses,
) -> Result<(), Fault> {
    load(database, distinct_licenses(submissions), known).await
}

/// Reads those of some licences that nothing is known of.
pub(super) async fn load(
    database: &Database,
    mut missing: Vec<LicenseId>,
    known: &mut Licenses,
) -> Result<(), Fault> {
    missing.retain(|id| !known.contains_key(id));
    if missing.is_empty() {
        return Ok(());
    }
    let tx = database.read();
    let fences = store::quota::read_fences(&tx, &missing).await?;
    catch_up(&tx, known, &fences, 0).await
}

/// Answers commands that only read, from one snapshot.
pub(super) async fn read(
    database: &Database,
    submissions: &[Submission],
    known: &mut Licenses,
) -> Result<Vec<Result<Answer, Fault>>, Fault> {
    let licenses = distinct_licenses(submissions);
    let mut fences = store::quota::read_fences(database.read_alone(), &licenses).await?;
    let is_behind = |fence: &Fence| {
        let known = known.get(&fence.license_id);
        known.is_none_or(|known| known.version != fence.version)
    };
    let looks_up = submissions
        .iter()
        .any(|submission| submission.command.looks_up());
    let mut decided = Decided::default();
    if looks_up || fences.iter().any(is_behind) {
        let tx = database.read();
        fences = store::quota::read_fences(&tx, &licenses).await?;
        catch_up(&tx, known, &fences, 0).await?;
        if looks_up {
            decided = Decided::knowing(Kept::find(&tx, submissions).await?);
        }
    }
    // What another instance decided at is not in the future of what is answered here (T-5).
    advance(known, &fences);
    Ok(submissions
        .iter()
        .map(|submission| {
            let known = visible(known, submission)?;
            known.advance(submission.clock);
            Ok(decided.decide_anew(known, submission)?)
        })
        .collect())
}

/// Brings what is known to the fences' versions. A fence that this round moved by `own` versions
/// and nobody else did needs nothing read.
async fn catch_up(tx: &Tx, known: &mut Licenses, fences: &[Fence], own: i64) -> Result<(), Fault> {
    let mut behind = Vec::new();
    for fence in fences {
        match known.get_mut(&fence.license_id) {
            Some(known) if known.version == fence.version - own => known.version = fence.version,
            Some(_) | None => behind.push(*fence),
        }
    }
    if behind.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = behind.iter().map(|fence| fence.license_id).collect();
    let licenses = store::licenses::find_all(tx, &ids).await?;
    let mut since = Vec::with_capacity(behind.len());
    for fence in &behind {
        let id = fence.license_id;
        let Some(license) = licenses.get(&id) else {
            return Err(Fault::internal(format!(
                "licence {id} has a fence and is not there"
            )));
        };
        // Ahead of the fence, memory is of commits that the database has lost.
        let from = known
            .get(&id)
            .filter(|known| known.version <= fence.version - own);
        let version = from.map_or(0, |known| known.version);
        let as_of = from.map_or(fence.as_of, Holdings::as_of);
        since.push(Since {
            license_id: id,
            version,
            as_of,
        });
        match known.get_mut(&id).filter(|_| version > 0) {
            Some(known) => {
                // Not before anything that was decided about the licence: of the terms bought by
                // then, memory holds the current one and the next (SL-6).
                known.advance(fence.as_of);
                known.change_terms(license.terms_as_of(known.as_of()));
                known.version = fence.version;
            }
            None => {
                let terms = license.terms_as_of(fence.as_of);
                known.insert(id, Holdings::new(terms, fence.version, fence.as_of));
            }
        }
    }
    let certificates = store::quota::changed_certificates(tx, &since).await?;
    let reservations = store::quota::changed_decisions(tx, &since).await?;
    apply(known, certificates);
    apply(known, reservations);
    Ok(())
}

fn advance(known: &mut Licenses, fences: &[Fence]) {
    for fence in fences {
        if let Some(known) = known.get_mut(&fence.license_id) {
            known.advance(fence.as_of);
        }
    }
}

/// The licences of a round in the order in which their fences are locked, each with the instant that
/// it is decided at: the latest clock of its commands, or what memory has seen already (T-5).
fn decided_at(submissions: &[Submission], known: &Licenses) -> Vec<(LicenseId, Instant)> {
    let mut latest = BTreeMap::new();
    for submission in submissions {
        let id = submission.license_id;
        let seen = known.get(&id).map_or(submission.clock, Holdings::as_of);
        let now = latest.entry(id).or_insert(seen);
        *now = submission.clock.max(*now);
    }
    latest.into_iter().collect()
}

fn apply(known: &mut Licenses, changes: Vec<Changed>) {
    for change in changes {
        let Some(known) = known.get_mut(&change.license_id) else {
            continue;
        };
        known.release(change.id);
        if let Some(claim) = change.claim {
            known.take(change.id, claim);
        }
    }
}

/// As [`lock`], each licence at `clock`, or at what memory has seen already (T-5).
pub(super) async fn lock_at(
    tx: &Tx,
    known: &mut Licenses,
    licenses: BTreeSet<LicenseId>,
    clock: Instant,
) -> Result<(), Fault> {
    let seen = |id| {
        known
            .get(&id)
            .map_or(clock, |known| known.as_of().max(clock))
    };
    let at: Vec<_> = licenses.into_iter().map(|id| (id, seen(id))).collect();
    lock(tx, known, &at).await
}

/// Locks and moves the fences of some licences, each to its instant at least, and brings what is
/// known to them.
async fn lock(
    tx: &Tx,
    known: &mut Licenses,
    licenses: &[(LicenseId, Instant)],
) -> Result<(), Fault> {
    if licenses.is_empty() {
        return Ok(());
    }
    let fences = store::quota::move_fences(tx, licenses).await?;
    catch_up(tx, known, &fences, 1).await?;
    advance(known, &fences);
    Ok(())
}

/// What came of a round that was decided from memory alone.
pub(super) enum Alone {
    /// The answers, in the order of the commands.
    Decided(Vec<Result<Answer, Fault>>),
    /// Nothing: a command is a repeat, and its first answer is to be found.
    Repeated,
    /// Nothing: another instance was there first.
    Missed,
}

/// Decides a round of authorisations from memory, and writes it in one statement that holds only
/// where the memory is exact.
pub(super) async fn alone(
    database: &Database,
    submissions: &[Submission],
    known: &mut Licenses,
    expected: &[Fence],
) -> Result<Alone, Fault> {
    for fence in expected {
        if let Some(known) = known.get_mut(&fence.license_id) {
            known.version += 1;
        }
    }
    advance(known, expected);
    let mut decided = Decided::default();
    let answers = decided.decide_all(known, submissions);
    let events = decided.events(known);
    let written = store::quota::decide_alone(database, expected, &decided.decisions, &events).await;
    let undecided = match written {
        Ok(Written::Whole) => return Ok(Alone::Decided(answers)),
        Ok(Written::Repeated) => Alone::Repeated,
        Ok(Written::Missed) | Err(Fault::Contention(_)) => Alone::Missed,
        // Whether it is written is unknown.
        Err(fault) => return Err(fault),
    };
    for new in &decided.decisions {
        if let Some(known) = known.get_mut(&new.license_id) {
            known.release(new.id);
        }
    }
    for fence in expected {
        if let Some(known) = known.get_mut(&fence.license_id) {
            known.version = fence.version;
        }
    }
    Ok(undecided)
}

/// The fences as memory expects them; `None` where a round needs more than memory, as a repeat does
/// that must find its first answer.
pub(super) fn expect(
    database: &Database,
    submissions: &[Submission],
    known: &Licenses,
) -> Option<Vec<Fence>> {
    if database.backend() != DbBackend::Postgres {
        return None;
    }
    let expected: Vec<_> = decided_at(submissions, known)
        .into_iter()
        .map(|(license_id, as_of)| {
            let version = known.get(&license_id)?.version;
            Some(Fence {
                license_id,
                version,
                as_of,
            })
        })
        .collect::<Option<_>>()?;
    let at: BTreeMap<_, _> = expected
        .iter()
        .map(|fence| (fence.license_id, fence.as_of))
        .collect();
    let is_plain = |submission: &Submission| {
        let Command::Authorize { request, .. } = &submission.command else {
            return false;
        };
        let id = submission.license_id;
        at.get(&id).is_some_and(|now| request.not_after > *now)
            && known
                .get(&id)
                .is_some_and(|known| known.claim(request.id).is_none())
    };
    submissions.iter().all(is_plain).then_some(expected)
}

/// A round of commands that change something.
pub(super) struct Round<'a> {
    submissions: &'a [Submission],
    /// What is known at the start. A run that fails has spent it; the next one reads again.
    known: Mutex<Licenses>,
}

impl<'a> Round<'a> {
    pub(super) fn new(submissions: &'a [Submission], known: Licenses) -> Self {
        Self {
            submissions,
            known: Mutex::new(known),
        }
    }
}

impl Work for Round<'_> {
    type Answer = Done;

    async fn run(&self, tx: &Tx) -> Result<Done, Fault> {
        let mut known =
            std::mem::take(&mut *self.known.lock().unwrap_or_else(PoisonError::into_inner));
        let licenses = decided_at(self.submissions, &known);
        lock(tx, &mut known, &licenses).await?;
        let kept = Kept::find(tx, self.submissions).await?;
        let mut decided = Decided::knowing(kept);
        let answers = decided.decide_all(&mut known, self.submissions);
        decided.write(tx, &known).await?;
        Ok(Done { known, answers })
    }
}
