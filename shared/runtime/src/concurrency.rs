//! Limits on concurrent calls and streams: one in total and one for each caller, so that no caller keeps
//! the others out.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault::{Fault, TransientFault, TransientReason};

/// The bounds of a concurrency limit.
#[derive(Clone, Copy, Debug)]
pub struct ConcurrencyBounds {
    /// What is limited, for messages: `streams`.
    pub what: &'static str,
    /// The reason of the fault beyond the limit.
    pub reason: TransientReason,
    /// The limit for all callers together.
    pub total: usize,
    /// The limit for one caller; callers are not counted if it is at least the total.
    pub per_caller: usize,
}

/// A limit on concurrent calls or streams.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit {
    bounds: ConcurrencyBounds,
    free: Arc<Semaphore>,
    by_caller: ByCaller,
}

/// How many permits each caller holds; a caller without one has no entry.
type ByCaller = Arc<Mutex<HashMap<String, usize>>>;

/// The right to run one call or stream; dropping it frees its place.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
    _counted: Option<Counted>,
}

/// One permit in its caller's count.
#[derive(Debug)]
struct Counted {
    caller: String,
    by_caller: ByCaller,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut held = lock(&self.by_caller);
        if let Some(count) = held.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.caller);
            }
        }
    }
}

fn lock(
    by_caller: &Mutex<HashMap<String, usize>>,
) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
    by_caller.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ConcurrencyLimit {
    /// A limit with all its permits free.
    #[must_use]
    pub fn new(bounds: ConcurrencyBounds) -> Self {
        Self {
            bounds,
            free: Arc::new(Semaphore::new(bounds.total)),
            by_caller: ByCaller::default(),
        }
    }

    /// Takes a permit for a caller.
    ///
    /// # Errors
    /// The reason of the bounds, if the caller or all callers together have reached their limit.
    pub fn take(&self, caller: &str) -> Result<Permit, Fault> {
        let ConcurrencyBounds {
            what,
            total,
            per_caller,
            ..
        } = self.bounds;
        let counted = (per_caller < total).then(|| self.count(caller));
        let counted = counted.transpose()?;
        let permit = Arc::clone(&self.free).try_acquire_owned().map_err(|_| {
            let message = format!("this instance has {total} open {what}, its limit; retry later");
            self.crowded(message, total)
        })?;
        Ok(Permit {
            _permit: permit,
            _counted: counted,
        })
    }

    fn count(&self, caller: &str) -> Result<Counted, Fault> {
        let ConcurrencyBounds {
            what,
            per_caller: limit,
            ..
        } = self.bounds;
        let mut held = lock(&self.by_caller);
        let count = held.get(caller).copied().unwrap_or_default();
        if count >= limit {
            let message = format!(
                "{caller} has {limit} open {what} on this instance, the limit of one caller; close one \
                 or retry later"
            );
            return Err(self.crowded(message, limit));
        }
        held.insert(caller.to_owned(), count + 1);
        Ok(Counted {
            caller: caller.to_owned(),
            by_caller: Arc::clone(&self.by_caller),
        })
    }

    fn crowded(&self, message: String, limit: usize) -> Fault {
        Fault::Transient(Box::new(TransientFault {
            reason: self.bounds.reason,
            message,
            retry_after: Some(Duration::from_millis(500)),
            metadata: BTreeMap::from([("limit".to_owned(), limit.to_string())]),
        }))
    }

    /// Waits until all permits are free. Until then, nobody gets a new permit.
    pub(crate) async fn all_free(&self) {
        let all = u32::try_from(self.bounds.total).unwrap_or(u32::MAX);
        // Fails only on a closed semaphore, and nothing closes it.
        let _ = self.free.acquire_many(all).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(total: usize, per_caller: usize) -> ConcurrencyLimit {
        ConcurrencyLimit::new(ConcurrencyBounds {
            what: "streams",
            reason: TransientReason::TooManyStreams,
            total,
            per_caller,
        })
    }

    #[test]
    fn the_total_is_limited() {
        let limit = limit(2, 2);
        let _first = limit.take("a").unwrap();
        let second = limit.take("a").unwrap();
        assert!(limit.take("b").is_err());
        drop(second);
        assert!(limit.take("b").is_ok());
    }

    #[test]
    fn one_caller_leaves_permits_to_others() {
        let limit = limit(3, 2);
        let first = limit.take("a").unwrap();
        let _second = limit.take("a").unwrap();
        assert!(limit.take("a").is_err());
        let third = limit.take("b").unwrap();
        // A refused permit does not stay in its caller's count.
        assert!(limit.take("c").is_err());
        drop(first);
        drop(third);
        assert!(limit.take("a").is_ok());
        assert_eq!(lock(&limit.by_caller).len(), 1);
    }
}
