//! Background work that becomes due: resuming operations, positioning events, pruning old rows.
//! Every instance runs every piece. Two instances may pick up the same work: each piece is written so
//! that the second does no harm.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::fault::Fault;

/// Work that becomes due as time passes.
pub trait DueWork: Send + Sync + 'static {
    /// Name for the log.
    fn name(&self) -> &'static str;

    /// Does the due work and returns how many items it did. With `all`, ignores the back-off of single items.
    fn run_due(&self, all: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>>;

    /// How long the schedule waits after a run that did `done`, 0 if it failed; `None` runs again at once.
    fn pause_after(&self, done: u64) -> Option<Duration> {
        (done == 0).then_some(IDLE_PAUSE)
    }
}

/// The default pause.
pub const IDLE_PAUSE: Duration = Duration::from_millis(250);

/// One piece of due work of one service. The schedule and [`CatchUp`] both run it, one at a time.
pub(crate) struct Scheduled {
    due: Arc<dyn DueWork>,
    running: tokio::sync::Mutex<()>,
    /// The number of items that all work of the suite has done so far.
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

/// Runs one piece of due work, with its pauses, until `stop` becomes true.
pub(crate) async fn run(scheduled: Arc<Scheduled>, mut stop: watch::Receiver<bool>) {
    let due = Arc::clone(&scheduled.due);
    while !*stop.borrow() {
        // In its own task: a panic ends this run, not the schedule.
        let work = Arc::clone(&scheduled);
        let done = match tokio::spawn(async move { work.run(false).await }).await {
            Ok(Ok(done)) => done,
            Ok(Err(fault)) => {
                tracing::warn!(work = due.name(), ?fault, "due work failed");
                0
            }
            Err(panic) => {
                tracing::error!(work = due.name(), %panic, "due work panicked");
                0
            }
        };
        if let Some(pause) = due.pause_after(done) {
            tokio::select! {
                _ = stop.wait_for(|stopped| *stopped) => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// Runs the due work of all services of a suite to its end, so that an advance of the test clock returns
/// only when everything it made due is done.
#[derive(Clone, Default)]
pub struct CatchUp {
    scheduled: Arc<Mutex<Vec<Arc<Scheduled>>>>,
    done: Arc<AtomicU64>,
}

/// Work that keeps making new work due is a defect: a catch-up gives up instead of hanging.
const MAX_ROUNDS: usize = 100;

impl CatchUp {
    /// Adds a service's due work. The caller must also run the result on a schedule.
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

    /// Runs all work in rounds until neither a round nor a schedule has done anything during a whole round: a
    /// schedule may create due work after the round has looked for it.
    ///
    /// # Errors
    /// The first fault; the schedules continue.
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
        tracing::warn!("work is still due after {MAX_ROUNDS} rounds");
        Ok(())
    }
}
