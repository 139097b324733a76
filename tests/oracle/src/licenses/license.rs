//! A SAN licence: its terms, certificates and reservations, and what they hold at an instant.

use std::collections::BTreeSet;

use licet_domain::clock::Instant;

use crate::micros_later;

/// A SAN: its type, numbered as in the contract (1 DNS, 2 IP, 3 e-mail, 4 UPN), and its canonical value.
pub type San = (i32, String);

const DNS: i32 = 1;

/// Whether a SAN is a wildcard.
pub fn is_wildcard((kind, value): &San) -> bool {
    *kind == DNS && value.starts_with("*.")
}

pub(crate) fn length<'a>(sans: impl IntoIterator<Item = &'a San>) -> i64 {
    i64::try_from(sans.into_iter().count()).unwrap()
}

pub(crate) fn wildcards(sans: &BTreeSet<San>) -> i64 {
    length(sans.iter().filter(|san| is_wildcard(san)))
}

/// A term of a licence (SL-6).
#[derive(Clone, Debug)]
pub struct SoldTerm {
    /// When it takes effect: its start, or the time of purchase if it was bought late.
    pub start: Instant,
    /// When it ends; the end is not part of it.
    pub end: Instant,
    /// The quota from each instant on, ascending.
    pub quotas: Vec<(Instant, i64)>,
    /// The weight of a wildcard.
    pub multiplier: i64,
    /// Whether wildcards may be issued.
    pub wildcards_allowed: bool,
    /// Numbered as in the contract.
    pub key_types: Vec<i32>,
    /// The longest validity of a certificate; 0: any.
    pub max_validity_days: i64,
    /// Whether a certificate may outlive the licence.
    pub may_outlive: bool,
}

impl SoldTerm {
    /// The quota after the last increase.
    pub fn quota(&self) -> i64 {
        self.quotas.last().unwrap().1
    }

    /// The weight of SANs in this term (SL-3).
    pub(crate) fn weight(&self, sans: &BTreeSet<San>) -> i64 {
        weigh(sans, self.multiplier)
    }
}

/// The weight of SANs if a wildcard counts as `multiplier` (SL-3).
fn weigh(sans: &BTreeSet<San>, multiplier: i64) -> i64 {
    length(sans) + wildcards(sans) * (multiplier - 1)
}

/// A recorded certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The service's id of it.
    pub id: String,
    /// Its SANs.
    pub sans: BTreeSet<San>,
    /// When it was recorded.
    pub recorded: Instant,
    /// The first instant at which it no longer counts.
    pub until: Instant,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

impl Certificate {
    /// Whether it counts at an instant (SL-1).
    pub fn is_active(&self, time: Instant) -> bool {
        self.recorded <= time && time < self.until
    }

    /// Revokes it, so that it no longer counts (SL-5).
    pub fn revoke(&mut self, now: Instant) {
        self.until = self.until.min(now);
        self.is_revoked = true;
    }
}

/// A reservation (SL-12).
#[derive(Clone, Debug)]
pub struct Reservation {
    /// The service's id of it.
    pub id: String,
    /// The SANs that it holds.
    pub sans: BTreeSet<San>,
    /// When it was granted.
    pub decided: Instant,
    /// The first instant at which it no longer holds them.
    pub expires: Instant,
    /// The first instant at which its certificate would no longer count.
    pub until: Instant,
    /// When it was used or released.
    pub closed: Option<Instant>,
    /// Whether its certificate was recorded.
    pub is_recorded: bool,
}

impl Reservation {
    /// Uses it for its recorded certificate. A released or lapsed one can still be used (SL-21); it held
    /// nothing in between.
    pub fn use_up(&mut self, now: Instant) {
        self.is_recorded = true;
        self.closed.get_or_insert(now);
    }

    /// Whether it holds its SANs at an instant.
    pub fn holds(&self, time: Instant) -> bool {
        let closed = self.closed.is_some_and(|closed| closed <= time);
        self.decided <= time && time < self.expires && !closed
    }
}

/// An alert: usage reached a share of the quota (SL-17).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alert {
    /// When usage reached it.
    pub time: Instant,
    /// The share in percent.
    pub percent: i64,
    /// The quota at that time.
    pub quota: i64,
    /// The weight in use.
    pub used: i64,
}

