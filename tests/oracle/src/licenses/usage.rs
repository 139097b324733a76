//! The usage of a SAN licence at an instant and over a day, and the alerts as it grows (SL-1, SL-5,
//! SL-17).

use std::collections::{BTreeMap, BTreeSet};

use licet_domain::clock::Instant;

use super::license::{Alert, Certificate, LicenseHistory, San, wildcards};
use crate::{DAY_MICROS, micros_later};

/// Usage at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedUsage {
    /// The quota; 0 if the licence does not run.
    pub quota: i64,
    /// The weight of active certificates.
    pub used: i64,
    /// The weight of reserved SANs that are not in use.
    pub reserved: i64,
    /// The weight still free.
    pub free: i64,
    /// Distinct SANs by type: DNS, IP, e-mail, UPN.
    pub by_type: [i64; 4],
    /// How many of them are wildcards.
    pub wildcards: i64,
}

/// Usage over a day (SL-17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedDay {
    /// The quota at its end.
    pub quota: i64,
    /// The weight used at its end.
    pub used: i64,
    /// Distinct SANs at its end.
    pub distinct: i64,
    /// The greatest weight.
    pub peak: i64,
    /// When it was first reached.
    pub peak_time: Instant,
}

impl LicenseHistory {
    fn quota_at(&self, time: Instant) -> i64 {
        if !self.runs(time) {
            return 0;
        }
        let quotas = &self.term_at(time).quotas;
        let mut so_far = quotas.iter().filter(|(from, _)| *from <= time);
        so_far.next_back().unwrap().1
    }

    /// Usage at an instant.
    pub fn usage(&self, time: Instant) -> ExpectedUsage {
        let active = self.active(time);
        let used = self.weight(&active, time);
        let reserved = self.weight(&self.held(time), time) - used;
        let quota = self.quota_at(time);
        let mut by_type = [0; 4];
        for (kind, _) in &active {
            by_type[usize::try_from(*kind).unwrap() - 1] += 1;
        }
        ExpectedUsage {
            quota,
            used,
            reserved,
            free: quota - used - reserved,
            by_type,
            wildcards: wildcards(&active),
        }
    }

    /// The next five times at which weight in use returns, and how much returns (SL-5).
    pub fn next_returns(&self, time: Instant) -> Vec<(Instant, i64)> {
        let mut ends: BTreeMap<Instant, BTreeSet<San>> = BTreeMap::new();
        for san in self.active(time) {
            let recorded = self.certificates.iter().filter(|it| it.recorded <= time);
            let holding = recorded.filter(|it| it.sans.contains(&san));
            let end = holding.map(|certificate| certificate.until).max().unwrap();
            ends.entry(end).or_default().insert(san);
        }
        let returns = ends.into_iter();
        let returns = returns.map(|(end, sans)| (end, self.weight(&sans, time)));
        returns.take(5).collect()
    }

    /// The day from `start`: the usage in its last microsecond, and the highest usage. It looks at the day's
    /// start, and at each instant at which a certificate begins or ends or a term begins.
    pub fn day(&self, start: Instant) -> ExpectedDay {
        let end = micros_later(start, DAY_MICROS);
        let last = self.usage(micros_later(end, -1));
        let each = self.certificates.iter();
        let ends = each.flat_map(|it| [it.recorded, it.until]);
        // A wildcard may weigh more or less in the next term.
        let starts = self.terms.iter().map(|term| term.start);
        let instants: BTreeSet<Instant> = ends
            .chain(starts)
            .filter(|at| start < *at && *at < end)
            .chain([start])
            .collect();
        let used = |at: &Instant| self.weight(&self.active(*at), *at);
        let peak = instants.iter().map(used).max().unwrap();
        ExpectedDay {
            quota: last.quota,
            used: last.used,
            distinct: last.by_type.iter().sum(),
            peak,
            peak_time: instants.into_iter().find(|at| used(at) == peak).unwrap(),
        }
    }

    /// Until when a SAN is active, and on how many certificates.
    pub fn holders(&self, san: &San, time: Instant) -> (Instant, i64) {
        let active = self.certificates.iter().filter(|it| it.is_active(time));
        let holding = active.filter(|it| it.sans.contains(san));
        let ends: Vec<_> = holding.map(|it| it.until).collect();
        let count = i64::try_from(ends.len()).unwrap();
        (*ends.iter().max().unwrap(), count)
    }

    /// Adds an alert for each share that usage newly reaches. Without a quota, any usage reaches every share.
    fn alert(&mut self, time: Instant, before: &ExpectedUsage, after: &ExpectedUsage) {
        let reaches =
            |it: &ExpectedUsage, percent| it.used > 0 && it.used * 100 >= it.quota * percent;
        for percent in [80, 90, 100] {
            if !reaches(before, percent) && reaches(after, percent) {
                self.alerts.push(Alert {
                    time,
                    percent,
                    quota: after.quota,
                    used: after.used,
                });
            }
        }
    }

    /// Lets time pass, so that terms start and end. Returns whether that raises an alert.
    pub fn pass(&mut self, from: Instant, to: Instant) -> bool {
        let count = self.alerts.len();
        let turns = self.terms.iter().flat_map(|term| [term.start, term.end]);
        let turns: BTreeSet<_> = turns.filter(|turn| from < *turn && *turn <= to).collect();
        for turn in turns {
            let (before, after) = (self.usage(micros_later(turn, -1)), self.usage(turn));
            self.alert(turn, &before, &after);
        }
        self.alerts.len() > count
    }

    /// Cancels the licence.
    pub fn cancel(&mut self, now: Instant) {
        let before = self.usage(now);
        self.cancelled.get_or_insert(now);
        let after = self.usage(now);
        self.alert(now, &before, &after);
    }

    /// Records a certificate and uses the reservation with this index, if any. Returns whether the licence is
    /// then over its quota.
    pub fn record(&mut self, certificate: Certificate, reservation: Option<usize>) -> bool {
        let now = certificate.recorded;
        let before = self.usage(now);
        if let Some(place) = reservation {
            self.reservations[place].use_up(now);
        }
        self.certificates.push(certificate);
        let after = self.usage(now);
        self.alert(now, &before, &after);
        self.weight(&self.held(now), now) > self.term_at(now).quota()
    }
}
