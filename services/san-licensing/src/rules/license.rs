//! A SAN licence: its terms, its state, and the limits that decisions under it depend on.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, LicenseId, ProductId},
    money::{Money, Price},
    term::{Period, Term},
    worded,
};
use serde::{Deserialize, Serialize};

use super::counting::Multipliers;

worded! {
    /// Key families that a licence may permit (SL-6).
    pub(crate) enum KeyType {
        /// RSA, of any size.
        Rsa = "RSA",
        /// Elliptic curves, with ECDSA.
        Ecc = "ECC",
        /// Ed25519 (RFC 8410).
        Ed25519 = "ED25519",
        /// Ed448 (RFC 8410).
        Ed448 = "ED448",
    }
}

worded! {
    /// Stored progress of a licence. Whether it has ended follows from its term.
    pub(crate) enum LicenseProgress {
        /// Drafted; the customer may accept it.
        Quoted = "QUOTED",
        /// Accepted; its products are held, and it is being charged (SL-20).
        Accepting = "ACCEPTING",
        /// Charged.
        Active = "ACTIVE",
        /// Withdrawn or cancelled (SL-7).
        Cancelled = "CANCELLED",
    }
}

worded! {
    /// State of a licence at an instant.
    pub(crate) enum LicenseState {
        /// Drafted.
        Quoted = "QUOTED",
        /// Accepted, and being charged.
        Accepting = "ACCEPTING",
        /// Charged, and its last term is not over.
        Active = "ACTIVE",
        /// Its last term is over (SL-11).
        Ended = "ENDED",
        /// Withdrawn or cancelled (SL-7).
        Cancelled = "CANCELLED",
    }
}

/// Options that a term of a licence is sold with (SL-6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {
    pub(crate) wildcards_allowed: bool,
    /// What a wildcard weighs (SL-3).
    pub(crate) wildcard_multiplier: u32,
    pub(crate) key_types: BTreeSet<KeyType>,
    /// Longest validity of a certificate in days of 86 400 s; `None` for no limit *(ours)*.
    pub(crate) longest_validity_days: Option<u32>,
    /// Whether certificates may outlive the licence.
    pub(crate) may_outlive: bool,
    /// Longest term of the licence in months; `None` for no limit.
    pub(crate) longest_term_months: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wildcards_allowed: true,
            wildcard_multiplier: 5,
            key_types: BTreeSet::from([KeyType::Rsa, KeyType::Ecc]),
            longest_validity_days: None,
            may_outlive: true,
            longest_term_months: None,
        }
    }
}

/// A licence's id with its account's. The store finds a licence by both: a sharded database keeps the rows of one
/// account together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LicenseKey {
    pub(crate) account_id: AccountId,
    pub(crate) id: LicenseId,
}

fn state_of(progress: LicenseProgress, end: Instant, now: Instant) -> LicenseState {
    match progress {
        LicenseProgress::Quoted => LicenseState::Quoted,
        LicenseProgress::Accepting => LicenseState::Accepting,
        LicenseProgress::Active if now < end => LicenseState::Active,
        LicenseProgress::Active => LicenseState::Ended,
        LicenseProgress::Cancelled => LicenseState::Cancelled,
    }
}

/// Limits of one term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TermLimits {
    pub(crate) quota: u64,
    /// When the term is in force.
    pub(crate) period: Period,
    pub(crate) options: Options,
}

/// The part of a licence that decisions under it depend on, as of an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LicenseLimits {
    pub(crate) license_id: LicenseId,
    pub(crate) account_id: AccountId,
    pub(crate) progress: LicenseProgress,
    pub(crate) products: BTreeSet<ProductId>,
    /// Limits of the current term, even if it is over or has not started.
    pub(crate) term: TermLimits,
    /// Limits of the term bought for the time after it (SL-6).
    pub(crate) next: Option<TermLimits>,
}

impl LicenseLimits {
    pub(crate) fn key(&self) -> LicenseKey {
        LicenseKey {
            account_id: self.account_id,
            id: self.license_id,
        }
    }

    /// The quota at `at`, an instant that these limits are as of (SL-6); 0 if the licence is not active.
    pub(crate) fn quota_at(&self, at: Instant) -> u64 {
        if self.is_active(at) {
            self.term.quota
        } else {
            0
        }
    }

    /// Whether the licence can authorise certificates at `now` (SL-11).
    pub(crate) fn is_active(&self, now: Instant) -> bool {
        self.progress == LicenseProgress::Active && self.term.period.contains(now)
    }

    /// State of the licence at `now`.
    pub(crate) fn state(&self, now: Instant) -> LicenseState {
        state_of(self.progress, self.end(), now)
    }

    /// The end of the last bought term.
    pub(crate) fn end(&self) -> Instant {
        self.next.as_ref().unwrap_or(&self.term).period.end
    }

    /// Advances to `now`: from its start on, the next term is the current one. Returns whether it has become
    /// that.
    pub(crate) fn advance(&mut self, now: Instant) -> bool {
        match self.next.take_if(|next| next.period.start <= now) {
            Some(next) => {
                self.term = next;
                true
            }
            None => false,
        }
    }
}

