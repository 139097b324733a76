//! A reference model of a SAN licence: plain lists of certificates and reservations, recounted from
//! scratch for every question. Knows nothing of how the service counts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use licet_contracts::sanlicensing::v1::{DenialReason, San, SanType};
use licet_domain::clock::Instant;

use crate::harness::clock::shifted;

/// A SAN by its type and canonical value, in the order of both.
pub(super) type Name = (i32, String);

/// What a term of the licence was sold with.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// From when on it is in force: its start, or its late purchase.
    pub(super) start: Instant,
    pub(super) end: Instant,
    /// The quota from each instant on, ascending.
    pub(super) quotas: Vec<(Instant, i64)>,
    pub(super) multiplier: i64,
    pub(super) wildcards_allowed: bool,
    pub(super) key_types: Vec<i32>,
    pub(super) max_validity_days: i64,
    pub(super) may_outlive: bool,
}

impl Terms {
    /// The quota in the end.
    pub(super) fn quota(&self) -> i64 {
        self.quotas.last().unwrap().1
    }

    fn weight(&self, names: &BTreeSet<Name>) -> i64 {
        let each = names.iter().map(|name| {
            if is_wildcard(name) {
                self.multiplier
            } else {
                1
            }
        });
        each.sum()
    }
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
    /// First instant at which the certificate that it is for would no longer count.
    pub(super) until: Instant,
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
    /// Oldest first.
    pub(super) terms: Vec<Terms>,
    pub(super) cancelled: Option<Instant>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) reservations: Vec<Reservation>,
    /// What was told of as usage reached parts of the quota (SL-17).
    pub(super) alerts: Vec<Alert>,
}

/// Usage has reached a part of the quota.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alert {
    pub(super) time: Instant,
    pub(super) percent: i64,
    pub(super) quota: i64,
    pub(super) used: i64,
}

/// What a question asks for, as far as the answer depends on it.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) names: BTreeSet<Name>,
    pub(super) product_is_licensed: bool,
    pub(super) key_type: i32,
    pub(super) not_before: Option<Instant>,
    pub(super) not_after: Instant,
    pub(super) hold: TimeDelta,
}

impl Question {
    /// How far it would reach if it were granted then: as its certificate, or its reservation.
    fn reach(&self, time: Instant) -> Instant {
        let expires = time.checked_add(self.hold).unwrap();
        shifted(self.not_after, 1_000_000).max(expires)
    }
}

