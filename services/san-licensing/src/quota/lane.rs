//! A lane: the commands of the licences of one committer, and their rounds. A round decides all commands that
//! wait, and commits them together; the next one gathers meanwhile.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    panic::AssertUnwindSafe,
};

use futures::FutureExt as _;
use licet_domain::ids::LicenseId;
use licet_runtime::database::Database;

use super::{
    round,
    submission::{Change, Read, Submission, fail_all, send_all},
};
use crate::{rules::quota::holdings::Licenses, store::decisions::RoundWrite};

/// The most commands of one round.
const ROUND: usize = 1024;
/// For how many rounds after a conflict with another instance a licence is locked before it is decided.
const LOCKED_ROUNDS: u64 = 16;

/// A command about one licence.
#[expect(
    clippy::large_enum_variant,
    reason = "most are changes; boxing would cost an allocation per command"
)]
pub(super) enum Command {
    Change(Submission<Change>),
    Read(Submission<Read>),
}

impl Command {
    pub(super) fn license_id(&self) -> LicenseId {
        match self {
            Self::Change(one) => one.license_id,
            Self::Read(one) => one.license_id,
        }
    }
}

#[derive(Default)]
pub(super) struct Lane {
    waiting: VecDeque<Command>,
    /// The licences of the running round, if one runs.
    running: Option<HashSet<LicenseId>>,
    rounds: u64,
    /// Licences in conflict with another instance, and the round until which they are locked first.
    contended: HashMap<LicenseId, u64>,
    /// Licences that were loaded for the next round: it loads what is not in memory even so.
    loaded: HashSet<LicenseId>,
}

/// The commands of a round.
#[derive(Default)]
pub(super) struct Round {
    changes: Vec<Submission<Change>>,
    reads: Vec<Submission<Read>>,
    /// Whether a licence must be locked before it is decided. Without that, two instances could defeat each
    /// other's optimistic rounds for ever.
    is_contended: bool,
}

/// What a round leaves.
pub(super) struct RoundEnd {
    pub(super) licenses: HashSet<LicenseId>,
    /// The memory of its licences, without those of which it is unknown whether their changes are committed.
    pub(super) memory: Licenses,
    /// Whether another instance moved a fence first.
    has_met_another: bool,
}

impl Lane {
    pub(super) fn push(&mut self, command: Command) {
        self.waiting.push_back(command);
    }

    /// Whether the running round has a licence.
    pub(super) fn is_running(&self, id: LicenseId) -> bool {
        self.running.as_ref().is_some_and(|ids| ids.contains(&id))
    }

    /// Notes that a licence was loaded.
    pub(super) fn note_loaded(&mut self, id: LicenseId) {
        self.loaded.insert(id);
    }

    /// Whether a licence need not be loaded before the next round.
    pub(super) fn is_loaded(&self, id: LicenseId) -> bool {
        self.loaded.contains(&id)
    }

    /// Takes the commands of the next round; those that `is_ready` does not accept go to `aside`. `None` while
    /// a round runs, or if there are none.
    pub(super) fn next_round(
        &mut self,
        is_ready: impl Fn(&Self, LicenseId) -> bool,
        mut aside: impl FnMut(Command),
    ) -> Option<(Round, HashSet<LicenseId>)> {
        if self.running.is_some() {
            return None;
        }
        let (mut round, mut licenses) = (Round::default(), HashSet::new());
        while licenses.len() < ROUND && round.changes.len() + round.reads.len() < ROUND {
            let Some(command) = self.waiting.pop_front() else {
                break;
            };
            let id = command.license_id();
            if !is_ready(self, id) {
                aside(command);
                continue;
            }
            licenses.insert(id);
            match command {
                Command::Change(one) => round.changes.push(one),
                Command::Read(one) => round.reads.push(one),
            }
        }
        if licenses.is_empty() {
            return None;
        }
        round.is_contended = licenses.iter().any(|id| self.contended.contains_key(id));
        self.loaded.clear();
        self.running = Some(licenses.clone());
        Some((round, licenses))
    }

