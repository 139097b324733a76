//! Lets a log line through once a minute for each key, so that a client cannot fill the log.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const INTERVAL: Duration = Duration::from_secs(60);
/// How many keys are remembered. While all are recent, further keys are not logged.
const MOST_KEYS: usize = 1024;

/// The keys logged in the last minute.
#[derive(Debug)]
pub(crate) struct Rarely(Mutex<BTreeMap<String, Instant>>);

impl Rarely {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Whether to log for `key` now.
    pub(crate) fn permits(&self, key: &str) -> bool {
        self.permits_at(key, Instant::now())
    }

    fn permits_at(&self, key: &str, now: Instant) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &Instant| now.duration_since(*at) < INTERVAL;
        if logged.get(key).is_some_and(is_recent) {
            return false;
        }
        if logged.len() >= MOST_KEYS {
            logged.retain(|_, at| is_recent(at));
        }
        if logged.len() >= MOST_KEYS {
            return false;
        }
        logged.insert(key.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_logged_once_a_minute_and_keys_are_bounded() {
        let rarely = Rarely::new();
        let start = Instant::now();
        assert!(rarely.permits_at("a", start));
        assert!(!rarely.permits_at("a", start + INTERVAL / 2));
        assert!(rarely.permits_at("b", start));
        assert!(rarely.permits_at("a", start + INTERVAL));
        for number in 0..2 * MOST_KEYS {
            rarely.permits_at(&number.to_string(), start + INTERVAL);
        }
        assert!(rarely.0.lock().unwrap().len() <= MOST_KEYS);
        assert!(!rarely.permits_at("late", start + INTERVAL));
        assert!(rarely.permits_at("late", start + 2 * INTERVAL));
    }
}