/// How a question passes the quota of the next term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shortage {
    pub(super) start: Instant,
    pub(super) quota: i64,
    pub(super) held: i64,
    pub(super) needed: i64,
    pub(super) short_by: i64,
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
    pub(super) next: Option<Shortage>,
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
    /// The term that speaks for the licence at an instant.
    pub(super) fn term_at(&self, time: Instant) -> &Terms {
        let time = self.cancelled.map_or(time, |cancelled| cancelled.min(time));
        let mut begun = self.terms.iter().filter(|term| term.start <= time);
        begun.next_back().unwrap_or(&self.terms[0])
    }

    pub(super) fn term_at_mut(&mut self, time: Instant) -> &mut Terms {
        let begun = self.terms.iter().filter(|term| term.start <= time).count();
        &mut self.terms[begun.max(1) - 1]
    }

    pub(super) fn next_term(&self, time: Instant) -> Option<&Terms> {
        let found = self.terms.iter().find(|term| time < term.start);
        found.filter(|_| self.cancelled.is_none())
    }

    /// When the licence began.
    pub(super) fn start(&self) -> Instant {
        self.terms[0].start
    }

    /// When its last term ends; no later one comes after a cancellation.
    pub(super) fn end(&self) -> Instant {
        let last = self.terms.last().unwrap();
        let at = self.cancelled.unwrap_or(last.start);
        self.term_at(at).end
    }

    /// Whether it authorises and covers anything at an instant.
    pub(super) fn runs(&self, time: Instant) -> bool {
        let term = self.term_at(time);
        let is_over = self.cancelled.is_some_and(|cancelled| cancelled <= time);
        term.start <= time && time < term.end && !is_over
    }

    /// The weight by the term of an instant.
    fn weight(&self, names: &BTreeSet<Name>, time: Instant) -> i64 {
        self.term_at(time).weight(names)
    }

    /// What the licence will use when a term begins at an instant, by the certificates that stand.
    pub(super) fn foreseen(&self, time: Instant, multiplier: i64) -> i64 {
        let each = self.active(time);
        let wildcards = each.iter().filter(|name| is_wildcard(name)).count();
        let plain = i64::try_from(each.len() - wildcards).unwrap();
        plain + i64::try_from(wildcards).unwrap() * multiplier
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

    fn quota_at(&self, time: Instant) -> i64 {
        if !self.runs(time) {
            return 0;
        }
        let quotas = &self.term_at(time).quotas;
        let mut so_far = quotas.iter().filter(|(from, _)| *from <= time);
        so_far.next_back().unwrap().1
    }

    pub(super) fn usage(&self, time: Instant) -> Counted {
        let active = self.active(time);
        let used = self.weight(&active, time);
        let reserved = self.weight(&self.held(time), time) - used;
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
            .map(|(end, names)| (end, self.weight(&names, time)));
        returns.take(5).collect()
    }

    /// The day that begins at `start`: its last microsecond and its peak, of every instant of it at
    /// which anything begins or ends, a term among it.
    pub(super) fn day(&self, start: Instant) -> Day {
        let end = shifted(start, DAY_MICROS);
        let last = self.usage(shifted(end, -1));
        let each = self.certificates.iter();
        let ends = each.flat_map(|it| [it.recorded, it.until]);
        // What a wildcard weighs may change with the term.
        let starts = self.terms.iter().map(|term| term.start);
        let instants: BTreeSet<Instant> = ends
            .chain(starts)
            .filter(|at| start < *at && *at < end)
            .chain([start])
            .collect();
        let used = |at: &Instant| self.weight(&self.active(*at), *at);
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
        let terms = self.terms.iter().flat_map(|term| [term.start, term.end]);
        let all = certificates.chain(reservations).chain(terms);
        all.filter(|end| time < *end).collect()
    }

    pub(super) fn decide(&self, question: &Question, now: Instant) -> Expected {
        let held = self.held(now);
        let used = self.weight(&self.active(now), now);
        let missing = question.names.difference(&held).cloned().collect();
        let needed = self.weight(&missing, now);
        let taken = self.weight(&held, now);
        let quota = self.term_at(now).quota();
        let over = taken + needed - quota;
        let is_short = needed > 0 && over > 0;
        let next = self.shortage(question, now);
        let mut reasons = self.option_reasons(question, now);
        if is_short {
            reasons.push(DenialReason::QuotaExceeded);
        }
        if next.is_some() {
            reasons.push(DenialReason::NextTermQuotaExceeded);
        }
        let fits = self.moments(question, now);
        let fits = fits
            .into_iter()
            .find(|time| self.would_be_granted(question, *time));
        let latest = self.latest_not_after(question, now);
        Expected {
            reasons,
            quota,
            used,
            reserved: taken - used,
            needed,
            short_by: if is_short { over } else { 0 },
            fits: fits.filter(|_| is_short || next.is_some()),
            latest_not_after: latest.filter(|latest| *latest < question.not_after),
            next,
        }
    }

    /// The distinct SANs that are held at an instant and will be, or whose certificates would, when
    /// a later term starts.
    fn lasting(&self, time: Instant, start: Instant) -> BTreeSet<Name> {
        let active = self
            .certificates
            .iter()
            .filter(|it| it.recorded <= time && time < it.until && start < it.until);
        let reserved = self
            .reservations
            .iter()
            .filter(|it| it.holds(time) && start < it.expires.max(it.until));
        let active = active.flat_map(|it| &it.names);
        active
            .chain(reserved.flat_map(|it| &it.names))
            .cloned()
            .collect()
    }

    fn shortage(&self, question: &Question, now: Instant) -> Option<Shortage> {
        let next = self.next_term(now)?;
        if question.reach(now) <= next.start {
            return None;
        }
        let lasting = self.lasting(now, next.start);
        let missing = question.names.difference(&lasting).cloned().collect();
        let (held, needed) = (next.weight(&lasting), next.weight(&missing));
        let short_by = held + needed - next.quota();
        (needed > 0 && short_by > 0).then_some(Shortage {
            start: next.start,
            quota: next.quota(),
            held,
            needed,
            short_by,
        })
    }

    /// Now, and whenever something ends or begins, or a request of this end is short enough.
    fn moments(&self, question: &Question, now: Instant) -> BTreeSet<Instant> {
        let mut instants = self.ends(now);
        instants.insert(now);
        if question.not_before.is_none() {
            let days = self.terms.iter().map(|term| term.max_validity_days);
            let until = shifted(question.not_after, 1_000_000);
            let from = days.map(|days| shifted(until, -days * DAY_MICROS));
            instants.extend(from.filter(|from| now < *from));
        }
        instants
    }

    /// Whether the same request would be granted then, by what stands now.
    fn would_be_granted(&self, question: &Question, time: Instant) -> bool {
        let held = self.held(time);
        let missing = question.names.difference(&held).cloned().collect();
        let needed = self.weight(&missing, time);
        let has_room =
            needed == 0 || self.weight(&held, time) + needed <= self.term_at(time).quota();
        time < question.not_after
            && has_room
            && self.shortage(question, time).is_none()
            && self.option_reasons(question, time).is_empty()
    }

    fn option_reasons(&self, question: &Question, now: Instant) -> Vec<DenialReason> {
        let terms = self.term_at(now);
        let mut reasons = Vec::new();
        let mut check = |stands: bool, reason| {
            if stands {
                reasons.push(reason);
            }
        };
        check(!self.runs(now), DenialReason::LicenseNotActive);
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
            !self.may_outlive(now) && self.end() < shifted(question.not_after, 1_000_000),
            DenialReason::OutlivesLicense,
        );
        reasons
    }

    fn longest_not_after(&self, question: &Question, now: Instant) -> Option<Instant> {
        let seconds = self.term_at(now).max_validity_days * 86_400 - 1;
        let from = question.not_before.unwrap_or(now);
        (seconds > 0).then(|| shifted(from, seconds * 1_000_000))
    }

    /// Whether neither the running nor the next term forbids it.
    fn may_outlive(&self, now: Instant) -> bool {
        let next = self.next_term(now);
        self.term_at(now).may_outlive && next.is_none_or(|next| next.may_outlive)
    }

    fn latest_not_after(&self, question: &Question, now: Instant) -> Option<Instant> {
        let last = shifted(self.end(), -1_000_000);
        let last = (!self.may_outlive(now)).then_some(last);
        let longest = self.longest_not_after(question, now);
        last.into_iter().chain(longest).min()
    }

    /// The parts that usage reaches as the quota and what is used of it move. Without a quota any
    /// usage reaches them all.
    fn tell(&mut self, time: Instant, before: &Counted, after: &Counted) {
        let is_at = |it: &Counted, percent| it.used > 0 && it.used * 100 >= it.quota * percent;
        for percent in [80, 90, 100] {
            if !is_at(before, percent) && is_at(after, percent) {
                self.alerts.push(Alert {
                    time,
                    percent,
                    quota: after.quota,
                    used: after.used,
                });
            }
        }
    }

    /// Time passes: terms start and end. Answers whether that is told of.
    pub(super) fn pass(&mut self, from: Instant, to: Instant) -> bool {
        let count = self.alerts.len();
        let turns = self.terms.iter().flat_map(|term| [term.start, term.end]);
        let turns: BTreeSet<_> = turns.filter(|turn| from < *turn && *turn <= to).collect();
        for turn in turns {
            let (before, after) = (self.usage(shifted(turn, -1)), self.usage(turn));
            self.tell(turn, &before, &after);
        }
        self.alerts.len() > count
    }

    /// The licence is over from now on.
    pub(super) fn cancel(&mut self, now: Instant) {
        let before = self.usage(now);
        self.cancelled = Some(now);
        let after = self.usage(now);
        self.tell(now, &before, &after);
    }

    /// What became of a certificate that is recorded now: whether it passes the quota.
    pub(super) fn record(&mut self, certificate: Certificate, reservation: Option<usize>) -> bool {
        let now = certificate.recorded;
        let before = self.usage(now);
        if let Some(place) = reservation {
            self.reservations[place].use_up(now);
        }
        self.certificates.push(certificate);
        let after = self.usage(now);
        self.tell(now, &before, &after);
        self.weight(&self.held(now), now) > self.term_at(now).quota()
    }
}
