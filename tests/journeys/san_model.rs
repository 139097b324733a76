//! A reference model of a SAN licence: plain lists of certificates and reservations, recounted from
//! scratch for every question. Knows nothing of how the service counts.

use std::collections::{BTreeMap, BTreeSet};

use licet_contracts::sanlicensing::v1::{DenialReason, San, SanType};
use licet_domain::clock::Instant;

use crate::harness::clock::shifted;

/// A SAN by its type and canonical value, in the order of both.
pub(super) type Name = (i32, String);

/// What the licence was sold with.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) start: Instant,
    pub(super) end: Instant,
    pub(super) multiplier: i64,
    pub(super) wildcards_allowed: bool,
    pub(super) key_types: Vec<i32>,
    pub(super) max_validity_days: i64,
    pub(super) may_outlive: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) id: String,
    pub(super) names: BTreeSet<Name>,
    pub(super) recorded: Instant,
    /// First instant at which it no longer counts.
    pub(super) until: Instant,
    pub(super) is_revoked: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Reservation {
    pub(super) id: String,
    pub(super) names: BTreeSet<Name>,
    pub(super) decided: Instant,
    pub(super) expires: Instant,
    /// When it was used or given back.
    pub(super) closed: Option<Instant>,
    pub(super) is_recorded: bool,
}

impl Reservation {
    /// A certificate is recorded with it: one that was given back or has lapsed is used all the same
    /// (SL-21), and held nothing in between.
    pub(super) fn use_up(&mut self, now: Instant) {
        self.is_recorded = true;
        self.closed.get_or_insert(now);
    }

    fn holds(&self, time: Instant) -> bool {
        let closed = self.closed.is_some_and(|closed| closed <= time);
        self.decided <= time && time < self.expires && !closed
    }
}

/// All that ever happened under one licence.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) terms: Terms,
    /// The quota from each instant on, ascending.
    pub(super) quotas: Vec<(Instant, i64)>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) reservations: Vec<Reservation>,
}

/// What a question asks for, as far as the answer depends on it.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) names: BTreeSet<Name>,
    pub(super) product_is_licensed: bool,
    pub(super) key_type: i32,
    pub(super) not_before: Option<Instant>,
    pub(super) not_after: Instant,
}

/// What must be answered to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) reasons: Vec<DenialReason>,
    pub(super) quota: i64,
    pub(super) used: i64,
    pub(super) reserved: i64,
    pub(super) needed: i64,
    pub(super) short_by: i64,
    pub(super) fits: Option<Instant>,
    pub(super) latest_not_after: Option<Instant>,
}

/// Usage at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) quota: i64,
    pub(super) used: i64,
    pub(super) reserved: i64,
    pub(super) free: i64,
    /// Distinct SANs, by type from DNS names on.
    pub(super) by_type: [i64; 4],
    pub(super) wildcards: i64,
}

pub(super) const DAY_MICROS: i64 = 86_400_000_000;

/// Usage over a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) quota: i64,
    pub(super) used: i64,
    pub(super) distinct: i64,
    pub(super) peak: i64,
    pub(super) peak_time: Instant,
}

pub(super) fn is_wildcard(name: &Name) -> bool {
    name.0 == i32::from(SanType::DnsName) && name.1.starts_with("*.")
}