/// Everything that happened under one licence.
#[derive(Clone, Debug)]
pub struct LicenseHistory {
    /// Oldest first.
    pub terms: Vec<SoldTerm>,
    /// When it was cancelled.
    pub cancelled: Option<Instant>,
    /// Every certificate that was recorded.
    pub certificates: Vec<Certificate>,
    /// Every reservation that was granted.
    pub reservations: Vec<Reservation>,
    /// Every alert.
    pub alerts: Vec<Alert>,
}

impl LicenseHistory {
    /// A licence with its first term.
    pub fn new(first: SoldTerm) -> Self {
        Self {
            terms: vec![first],
            cancelled: None,
            certificates: vec![],
            reservations: vec![],
            alerts: vec![],
        }
    }

    /// The term whose options and quota are in force at an instant.
    pub fn term_at(&self, time: Instant) -> &SoldTerm {
        let time = self.cancelled.map_or(time, |cancelled| cancelled.min(time));
        let mut begun = self.terms.iter().filter(|term| term.start <= time);
        begun.next_back().unwrap_or(&self.terms[0])
    }

    /// Raises the quota (SL-8).
    pub fn increase(&mut self, quota: i64, now: Instant) {
        let begun = self.terms.iter().filter(|term| term.start <= now).count();
        self.terms[begun.max(1) - 1].quotas.push((now, quota));
    }

    /// The term after the one in force; none after a cancellation.
    pub fn next_term(&self, time: Instant) -> Option<&SoldTerm> {
        let found = self.terms.iter().find(|term| time < term.start);
        found.filter(|_| self.cancelled.is_none())
    }

    /// When the licence starts.
    pub fn start(&self) -> Instant {
        self.terms[0].start
    }

    /// The end of the last term; after a cancellation, of the term that was cancelled.
    pub fn end(&self) -> Instant {
        let last = self.terms.last().unwrap();
        let at = self.cancelled.unwrap_or(last.start);
        self.term_at(at).end
    }

    /// Whether the licence can authorise and cover certificates at an instant.
    pub fn runs(&self, time: Instant) -> bool {
        let term = self.term_at(time);
        let is_over = self.cancelled.is_some_and(|cancelled| cancelled <= time);
        term.start <= time && time < term.end && !is_over
    }

    /// The weight of SANs at an instant.
    pub(crate) fn weight(&self, sans: &BTreeSet<San>, time: Instant) -> i64 {
        self.term_at(time).weight(sans)
    }

    /// The weight that present certificates will have at the start of a term (SL-9).
    pub fn foreseen(&self, start: Instant, multiplier: i64) -> i64 {
        weigh(&self.active(start), multiplier)
    }

    /// The distinct SANs on active certificates (SL-1).
    pub fn active(&self, time: Instant) -> BTreeSet<San> {
        let active = self.certificates.iter().filter(|it| it.is_active(time));
        active.flat_map(|it| it.sans.clone()).collect()
    }

    /// The SANs on active certificates or held by reservations.
    pub(crate) fn held(&self, time: Instant) -> BTreeSet<San> {
        let reserved = self.reservations.iter().filter(|it| it.holds(time));
        let mut held = self.active(time);
        held.extend(reserved.flat_map(|it| it.sans.clone()));
        held
    }

    /// Every later instant at which something ends or a term starts.
    pub fn ends(&self, time: Instant) -> BTreeSet<Instant> {
        let certificates = self.certificates.iter().map(|it| it.until);
        let reservations = self.reservations.iter().map(|it| it.expires);
        let terms = self.terms.iter().flat_map(|term| [term.start, term.end]);
        let all = certificates.chain(reservations).chain(terms);
        all.filter(|end| time < *end).collect()
    }

    /// Whether the running and the next term permit certificates that outlive the licence.
    pub(crate) fn may_outlive(&self, now: Instant) -> bool {
        let next = self.next_term(now);
        self.term_at(now).may_outlive && next.is_none_or(|next| next.may_outlive)
    }

    pub(crate) fn last_second(&self) -> Instant {
        micros_later(self.end(), -1_000_000)
    }
}
