//! A clock that moves only when a test moves it, so that day 25 is exactly day 25. contracts/clock.rs tests
//! the suite's own test clock, which runs.

use std::sync::Mutex;

use chrono::TimeDelta;
use licet_domain::clock::{Clock, Instant};

/// 2026-01-01T00:00:00Z. Six calendar months from here are exactly half a year (P-3).
const START_MICROS: i64 = 1_767_225_600_000_000;

/// A clock that only the test moves.
pub(crate) struct StandingClock(Mutex<Instant>);

impl StandingClock {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Instant::from_micros(START_MICROS).unwrap()))
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(by).unwrap();
    }

    /// Moves the clock forward to an instant, to the microsecond.
    pub(crate) fn move_to(&self, instant: Instant) {
        let mut now = self.0.lock().unwrap();
        assert!(
            *now <= instant,
            "time does not run back: {now} to {instant}"
        );
        *now = instant;
    }

    pub(crate) fn advance_days(&self, days: i64) {
        self.advance(TimeDelta::days(days));
    }

    pub(crate) fn advance_months(&self, months: u32) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add_months(months).unwrap();
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }
}

/// An instant as the contract writes it.
pub(crate) fn timestamp(instant: Instant) -> prost_types::Timestamp {
    let micros = instant.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1000).unwrap(),
    }
}

/// The instant `micros` after another, or before it if negative.
pub(crate) fn shifted(instant: Instant, micros: i64) -> Instant {
    Instant::from_micros(instant.as_micros() + micros).unwrap()
}

/// The inverse of [`timestamp`].
pub(crate) fn instant(time: Option<prost_types::Timestamp>) -> Instant {
    let time = time.expect("the response has a time here");
    Instant::from_micros(time.seconds * 1_000_000 + i64::from(time.nanos) / 1000).unwrap()
}
