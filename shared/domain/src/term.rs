//! Terms in calendar months counted from an anchor (T-2), and half-open periods (T-1).
//! Proration is not here: Billing decides it.

use serde::{Deserialize, Serialize};

use crate::clock::Instant;

/// A half-open span of time `[start, end)` (T-1). [`Period::new`] ensures start < end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "StoredPeriod")]
pub struct Period {
    /// The first instant inside.
    pub start: Instant,
    /// The first instant after the span.
    pub end: Instant,
}

impl Period {
    /// The span from `start` to `end`, exclusive; `None` unless start < end.
    pub fn new(start: Instant, end: Instant) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// Whether `at` is inside: from `start`, inclusive, to `end`, exclusive.
    pub fn contains(&self, at: Instant) -> bool {
        self.start <= at && at < self.end
    }
}

/// Stored numbers do not form a term or a period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// The period is empty or reversed.
    #[error("a period must start before it ends")]
    EmptyPeriod,
    /// The term has no months, or ends after year 9999.
    #[error("a term must last at least one month and end before the year 10000")]
    NoSuchTerm,
}

/// A number of calendar months, starting `first_month` months after an anchor. Every boundary is
/// counted from the anchor, and renewals keep the anchor of the first term, so that month ends do not
/// drift (T-2): from 31 January, the next boundaries are 28 February and 31 March.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "StoredTerm")]
pub struct Term {
    anchor: Instant,
    first_month: u32,
    months: u32,
}

impl Term {
    /// The term of `months` months that starts `first_month` months after `anchor`. `None` for zero
    /// months or an end after year 9999, so that computing a boundary later cannot fail.
    pub fn new(anchor: Instant, first_month: u32, months: u32) -> Option<Self> {
        if months == 0 {
            return None;
        }
        anchor.checked_add_months(first_month.checked_add(months)?)?;
        Some(Self {
            anchor,
            first_month,
            months,
        })
    }

    /// The first term of something bought at `anchor`; `None` as for [`Term::new`].
    pub fn first(anchor: Instant, months: u32) -> Option<Self> {
        Self::new(anchor, 0, months)
    }

    /// The following term of `months` months, with the same anchor; `None` as for [`Term::new`].
    pub fn next(&self, months: u32) -> Option<Self> {
        Self::new(
            self.anchor,
            self.first_month.checked_add(self.months)?,
            months,
        )
    }

    /// The start of month `k` of the term: 0 is the term's start, `months()` and above its end.
    pub fn boundary(&self, k: u32) -> Instant {
        // The fallback is never used: `new` has checked the latest of these boundaries.
        let months = self.first_month.saturating_add(k.min(self.months));
        self.anchor
            .checked_add_months(months)
            .unwrap_or(Instant::MAX)
    }

    /// The first instant of the term.
    pub fn start(&self) -> Instant {
        self.boundary(0)
    }

    /// The first instant after the term.
    pub fn end(&self) -> Instant {
        self.boundary(self.months)
    }

    /// The term as a span of time.
    pub fn period(&self) -> Period {
        Period {
            start: self.start(),
            end: self.end(),
        }
    }

    /// Length in calendar months, at least 1.
    pub fn months(&self) -> u32 {
        self.months
    }

    /// The instant from which all boundaries are counted: the start of the first term.
    pub fn anchor(&self) -> Instant {
        self.anchor
    }

    /// Number of months from the anchor to its start.
    pub fn first_month(&self) -> u32 {
        self.first_month
    }
}

#[derive(Deserialize)]
struct StoredPeriod {
    start: Instant,
    end: Instant,
}

impl TryFrom<StoredPeriod> for Period {
    type Error = TermError;

    fn try_from(stored: StoredPeriod) -> Result<Self, TermError> {
        Self::new(stored.start, stored.end).ok_or(TermError::EmptyPeriod)
    }
}

#[derive(Deserialize)]
struct StoredTerm {
    anchor: Instant,
    first_month: u32,
    months: u32,
}

impl TryFrom<StoredTerm> for Term {
    type Error = TermError;

