//! Limits on concurrent calls and streams, and on the bytes of their messages: one in total and one for each
//! caller, so that no caller keeps the others out.

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

/// A limit on concurrent calls, streams or bytes.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit {
    bounds: ConcurrencyBounds,
    free: Arc<Semaphore>,
    by_caller: ByCaller,
}

/// How much each caller holds; a caller that holds nothing has no entry.
type ByCaller = Arc<Mutex<HashMap<String, usize>>>;

/// The right to run one call or stream, or to hold bytes; dropping it frees its place.
#[derive(Debug)]
pub struct Permit {
    limit: ConcurrencyLimit,
    caller: String,
    held: usize,
    permit: OwnedSemaphorePermit,
}

impl Permit {
    /// How much of the limit is held.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Takes more of the limit for the same caller.
    ///
    /// # Errors
    /// As [`ConcurrencyLimit::take`]; the permit then stays as it is.
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), Fault> {
        let permit = self.limit.acquire(&self.caller, more)?;
        self.permit.merge(permit);
        self.held += more;
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limit.uncount(&self.caller, self.held);
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
        self.take_many(caller, 1)
    }

    /// As [`ConcurrencyLimit::take`], for a permit that holds `amount` of the limit.
    pub(crate) fn take_many(&self, caller: &str, amount: usize) -> Result<Permit, Fault> {
        Ok(Permit {
            permit: self.acquire(caller, amount)?,
            limit: self.clone(),
            caller: caller.to_owned(),
            held: amount,
        })
    }

    fn acquire(&self, caller: &str, amount: usize) -> Result<OwnedSemaphorePermit, Fault> {
        let ConcurrencyBounds { what, total, .. } = self.bounds;
        self.count(caller, amount)?;
        let permits = u32::try_from(amount).unwrap_or(u32::MAX);
        Arc::clone(&self.free)
            .try_acquire_many_owned(permits)
            .map_err(|_| {
                self.uncount(caller, amount);
                let message =
                    format!("this instance has {total} open {what}, its limit; retry later");
                self.crowded(message, total)
            })
    }

    fn counts_callers(&self) -> bool {
        self.bounds.per_caller < self.bounds.total
    }

    fn count(&self, caller: &str, amount: usize) -> Result<(), Fault> {
        if !self.counts_callers() {
            return Ok(());
        }
        let ConcurrencyBounds {
            what,
            per_caller: limit,
            ..
        } = self.bounds;
        let mut held = lock(&self.by_caller);
        let count = held.get(caller).copied().unwrap_or_default();
        if count.saturating_add(amount) > limit {
            let message = format!(
                "{caller} has reached {limit} open {what} on this instance, the limit of one caller; close one \
                 or retry later"
            );
            return Err(self.crowded(message, limit));
        }
        held.insert(caller.to_owned(), count + amount);
        Ok(())
    }

    fn uncount(&self, caller: &str, amount: usize) {
        if !self.counts_callers() {
            return;
        }
        let mut held = lock(&self.by_caller);
        if let Some(count) = held.get_mut(caller) {
            *count = count.saturating_sub(amount);
            if *count == 0 {
                held.remove(caller);
            }
        }
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

    #[test]
    fn a_permit_grows_within_its_callers_limit() {
        let limit = limit(10, 6);
        let mut first = limit.take_many("a", 2).unwrap();
        first.grow(4).unwrap();
        assert!(first.grow(1).is_err());
        assert_eq!(first.held(), 6);
        let mut second = limit.take_many("b", 4).unwrap();
        // The total is reached; what was refused is not counted.
        assert!(second.grow(1).is_err());
        drop(first);
        assert!(second.grow(2).is_ok());
        drop(second);
        assert!(lock(&limit.by_caller).is_empty());
    }
}
