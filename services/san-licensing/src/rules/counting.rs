//! Counts a licence's distinct SANs at an instant, or day by day with each day's peak (SL-1, SL-17). The
//! input is the time for which each certificate holds each SAN, grouped by SAN. Every instant is weighed by
//! the multiplier of its own term (SL-3, SL-6).

use std::collections::BTreeMap;

use licet_domain::{clock::Instant, term::Period};

use super::packed_san::is_wildcard;

/// Distinct SANs, by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SanCounts {
    pub(crate) dns_names: u64,
    pub(crate) ip_addresses: u64,
    pub(crate) rfc822_names: u64,
    pub(crate) upns: u64,
    /// Those of the DNS names that are wildcards.
    pub(crate) wildcards: u64,
}

impl SanCounts {
    /// Counts one SAN more or less, as `step` says.
    pub(crate) fn count(&mut self, san: &str, step: impl Fn(u64) -> u64) {
        let kind = match san.as_bytes().first() {
            Some(b'd') => &mut self.dns_names,
            Some(b'i') => &mut self.ip_addresses,
            Some(b'r') => &mut self.rfc822_names,
            Some(_) | None => &mut self.upns,
        };
        *kind = step(*kind);
        if is_wildcard(san) {
            self.wildcards = step(self.wildcards);
        }
    }

    /// The number of SANs of all types.
    pub(crate) fn distinct(self) -> u64 {
        self.dns_names + self.ip_addresses + self.rfc822_names + self.upns
    }

    /// Their weight if a wildcard weighs `multiplier` (SL-3).
    pub(crate) fn weight(self, multiplier: u32) -> u64 {
        self.distinct() - self.wildcards + self.wildcards * u64::from(multiplier)
    }
}

/// Distinct SANs, by weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DistinctSans {
    /// SANs other than wildcards; each weighs 1.
    pub(crate) plain: u64,
    /// Wildcards; each weighs the multiplier of the term (SL-3).
    pub(crate) wildcards: u64,
}

impl DistinctSans {
    fn count(&mut self, is_wildcard: bool, step: impl Fn(u64) -> u64) {
        let kind = if is_wildcard {
            &mut self.wildcards
        } else {
            &mut self.plain
        };
        *kind = step(*kind);
    }

    /// Their weight if a wildcard weighs `multiplier`.
    pub(crate) fn weight(self, multiplier: u32) -> u64 {
        self.plain + self.wildcards * u64::from(multiplier)
    }
}

/// Counts the SANs that are active at an instant, and when they cease to count.
#[derive(Debug)]
pub(crate) struct InstantCount {
    counts: SanCounts,
    /// The SAN being added, and its latest end so far.
    current: Option<(String, Instant)>,
    /// SANs by their end: the earliest `most` instants.
    returns: BTreeMap<Instant, DistinctSans>,
    most: usize,
}

impl InstantCount {
    /// An empty count that keeps the first `most` ends.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            counts: SanCounts::default(),
            current: None,
            returns: BTreeMap::new(),
            most,
        }
    }

    /// Adds a SAN of an active certificate. Invariant: those of one SAN are added one after the other.
    pub(crate) fn add(&mut self, san: String, until: Instant) {
        match &mut self.current {
            Some((current, last)) if *current == san => *last = until.max(*last),
            Some(_) | None => {
                self.close_san();
                self.current = Some((san, until));
            }
        }
    }

    fn close_san(&mut self) {
        let Some((san, until)) = self.current.take() else {
            return;
        };
        self.counts.count(&san, |count| count + 1);
        let returning = self.returns.entry(until).or_default();
        returning.count(is_wildcard(&san), |count| count + 1);
        if self.returns.len() > self.most {
            self.returns.pop_last();
        }
    }

    /// The counted SANs, and the next instants at which some of them cease to count.
    pub(crate) fn finish(mut self) -> (SanCounts, Vec<(Instant, DistinctSans)>) {
        self.close_san();
        (self.counts, self.returns.into_iter().collect())
    }
}

/// What a wildcard weighs from which instant on, ascending. The first entry also applies before its instant.
/// Invariant: not empty.
#[derive(Clone, Debug)]
pub(crate) struct Multipliers(pub(crate) Vec<(Instant, u32)>);

impl Multipliers {
    /// What a wildcard weighs at `at`.
    pub(crate) fn at(&self, at: Instant) -> u32 {
        let started = self.0.iter().rev().find(|(from, _)| *from <= at);
        started.or(self.0.first()).map_or(1, |(_, weight)| *weight)
    }

    fn next_after(&self, at: Instant) -> Option<Instant> {
        let mut starts = self.0.iter().map(|(from, _)| *from);
        starts.find(|from| *from > at)
    }
}

/// Usage over one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DayUsage {
    pub(crate) day: Period,
    /// Weight in its last microsecond.
    pub(crate) used: u64,
    /// Number of SANs in its last microsecond.
    pub(crate) distinct: u64,
    /// The highest weight of the day.
    pub(crate) peak: u64,
    /// The first instant with the highest weight.
    pub(crate) peak_time: Instant,
}

/// A SAN begins or ceases to count.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: Instant,
    begins: bool,
    is_wildcard: bool,
}

