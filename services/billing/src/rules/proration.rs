//! Proration: which fraction of a term is left at an instant, under each convention (P-1 to P-3,
//! MD-3). Fractions are exact; rounding happens once, where a price becomes an amount (M-2).

use licet_domain::{clock::Instant, money::Fraction, term::Term, worded};

const DAY_MICROS: i128 = 86_400_000_000;

worded! {
    /// How a part of a term is measured; part of a product's policy, pinned when it is sold.
    pub(crate) enum Convention {
        /// Each month of the term weighs the same, regardless of its length (Actual/Actual as ICMA
        /// counts it, with the month as the accrual period).
        Monthly = "MONTHLY",
        /// Whole days counted from the term's start, the day of the change included.
        Daily = "DAILY",
        /// Elapsed time, to the microsecond.
        Linear = "LINEAR",
    }
}

/// The fraction of `term` that remains at `at`: 1 up to its start, 0 from its end on (P-1).
fn remaining(convention: Convention, term: &Term, at: Instant) -> Fraction {
    let (start, end) = (term.start(), term.end());
    if at <= start {
        return Fraction::one();
    }
    if at >= end {
        return Fraction::zero();
    }
    let left = i128::from(at.micros_until(end));
    let whole = i128::from(start.micros_until(end));
    match convention {
        Convention::Monthly => remaining_months(term, at),
        Convention::Daily => ratio(whole_days(left) * DAY_MICROS, whole),
        Convention::Linear => ratio(left, whole),
    }
}

/// The fraction of `term` that `[from, to)` covers: rem(from) − rem(to), so that the parts of a
/// term, however it is cut, sum to exactly 1 (P-2).
pub(crate) fn fraction(
    convention: Convention,
    term: &Term,
    from: Instant,
    to: Instant,
) -> Fraction {
    remaining(convention, term, from).sub(&remaining(convention, term, to))
}

/// The whole months after the month of `at`, plus what is left of that month, over all months.
fn remaining_months(term: &Term, at: Instant) -> Fraction {
    let months = i128::from(term.months());
    for month in 0..term.months() {
        let (start, end) = (term.boundary(month), term.boundary(month + 1));
        if at < end {
            let length = i128::from(start.micros_until(end));
            let left = i128::from(at.micros_until(end));
            let later = months - 1 - i128::from(month);
            return ratio(later * length + left, months * length);
        }
    }
    Fraction::zero()
}

fn whole_days(micros: i128) -> i128 {
    (micros + DAY_MICROS - 1) / DAY_MICROS
}

/// Invariant: `whole` is positive, because the boundaries of a term strictly ascend.
fn ratio(part: i128, whole: i128) -> Fraction {
    debug_assert!(whole > 0);
    Fraction::new(part, whole).unwrap_or_else(Fraction::zero)
}

#[cfg(test)]
mod tests {
    use licet_domain::money::{Currency, Price};
    use proptest::prelude::*;

    use super::*;

    const ALL: [Convention; 3] = [Convention::Monthly, Convention::Daily, Convention::Linear];

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn term(start: &str, months: u32) -> Term {
        Term::first(at(start), months).unwrap()
    }

    /// P-3: the worked figures of a 49.00 domain.
    #[test]
    fn worked_figures() {
        let usd: Currency = "USD".parse().unwrap();
        let price = Price::parse("USD", "49.00").unwrap();
        let year = term("2026-01-01T00:00:00Z", 12);
        let half = at("2026-07-01T00:00:00Z");
        for (convention, expected_fraction, expected) in [
            (Convention::Monthly, "1/2", "24.50"),
            (Convention::Daily, "184/365", "24.70"),
            (Convention::Linear, "184/365", "24.70"),
        ] {
            let left = remaining(convention, &year, half);
            assert_eq!(left.to_string(), expected_fraction, "{convention:?}");
            let amount = price.amount(1, &left).unwrap();
            assert_eq!(
                (amount.value().as_str(), amount.currency()),
                (expected, usd)
            );
        }
    }

    /// P-1 and the shape of each convention, at and around the boundaries.
    #[test]
    fn boundaries() {
        for (convention, start, months, change, expected) in [
            (
                Convention::Monthly,
                "2026-01-01T00:00:00Z",
                12,
                "2025-01-01T00:00:00Z",
                "1",
            ),
            (
                Convention::Monthly,
                "2026-01-01T00:00:00Z",
                12,
                "2026-01-01T00:00:00Z",
                "1",
            ),
            (
                Convention::Monthly,
                "2026-01-01T00:00:00Z",
                12,
                "2027-01-01T00:00:00Z",
                "0",
            ),
            (
                Convention::Monthly,
                "2026-01-01T00:00:00Z",
                12,
                "2030-01-01T00:00:00Z",
                "0",
            ),
            // Half of February is half a month, as half of January is.
            (
                Convention::Monthly,
                "2026-02-01T00:00:00Z",
                1,
                "2026-02-15T00:00:00Z",
                "1/2",
            ),
            (
                Convention::Monthly,
                "2026-01-01T00:00:00Z",
                1,
                "2026-01-16T12:00:00Z",
                "1/2",
            ),
            // From 31 January the boundaries are 28 February and 31 March, not 28 March.
            (
                Convention::Monthly,
                "2026-01-31T00:00:00Z",
                2,
                "2026-02-28T00:00:00Z",
                "1/2",
            ),
            // The day of the change is included: one microsecond into day two leaves 30 of 31.
            (
                Convention::Daily,
                "2026-01-01T06:00:00Z",
                1,
                "2026-01-01T06:00:00.000001Z",
                "1",
            ),
            (
                Convention::Daily,
                "2026-01-01T06:00:00Z",
                1,
                "2026-01-02T05:59:59.999999Z",
                "1",
            ),
            (
                Convention::Daily,
                "2026-01-01T06:00:00Z",
                1,
                "2026-01-02T06:00:00Z",
                "30/31",
            ),
            (
                Convention::Daily,
                "2026-01-01T06:00:00Z",
                1,
                "2026-02-01T05:59:59.999999Z",
                "1/31",
            ),
            (
                Convention::Daily,
                "2026-01-01T06:00:00Z",
                1,
                "2026-02-01T06:00:00Z",
                "0",
            ),
            (
                Convention::Linear,
                "2026-01-01T00:00:00Z",
                1,
                "2026-01-01T12:00:00Z",
                "61/62",
            ),
        ] {
            let left = remaining(convention, &term(start, months), at(change));
            let expected: Fraction = expected.parse().unwrap();
            assert_eq!(left, expected, "{convention:?} {start} {months} {change}");
        }
    }