/// How a term was priced, pinned when it is drafted (SL-7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sale {
    /// The product that prices the term: the dearest one at its quota (SL-10).
    pub(crate) product_id: ProductId,
    /// Version of that product; its policy prorates an increase.
    pub(crate) product_version: u32,
    /// Instant from which the volume tiers of the price are in force (BL-8).
    pub(crate) price_time: Instant,
    /// The quota that the term is sold with.
    pub(crate) quota: u64,
    /// Price of the term for that quota.
    pub(crate) amount: Money,
    /// Price of one SAN for 12 months. It also prices an increase, unless `by_hand`: then it is rounded, and
    /// the increase pays the exact share of `amount` (SL-8).
    pub(crate) unit_price: Price,
    /// Whether sales set `amount` in place of the volume tiers.
    pub(crate) by_hand: bool,
}

/// An increase of the quota within a term (SL-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Raise {
    /// From when on it applies.
    pub(crate) time: Instant,
    /// The new quota.
    pub(crate) quota: u64,
}

/// A term of a licence, as it was sold (SL-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LicenseTerm {
    /// In a draft without `asked_start` only its months are valid.
    pub(crate) term: Term,
    pub(crate) sale: Sale,
    /// The products that it was sold with. A product to be added is compared with them (SL-10).
    pub(crate) sold_products: BTreeSet<ProductId>,
    /// When it was priced.
    pub(crate) sold_time: Instant,
    pub(crate) options: Options,
    /// Increases of its quota, oldest first (SL-8).
    pub(crate) raises: Vec<Raise>,
    /// When it was bought, if that was after its start: it is in force from then on (SL-9).
    pub(crate) bought_late: Option<Instant>,
}

impl LicenseTerm {
    /// The quota after all increases; at least 1.
    pub(crate) fn quota(&self) -> u64 {
        let last = self.raises.last();
        last.map_or(self.sale.quota, |raise| raise.quota)
    }

    /// The quota at an instant of the term.
    fn quota_at(&self, at: Instant) -> u64 {
        let raise = self.raises.iter().rev().find(|raise| raise.time <= at);
        raise.map_or(self.sale.quota, |raise| raise.quota)
    }

    /// When it is in force: from its start or its late purchase to its end.
    pub(crate) fn in_force(&self) -> Period {
        let whole = self.term.period();
        Period {
            start: self.bought_late.unwrap_or(whole.start),
            ..whole
        }
    }

    fn limits(&self) -> TermLimits {
        TermLimits {
            quota: self.quota(),
            period: self.in_force(),
            options: self.options.clone(),
        }
    }
}

/// Quota and multiplier at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UsageLimit {
    pub(crate) quota: u64,
    /// What a wildcard weighs.
    pub(crate) multiplier: u32,
}

/// An instant at which a term starts or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The last instant before it.
    pub(crate) before: Instant,
    pub(crate) time: Instant,
    pub(crate) was: UsageLimit,
    pub(crate) is: UsageLimit,
}

impl Turn {
    /// Whether the same SANs may use a larger share of the quota than before.
    pub(crate) fn may_rise(&self) -> bool {
        self.is.quota < self.was.quota || self.is.multiplier > self.was.multiplier
    }
}

/// The most products of a licence.
pub(crate) const MAX_PRODUCTS: usize = 100;

/// A SAN licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct License {
    pub(crate) id: LicenseId,
    pub(crate) account_id: AccountId,
    pub(crate) progress: LicenseProgress,
    /// 1 to [`MAX_PRODUCTS`].
    pub(crate) products: BTreeSet<ProductId>,
    /// The agreed start. If `None` or in the past at the acceptance, the licence starts then (T-4).
    pub(crate) asked_start: Option<Instant>,
    /// The term that it was drafted with.
    pub(crate) first: LicenseTerm,
    /// The terms bought since, each from the end of the one before it. At most one has not started (SL-9).
    pub(crate) renewals: Vec<LicenseTerm>,
    /// Whether a further term is being charged; its products stay held (SL-20).
    pub(crate) renewing: bool,
    /// The first instant at which the draft can no longer be accepted (SL-7).
    pub(crate) valid_until: Instant,
    /// In the order of their issue; empty until the licence is charged.
    pub(crate) invoices: Vec<InvoiceId>,
    /// When it was withdrawn or cancelled (SL-7).
    pub(crate) cancel_time: Option<Instant>,
    pub(crate) revision: u64,
    pub(crate) create_time: Instant,
    /// Time of the last decision about the licence itself (T-5).
    pub(crate) decision_time: Instant,
}

impl License {
    pub(crate) fn key(&self) -> LicenseKey {
        LicenseKey {
            account_id: self.account_id,
            id: self.id,
        }
    }

    /// The decision time of a request accepted at `clock` (T-5).
    pub(crate) fn decide_at(&self, clock: Instant) -> Instant {
        clock.max(self.decision_time)
    }

