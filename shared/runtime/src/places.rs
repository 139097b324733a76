//! Places for calls: so many at once, and streams apart from them, so that those who only watch take
//! nothing from those who work.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    config::Limits,
    fault::{Fault, Passing, PassingReason},
};

/// The places of one server.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// How many streams each caller has open; who has none is not in it.
    by_caller: Arc<Mutex<HashMap<String, usize>>>,
    limits: Limits,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _stream: Option<OpenStream>,
}

#[derive(Debug)]
struct OpenStream {
    caller: String,
    by_caller: Arc<Mutex<HashMap<String, usize>>>,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = lock(&self.by_caller);
        if let Some(count) = open.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.caller);
            }
        }
    }
}

fn lock(
    by_caller: &Mutex<HashMap<String, usize>>,
) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
    by_caller.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Places {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            calls: Arc::new(Semaphore::new(limits.max_calls)),
            streams: Arc::new(Semaphore::new(limits.max_streams)),
            by_caller: Arc::default(),
            limits: limits.clone(),
        }
    }

    /// A place for a call with one request and one answer.
    pub(crate) fn take_call(&self) -> Result<Place, Fault> {
        let limit = self.limits.max_calls;
        let permit = Arc::clone(&self.calls).try_acquire_owned().map_err(|_| {
            let message =
                format!("more than {limit} calls at once, the most that this instance takes");
            crowded(PassingReason::Overloaded, message, limit)
        })?;
        Ok(Place {
            _permit: permit,
            _stream: None,
        })
    }

    /// A place for a stream.
    pub(crate) fn take_stream(&self, caller: &str) -> Result<Place, Fault> {
        let stream = self.open_stream(caller)?;
        let limit = self.limits.max_streams;
        let permit = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            let message = format!("{limit} streams are open, the most that this instance takes");
            crowded(PassingReason::TooManyStreams, message, limit)
        })?;
        Ok(Place {
            _permit: permit,
            _stream: Some(stream),
        })
    }

    fn open_stream(&self, caller: &str) -> Result<OpenStream, Fault> {
        let limit = self.limits.max_streams_per_caller;
        let mut open = lock(&self.by_caller);
        let count = open.get(caller).copied().unwrap_or_default();
        if count >= limit {
            let message = format!(
                "{caller} has {limit} streams open, the most that this instance takes of one caller"
            );
            return Err(crowded(PassingReason::TooManyStreams, message, limit));
        }
        open.insert(caller.to_owned(), count + 1);
        Ok(OpenStream {
            caller: caller.to_owned(),
            by_caller: Arc::clone(&self.by_caller),
        })
    }

    /// Resolves when no call and no stream is under way. What comes later waits behind this.
    pub(crate) async fn all_free(&self) {
        for (places, count) in [
            (&self.calls, self.limits.max_calls),
            (&self.streams, self.limits.max_streams),
        ] {
            let all = u32::try_from(count).unwrap_or(u32::MAX);
            // An Err says that the places were closed, which nobody does.
            let _ = places.acquire_many(all).await;
        }
    }
}

fn crowded(reason: PassingReason, message: String, limit: usize) -> Fault {
    Fault::Passing(Box::new(Passing {
        reason,
        message,
        retry_after: Some(Duration::from_millis(500)),
        metadata: BTreeMap::from([("limit".to_owned(), limit.to_string())]),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(max_streams: usize, max_streams_per_caller: usize) -> Places {
        Places::new(&Limits {
            max_calls: 1,
            max_streams,
            max_streams_per_caller,
            ..Limits::default()
        })
    }

    #[test]
    fn streams_take_no_place_of_calls() {
        let places = places(2, 2);
        let _first = places.take_stream("a").unwrap();
        let second = places.take_stream("a").unwrap();
        assert!(places.take_stream("b").is_err());
        let _call = places.take_call().unwrap();
        assert!(places.take_call().is_err());
        drop(second);
        assert!(places.take_stream("b").is_ok());
    }

    #[test]
    fn one_caller_leaves_places_to_others() {
        let places = places(3, 2);
        let first = places.take_stream("a").unwrap();
        let _second = places.take_stream("a").unwrap();
        assert!(places.take_stream("a").is_err());
        let third = places.take_stream("b").unwrap();
        // A stream that finds no place at all counts for nobody.
        assert!(places.take_stream("c").is_err());
        drop(first);
        drop(third);
        assert!(places.take_stream("a").is_ok());
        assert_eq!(lock(&places.by_caller).len(), 1);
    }
}