    /// A renewal counts its months from the first term's anchor (T-2).
    #[test]
    fn renewed_term_keeps_its_anchor() {
        let renewed = term("2026-01-31T00:00:00Z", 1).next(1).unwrap();
        assert_eq!(renewed.end(), at("2026-03-31T00:00:00Z"));
        let left = remaining(Convention::Linear, &renewed, at("2026-03-30T00:00:00Z"));
        assert_eq!(left.to_string(), "1/31");
    }

    /// P-3 over a whole leap cycle: after exactly k of 12 months (12 − k)/12 of a year's price is
    /// left under MONTHLY, from every date of 2024 to 2032 and for every k.
    #[test]
    fn year_after_k_months() {
        let mut start = at("2024-01-01T09:30:00.000001Z");
        let end = at("2033-01-01T00:00:00Z");
        let price = Price::parse("USD", "49.00").unwrap();
        let expected: Vec<_> = (0..=12)
            .map(|k| Fraction::new(12 - k, 12).unwrap())
            .collect();
        let mut days = 0;
        while start < end {
            let year = Term::first(start, 12).unwrap();
            for (k, expected) in (0..=12).zip(&expected) {
                let left = remaining(Convention::Monthly, &year, year.boundary(k));
                assert_eq!(&left, expected, "{start} after {k} months");
            }
            let half = remaining(
                Convention::Monthly,
                &year,
                start.checked_add_months(6).unwrap(),
            );
            assert_eq!(price.amount(1, &half).unwrap().value(), "24.50", "{start}");
            start = Instant::from_micros(start.as_micros() + 86_400_000_000).unwrap();
            days += 1;
        }
        assert_eq!(days, 3288, "2024 to 2032 is nine years, three of them leap");
    }

    /// An instant within the term, picked by `seed`.
    fn inside(term: &Term, seed: u64) -> Instant {
        let length = term.start().micros_until(term.end());
        let offset = i64::try_from(seed >> 1).unwrap() % length;
        Instant::from_micros(term.start().as_micros() + offset).unwrap()
    }

    prop_compose! {
        fn terms()(
            // 1990 to 2090, to the microsecond.
            anchor in 631_152_000_000_000_i64..3_786_912_000_000_000,
            first_month in 0_u32..60,
            months in 1_u32..=60,
        ) -> Term {
            Term::new(Instant::from_micros(anchor).unwrap(), first_month, months).unwrap()
        }
    }

    proptest! {
        /// P-1: all of it up to the start, nothing from the end on, never rising in between.
        #[test]
        fn p1_full_before_and_nothing_after(
            term in terms(), before in 0_i64..1 << 50, after in 0_i64..1 << 50,
            first in any::<u64>(), second in any::<u64>(),
        ) {
            let early = Instant::from_micros(term.start().as_micros() - before).unwrap();
            let late = Instant::from_micros(term.end().as_micros() + after).unwrap();
            let (one, other) = (inside(&term, first), inside(&term, second));
            let (a, b) = (one.min(other), one.max(other));
            for convention in ALL {
                prop_assert_eq!(remaining(convention, &term, early), Fraction::one());
                prop_assert_eq!(remaining(convention, &term, late), Fraction::zero());
                prop_assert!(remaining(convention, &term, a) >= remaining(convention, &term, b));
                prop_assert!(remaining(convention, &term, a) <= Fraction::one());
            }
        }

        /// P-2: any split of the term sums to exactly 1, under every convention.
        #[test]
        fn p2_any_split_sums_to_one(
            term in terms(), cuts in prop::collection::vec(any::<u64>(), 0..12),
        ) {
            let mut bounds = vec![term.start(), term.end()];
            bounds.extend(cuts.into_iter().map(|part| inside(&term, part)));
            bounds.sort();
            for convention in ALL {
                let sum = bounds.windows(2).fold(Fraction::zero(), |sum, pair| {
                    sum.add(&fraction(convention, &term, pair[0], pair[1]))
                });
                prop_assert_eq!(sum, Fraction::one());
            }
        }
    }
}
