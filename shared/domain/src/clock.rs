//! Instants, and the trait of the clock they come from (T-1, T-3). Nothing here reads a clock: the
//! process owns it, and decisions receive `now` as a value.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Months, SecondsFormat, TimeDelta, Utc};

use crate::text::serde_as_text;

/// An instant in UTC with microsecond resolution (T-1), from year 1 to the end of year 9999: the range
/// of RFC 3339 and of the contract's timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(DateTime<Utc>);

/// The text is not an instant. The message follows a field's path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 time between years 1 and 9999, such as 2026-01-01T00:00:00Z")]
pub struct InstantError;

const fn from_micros_or_epoch(micros: i64) -> Instant {
    match DateTime::from_timestamp_micros(micros) {
        Some(time) => Instant(time),
        None => Instant(DateTime::UNIX_EPOCH),
    }
}

impl Instant {
    /// 0001-01-01T00:00:00.000000Z, the earliest instant.
    pub const MIN: Self = from_micros_or_epoch(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999Z, the latest instant.
    pub const MAX: Self = from_micros_or_epoch(253_402_300_799_999_999);

    /// The instant `micros` microseconds after 1970-01-01T00:00:00Z; `None` outside years 1 to 9999.
    pub fn from_micros(micros: i64) -> Option<Self> {
        let instant = Self(DateTime::from_timestamp_micros(micros)?);
        (Self::MIN..=Self::MAX)
            .contains(&instant)
            .then_some(instant)
    }

    /// Microseconds since 1970-01-01T00:00:00Z; negative before it.
    pub fn as_micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// `time` truncated to the microsecond; outside years 1 to 9999, the nearest valid instant.
    pub fn from_utc(time: DateTime<Utc>) -> Self {
        let nearest = if time < Self::MIN.0 {
            Self::MIN
        } else {
            Self::MAX
        };
        Self::from_micros(time.timestamp_micros()).unwrap_or(nearest)
    }

    /// The same instant as chrono's type.
    pub fn to_utc(self) -> DateTime<Utc> {
        self.0
    }

    /// The instant `delta` later, truncated to the microsecond; `None` outside years 1 to 9999.
    pub fn checked_add(self, delta: TimeDelta) -> Option<Self> {
        Self::from_micros(self.0.checked_add_signed(delta)?.timestamp_micros())
    }

    /// The instant `months` calendar months later at the same time of day; on the last day of the month
    /// if that month is shorter (T-2). `None` beyond year 9999.
    pub fn checked_add_months(self, months: u32) -> Option<Self> {
        let later = self.0.checked_add_months(Months::new(months))?;
        Self::from_micros(later.timestamp_micros())
    }

    /// Microseconds from this instant to `later`; negative if `later` is earlier.
    pub fn micros_until(self, later: Self) -> i64 {
        later.as_micros() - self.as_micros()
    }
}

/// RFC 3339 in UTC with exactly six decimals: `2026-01-01T00:00:00.000000Z`.
impl fmt::Display for Instant {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// Parses RFC 3339 with any offset, truncating to the microsecond.
impl FromStr for Instant {
    type Err = InstantError;

    fn from_str(text: &str) -> Result<Self, InstantError> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InstantError)?;
        Self::from_micros(time.timestamp_micros()).ok_or(InstantError)
    }
}

serde_as_text!(Instant);

/// The clock of a process. It is read once, when a request is accepted; from then on the decision time
/// is passed as a value (T-3).
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Instant;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    /// T-1: truncated to the microsecond, never rounded up; in UTC whatever the offset.
    #[test]
    fn t1_reads_and_writes_rfc_3339() {
        for (text, expected) in [
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z"),
            (
                "2026-01-01T00:00:00.1234569Z",
                "2026-01-01T00:00:00.123456Z",
            ),
            ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00.000000Z"),
            (
                "1969-12-31T23:59:59.9999999Z",
                "1969-12-31T23:59:59.999999Z",
            ),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(at(text).to_string(), expected, "{text}");
        }
        for text in [
            "",
            "2026-01-01",
            "2026-02-30T00:00:00Z",
            "0000-12-31T23:59:59Z",
            "now",
        ] {
            assert_eq!(text.parse::<Instant>(), Err(InstantError), "{text}");
        }
    }

    #[test]
    fn bounds_hold() {
        assert_eq!(Instant::MIN, at("0001-01-01T00:00:00Z"));
        assert_eq!(Instant::MAX, at("9999-12-31T23:59:59.999999Z"));
        assert_eq!(Instant::from_micros(Instant::MAX.as_micros() + 1), None);
        assert_eq!(Instant::from_micros(Instant::MIN.as_micros() - 1), None);
        assert_eq!(Instant::from_micros(i64::MIN), None);
        assert_eq!(Instant::from_utc(DateTime::<Utc>::MAX_UTC), Instant::MAX);
        assert_eq!(Instant::from_utc(DateTime::<Utc>::MIN_UTC), Instant::MIN);
        assert_eq!(Instant::MAX.checked_add(TimeDelta::microseconds(1)), None);
        assert_eq!(Instant::MAX.checked_add_months(1), None);
        assert_eq!(Instant::MIN.checked_add_months(u32::MAX), None);
    }

    /// T-2: calendar months, clamped to the last day of a shorter month.
    #[test]
    fn t2_adds_calendar_months() {
        for (start, months, expected) in [
            (
                "2026-01-31T12:30:00.000001Z",
                1,
                "2026-02-28T12:30:00.000001Z",
            ),
            ("2026-01-31T00:00:00Z", 2, "2026-03-31T00:00:00Z"),
            ("2024-02-29T00:00:00Z", 12, "2025-02-28T00:00:00Z"),
            ("2024-02-29T00:00:00Z", 48, "2028-02-29T00:00:00Z"),
        ] {
            assert_eq!(
                at(start).checked_add_months(months),
                Some(at(expected)),
                "{start}"
            );
        }
    }

    #[test]
    fn distance_is_signed() {
        let (a, b) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:01Z"));
        assert_eq!(
            (a.micros_until(b), b.micros_until(a)),
            (1_000_000, -1_000_000)
        );
    }

    proptest! {
        /// T-1: an instant survives its text, its number, chrono and JSON.
        #[test]
        fn t1_round_trips(micros in Instant::MIN.as_micros()..=Instant::MAX.as_micros()) {
            let instant = Instant::from_micros(micros).unwrap();
            prop_assert_eq!(instant.as_micros(), micros);
            prop_assert_eq!(Instant::from_utc(instant.to_utc()), instant);
            prop_assert_eq!(instant.to_string().parse::<Instant>(), Ok(instant));
            let json = serde_json::to_string(&instant).unwrap();
            prop_assert_eq!(serde_json::from_str::<Instant>(&json).unwrap(), instant);
        }
    }
}
