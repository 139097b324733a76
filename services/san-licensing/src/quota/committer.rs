//! The committer takes all waiting commands, decides and commits them as one round, and replies. While a
//! round is being committed the next one gathers, so that many requests share one commit.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    panic::AssertUnwindSafe,
};

use futures::{FutureExt, future::BoxFuture};
use licet_domain::ids::LicenseId;
use licet_runtime::database::Database;
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};

use super::{
    placement::{self, UnplacedRecord},
    round,
    submission::{Change, Read, Submission, fail_all, send_all},
};
use crate::{
    rules::quota::holdings::{Holdings, Licenses},
    store::decisions::RoundWrite,
};

/// An item in the committer's queue.
pub(super) enum WorkItem {
    Change(Submission<Change>),
    Read(Submission<Read>),
    /// A certificate to be recorded in a licence yet to be found.
    Unplaced(UnplacedRecord),
    Job(ExclusiveJob),
}

/// A long transaction on some licences, beside the rounds of the others. The committer lends it the memory
/// of its licences, whose commands wait until the job is done.
pub(super) struct ExclusiveJob {
    pub(super) licenses: BTreeSet<LicenseId>,
    /// Returns the memory of its licences, or nothing if it is unknown whether the job is committed.
    pub(super) run: Box<dyn FnOnce(Licenses) -> BoxFuture<'static, Licenses> + Send>,
}

/// Length of the queue. Beyond it callers wait; the server limits their number.
const QUEUE: usize = 4096;
/// The most exclusive jobs at once.
const JOBS: usize = 2;
/// The most commands of one round.
const ROUND: usize = 1024;
/// For how many rounds after a conflict with another instance a licence is locked before it is decided.
const LOCKED_ROUNDS: u64 = 16;
/// The most memory for licences, in bytes. Beyond it the least recently used are dropped.
const MEMORY_BYTES: usize = 1 << 30;

/// Starts a committer. It ends when the last sender is dropped.
pub(super) fn start(database: Database) -> mpsc::Sender<WorkItem> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(Committer::new(database).run(receiver));
    sender
}

struct Committer {
    database: Database,
    memory: HashMap<LicenseId, CachedLicense>,
    rounds: u64,
    /// Licences in conflict with another instance, and the round until which they are locked first.
    contended: HashMap<LicenseId, u64>,
    /// The running jobs. Each returns the ids of its licences, and their memory.
    jobs: JoinSet<(BTreeSet<LicenseId>, Licenses)>,
    lent: HashSet<LicenseId>,
    /// Items that wait for a job to end.
    deferred: Vec<WorkItem>,
}

struct CachedLicense {
    holdings: Holdings,
    last_round: u64,
}

impl Committer {
    fn new(database: Database) -> Self {
        Self {
            database,
            memory: HashMap::new(),
            rounds: 0,
            contended: HashMap::new(),
            jobs: JoinSet::new(),
            lent: HashSet::new(),
            deferred: Vec::new(),
        }
    }

    async fn run(mut self, mut receiver: mpsc::Receiver<WorkItem>) {
        let mut waiting = Vec::with_capacity(ROUND);
        loop {
            tokio::select! {
                received = receiver.recv_many(&mut waiting, ROUND) => if received == 0 { break },
                Some(returned) = self.jobs.join_next() => self.end_job(returned, &mut waiting),
            }
            let round = AssertUnwindSafe(self.round(&mut waiting));
            if round.catch_unwind().await.is_err() {
                // The callers get a fault when their channels are dropped. Memory may be half changed.
                tracing::error!("a round of the quota engine panicked; its memory is reloaded");
                waiting.clear();
                self.memory.clear();
            }
        }
    }

    /// Takes the memory back from a job, and requeues the items that waited for it.
    fn end_job(
        &mut self,
        returned: Result<(BTreeSet<LicenseId>, Licenses), JoinError>,
        waiting: &mut Vec<WorkItem>,
    ) {
        match returned {
            Ok((licenses, memory)) => {
                self.lent.retain(|id| !licenses.contains(id));
                self.put_back(memory);
            }
            // Unexpected: panics within a job are caught.
            Err(error) => {
                tracing::error!(%error, "an exclusive job of the quota engine was aborted");
            }
        }
        waiting.append(&mut self.deferred);
    }

    /// Starts a job with the memory of its licences, or defers it while any of them is lent.
    fn start_job(&mut self, job: ExclusiveJob) {
        let is_lent = job.licenses.iter().any(|id| self.lent.contains(id));
        if is_lent || self.jobs.len() >= JOBS {
            return self.deferred.push(WorkItem::Job(job));
        }
        let ExclusiveJob { licenses, run } = job;
        let lent = licenses.iter().filter_map(|id| {
            let remembered = self.memory.remove(id)?;
            Some((*id, remembered.holdings))
        });
        let memory = lent.collect();
        self.lent.extend(licenses.iter().copied());
        self.jobs.spawn(async move {
            let memory = match AssertUnwindSafe(run(memory)).catch_unwind().await {
                Ok(memory) => memory,
                Err(_) => {
                    tracing::error!("an exclusive job of the quota engine panicked");
                    HashMap::new()
                }
            };
            (licenses, memory)
        });
    }

