//! The committer: takes what waits, has it decided and committed as one round, and replies. While a
//! round is at the disk the next one gathers, so that many requests share one commit.

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

/// What waits for the committer.
pub(super) enum WorkItem {
    Change(Submission<Change>),
    Read(Submission<Read>),
    /// A certificate to be recorded, whose licence is to be found.
    Unplaced(UnplacedRecord),
    Job(ExclusiveJob),
}

/// Work on some licences that is long enough to be a transaction of its own, beside the rounds of
/// others. The memory of its licences is lent to it, and their commands wait until it is back.
pub(super) struct ExclusiveJob {
    pub(super) licenses: BTreeSet<LicenseId>,
    /// Returns the memory that it leaves; nothing where whether it is committed is unknown.
    pub(super) run: Box<dyn FnOnce(Licenses) -> BoxFuture<'static, Licenses> + Send>,
}

/// Commands that may wait; beyond it the caller waits, by the server's own limit on calls.
const WAITING: usize = 4096;
/// How many exclusive jobs run at once.
const JOBS: usize = 2;
/// The most commands of one round.
const ROUND: usize = 1024;
/// For how many rounds a licence is locked first after another instance moved it.
const LOCKED_ROUNDS: u64 = 16;
/// The memory of licences is dropped beyond this, least recently used first, in bytes.
const MEMORY_BYTES: usize = 1 << 30;

/// Starts a committer over a database; it ends when the last sender is dropped.
pub(super) fn start(database: Database) -> mpsc::Sender<WorkItem> {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(Committer::new(database).run(receiver));
    sender
}

struct Committer {
    database: Database,
    memory: HashMap<LicenseId, CachedLicense>,
    rounds: u64,
    /// Licences that another instance moved of late, and until which round they are locked first.
    contended: HashMap<LicenseId, u64>,
    /// The running jobs, each to the licences that were lent to it and the memory that it leaves.
    jobs: JoinSet<(BTreeSet<LicenseId>, Licenses)>,
    lent: HashSet<LicenseId>,
    /// What waits until a job is back.
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
                // The callers get their reply by the end of their channels. Memory may be half changed,
                // and is read again.
                tracing::error!("a round panicked");
                waiting.clear();
                self.memory.clear();
            }
        }
    }

    /// A job is back, and what waited for it has its turn.
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
            // It ends by itself: a panic within is caught there.
            Err(error) => tracing::error!(%error, "an exclusive job was cut off"),
        }
        waiting.append(&mut self.deferred);
    }

    /// Lends the memory of its licences to a job, once it is all here.
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
                    tracing::error!("an exclusive job panicked");
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

    /// Hands out the memory of the licences that a round is about.
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
        // A cold licence is read before its fence is locked, so that others do not wait for it.
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
            && let Some(expected) = round::expected_fences(&self.database, &submissions, &memory)
        {
            match round::decide_optimistically(&self.database, &submissions, &mut memory, &expected)
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
            // Whether it is committed is unknown: the memory of these licences is dropped, and read
            // again when it is asked for.
            Err(fault) => fail_all(submissions, &fault),
        }
    }

    /// Whether a licence of the round is to be locked before it is decided about, or two instances
    /// could undo each other's rounds for ever.
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

    /// Keeps memory bounded, whatever is asked about.
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
