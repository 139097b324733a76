//! Examples that a person can check on paper, and random holds compared with a recount from scratch.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn held(start: &str, end: &str) -> Period {
    Period::new(at(start), at(end)).unwrap()
}

/// The first three days of March 2026; a wildcard weighs 5.
fn three_days() -> DayCount {
    let days = days_of(held("2026-03-01T00:00:00Z", "2026-03-04T00:00:00Z")).unwrap();
    let multipliers = Multipliers(vec![(at("2026-01-01T00:00:00Z"), 5)]);
    DayCount::new(days.after(None, 1000), multipliers).unwrap()
}

/// Used, distinct, peak and peak time of each day.
fn figures(days: &[DayUsage]) -> Vec<(u64, u64, u64, String)> {
    days.iter()
        .map(|day| (day.used, day.distinct, day.peak, day.peak_time.to_string()))
        .collect()
}

#[test]
fn sl_17_a_peak_includes_what_came_and_went_within_the_day() {
    let mut count = three_days();
    count.add(
        "d:*.a",
        held("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z"),
    );
    count.add("d:a", held("2026-02-01T00:00:00Z", "2026-03-02T08:30:00Z"));
    count.add(
        "d:b",
        held("2026-03-02T08:59:59.999999Z", "2026-03-03T00:00:00Z"),
    );
    let expected = [
        (1, 1, 1, "2026-03-01T00:00:00.000000Z".to_owned()),
        (1, 1, 6, "2026-03-02T08:00:00.000000Z".to_owned()),
        (0, 0, 0, "2026-03-03T00:00:00.000000Z".to_owned()),
    ];
    assert_eq!(figures(&count.finish()), expected);
}

#[test]
fn sl_4_a_san_on_many_certificates_counts_once_and_without_a_break() {
    let mut count = three_days();
    // In any order: the first two touch, the third lies within the second.
    count.add("d:a", held("2026-03-02T12:00:00Z", "2026-03-03T12:00:00Z"));
    count.add("d:a", held("2026-03-01T01:00:00Z", "2026-03-02T12:00:00Z"));
    count.add("d:a", held("2026-03-01T02:00:00Z", "2026-03-01T03:00:00Z"));
    let expected = [
        (1, 1, 1, "2026-03-01T01:00:00.000000Z".to_owned()),
        (1, 1, 1, "2026-03-02T00:00:00.000000Z".to_owned()),
        (0, 0, 1, "2026-03-03T00:00:00.000000Z".to_owned()),
    ];
    assert_eq!(figures(&count.finish()), expected);
}

/// SL-6: a day on which a term ends is weighed by both terms.
#[test]
fn sl_6_each_instant_is_weighed_by_its_own_term() {
    let mut count = three_days();
    let change = (at("2026-03-02T06:00:00Z"), 9);
    count.multipliers.0.push(change);
    count.add(
        "d:*.a",
        held("2026-02-01T00:00:00Z", "2026-03-02T18:00:00Z"),
    );
    count.add("d:a", held("2026-02-01T00:00:00Z", "2026-04-01T00:00:00Z"));
    let expected = [
        (6, 2, 6, "2026-03-01T00:00:00.000000Z".to_owned()),
        (1, 1, 10, "2026-03-02T06:00:00.000000Z".to_owned()),
        (1, 1, 1, "2026-03-03T00:00:00.000000Z".to_owned()),
    ];
    assert_eq!(figures(&count.finish()), expected);
}

#[test]
fn the_days_of_a_span_are_whole_and_paged() {
    let days = days_of(held("2026-02-28T23:59:59Z", "2026-03-02T00:00:00Z")).unwrap();
    assert_eq!(days.count(), 2);
    let both = days.after(None, 9);
    assert_eq!(
        both[0],
        held("2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z")
    );
    assert_eq!(days.after(Some(both[0].start), 9), both[1..]);
    assert_eq!(days.after(None, 1), both[..1]);
    assert_eq!(days.after(Some(both[1].start), 9), []);
    let now = at("2026-03-01T12:00:00Z");
    assert_eq!(Days::last(2, now), days);
    let last_of_all = Period::new(at("9999-12-31T00:00:00Z"), Instant::MAX).unwrap();
    assert_eq!(days_of(last_of_all), None);
}

#[test]
fn sl_17_only_the_next_returns_are_listed() {
    let mut count = InstantCount::new(2);
    let until = |day: u32| at(&format!("2026-03-{day:02}T00:00:00Z"));
    for (name, day) in [
        ("d:*.a", 7),
        ("d:a", 9),
        ("d:a", 3),
        ("d:b", 5),
        ("u:c", 5),
        ("d:d", 8),
    ] {
        count.add(name.to_owned(), until(day));
    }
    let (counts, returns) = count.finish();
    assert_eq!(
        (counts.distinct(), counts.upns, counts.wildcards),
        (5, 1, 1)
    );
    let plain = DistinctSans {
        plain: 2,
        wildcards: 0,
    };
    let wildcard = DistinctSans {
        plain: 0,
        wildcards: 1,
    };
    assert_eq!(returns, [(until(5), plain), (until(7), wildcard)]);
    assert_eq!(wildcard.weight(5), 5);
}

const NAMES: [&str; 4] = ["d:*.a", "d:*.b", "d:a", "u:a"];

/// Recounts the weight of the SANs that are held at an instant.
fn recount(holds: &[(usize, Period)], multipliers: &Multipliers, time: Instant) -> u64 {
    let names: BTreeSet<&str> = holds
        .iter()
        .filter(|(_, held)| held.contains(time))
        .map(|(name, _)| NAMES[*name])
        .collect();
    let weight = u64::from(multipliers.at(time));
    let each = names.iter();
    each.map(|name| if is_wildcard(name) { weight } else { 1 })
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn sl_17_days_and_peaks_agree_with_a_recount(
        holds in prop::collection::vec((0..NAMES.len(), -3..40_i64, 1..20_i64), 0..12),
        change in -1..30_i64,
    ) {
        // Sixths of a day, so that some changes fall on midnight.
        let sixth = |count: i64| {
            Instant::from_micros(20_000 * DAY_MICROS + count * (DAY_MICROS / 6)).unwrap()
        };
        let mut holds: Vec<_> = holds
            .into_iter()
            .map(|(name, start, long)| {
                (name, Period::new(sixth(start), sixth(start + long)).unwrap())
            })
            .collect();
        holds.sort_by_key(|(name, _)| *name);
        let multipliers = Multipliers(vec![(sixth(-9), 5), (sixth(change), 2)]);
        let days = days_of(Period::new(sixth(0), sixth(30)).unwrap()).unwrap();
        let mut count = DayCount::new(days.after(None, 1000), multipliers.clone()).unwrap();
        for (name, held) in &holds {
            count.add(NAMES[*name], *held);
        }
        let found = count.finish();
        prop_assert_eq!(found.len(), 5);
        for (number, day) in (0..).zip(found) {
            let used = |part: i64| recount(&holds, &multipliers, sixth(number * 6 + part));
            let peak = (0..6).map(used).max().unwrap();
            let first = (0..6).find(|part| used(*part) == peak).unwrap();
            prop_assert_eq!((day.used, day.peak), (used(5), peak));
            prop_assert_eq!(day.peak_time, sixth(number * 6 + first));
        }
    }
}