    /// Ends the running round.
    pub(super) fn end_round(&mut self, end: &RoundEnd) {
        self.running = None;
        self.rounds += 1;
        let rounds = self.rounds;
        if end.has_met_another {
            let until = rounds + LOCKED_ROUNDS;
            self.contended
                .extend(end.licenses.iter().map(|id| (*id, until)));
        }
        self.contended.retain(|_, until| *until > rounds);
    }
}

impl Round {
    /// Decides and commits the changes, replies to the reads.
    pub(super) async fn run(
        self,
        database: Database,
        licenses: HashSet<LicenseId>,
        memory: Licenses,
    ) -> RoundEnd {
        let mut end = RoundEnd {
            licenses,
            memory: Licenses::new(),
            has_met_another: false,
        };
        let working = AssertUnwindSafe(self.decide(&database, memory)).catch_unwind();
        match working.await {
            Ok((memory, has_met_another)) => {
                end.memory = memory;
                end.has_met_another = has_met_another;
            }
            // The callers get a fault when their channels are dropped. Memory may be half changed.
            Err(_) => {
                tracing::error!("a round of the quota engine panicked; its memory is reloaded");
            }
        }
        end
    }

    async fn decide(self, database: &Database, mut memory: Licenses) -> (Licenses, bool) {
        let mut has_met_another = false;
        if !self.changes.is_empty() {
            let ids: HashSet<_> = self.changes.iter().map(|one| one.license_id).collect();
            let changed = memory.extract_if(|id, _| ids.contains(id)).collect();
            let (changed, met) = commit(database, self.changes, changed, self.is_contended).await;
            memory.extend(changed);
            has_met_another = met;
        }
        if !self.reads.is_empty() {
            match round::read(database, &self.reads, &mut memory).await {
                Ok(()) => send_all(self.reads),
                Err(fault) => {
                    for one in &self.reads {
                        memory.remove(&one.license_id);
                    }
                    fail_all(self.reads, &fault);
                }
            }
        }
        (memory, has_met_another)
    }
}

/// Commits changes. Returns the memory of their licences after it, and whether another instance moved a fence.
async fn commit(
    database: &Database,
    mut submissions: Vec<Submission<Change>>,
    mut memory: Licenses,
    is_contended: bool,
) -> (Licenses, bool) {
    let remembered: HashSet<_> = memory.keys().copied().collect();
    // Load missing licences before their fences are locked, so that other instances do not wait.
    if let Err(fault) = round::load_missing(database, &submissions, &mut memory).await {
        let missing;
        (submissions, missing) = submissions
            .into_iter()
            .partition(|submission| remembered.contains(&submission.license_id));
        memory.retain(|id, _| remembered.contains(id));
        fail_all(missing, &fault);
        if submissions.is_empty() {
            return (memory, false);
        }
    }
    let mut has_met_another = false;
    if !is_contended && let Some(moves) = round::expected_moves(database, &submissions, &memory) {
        match round::decide_optimistically(database, &submissions, &mut memory, &moves).await {
            Ok(RoundWrite::Written) => {
                send_all(submissions);
                return (memory, false);
            }
            Ok(RoundWrite::Repeated) => {}
            Ok(RoundWrite::FenceMoved) => has_met_another = true,
            Err(fault) => {
                fail_all(submissions, &fault);
                return (Licenses::new(), false);
            }
        }
    }
    let work = round::Round::new(&submissions, memory);
    match database.transact(&work).await {
        Ok(memory) => {
            send_all(submissions);
            (memory, has_met_another)
        }
        // It is unknown whether the round is committed. The memory of its licences is dropped, and reloaded
        // when needed.
        Err(fault) => {
            fail_all(submissions, &fault);
            (Licenses::new(), has_met_another)
        }
    }
}
