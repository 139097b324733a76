//! A SAN licence: what it was sold with, where it stands, and what decisions under it depend on.

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
    /// The families of keys that a licence may be sold for (SL-6).
    pub(crate) enum KeyType {
        /// RSA, of any size.
        Rsa = "RSA",
        /// Elliptic curves.
        Ecc = "ECC",
    }
}

worded! {
    /// How far a licence has come; that it has ended is seen from its term.
    pub(crate) enum Progress {
        /// Drafted; the customer may accept it.
        Quoted = "QUOTED",
        /// Accepted; its products are held and its charge is under way (SL-20).
        Accepting = "ACCEPTING",
        /// Charged.
        Active = "ACTIVE",
        /// Ended before its time, without a refund (SL-7).
        Cancelled = "CANCELLED",
    }
}

worded! {
    /// Where a licence stands at an instant.
    pub(crate) enum LicenseState {
        /// Drafted.
        Quoted = "QUOTED",
        /// Accepted, its charge under way.
        Accepting = "ACCEPTING",
        /// Charged, and its term not over.
        Active = "ACTIVE",
        /// Its term is over (SL-11).
        Ended = "ENDED",
        /// Ended before its time.
        Cancelled = "CANCELLED",
    }
}

/// What a licence may be sold with (SL-6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Options {
    pub(crate) wildcards_allowed: bool,
    /// What a wildcard weighs (SL-3).
    pub(crate) wildcard_multiplier: u32,
    pub(crate) key_types: BTreeSet<KeyType>,
    /// Longest validity of a certificate in days of 86 400 s; `None`: no limit *(ours)*.
    pub(crate) longest_validity_days: Option<u32>,
    /// Whether certificates may outlive the licence.
    pub(crate) may_outlive: bool,
    /// Longest term of the licence in months; `None`: no limit.
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

/// What decisions under a licence depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) license_id: LicenseId,
    pub(crate) account_id: AccountId,
    pub(crate) progress: Progress,
    pub(crate) products: BTreeSet<ProductId>,
    pub(crate) quota: u64,
    pub(crate) period: Period,
    pub(crate) options: Options,
}

impl Terms {
    /// The quota of the term that contains `at`; none outside of it (SL-6).
    pub(crate) fn quota_at(&self, at: Instant) -> u64 {
        if self.period.contains(at) {
            self.quota
        } else {
            0
        }
    }

    /// Whether the licence authorises anything at `now` (SL-11).
    pub(crate) fn is_active(&self, now: Instant) -> bool {
        self.progress == Progress::Active && self.period.contains(now)
    }
}

/// What a licence was priced with, pinned when it is drafted (SL-7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sale {
    /// The product whose price the licence has: the dearest of them at its quota (SL-10).
    pub(crate) product_id: ProductId,
    /// Its version, whose policy prorates an increase.
    pub(crate) product_version: u32,
    /// Since when the volume tiers that it is priced by are in force (BL-8).
    pub(crate) price_time: Instant,
    /// The quota that it is sold with.
    pub(crate) quota: u64,
    /// What the term costs for that quota.
    pub(crate) amount: Money,
    /// Price of one SAN for 12 months. An increase pays it, too, unless it is a rounded share of an
    /// amount by hand: then that amount's exact share (SL-8).
    pub(crate) unit_price: Price,
    /// Whether the amount was given in place of the volume tiers.
    pub(crate) by_hand: bool,
}

/// A raise of the quota while the licence runs (SL-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Raise {
    /// From when on it counts.
    pub(crate) time: Instant,
    /// The quota after it.
    pub(crate) quota: u64,
}

/// The term of a licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LicenseTerm {
    /// Only its months count as long as the licence is a draft without `asked_start`.
    pub(crate) term: Term,
    /// The start that was agreed on; `None`, or over at the acceptance: it starts then (T-4).
    pub(crate) asked_start: Option<Instant>,
    pub(crate) sale: Sale,
}

/// A SAN licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct License {
    pub(crate) id: LicenseId,
    pub(crate) account_id: AccountId,
    pub(crate) progress: Progress,
    /// At least one.
    pub(crate) products: BTreeSet<ProductId>,
    /// The quota now, at least 1.
    pub(crate) quota: u64,
    /// How it came to be, oldest first.
    pub(crate) raises: Vec<Raise>,
    pub(crate) options: Options,
    pub(crate) term: LicenseTerm,
    /// From when on the draft can no longer be accepted (SL-7).
    pub(crate) valid_until: Instant,
    /// In the order of their issue.
    pub(crate) invoices: Vec<InvoiceId>,
    pub(crate) revision: u64,
    pub(crate) create_time: Instant,
    /// As of when something was last decided about the licence itself (T-5).
    pub(crate) decision_time: Instant,
}

impl License {
    /// The instant as of which a request of `clock` is decided (T-5).
    pub(crate) fn decide_at(&self, clock: Instant) -> Instant {
        clock.max(self.decision_time)
    }

    /// The quota in force at `at`; none outside of a charged term (SL-17).
    pub(crate) fn quota_at(&self, at: Instant) -> u64 {
        if self.progress != Progress::Active || !self.term.term.period().contains(at) {
            return 0;
        }
        let raise = self.raises.iter().rev().find(|raise| raise.time <= at);
        raise.map_or(self.term.sale.quota, |raise| raise.quota)
    }

    /// What a wildcard weighs from each term's start on (SL-3, SL-6).
    pub(crate) fn multipliers(&self) -> Multipliers {
        Multipliers(vec![(
            self.term.term.start(),
            self.options.wildcard_multiplier,
        )])
    }

    /// Where it stands at `now`.
    pub(crate) fn state(&self, now: Instant) -> LicenseState {
        match self.progress {
            Progress::Quoted => LicenseState::Quoted,
            Progress::Accepting => LicenseState::Accepting,
            Progress::Active if now < self.term.term.end() => LicenseState::Active,
            Progress::Active => LicenseState::Ended,
            Progress::Cancelled => LicenseState::Cancelled,
        }
    }
}
