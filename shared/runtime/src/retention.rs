//! Rows that are kept for a stated time of real time. Background work then removes them in batches, or
//! what no rule asks for in them.

use std::{pin::Pin, time::Duration};

use chrono::TimeDelta;
use futures::future::BoxFuture;
use licet_domain::clock::Instant;

use crate::{
    clock::real_now,
    database::{Database, Tx, Work},
    fault::Fault,
    schedule::DueWork,
};

/// How long some rows of a service are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Name of the work, for the log.
    pub name: &'static str,
    /// For how many days of real time, at least.
    pub days: i64,
    /// Removes a batch of the rows that are older than the instant. Returns how many; 0 ends the run. Two
    /// instances may remove the same batch at the same time.
    pub prune: for<'a> fn(&'a Tx, Instant) -> BoxFuture<'a, Result<u64, Fault>>,
}

/// Days for which the reply to a request is stored for its repeats (BL-2), and an operation after its end.
pub const REPLAY_DAYS: i64 = 90;

/// The instant before which rows are older than `days`, if real time were ahead by `ahead`.
pub(crate) fn horizon(days: i64, ahead: TimeDelta) -> Option<Instant> {
    let ago = TimeDelta::try_days(days)?.checked_sub(&ahead)?;
    real_now().checked_add(-ago)
}

const PAUSE: Duration = Duration::from_secs(3600);

/// The work that removes what a retention no longer keeps.
pub(crate) struct Pruner {
    pub(crate) database: Database,
    pub(crate) retention: Retention,
    /// See [`crate::server::Suite::prune_ahead`].
    pub(crate) ahead: TimeDelta,
}

impl DueWork for Pruner {
    fn name(&self) -> &'static str {
        self.retention.name
    }

    fn run_due(&self, all: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            // An advance of the test clock makes nothing due.
            if all {
                return Ok(0);
            }
            let Some(before) = horizon(self.retention.days, self.ahead) else {
                return Ok(0);
            };
            let prune = self.retention.prune;
            self.database.transact(&Batch { prune, before }).await
        })
    }

    fn pause_after(&self, done: u64) -> Option<Duration> {
        (done == 0).then_some(PAUSE)
    }
}

struct Batch {
    prune: for<'a> fn(&'a Tx, Instant) -> BoxFuture<'a, Result<u64, Fault>>,
    before: Instant,
}

impl Work for Batch {
    type Output = u64;

    async fn run(&self, tx: &Tx) -> Result<u64, Fault> {
        (self.prune)(tx, self.before).await
    }
}