/// Counts day by day. Memory holds at most two changes per unbroken stretch in which a SAN counts, however
/// many certificates hold it.
#[derive(Debug)]
pub(crate) struct DayCount {
    days: Vec<Period>,
    whole: Period,
    multipliers: Multipliers,
    /// The SAN being added, and when certificates hold it.
    san: String,
    holds: Vec<Period>,
    /// SANs that count as the first day begins.
    first: DistinctSans,
    changes: Vec<Change>,
}

impl DayCount {
    /// Counts over some days, ascending and without a gap; `None` for no days.
    pub(crate) fn new(days: Vec<Period>, multipliers: Multipliers) -> Option<Self> {
        let whole = Period::new(days.first()?.start, days.last()?.end)?;
        Some(Self {
            days,
            whole,
            multipliers,
            san: String::new(),
            holds: Vec::new(),
            first: DistinctSans::default(),
            changes: Vec::new(),
        })
    }

    /// From the beginning of the first day to the end of the last.
    pub(crate) fn whole(&self) -> Period {
        self.whole
    }

    /// Adds the time for which a certificate holds a SAN. Invariant: those of one SAN are added one after the
    /// other.
    pub(crate) fn add(&mut self, san: &str, held: Period) {
        if self.san != san {
            self.close_san();
            san.clone_into(&mut self.san);
        }
        self.holds.push(held);
    }

    /// Merges the times of one SAN: it counts once, however many certificates hold it (SL-4).
    fn close_san(&mut self) {
        let mut holds = std::mem::take(&mut self.holds);
        holds.sort_unstable_by_key(|held| held.start);
        let mut stretch: Option<Period> = None;
        for held in holds.drain(..) {
            match &mut stretch {
                Some(stretch) if held.start <= stretch.end => {
                    stretch.end = stretch.end.max(held.end);
                }
                Some(_) | None => {
                    let over = stretch.replace(held);
                    over.into_iter().for_each(|over| self.count(over));
                }
            }
        }
        stretch.into_iter().for_each(|last| self.count(last));
        self.holds = holds;
    }

    fn count(&mut self, stretch: Period) {
        let is_wildcard = is_wildcard(&self.san);
        if stretch.start >= self.whole.end || stretch.end <= self.whole.start {
            return;
        }
        let mut change = |at, begins| {
            self.changes.push(Change {
                at,
                begins,
                is_wildcard,
            });
        };
        if stretch.end < self.whole.end {
            change(stretch.end, false);
        }
        if stretch.start > self.whole.start {
            change(stretch.start, true);
        } else {
            self.first.count(is_wildcard, |count| count + 1);
        }
    }

    /// The usage of each day.
    pub(crate) fn finish(mut self) -> Vec<DayUsage> {
        self.close_san();
        let mut changes = self.changes;
        // Changes of one instant apply together: no peak is taken in between.
        changes.sort_unstable_by_key(|change| (change.at, !change.begins));
        let mut changes = changes.into_iter().peekable();
        let mut counted = self.first;
        let each = self.days.into_iter();
        each.map(|day| {
            let mut at = day.start;
            let mut peak = None;
            loop {
                while let Some(change) = changes.next_if(|change| change.at <= at) {
                    counted.count(change.is_wildcard, |count| {
                        if change.begins { count + 1 } else { count - 1 }
                    });
                }
                let used = counted.weight(self.multipliers.at(at));
                let (most, peak_time) =
                    *peak.insert(peak.filter(|(most, _)| used <= *most).unwrap_or((used, at)));
                let next = [
                    changes.peek().map(|change| change.at),
                    self.multipliers.next_after(at),
                ];
                match next.into_iter().flatten().min() {
                    Some(next) if next < day.end => at = next,
                    Some(_) | None => {
                        return DayUsage {
                            day,
                            used,
                            distinct: counted.plain + counted.wildcards,
                            peak: most,
                            peak_time,
                        };
                    }
                }
            }
        })
        .collect()
    }
}

/// A UTC day, without leap seconds.
const DAY_MICROS: i64 = 86_400_000_000;

/// The UTC days that a span touches, ascending; `None` if they exceed the supported date range.
pub(crate) fn days_of(span: Period) -> Option<Days> {
    let first = span.start.as_micros().div_euclid(DAY_MICROS);
    let last = (span.end.as_micros() - 1).div_euclid(DAY_MICROS);
    Instant::from_micros((last + 1) * DAY_MICROS)?;
    Some(Days { first, last })
}

/// Consecutive days, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Days {
    first: i64,
    last: i64,
}

impl Days {
    /// The last `count` days, up to that of `now`.
    pub(crate) fn last(count: u32, now: Instant) -> Self {
        let last = now.as_micros().div_euclid(DAY_MICROS);
        Self {
            first: last + 1 - i64::from(count),
            last,
        }
    }

    /// The number of days.
    pub(crate) fn count(self) -> i64 {
        self.last + 1 - self.first
    }

    /// The days that begin after `after`, at most `most` of them.
    pub(crate) fn after(self, after: Option<Instant>, most: usize) -> Vec<Period> {
        let first = after.map_or(self.first, |after| {
            let next = after.as_micros().div_euclid(DAY_MICROS) + 1;
            next.max(self.first)
        });
        let start = |day: i64| Instant::from_micros(day * DAY_MICROS);
        (first..=self.last)
            .map_while(|day| Period::new(start(day)?, start(day + 1)?))
            .take(most)
            .collect()
    }
}

#[cfg(test)]
mod tests;
