//! The committers of this process: each licence is decided on one lane, and a lane runs one round at a time.
//! Loads, look-ups and exclusive jobs run beside the rounds; only the commands of their licences wait.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    panic::AssertUnwindSafe,
};

use futures::{FutureExt as _, future::BoxFuture};
use licet_domain::ids::LicenseId;
use licet_runtime::{database::Database, fault::Fault};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};

use super::{
    cache::LicenseCache,
    lane::{Command, Lane, RoundEnd},
    loading::{self, LargeLoad},
    placement::{self, UnplacedRecord},
    submission::{Change, Submission, fail_all},
};
use crate::rules::{license::LicenseKey, quota::holdings::Licenses};

/// An item in the committers' queue.
pub(super) enum WorkItem {
    Command(Command),
    /// A certificate to be recorded in a licence yet to be found.
    Unplaced(UnplacedRecord),
    Job(ExclusiveJob),
}

/// A long transaction on some licences, whose commands wait until the job is done.
pub(super) struct ExclusiveJob {
    pub(super) licenses: BTreeSet<LicenseId>,
    /// Whether the load of its licences was started once.
    pub(super) is_loaded: bool,
    /// Returns the memory of its licences, or nothing if it is unknown whether the job is committed.
    pub(super) run: Box<dyn FnOnce(Licenses) -> BoxFuture<'static, Licenses> + Send>,
}

/// Settings of the quota engine.
#[derive(Clone, Copy, Debug)]
pub struct EngineSettings {
    /// How many rounds run at once; at least 1. No two of them work on the same licence.
    pub committers: usize,
    /// The most memory for licences, in bytes. Beyond it those used longest ago are dropped, and loaded again
    /// when they are needed. One licence is kept whatever its size is.
    pub memory_bytes: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            committers: 2,
            memory_bytes: 1 << 30,
        }
    }
}

/// Length of the queue. Beyond it callers wait; the server limits their number.
const QUEUE: usize = 4096;
/// The most exclusive jobs at once.
const JOBS: usize = 2;
/// The most large licences that are loaded at once.
const LARGE_LOADS: usize = 2;

/// Starts the committers. They end when the last sender is dropped.
pub(super) fn start(database: Database, settings: EngineSettings) -> mpsc::Sender<WorkItem> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(Committers::new(database, settings).run(receiver));
    sender
}

/// A task beside the dispatch, when it is done.
enum Done {
    Round(usize, RoundEnd),
    /// A job's licences, and their memory.
    Job(BTreeSet<LicenseId>, Licenses),
    Placed(Vec<Submission<Change>>),
    /// The licences of a load; their memory, and the keys of the large ones among them.
    Loaded(Vec<LicenseId>, Result<(Licenses, Vec<LicenseKey>), Fault>),
    /// A page of a large licence; `None` if there is no such licence.
    Page(LicenseId, Result<Option<Page>, Fault>),
}

/// The load so far, and whether its last page was read.
type Page = Box<(LargeLoad, bool)>;

struct Committers {
    database: Database,
    cache: LicenseCache,
    lanes: Vec<Lane>,
    /// Licences that a job or a load has or waits for, with the commands that wait for it in turn.
    claims: HashMap<LicenseId, Vec<Command>>,
    waiting_jobs: VecDeque<ExclusiveJob>,
    /// Jobs whose licences are claimed, and still in a running round.
    claimed_jobs: Vec<ExclusiveJob>,
    running_jobs: usize,
    unplaced: Vec<UnplacedRecord>,
    is_placing: bool,
    /// Licences to be loaded, all claimed.
    cold: Vec<LicenseId>,
    is_loading: bool,
    large: VecDeque<LicenseKey>,
    running_large: usize,
    tasks: JoinSet<Done>,
}

impl Committers {
    fn new(database: Database, settings: EngineSettings) -> Self {
        let lanes = std::iter::repeat_with(Lane::default);
        Self {
            database,
            cache: LicenseCache::new(settings.memory_bytes),
            lanes: lanes.take(settings.committers.max(1)).collect(),
            claims: HashMap::new(),
            waiting_jobs: VecDeque::new(),
            claimed_jobs: Vec::new(),
            running_jobs: 0,
            unplaced: Vec::new(),
            is_placing: false,
            cold: Vec::new(),
            is_loading: false,
            large: VecDeque::new(),
            running_large: 0,
            tasks: JoinSet::new(),
        }
    }

