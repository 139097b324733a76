//! Decides whether a certificate may be signed under a SAN licence (SL-4, SL-6, SL-11 to SL-13).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use licet_domain::clock::Instant;

use super::license::{LicenseHistory, Reservation, San, is_wildcard};
use crate::{DAY_MICROS, micros_later};

/// The parts of a request for authorisation that decide it.
#[derive(Clone, Debug)]
pub struct IssuanceQuestion {
    /// The certificate's SANs.
    pub sans: BTreeSet<San>,
    /// Whether the licence covers the product.
    pub product_is_licensed: bool,
    /// Numbered as in the contract.
    pub key_type: i32,
    /// When the certificate begins; `None`: at the decision.
    pub not_before: Option<Instant>,
    /// The certificate's last second.
    pub not_after: Instant,
    /// How long the reservation should last.
    pub hold: TimeDelta,
}

impl IssuanceQuestion {
    /// The first instant at which the certificate would no longer count (SL-1).
    pub fn until(&self) -> Instant {
        micros_later(self.not_after, 1_000_000)
    }

    /// Until when a grant at `time` would hold the SANs, reserved or in use.
    fn reach(&self, time: Instant) -> Instant {
        let expires = time.checked_add(self.hold).unwrap();
        self.until().max(expires)
    }

    /// The reservation that a grant makes.
    pub fn reservation(&self, id: String, now: Instant) -> Reservation {
        Reservation {
            id,
            sans: self.sans.clone(),
            decided: now,
            expires: now.checked_add(self.hold).unwrap(),
            until: self.until(),
            closed: None,
            is_recorded: false,
        }
    }
}

/// How far a request exceeds the next term's quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// When the term starts.
    pub start: Instant,
    /// The term's quota.
    pub quota: i64,
    /// The weight held now that lasts beyond its start.
    pub held: i64,
    /// The weight of the request's other SANs.
    pub needed: i64,
    /// The weight that exceeds the quota.
    pub short_by: i64,
}

/// The decision on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedDecision {
    /// The contract's names, sorted; a grant has none.
    pub reasons: BTreeSet<&'static str>,
    /// The quota in force.
    pub quota: i64,
    /// The weight of active certificates.
    pub used: i64,
    /// The weight of reserved SANs that are not in use.
    pub reserved: i64,
    /// The weight of the SANs that are not held yet.
    pub needed: i64,
    /// The weight that exceeds the quota.
    pub short_by: i64,
    /// When the same request would be granted, if a quota denies it.
    pub fits: Option<Instant>,
    /// The latest permitted notAfter, if the request's is later.
    pub latest_not_after: Option<Instant>,
    /// The shortage, if the next term's quota is a reason.
    pub next: Option<Shortage>,
}

impl LicenseHistory {
    /// Decides a request.
    pub fn decide(&self, question: &IssuanceQuestion, now: Instant) -> ExpectedDecision {
        let held = self.held(now);
        let used = self.weight(&self.active(now), now);
        let missing = question.sans.difference(&held).cloned().collect();
        let needed = self.weight(&missing, now);
        let taken = self.weight(&held, now);
        let quota = self.term_at(now).quota();
        let over = taken + needed - quota;
        let is_short = needed > 0 && over > 0;
        let next = self.shortage(question, now);
        let mut reasons = self.option_reasons(question, now);
        reasons.extend(is_short.then_some("QUOTA_EXCEEDED"));
        reasons.extend(next.as_ref().map(|_| "NEXT_TERM_QUOTA_EXCEEDED"));
        let mut moments = self.moments(question, now).into_iter();
        let fits = moments.find(|time| self.would_be_granted(question, *time));
        let latest = self.latest_not_after(question, now);
        ExpectedDecision {
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

    /// The SANs held at `time` whose certificate or reservation lasts beyond `start`.
    fn lasting(&self, time: Instant, start: Instant) -> BTreeSet<San> {
        let active = self.certificates.iter();
        let active = active.filter(|it| it.is_active(time) && start < it.until);
        let reserved = self.reservations.iter();
        let reserved = reserved.filter(|it| it.holds(time) && start < it.expires.max(it.until));
        let sans = active.map(|it| &it.sans);
        let sans = sans.chain(reserved.map(|it| &it.sans));
        sans.flatten().cloned().collect()
    }

    fn shortage(&self, question: &IssuanceQuestion, now: Instant) -> Option<Shortage> {
        let next = self.next_term(now)?;
        if question.reach(now) <= next.start {
            return None;
        }
        let lasting = self.lasting(now, next.start);
        let missing = question.sans.difference(&lasting).cloned().collect();
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

    /// The instants at which a denied request may first be granted: now, every start or end, and when the
    /// rest of its validity is short enough.
    fn moments(&self, question: &IssuanceQuestion, now: Instant) -> BTreeSet<Instant> {
        let mut instants = self.ends(now);
        instants.insert(now);
        if question.not_before.is_none() {
            let days = self.terms.iter().map(|term| term.max_validity_days);
            let from = days.map(|days| micros_later(question.until(), -days * DAY_MICROS));
            instants.extend(from.filter(|from| now < *from));
        }
        instants
    }

    /// Whether the request would be granted at `time` if nothing else happened.
    fn would_be_granted(&self, question: &IssuanceQuestion, time: Instant) -> bool {
        let held = self.held(time);
        let missing = question.sans.difference(&held).cloned().collect();
        let needed = self.weight(&missing, time);
        let has_room =
            needed == 0 || self.weight(&held, time) + needed <= self.term_at(time).quota();
        time < question.not_after
            && has_room
            && self.shortage(question, time).is_none()
            && self.option_reasons(question, time).is_empty()
    }

    fn option_reasons(&self, question: &IssuanceQuestion, now: Instant) -> BTreeSet<&'static str> {
        let term = self.term_at(now);
        let has_wildcard = question.sans.iter().any(is_wildcard);
        let is_too_long =
            |longest: Option<Instant>| longest.is_some_and(|it| it < question.not_after);
        let outlives = !self.may_outlive(now) && self.end() < question.until();
        let all = [
            (!self.runs(now), "LICENSE_NOT_ACTIVE"),
            (!question.product_is_licensed, "PRODUCT_NOT_LICENSED"),
            (
                has_wildcard && !term.wildcards_allowed,
                "WILDCARD_NOT_ALLOWED",
            ),
            (
                !term.key_types.contains(&question.key_type),
                "KEY_TYPE_NOT_ALLOWED",
            ),
            (
                is_too_long(self.longest_not_after(question, now)),
                "VALIDITY_TOO_LONG",
            ),
            (outlives, "OUTLIVES_LICENSE"),
        ];
        let reasons = all.into_iter().filter(|(applies, _)| *applies);
        reasons.map(|(_, reason)| reason).collect()
    }

    fn longest_not_after(&self, question: &IssuanceQuestion, now: Instant) -> Option<Instant> {
        let seconds = self.term_at(now).max_validity_days * 86_400 - 1;
        let from = question.not_before.unwrap_or(now);
        (seconds > 0).then(|| micros_later(from, seconds * 1_000_000))
    }

    fn latest_not_after(&self, question: &IssuanceQuestion, now: Instant) -> Option<Instant> {
        let last = (!self.may_outlive(now)).then(|| self.last_second());
        let longest = self.longest_not_after(question, now);
        last.into_iter().chain(longest).min()
    }
}
