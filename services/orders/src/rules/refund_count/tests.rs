//! AL-4 at the turn of a term, to the microsecond.

use super::{
    super::samples::{instant, order},
    *,
};

const START: &str = "2027-01-01T00:00:00Z";

/// The second year of an order, 2027, without an issuance.
fn second_year() -> OrderTerm {
    let mut term = order(&["example.com"]).term;
    term.term = term.term.next(12).unwrap();
    term.index = 1;
    term.first_issuance_time = None;
    term.bought_time = Some(instant("2026-10-10T00:00:00Z"));
    term
}

fn moved(from: Instant, micros: i64) -> Instant {
    Instant::from_micros(from.as_micros() + micros).unwrap()
}

fn stay(record: &str, not_after: &str, revoke: Option<&str>) -> ValidPeriod {
    ValidPeriod {
        record_time: instant(record),
        not_after: instant(not_after),
        revoke_time: revoke.map(instant),
    }
}

#[test]
fn al_4_a_term_is_used_from_its_start_under_a_certificate_that_stands() {
    let (term, start) = (second_year(), instant(START));
    let now = instant("2027-04-07T00:00:00Z");
    let late = "2027-06-01T00:00:00Z";
    for (found, stands) in [
        (stay("2026-12-31T00:00:00Z", late, None), true),
        (stay("2026-12-31T23:59:59.999999Z", late, None), true),
        // Recorded as the term starts, it is the first one in it.
        (stay(START, late, None), false),
        // notAfter includes its second.
        (stay("2026-12-01T00:00:00Z", START, None), true),
        (
            stay("2026-12-01T00:00:00Z", "2026-12-31T23:59:59Z", None),
            false,
        ),
        // Superseded, it is valid until its revocation, exclusive.
        (
            stay(
                "2026-12-01T00:00:00Z",
                late,
                Some("2027-01-01T00:00:00.000001Z"),
            ),
            true,
        ),
        (stay("2026-12-01T00:00:00Z", late, Some(START)), false),
        (
            stay("2026-12-01T00:00:00Z", late, Some("2026-12-02T00:00:00Z")),
            false,
        ),
    ] {
        assert_eq!(
            first_use(&term, &[found], now),
            stands.then_some(start),
            "{found:?}"
        );
        // A later issuance in the term does not restart the count.
        let mut issued = term.clone();
        issued.first_issuance_time = Some(instant("2027-04-06T00:00:00Z"));
        let expected = if stands {
            Some(start)
        } else {
            issued.first_issuance_time
        };
        assert_eq!(first_use(&issued, &[found], now), expected, "{found:?}");
        // Before it has begun, it is not in use.
        assert_eq!(first_use(&term, &[found], moved(start, -1)), None);
        assert_eq!(first_use(&term, &[found], start), stands.then_some(start));
    }
    assert_eq!(first_use(&term, &[], now), None);
}

#[test]
fn al_4_a_policy_may_count_from_the_purchase() {
    let mut term = second_year();
    let standing = [stay("2026-12-31T00:00:00Z", "2027-06-01T00:00:00Z", None)];
    let start = instant(START);
    assert_eq!(refund_count_start(&term, &standing, start), Some(start));
    term.sold.as_mut().unwrap().product.refund_count = RefundCount::Purchase;
    for certificates in [&standing[..], &[]] {
        let counts = |now| refund_count_start(&term, certificates, now);
        assert_eq!(counts(moved(start, -1)), None);
        assert_eq!(counts(start), term.bought_time);
    }
}

#[test]
fn al_4_a_term_that_is_over_is_open_as_long_as_its_days_run() {
    let mut term = second_year();
    let last_day = instant("2027-12-29T08:00:00Z");
    term.first_issuance_time = Some(last_day);
    let days = |count: i64| moved(last_day, count * 86_400_000_000);
    assert!(is_open(&term, &[], days(30)));
    assert!(!is_open(&term, &[], moved(days(30), 1)));
    // Sold before the period was stored: as long as any policy allows.
    term.sold.as_mut().unwrap().product.no_refund_days = None;
    assert!(is_open(&term, &[], days(3650)));
    assert!(!is_open(&term, &[], moved(days(3650), 1)));
    // Never used, it has nothing to refund.
    term.first_issuance_time = None;
    assert!(!is_open(&term, &[], days(4)));
}