/// The name of a SAN that is canonical.
pub(super) fn name_of(san: &San) -> Name {
    (san.r#type, san.value.clone())
}

impl Model {
    fn weight(&self, names: &BTreeSet<Name>) -> i64 {
        let each = names.iter().map(|name| {
            if is_wildcard(name) {
                self.terms.multiplier
            } else {
                1
            }
        });
        each.sum()
    }

    /// The distinct SANs on certificates that are active at an instant.
    pub(super) fn active(&self, time: Instant) -> BTreeSet<Name> {
        self.certificates
            .iter()
            .filter(|certificate| certificate.recorded <= time && time < certificate.until)
            .flat_map(|certificate| certificate.names.clone())
            .collect()
    }

    /// The same with those that reservations hold.
    fn held(&self, time: Instant) -> BTreeSet<Name> {
        let reserved = self.reservations.iter().filter(|it| it.holds(time));
        let mut held = self.active(time);
        held.extend(reserved.flat_map(|it| it.names.clone()));
        held
    }

    /// The quota that was last sold, whether the licence runs or not.
    pub(super) fn quota(&self) -> i64 {
        self.quotas.last().unwrap().1
    }

    fn quota_at(&self, time: Instant) -> i64 {
        if time < self.terms.start || self.terms.end <= time {
            return 0;
        }
        let mut so_far = self.quotas.iter().filter(|(from, _)| *from <= time);
        so_far.next_back().unwrap().1
    }

    pub(super) fn usage(&self, time: Instant) -> Counted {
        let active = self.active(time);
        let used = self.weight(&active);
        let reserved = self.weight(&self.held(time)) - used;
        let quota = self.quota_at(time);
        let mut by_type = [0; 4];
        for (kind, _) in &active {
            by_type[usize::try_from(*kind).unwrap() - 1] += 1;
        }
        Counted {
            quota,
            used,
            reserved,
            free: quota - used - reserved,
            by_type,
            wildcards: i64::try_from(active.iter().filter(|name| is_wildcard(name)).count())
                .unwrap(),
        }
    }

    /// When used weight returns after an instant, and how much, at most five times.
    pub(super) fn next_returns(&self, time: Instant) -> Vec<(Instant, i64)> {
        let mut ends: BTreeMap<Instant, BTreeSet<Name>> = BTreeMap::new();
        for name in self.active(time) {
            let holding = self.certificates.iter().filter(|certificate| {
                certificate.recorded <= time && certificate.names.contains(&name)
            });
            let end = holding.map(|certificate| certificate.until).max().unwrap();
            ends.entry(end).or_default().insert(name);
        }
        let returns = ends
            .into_iter()
            .map(|(end, names)| (end, self.weight(&names)));
        returns.take(5).collect()
    }

    /// The day that begins at `start`: its last microsecond and its peak, of every instant of it at
    /// which anything begins or ends.
    pub(super) fn day(&self, start: Instant) -> Day {
        let end = shifted(start, DAY_MICROS);
        let last = self.usage(shifted(end, -1));
        let each = self.certificates.iter();
        let ends = each.flat_map(|it| [it.recorded, it.until]);
        let instants: BTreeSet<Instant> = ends
            .filter(|at| start < *at && *at < end)
            .chain([start])
            .collect();
        let used = |at: &Instant| self.weight(&self.active(*at));
        let peak = instants.iter().map(used).max().unwrap();
        Day {
            quota: last.quota,
            used: last.used,
            distinct: last.by_type.iter().sum(),
            peak,
            peak_time: instants.into_iter().find(|at| used(at) == peak).unwrap(),
        }
    }

    /// Until when a SAN is active, and on how many certificates.
    pub(super) fn holders(&self, name: &Name, time: Instant) -> (Instant, i64) {
        let holding: Vec<_> = self
            .certificates
            .iter()
            .filter(|it| it.recorded <= time && time < it.until && it.names.contains(name))
            .collect();
        let until = holding.iter().map(|certificate| certificate.until).max();
        (until.unwrap(), i64::try_from(holding.len()).unwrap())
    }

    /// The reservations that hold something at an instant.
    pub(super) fn holding(&self, time: Instant) -> Vec<&Reservation> {
        self.reservations
            .iter()
            .filter(|it| it.holds(time))
            .collect()
    }

    /// Every instant after `time` at which something ends, ascending.
    pub(super) fn ends(&self, time: Instant) -> BTreeSet<Instant> {
        let certificates = self
            .certificates
            .iter()
            .map(|certificate| certificate.until);
        let reservations = self
            .reservations
            .iter()
            .map(|reservation| reservation.expires);
        let all = certificates.chain(reservations).chain([self.terms.end]);
        all.filter(|end| time < *end).collect()
    }

    pub(super) fn decide(&self, question: &Question, now: Instant) -> Expected {
        let held = self.held(now);
        let used = self.weight(&self.active(now));
        let missing = question.names.difference(&held).cloned().collect();
        let needed = self.weight(&missing);
        let taken = self.weight(&held);
        let over = taken + needed - self.quota();
        let is_short = needed > 0 && over > 0;
        let mut reasons = self.option_reasons(question, now);
        if is_short {
            reasons.push(DenialReason::QuotaExceeded);
        }
        let fits = |time: &Instant| {
            let mut then = self.held(*time);
            then.extend(question.names.clone());
            self.weight(&then) <= self.quota()
        };
        let latest = self.latest_not_after(question, now);
        Expected {
            reasons,
            quota: self.quota(),
            used,
            reserved: taken - used,
            needed,
            short_by: if is_short { over } else { 0 },
            fits: self.ends(now).into_iter().find(fits).filter(|_| is_short),
            latest_not_after: latest.filter(|latest| *latest < question.not_after),
        }
    }

    fn option_reasons(&self, question: &Question, now: Instant) -> Vec<DenialReason> {
        let terms = &self.terms;
        let mut reasons = Vec::new();
        let mut check = |stands: bool, reason| {
            if stands {
                reasons.push(reason);
            }
        };
        check(
            now < terms.start || terms.end <= now,
            DenialReason::LicenseNotActive,
        );
        check(
            !question.product_is_licensed,
            DenialReason::ProductNotLicensed,
        );
        check(
            !terms.wildcards_allowed && question.names.iter().any(is_wildcard),
            DenialReason::WildcardNotAllowed,
        );
        check(
            !terms.key_types.contains(&question.key_type),
            DenialReason::KeyTypeNotAllowed,
        );
        let longest = self.longest_not_after(question, now);
        check(
            longest.is_some_and(|longest| longest < question.not_after),
            DenialReason::ValidityTooLong,
        );
        // Its last second is inclusive: it counts for one second more.
        check(
            !terms.may_outlive && terms.end < shifted(question.not_after, 1_000_000),
            DenialReason::OutlivesLicense,
        );
        reasons
    }

    fn longest_not_after(&self, question: &Question, now: Instant) -> Option<Instant> {
        let seconds = self.terms.max_validity_days * 86_400 - 1;
        let from = question.not_before.unwrap_or(now);
        (seconds > 0).then(|| shifted(from, seconds * 1_000_000))
    }

    fn latest_not_after(&self, question: &Question, now: Instant) -> Option<Instant> {
        let last = shifted(self.terms.end, -1_000_000);
        let last = (!self.terms.may_outlive).then_some(last);
        let longest = self.longest_not_after(question, now);
        last.into_iter().chain(longest).min()
    }

    /// What became of a certificate that is recorded now: whether it passes the quota.
    pub(super) fn record(&mut self, certificate: Certificate, reservation: Option<usize>) -> bool {
        let now = certificate.recorded;
        if let Some(place) = reservation {
            self.reservations[place].use_up(now);
        }
        self.certificates.push(certificate);
        self.weight(&self.held(now)) > self.quota()
    }
}