    /// Its terms, oldest first.
    pub(crate) fn terms(&self) -> impl DoubleEndedIterator<Item = &LicenseTerm> {
        std::iter::once(&self.first).chain(&self.renewals)
    }

    /// The term that was bought last.
    pub(crate) fn last_term(&self) -> &LicenseTerm {
        self.renewals.last().unwrap_or(&self.first)
    }

    /// The end of its last term.
    pub(crate) fn end(&self) -> Instant {
        self.last_term().term.end()
    }

    /// The term in force at `at`; `None` outside of every charged term and after a cancellation (SL-6, SL-11).
    /// The past never changes (T-6): a term bought late is not in force before its purchase.
    pub(crate) fn term_at(&self, at: Instant) -> Option<&LicenseTerm> {
        let is_over = self.cancel_time.is_some_and(|time| time <= at);
        if self.invoices.is_empty() || is_over {
            return None;
        }
        let term = self.current_term(at);
        term.in_force().contains(at).then_some(term)
    }

    /// The current term at `at`: the one in force, else the last that was, else the first that will be. Its
    /// multiplier weighs usage (SL-6). After a cancellation it stays the term of that time.
    pub(crate) fn current_term(&self, at: Instant) -> &LicenseTerm {
        let at = self.cancel_time.map_or(at, |time| time.min(at));
        let started = |term: &&LicenseTerm| term.in_force().start <= at;
        self.renewals
            .iter()
            .rev()
            .find(started)
            .unwrap_or(&self.first)
    }

    /// As [`License::current_term`], mutable.
    pub(super) fn current_term_mut(&mut self, at: Instant) -> &mut LicenseTerm {
        let started = |term: &&mut LicenseTerm| term.in_force().start <= at;
        let found = self.renewals.iter_mut().rev().find(started);
        found.unwrap_or(&mut self.first)
    }

    /// The term bought for the time after the current one; `None` after a cancellation (SL-7).
    pub(crate) fn next_term(&self, now: Instant) -> Option<&LicenseTerm> {
        let coming = |term: &&LicenseTerm| term.in_force().start > now;
        let found = self.renewals.iter().find(coming);
        found.filter(|_| self.cancel_time.is_none())
    }

    /// The quota in force at `at`; 0 outside of every charged term (SL-17).
    pub(crate) fn quota_at(&self, at: Instant) -> u64 {
        self.term_at(at).map_or(0, |term| term.quota_at(at))
    }

    /// What a wildcard weighs at `at` (SL-3, SL-6).
    pub(crate) fn multiplier_at(&self, at: Instant) -> u32 {
        self.current_term(at).options.wildcard_multiplier
    }

    /// The turns from `from` to `to`, in the order of time: instants at which a term starts or ends (SL-17).
    /// A cancellation is not a turn.
    pub(crate) fn turns(&self, from: Instant, to: Instant) -> Vec<Turn> {
        if self.invoices.is_empty() {
            return Vec::new();
        }
        // A turn at the very instant of the cancellation happened before it.
        let is_standing = |at: &Instant| self.cancel_time.is_none_or(|time| *at <= time);
        let uncancelled = Self {
            cancel_time: None,
            ..self.clone()
        };
        let bounds = self.terms().flat_map(|term| {
            let period = term.in_force();
            [period.start, period.end]
        });
        let bounds: BTreeSet<Instant> = bounds.filter(is_standing).collect();
        let within = bounds.into_iter().filter(|at| (from..=to).contains(at));
        let limits = |at| UsageLimit {
            quota: uncancelled.quota_at(at),
            multiplier: uncancelled.multiplier_at(at),
        };
        let turn = |time: Instant| {
            let before = Instant::from_micros(time.as_micros() - 1)?;
            Some(Turn {
                before,
                time,
                was: limits(before),
                is: limits(time),
            })
        };
        within.filter_map(turn).collect()
    }

    /// The limits of decisions at `at` and later. Invariant: nothing was decided about the licence after `at`,
    /// so that at most one term has not started (SL-9).
    pub(crate) fn limits_as_of(&self, at: Instant) -> LicenseLimits {
        LicenseLimits {
            license_id: self.id,
            account_id: self.account_id,
            progress: self.progress,
            products: self.products.clone(),
            term: self.current_term(at).limits(),
            next: self.next_term(at).map(LicenseTerm::limits),
        }
    }

    /// What a wildcard weighs from the start of each term on (SL-3, SL-6). After a cancellation it stays that
    /// of the current term.
    pub(crate) fn multipliers(&self) -> Multipliers {
        let begins = |term: &&LicenseTerm| {
            let start = term.in_force().start;
            self.cancel_time.is_none_or(|time| start <= time)
        };
        let renewals = self.renewals.iter().filter(begins);
        let terms = std::iter::once(&self.first).chain(renewals);
        Multipliers(
            terms
                .map(|term| (term.in_force().start, term.options.wildcard_multiplier))
                .collect(),
        )
    }

    /// State of the licence at `now`.
    pub(crate) fn state(&self, now: Instant) -> LicenseState {
        state_of(self.progress, self.end(), now)
    }
}
