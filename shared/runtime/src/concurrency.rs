//! ConcurrencyLimit for what goes on at once: so many in all, and so many of one caller, so that no caller keeps
//! the others out.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::fault::{Fault, TransientFault, TransientReason};

/// How many there may be at once.
#[derive(Clone, Copy, Debug)]
pub struct ConcurrencyBounds {
    /// What takes the limit, as a refusal names it: `streams`.
    pub what: &'static str,
    /// Why one more is refused.
    pub reason: TransientReason,
    /// Of all callers.
    pub total: usize,
    /// Of one caller; as many as in all: callers are not told apart.
    pub per_caller: usize,
}

/// ConcurrencyLimit of one kind.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit {
    bounds: ConcurrencyBounds,
    free: Arc<Semaphore>,
    by_caller: ByCaller,
}

/// How many limit each caller has; a caller without one is not in it.
type ByCaller = Arc<Mutex<HashMap<String, usize>>>;

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
    _counted: Option<Counted>,
}

/// One place in the count of its caller.
#[derive(Debug)]
struct Counted {
    caller: String,
    by_caller: ByCaller,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut taken = lock(&self.by_caller);
        if let Some(count) = taken.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.caller);
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
    /// As many free limit as the bounds say.
    #[must_use]
    pub fn new(bounds: ConcurrencyBounds) -> Self {
        Self {
            bounds,
            free: Arc::new(Semaphore::new(bounds.total)),
            by_caller: ByCaller::default(),
        }
    }

    /// Takes a place for a caller.
    ///
    /// # Errors
    /// The reason of the bounds, when the caller has its share or all limit are taken.
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
            let message = format!("{total} {what} are open, the most that this instance takes");
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
        let mut taken = lock(&self.by_caller);
        let count = taken.get(caller).copied().unwrap_or_default();
        if count >= limit {
            let message = format!(
                "{caller} has {limit} {what} open, the most that this instance takes of one caller"
            );
            return Err(self.crowded(message, limit));
        }
        taken.insert(caller.to_owned(), count + 1);
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

    /// Resolves when every place is free. What comes later waits behind this.
    pub(crate) async fn all_free(&self) {
        let all = u32::try_from(self.bounds.total).unwrap_or(u32::MAX);
        // An Err says that the limit were closed, which nobody does.
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
    fn there_are_so_many_in_all() {
        let limit = limit(2, 2);
        let _first = limit.take("a").unwrap();
        let second = limit.take("a").unwrap();
        assert!(limit.take("b").is_err());
        drop(second);
        assert!(limit.take("b").is_ok());
    }

    #[test]
    fn one_caller_leaves_places_to_others() {
        let limit = limit(3, 2);
        let first = limit.take("a").unwrap();
        let _second = limit.take("a").unwrap();
        assert!(limit.take("a").is_err());
        let third = limit.take("b").unwrap();
        // One that finds no place at all counts for nobody.
        assert!(limit.take("c").is_err());
        drop(first);
        drop(third);
        assert!(limit.take("a").is_ok());
        assert_eq!(lock(&limit.by_caller).len(), 1);
    }
}