    async fn round(&mut self, waiting: &mut Vec<WorkItem>) {
        let mut changes = Vec::with_capacity(waiting.len());
        let mut reads = Vec::new();
        let mut unplaced = Vec::new();
        let mut jobs = Vec::new();
        for one in waiting.drain(..) {
            match one {
                WorkItem::Change(one) if self.lent.contains(&one.license_id) => {
                    self.deferred.push(WorkItem::Change(one));
                }
                WorkItem::Read(one) if self.lent.contains(&one.license_id) => {
                    self.deferred.push(WorkItem::Read(one));
                }
                WorkItem::Change(one) => changes.push(one),
                WorkItem::Read(one) => reads.push(one),
                WorkItem::Unplaced(one) => unplaced.push(one),
                WorkItem::Job(one) => jobs.push(one),
            }
        }
        if !unplaced.is_empty() {
            for one in placement::place(&self.database, unplaced).await {
                if self.lent.contains(&one.license_id) {
                    self.deferred.push(WorkItem::Change(one));
                } else {
                    changes.push(one);
                }
            }
        }
        if !changes.is_empty() {
            self.commit(changes).await;
        }
        if !reads.is_empty() {
            self.read(reads).await;
        }
        for job in jobs {
            self.start_job(job);
        }
        self.forget();
    }

    /// Takes the memory of a round's licences out of the committer.
    fn lend<C>(&mut self, submissions: &[Submission<C>]) -> Licenses {
        submissions
            .iter()
            .filter_map(|submission| {
                let id = submission.license_id;
                self.memory
                    .remove(&id)
                    .map(|remembered| (id, remembered.holdings))
            })
            .collect()
    }

    fn put_back(&mut self, memory: Licenses) {
        self.rounds += 1;
        for (id, holdings) in memory {
            let last_round = self.rounds;
            let remembered = CachedLicense {
                holdings,
                last_round,
            };
            self.memory.insert(id, remembered);
        }
    }

    async fn commit(&mut self, mut submissions: Vec<Submission<Change>>) {
        let mut memory = self.lend(&submissions);
        let remembered: HashSet<_> = memory.keys().copied().collect();
        // Load missing licences before their fences are locked, so that other instances do not wait.
        if let Err(fault) = round::load_missing(&self.database, &submissions, &mut memory).await {
            let missing;
            (submissions, missing) = submissions
                .into_iter()
                .partition(|submission| remembered.contains(&submission.license_id));
            memory.retain(|id, _| remembered.contains(id));
            fail_all(missing, &fault);
            if submissions.is_empty() {
                return;
            }
        }
        if !self.is_contended(&submissions)
            && let Some(moves) = round::expected_moves(&self.database, &submissions, &memory)
        {
            match round::decide_optimistically(&self.database, &submissions, &mut memory, &moves)
                .await
            {
                Ok(RoundWrite::Written) => {
                    self.put_back(memory);
                    return send_all(submissions);
                }
                Ok(RoundWrite::Repeated) => {}
                Ok(RoundWrite::FenceMoved) => self.mark_contended(&submissions),
                Err(fault) => return fail_all(submissions, &fault),
            }
        }
        let work = round::Round::new(&submissions, memory);
        match self.database.transact(&work).await {
            Ok(memory) => {
                self.put_back(memory);
                send_all(submissions);
            }
            // It is unknown whether the round is committed. The memory of its licences is dropped, and
            // reloaded when needed.
            Err(fault) => fail_all(submissions, &fault),
        }
    }

    /// Whether a licence of the round must be locked before it is decided. Without that, two instances could
    /// defeat each other's optimistic rounds for ever.
    fn is_contended(&self, submissions: &[Submission<Change>]) -> bool {
        let mut each = submissions.iter();
        each.any(|submission| self.contended.contains_key(&submission.license_id))
    }

    fn mark_contended(&mut self, submissions: &[Submission<Change>]) {
        let until = self.rounds + LOCKED_ROUNDS;
        for submission in submissions {
            self.contended.insert(submission.license_id, until);
        }
    }

    async fn read(&mut self, submissions: Vec<Submission<Read>>) {
        let mut memory = self.lend(&submissions);
        match round::read(&self.database, &submissions, &mut memory).await {
            Ok(()) => {
                self.put_back(memory);
                send_all(submissions);
            }
            Err(fault) => fail_all(submissions, &fault),
        }
    }

    /// Drops expired conflicts and the least recently used licences.
    fn forget(&mut self) {
        let rounds = self.rounds;
        self.contended.retain(|_, until| *until > rounds);
        let each = self.memory.values();
        let mut bytes: usize = each.map(|remembered| remembered.holdings.bytes()).sum();
        while bytes > MEMORY_BYTES && self.memory.len() > 1 {
            let each = self.memory.iter();
            let oldest = each.min_by_key(|(_, remembered)| remembered.last_round);
            let Some(id) = oldest.map(|(id, _)| *id) else {
                return;
            };
            if let Some(gone) = self.memory.remove(&id) {
                bytes = bytes.saturating_sub(gone.holdings.bytes());
            }
        }
    }
}
