//! Due work: operations to resume, events to move, records to prune. Every instance runs a
//! schedule; two that pick the same work up are harmless by the work's own design.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::{clock::real_now, database::Database, fault::Fault, replay};

/// Work that time makes due.
pub trait DueWork: Send + Sync + 'static {
    /// Name for the log.
    fn name(&self) -> &'static str;

    /// Does what is due; with `all`, also what only its back-off holds back. Answers how much was
    /// done.
    fn run_due(&self, all: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>>;

    /// Whether the schedule pauses after a run that did this much; if not, it runs again at once.
    fn pauses_after(&self, done: u64) -> bool {
        done == 0
    }
}

const IDLE_PAUSE: Duration = Duration::from_millis(250);

/// One kind of due work of one service. The schedule and [`CatchUp`] both run it, one at a time.
pub(crate) struct Scheduled {
    due: Arc<dyn DueWork>,
    running: tokio::sync::Mutex<()>,
    /// How much all work of the suite has done, run by a schedule or by [`CatchUp`].
    done: Arc<AtomicU64>,
}

impl Scheduled {
    async fn run(&self, all: bool) -> Result<u64, Fault> {
        let _running = self.running.lock().await;
        let done = self.due.run_due(all).await?;
        self.done.fetch_add(done, Ordering::AcqRel);
        Ok(done)
    }
}

/// Runs one kind of due work at a steady pace until `stop` says so.
pub(crate) async fn run(scheduled: Arc<Scheduled>, mut stop: watch::Receiver<bool>) {
    let due = Arc::clone(&scheduled.due);
    while !*stop.borrow() {
        // In a task of its own: a panic ends this round, not the schedule.
        let work = Arc::clone(&scheduled);
        match tokio::spawn(async move { work.run(false).await }).await {
            Ok(Ok(done)) if !due.pauses_after(done) => continue,
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => tracing::warn!(work = due.name(), ?fault, "due work failed"),
            Err(panic) => tracing::error!(work = due.name(), %panic, "due work panicked"),
        }
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => {}
            () = tokio::time::sleep(IDLE_PAUSE) => {}
        }
    }
}

/// The due work of all services of one suite, so that an advance of the test clock answers when
/// what it made due is done.
#[derive(Clone, Default)]
pub struct CatchUp {
    scheduled: Arc<Mutex<Vec<Arc<Scheduled>>>>,
    done: Arc<AtomicU64>,
}

/// A bound on rounds: work that makes new work due for ever is a defect, not a reason to hang.
const MAX_ROUNDS: usize = 100;

impl CatchUp {
    /// Adds a service's due work, which the caller has to run on a schedule.
    pub(crate) fn add(&self, due: Vec<Arc<dyn DueWork>>) -> Vec<Arc<Scheduled>> {
        let added: Vec<_> = due
            .into_iter()
            .map(|due| {
                Arc::new(Scheduled {
                    due,
                    running: tokio::sync::Mutex::default(),
                    done: Arc::clone(&self.done),
                })
            })
            .collect();
        self.scheduled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(added.iter().cloned());
        added
    }

    /// Runs everything until nothing was done during a whole round, by the round or by a schedule: what a
    /// schedule does between two steps of a round may be work for the step that is over.
    ///
    /// # Errors
    /// The first fault met; the schedules go on by themselves.
    pub async fn run(&self) -> Result<(), Fault> {
        let scheduled = self
            .scheduled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for _ in 0..MAX_ROUNDS {
            let before = self.done.load(Ordering::Acquire);
            for work in &scheduled {
                work.run(true).await?;
            }
            if self.done.load(Ordering::Acquire) == before {
                return Ok(());
            }
        }
        tracing::warn!("work stayed due after {MAX_ROUNDS} rounds");
        Ok(())
    }
}

/// Replay records are kept for 90 days of real time (BL-2).
const REPLAY_RETENTION_DAYS: i64 = 90;

/// Removes replay records past their retention.
pub(crate) struct PruneReplay {
    pub(crate) database: Database,
    /// Looked at once an hour; real time.
    pub(crate) next_us: std::sync::atomic::AtomicI64,
}

impl DueWork for PruneReplay {
    fn name(&self) -> &'static str {
        "prune replay records"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let now = real_now();
            if now.as_micros() < self.next_us.load(Ordering::Relaxed) {
                return Ok(0);
            }
            let before = now.checked_add(-chrono::TimeDelta::days(REPLAY_RETENTION_DAYS));
            let pruned = match before {
                Some(before) => replay::prune(&self.database, before).await?,
                None => 0,
            };
            if pruned == 0 {
                let hour_us = 3_600_000_000;
                self.next_us
                    .store(now.as_micros() + hour_us, Ordering::Relaxed);
            }
            Ok(pruned)
        })
    }
}
