//! Limits the lines of libraries in the log: a hostile client makes them write megabytes a minute. The first line
//! from each place in their code is written, and then one a minute, with how many were left out.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::{Event, Metadata, Subscriber, callsite::Identifier};
use tracing_subscriber::layer::{Context, Filter};

const PAUSE: Duration = Duration::from_secs(60);
/// The targets of our own lines, which say what a client or an operator did.
const OWN: &str = "licet";

/// A filter that passes one line a minute from each place in a library.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    places: Mutex<HashMap<Identifier, Place>>,
}

#[derive(Debug)]
struct Place {
    written: Instant,
    left_out: u64,
}

impl LogLimit {
    /// Whether a line from this place is written now; if so, how many were left out before it.
    fn pass(&self, place: Identifier, now: Instant) -> Option<u64> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = places.get_mut(&place) else {
            let first = Place {
                written: now,
                left_out: 0,
            };
            places.insert(place, first);
            return Some(0);
        };
        if now.duration_since(known.written) < PAUSE {
            known.left_out += 1;
            return None;
        }
        known.written = now;
        Some(std::mem::take(&mut known.left_out))
    }
}

impl<S: Subscriber> Filter<S> for LogLimit {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if metadata.target().starts_with(OWN) {
            return true;
        }
        let passed = self.pass(metadata.callsite(), Instant::now());
        if let Some(left_out @ 1..) = passed {
            let library = metadata.target();
            tracing::info!(left_out, library, "left out lines of a library");
        }
        passed.is_some()
    }
}

#[cfg(test)]
mod tests {
    use tracing::callsite::Callsite as _;

    use super::*;

    #[test]
    fn a_flood_of_lines_is_one_a_minute() {
        let place = tracing::callsite! {
            name: "a line",
            kind: tracing::metadata::Kind::EVENT,
            fields: message
        };
        let place = place.metadata().callsite();
        let (limit, start) = (LogLimit::default(), Instant::now());
        assert_eq!(limit.pass(place.clone(), start), Some(0));
        for _ in 0..1000 {
            assert_eq!(limit.pass(place.clone(), start + PAUSE / 2), None);
        }
        assert_eq!(limit.pass(place, start + PAUSE), Some(1000));
    }
}
