//! The system clock and the test clock, which only moves forward and survives restarts. Read business
//! time only through `licet_domain::clock::Clock`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use licet_domain::{
    clock::{Clock, Instant},
    refusal::{Reason, Refusal},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fault::Fault;

/// Real time, independent of the test clock: for replay retention, back-off, deadlines and telemetry.
#[must_use]
pub fn real_now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the system clock is read"
    )]
    Instant::from_utc(chrono::Utc::now())
}

/// The system clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        real_now()
    }
}

/// A clock that is ahead of the system clock by an offset that only grows. For development only.
#[derive(Debug)]
pub struct TestClock {
    offset_us: AtomicI64,
    file: PathBuf,
    /// The content of the file; locked during an advance.
    stored: Mutex<StoredClock>,
}

/// The clock as its file stores it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct StoredClock {
    offset_us: i64,
    /// All advances by request id, so that a repeat gets the first response (BL-2).
    advances: BTreeMap<Uuid, StoredAdvance>,
}

/// An advance and the request for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredAdvance {
    asked: String,
    #[serde(flatten)]
    advance: Advance,
}

/// An advance of the test clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advance {
    /// The time before it.
    pub before: Instant,
    /// The time after it.
    pub after: Instant,
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        let offset = self.offset_us();
        Instant::from_micros(real_now().as_micros().saturating_add(offset)).unwrap_or_else(real_now)
    }
}

impl TestClock {
    /// Opens the clock stored in `file`, or a new one if the file does not exist.
    ///
    /// # Errors
    /// When the file cannot be read or is not a clock.
    pub fn open(file: &Path) -> std::io::Result<Self> {
        let stored: StoredClock = match std::fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => StoredClock::default(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            offset_us: AtomicI64::new(stored.offset_us),
            file: file.to_owned(),
            stored: Mutex::new(stored),
        })
    }

    /// How far the clock is ahead of real time, in microseconds.
    #[must_use]
    pub fn offset_us(&self) -> i64 {
        self.offset_us.load(Ordering::Acquire)
    }

    /// Advances the clock to the time that `target` computes from the current one. A repeat of `request_id`
    /// with the same `asked` does not move the clock and returns the first advance.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when the target is not later, [`Reason::RequestIdReused`] when `asked` differs from
    /// the first request's. The clock does not move then.
    pub fn advance(
        &self,
        request_id: Uuid,
        asked: &str,
        target: impl FnOnce(Instant) -> Option<Instant>,
    ) -> Result<Advance, Fault> {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = stored.advances.get(&request_id) {
            if first.asked == asked {
                return Ok(first.advance);
            }
            let message = format!(
                "request_id {request_id} was already used for {}; use a new one",
                first.asked
            );
            let refusal = Refusal::new(Reason::RequestIdReused, message);
            return Err(refusal.with("request_id", request_id).into());
        }
        let before = self.now();
        let after = target(before)
            .filter(|after| *after > before && after.to_utc().timestamp() < FURTHEST_SECONDS)
            .ok_or_else(|| {
                Fault::invalid(
                    "by",
                    format!("must lead to a time after {before} and before 2200"),
                )
            })?;
        let advance = Advance { before, after };
        let step = after.as_micros().saturating_sub(before.as_micros());
        let mut moved = stored.clone();
        moved.offset_us = moved.offset_us.saturating_add(step);
        let asked = asked.to_owned();
        moved
            .advances
            .insert(request_id, StoredAdvance { asked, advance });
        // Save before anyone reads the new time: after a crash, time must not go back.
        self.save(&moved).map_err(Fault::of_file)?;
        self.offset_us.store(moved.offset_us, Ordering::Release);
        *stored = moved;
        Ok(advance)
    }

    fn save(&self, stored: &StoredClock) -> std::io::Result<()> {
        let fresh = self.file.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(serde_json::to_string_pretty(stored)?.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.file)?;
        match self
            .file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// 2200-01-01T00:00:00Z: terms bought then still end within the supported date range.
const FURTHEST_SECONDS: i64 = 7_258_118_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_clock_moves_forward_only_and_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        let clock = TestClock::open(&file).unwrap();
        let request_id = Uuid::new_v4();
        let half_a_year = |now: Instant| now.checked_add_months(6);
        let moved = clock.advance(request_id, "6", half_a_year).unwrap();
        let Advance { before, after } = moved;
        assert_eq!(before.checked_add_months(6), Some(after));
        assert_eq!(clock.advance(request_id, "6", half_a_year).unwrap(), moved);
        assert!(clock.advance(request_id, "7", half_a_year).is_err());
        assert!(clock.advance(Uuid::new_v4(), "", |_| Some(before)).is_err());
        let again = TestClock::open(&file).unwrap();
        assert!(again.now() >= after);
        assert_eq!(again.offset_us(), clock.offset_us());
        assert_eq!(again.advance(request_id, "6", half_a_year).unwrap(), moved);
    }
}