    async fn run(mut self, mut receiver: mpsc::Receiver<WorkItem>) {
        let mut arrived = Vec::new();
        loop {
            tokio::select! {
                received = receiver.recv_many(&mut arrived, QUEUE) => if received == 0 { break },
                Some(done) = self.tasks.join_next() => self.end(done),
            }
            for item in arrived.drain(..) {
                self.accept(item);
            }
            self.start_due();
        }
        // Nobody waits for a reply any more; what has begun is committed all the same.
        while self.tasks.join_next().await.is_some() {}
    }

    fn accept(&mut self, item: WorkItem) {
        match item {
            WorkItem::Command(command) => self.queue(command),
            WorkItem::Unplaced(one) => self.unplaced.push(one),
            WorkItem::Job(job) => self.waiting_jobs.push_back(job),
        }
    }

    fn queue(&mut self, command: Command) {
        let id = command.license_id();
        match self.claims.get_mut(&id) {
            Some(waiting) => waiting.push(command),
            None => self.lane(id).push(command),
        }
    }

    fn lane_number(&self, id: LicenseId) -> usize {
        let (_, random) = id.uuid().as_u64_pair();
        usize::try_from(random % self.lanes.len() as u64).unwrap_or(0)
    }

    fn lane(&mut self, id: LicenseId) -> &mut Lane {
        let number = self.lane_number(id);
        &mut self.lanes[number]
    }

    /// Gives up the claim on a licence; the commands that wait for it are queued.
    fn release(&mut self, id: LicenseId) {
        for command in self.claims.remove(&id).unwrap_or_default() {
            self.queue(command);
        }
    }

    /// Starts everything that can run now. Jobs come first: rounds would keep their licences for ever.
    fn start_due(&mut self) {
        self.claim_for_jobs();
        self.start_jobs();
        self.start_placing();
        for number in 0..self.lanes.len() {
            self.start_round(number);
        }
        self.start_loads();
    }

    fn claim_for_jobs(&mut self) {
        let mut still_waiting = VecDeque::new();
        while let Some(mut job) = self.waiting_jobs.pop_front() {
            if !job.is_loaded {
                job.is_loaded = true;
                self.load_for(&job);
            }
            let is_full = self.running_jobs + self.claimed_jobs.len() >= JOBS;
            if is_full || job.licenses.iter().any(|id| self.claims.contains_key(id)) {
                still_waiting.push_back(job);
                continue;
            }
            for id in &job.licenses {
                self.claims.insert(*id, Vec::new());
            }
            self.claimed_jobs.push(job);
        }
        self.waiting_jobs = still_waiting;
    }

    /// Has those licences of a job loaded that are neither in memory nor with others.
    fn load_for(&mut self, job: &ExclusiveJob) {
        for id in &job.licenses {
            let lane = &self.lanes[self.lane_number(*id)];
            let is_known = self.cache.contains(*id) || lane.is_running(*id);
            if !is_known && !self.claims.contains_key(id) {
                self.claims.insert(*id, Vec::new());
                self.cold.push(*id);
            }
        }
    }

    fn start_jobs(&mut self) {
        for job in std::mem::take(&mut self.claimed_jobs) {
            let ids = job.licenses.iter();
            let is_running = |id: &LicenseId| self.lanes[self.lane_number(*id)].is_running(*id);
            if ids.clone().any(is_running) {
                self.claimed_jobs.push(job);
                continue;
            }
            let memory = self.cache.lend(ids.copied());
            self.running_jobs += 1;
            self.tasks.spawn(async move {
                let ExclusiveJob { licenses, run, .. } = job;
                let memory = AssertUnwindSafe(run(memory)).catch_unwind().await;
                let memory = memory.unwrap_or_else(|_| {
                    tracing::error!("an exclusive job of the quota engine panicked");
                    Licenses::new()
                });
                Done::Job(licenses, memory)
            });
        }
    }

    fn start_placing(&mut self) {
        if self.is_placing || self.unplaced.is_empty() {
            return;
        }
        self.is_placing = true;
        let unplaced = std::mem::take(&mut self.unplaced);
        let database = self.database.clone();
        self.tasks.spawn(async move {
            let placing = AssertUnwindSafe(placement::place(&database, unplaced));
            // The callers get a fault when their channels are dropped.
            Done::Placed(placing.catch_unwind().await.unwrap_or_default())
        });
    }

    fn start_round(&mut self, number: usize) {
        let (cache, claims, cold) = (&self.cache, &mut self.claims, &mut self.cold);
        let mut aside = Vec::new();
        let is_ready = |lane: &Lane, id| {
            !claims.contains_key(&id) && (cache.contains(id) || lane.is_loaded(id))
        };
        let next = self.lanes[number].next_round(is_ready, |command| aside.push(command));
        for command in aside {
            let id = command.license_id();
            let claim = claims.entry(id).or_insert_with(|| {
                cold.push(id);
                Vec::new()
            });
            claim.push(command);
        }
        let Some((round, licenses)) = next else {
            return;
        };
        let memory = self.cache.lend(licenses.iter().copied());
        let database = self.database.clone();
        let running = round.run(database, licenses, memory);
        self.tasks
            .spawn(async move { Done::Round(number, running.await) });
    }