    fn try_from(stored: StoredTerm) -> Result<Self, TermError> {
        Self::new(stored.anchor, stored.first_month, stored.months).ok_or(TermError::NoSuchTerm)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    /// T-2: boundaries are counted from the anchor, not from one another.
    #[test]
    fn t2_boundaries_are_counted_from_the_anchor() {
        for (anchor, months, expected) in [
            ("2026-01-31T00:00:00Z", 1, "2026-02-28T00:00:00Z"),
            ("2026-01-31T00:00:00Z", 2, "2026-03-31T00:00:00Z"),
            ("2026-01-31T00:00:00Z", 3, "2026-04-30T00:00:00Z"),
            ("2024-02-29T00:00:00Z", 12, "2025-02-28T00:00:00Z"),
            ("2024-02-29T00:00:00Z", 48, "2028-02-29T00:00:00Z"),
            (
                "2026-12-31T23:59:59.999999Z",
                2,
                "2027-02-28T23:59:59.999999Z",
            ),
        ] {
            let term = Term::first(at(anchor), months).unwrap();
            assert_eq!(
                (term.start(), term.end()),
                (at(anchor), at(expected)),
                "{anchor}"
            );
            assert_eq!(term.boundary(months + 7), term.end());
        }
    }

    /// T-2: one month from 31 January, renewed for one month, ends on 31 March.
    #[test]
    fn t2_renewal_keeps_the_anchor() {
        let first = Term::first(at("2026-01-31T00:00:00Z"), 1).unwrap();
        let second = first.next(1).unwrap();
        assert_eq!(second.start(), at("2026-02-28T00:00:00Z"));
        assert_eq!(second.end(), at("2026-03-31T00:00:00Z"));
        assert_eq!(second.anchor(), first.anchor());
        assert_eq!((second.first_month(), second.months()), (1, 1));
    }

    #[test]
    fn a_term_must_have_months_and_fit_the_calendar() {
        let anchor = at("9999-01-15T00:00:00Z");
        assert!(Term::first(anchor, 0).is_none());
        assert!(Term::first(anchor, 11).is_some());
        assert!(Term::first(anchor, 12).is_none());
        assert!(Term::new(anchor, u32::MAX, 1).is_none());
        assert!(Term::first(anchor, 11).unwrap().next(u32::MAX).is_none());
        let json = r#"{"anchor":"2026-01-01T00:00:00.000000Z","first_month":0,"months":0}"#;
        assert!(serde_json::from_str::<Term>(json).is_err());
    }

    /// T-1: a period includes its start and excludes its end.
    #[test]
    fn t1_periods_are_half_open() {
        let (start, end) = (
            at("2026-01-01T00:00:00Z"),
            at("2026-01-01T00:00:00.000002Z"),
        );
        let period = Period::new(start, end).unwrap();
        assert!(period.contains(start) && !period.contains(end));
        assert!(period.contains(at("2026-01-01T00:00:00.000001Z")));
        assert_eq!(Period::new(start, start), None);
        assert_eq!(Period::new(end, start), None);
        let json = serde_json::to_string(&period).unwrap();
        assert_eq!(serde_json::from_str::<Period>(&json).unwrap(), period);
        let backward = json
            .replace("start", "x")
            .replace("end", "start")
            .replace('x', "end");
        assert!(serde_json::from_str::<Period>(&backward).is_err());
    }

    prop_compose! {
        fn terms()(
            // 1970 to 2100, to the microsecond.
            anchor in 0_i64..4_102_444_800_000_000, first in 0_u32..600, months in 1_u32..120,
        ) -> Term {
            Term::new(Instant::from_micros(anchor).unwrap(), first, months).unwrap()
        }
    }

    proptest! {
        /// T-2: boundaries ascend, and a term ends where its successor starts, so that no instant is
        /// lost or counted twice.
        #[test]
        fn t2_terms_follow_one_another(term in terms(), months in 1_u32..120) {
            for k in 0..term.months() {
                prop_assert!(term.boundary(k) < term.boundary(k + 1));
            }
            let next = term.next(months).unwrap();
            prop_assert_eq!(next.start(), term.end());
            prop_assert_eq!(next.months(), months);
            prop_assert_eq!(next.anchor(), term.anchor());
            let whole = Term::new(term.anchor(), term.first_month(), term.months() + months);
            prop_assert_eq!(whole.unwrap().end(), next.end());
            let json = serde_json::to_string(&term).unwrap();
            prop_assert_eq!(serde_json::from_str::<Term>(&json).unwrap(), term);
        }
    }
}
