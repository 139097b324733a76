//! Due work: operations to resume, events to move, records to prune. Every instance runs a
//! schedule; two that pick the same work up are harmless by the work's own design.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{clock::real_now, database::Database, fault::Fault, replay};

/// Work that time makes due.
pub trait Due: Send + Sync + 'static {
    /// Name for the log.
    fn name(&self) -> &'static str;

    /// Does what is due; with `all`, also what only its back-off holds back. Answers how much was
    /// done.
    fn run_due(&self, all: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>>;
}

const IDLE_PAUSE: Duration = Duration::from_millis(250);

/// Runs one kind of due work at a steady pace until `stop` says so.
pub(crate) async fn run(due: Arc<dyn Due>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        // In a task of its own: a panic ends this round, not the schedule.
        let work = Arc::clone(&due);
        match tokio::spawn(async move { work.run_due(false).await }).await {
            Ok(Ok(0)) => {}
            Ok(Ok(_)) => continue,
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
pub struct Settle {
    due: Arc<Mutex<Vec<Arc<dyn Due>>>>,
}

/// A bound on rounds: work that makes new work due for ever is a defect, not a reason to hang.
const MAX_ROUNDS: usize = 100;

impl Settle {
    /// Adds a service's due work.
    pub fn add(&self, due: &[Arc<dyn Due>]) {
        self.due
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(due.iter().cloned());
    }

    /// Runs everything until a round finds nothing to do.
    ///
    /// # Errors
    /// The first fault met; the schedules go on by themselves.
    pub async fn run(&self) -> Result<(), Fault> {
        let due = self
            .due
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for _ in 0..MAX_ROUNDS {
            let mut done = 0;
            for work in &due {
                done += work.run_due(true).await?;
            }
            if done == 0 {
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

impl Due for PruneReplay {
    fn name(&self) -> &'static str {
        "prune replay records"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        use std::sync::atomic::Ordering;
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