    fn start_loads(&mut self) {
        if !self.is_loading && !self.cold.is_empty() {
            self.is_loading = true;
            let ids = std::mem::take(&mut self.cold);
            let database = self.database.clone();
            self.tasks.spawn(async move {
                let loading = AssertUnwindSafe(loading::load_small(&database, &ids));
                let loaded = loading.catch_unwind().await;
                Done::Loaded(ids, loaded.unwrap_or_else(|_| Err(panicked())))
            });
        }
        while self.running_large < LARGE_LOADS
            && let Some(key) = self.large.pop_front()
        {
            self.running_large += 1;
            let database = self.database.clone();
            self.load_page(key.id, async move {
                let load = LargeLoad::start(&database, key).await?;
                Ok(load.map(|load| Box::new((load, false))))
            });
        }
    }

    fn load_page(
        &mut self,
        id: LicenseId,
        page: impl Future<Output = Result<Option<Page>, Fault>> + Send + 'static,
    ) {
        self.tasks.spawn(async move {
            let page = AssertUnwindSafe(page).catch_unwind().await;
            Done::Page(id, page.unwrap_or_else(|_| Err(panicked())))
        });
    }

    fn end(&mut self, done: Result<Done, JoinError>) {
        match done {
            Ok(Done::Round(number, mut end)) => {
                let memory = std::mem::take(&mut end.memory);
                self.cache.put_back(end.licenses.iter().copied(), memory);
                self.lanes[number].end_round(&end);
            }
            Ok(Done::Job(licenses, memory)) => {
                self.running_jobs -= 1;
                self.cache.put_back(licenses.iter().copied(), memory);
                for id in licenses {
                    self.release(id);
                }
            }
            Ok(Done::Placed(placed)) => {
                self.is_placing = false;
                for one in placed {
                    self.queue(Command::Change(one));
                }
            }
            Ok(Done::Loaded(ids, loaded)) => {
                self.is_loading = false;
                self.end_load(ids, loaded);
            }
            Ok(Done::Page(id, page)) => self.end_page(id, page),
            // Unexpected: panics within a task are caught.
            Err(error) => tracing::error!(%error, "a task of the quota engine was aborted"),
        }
    }

    fn end_load(
        &mut self,
        ids: Vec<LicenseId>,
        loaded: Result<(Licenses, Vec<LicenseKey>), Fault>,
    ) {
        match loaded {
            Ok((memory, large)) => {
                self.cache.put_back([], memory);
                let are_large: HashSet<_> = large.iter().map(|key| key.id).collect();
                self.large.extend(large);
                for id in ids {
                    if !are_large.contains(&id) {
                        self.end_claim(id);
                    }
                }
            }
            Err(fault) => {
                for id in ids {
                    self.fail_claim(id, &fault);
                }
            }
        }
    }

    fn end_page(&mut self, id: LicenseId, page: Result<Option<Page>, Fault>) {
        match page.map(|page| page.map(|page| *page)) {
            Ok(Some((mut load, false))) => {
                self.cache.set_lent(id, load.holdings.bytes());
                let database = self.database.clone();
                return self.load_page(id, async move {
                    let is_last = load.step(&database).await?;
                    Ok(Some(Box::new((load, is_last))))
                });
            }
            Ok(Some((load, true))) => {
                let memory = Licenses::from([(id, load.holdings)]);
                self.cache.put_back([id], memory);
                self.end_claim(id);
            }
            Ok(None) => self.end_claim(id),
            Err(fault) => {
                self.cache.put_back([id], Licenses::new());
                self.fail_claim(id, &fault);
            }
        }
        self.running_large -= 1;
    }

    /// Ends a load: whether the licence is in memory or not, its next round begins.
    fn end_claim(&mut self, id: LicenseId) {
        self.lane(id).note_loaded(id);
        self.release(id);
    }

    fn fail_claim(&mut self, id: LicenseId, fault: &Fault) {
        let (mut changes, mut reads) = (Vec::new(), Vec::new());
        for command in self.claims.remove(&id).unwrap_or_default() {
            match command {
                Command::Change(one) => changes.push(one),
                Command::Read(one) => reads.push(one),
            }
        }
        fail_all(changes, fault);
        fail_all(reads, fault);
    }
}

fn panicked() -> Fault {
    Fault::internal("the load of a licence panicked")
}
