//! The permissions and charges of a product, by the policy that a term was sold with (MD-4, MD-9, AL-4).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use licet_domain::{clock::Instant, refusal::Reason};

/// Domains in canonical form.
pub type Domains = BTreeSet<&'static str>;

/// Numbers of standard and wildcard slots, or of such domains.
pub type Slots = (i64, i64);

/// Slots to pay for: standard, wildcard, and those converted from standard to wildcard (MD-4).
pub type SlotCharge = (i64, i64, i64);

/// Nothing to pay.
pub const NO_CHARGE: SlotCharge = (0, 0, 0);

/// The reasons of a refusal, one for each problem of the request.
pub type Reasons = BTreeSet<Reason>;

/// A refusal for one reason.
pub fn because(reason: Reason) -> Reasons {
    [reason].into()
}

/// Accepts unless there are objections.
pub(crate) fn accept_unless(objections: Reasons) -> Result<(), Reasons> {
    match objections.is_empty() {
        true => Ok(()),
        false => Err(objections),
    }
}

/// The instant `by` after another, or before it if negative.
pub(crate) fn shifted(instant: Instant, by: TimeDelta) -> Instant {
    instant.checked_add(by).unwrap()
}

/// The price of a wildcard that takes the place of a standard slot (MD-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WildcardReplacement {
    /// It is free.
    Free,
    /// It costs the difference between a wildcard and a domain.
    Difference,
    /// It costs a whole wildcard.
    FullPrice,
}

/// Billing's decision about the refund of a term (AL-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// Everything invoiced is credited.
    Refunded,
    /// An operator decides.
    PendingReview,
    /// Nothing is credited.
    NotDue,
}

/// The policy of a product, pinned when a term is sold (BL-8).
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Whether it covers the common name only and has no slots to buy.
    pub is_single_domain: bool,
    /// The lengths that are sold, in months.
    pub term_months: Vec<u32>,
    /// Domains included in the certificate's price, the common name among them.
    pub included_domains: i64,
    /// The most domains of an order, the common name among them.
    pub max_domains: i64,
    /// Whether wildcards are sold.
    pub has_wildcards: bool,
    /// The price of a wildcard in a standard slot.
    pub wildcard_replacement: WildcardReplacement,
    /// The most additional licences.
    pub max_licenses: i64,
    /// Whether the validity limits of public TLS apply.
    pub is_public: bool,
    /// Hours until a superseded certificate counts as revoked; `None`: never (MD-7).
    pub superseded_hours: Option<i64>,
    /// Hours that a certificate may outlive its order's term (MD-9).
    pub tolerance_hours: i64,
    /// Days before the end from which an order can be renewed (MD-10).
    pub renewal_open_days: i64,
    /// Days after the end until which an order can be renewed (MD-10).
    pub renewal_grace_days: i64,
    /// Days in which the refund is full (AL-4).
    pub full_refund_days: i64,
    /// Days after which there is no refund; `None`: an operator always decides (AL-4).
    pub no_refund_days: Option<i64>,
    /// Whether refund days count from the purchase.
    pub counts_from_purchase: bool,
}

/// Whether a domain is a wildcard.
pub fn is_wildcard(domain: &str) -> bool {
    domain.starts_with("*.")
}

/// The numbers of standard and wildcard domains.
pub fn count(domains: &Domains) -> Slots {
    let (wildcards, standard): (Vec<&str>, Vec<&str>) =
        domains.iter().partition(|domain| is_wildcard(domain));
    let length = |list: Vec<_>| i64::try_from(list.len()).unwrap();
    (length(standard), length(wildcards))
}

/// The slots owned after a charge.
pub fn owned((s, w): Slots, (standard, wildcard, converted): SlotCharge) -> Slots {
    (s + standard - converted, w + wildcard + converted)
}

/// MD-9: the longest validity of a public certificate that begins at `not_before`.
fn public_limit(not_before: Instant) -> TimeDelta {
    let from = |text: &str| not_before >= text.parse().unwrap();
    TimeDelta::days(if from("2029-03-15T00:00:00Z") {
        47
    } else if from("2027-03-15T00:00:00Z") {
        100
    } else if from("2026-03-15T00:00:00Z") {
        200
    } else {
        398
    })
}

impl Policy {
    /// The slots that the certificate's price includes: standard ones (MD-4).
    pub fn included_slots(&self) -> Slots {
        (self.included_domains, 0)
    }

    /// The slots that a change from `before` to `after` must pay for, given the owned `slots` (MD-4).
    pub fn slots_to_pay(&self, (s, w): Slots, before: &Domains, after: &Domains) -> SlotCharge {
        if self.is_single_domain {
            return NO_CHARGE;
        }
        let (a, b) = count(after);
        let (_, wildcards_added) = count(&(after - before));
        let x = (a + b - s - w).max(0);
        let y = x.min((b - w).max(0)).min(wildcards_added);
        let u = ((b - w).max(0) - y).min(wildcards_added - y);
        match self.wildcard_replacement {
            WildcardReplacement::Free => (x - y, y, 0),
            WildcardReplacement::Difference => (x - y, y, u),
            WildcardReplacement::FullPrice => (x - y, y + u, 0),
        }
    }

    /// MD-9: the longest validity of a certificate that begins at `not_before`; `None`: no limit.
    pub fn validity_limit(&self, not_before: Instant) -> Option<TimeDelta> {
        self.is_public.then(|| public_limit(not_before))
    }

    /// How far a certificate may outlive its order's term (MD-9).
    pub fn tolerance(&self) -> TimeDelta {
        TimeDelta::hours(self.tolerance_hours)
    }

    /// AL-4: the refund decision for a term `[start, end)` whose days count from `counted_since`.
    pub fn refund_state(
        &self,
        (start, end): (Instant, Instant),
        counted_since: Option<Instant>,
        now: Instant,
    ) -> RefundState {
        let within = |since, days| now <= shifted(since, TimeDelta::days(days));
        match counted_since {
            _ if now < start => RefundState::Refunded,
            None if now < end => RefundState::Refunded,
            Some(since) if within(since, self.full_refund_days) => RefundState::Refunded,
            Some(since) if self.no_refund_days.is_none_or(|it| within(since, it)) => {
                RefundState::PendingReview
            }
            None | Some(_) => RefundState::NotDue,
        }
    }
}

/// A term that a customer requests, with a new order or a renewal.
#[derive(Clone, Debug, PartialEq)]
pub struct TermRequest {
    /// The product's present policy.
    pub policy: Policy,
    /// The length in months.
    pub months: u32,
    /// Additional licences (AL-2, AL-9).
    pub licenses: i64,
    /// All domains, the common name among them.
    pub domains: Domains,
    /// The effective time of the prices to buy at (MD-8).
    pub price_time: Instant,
}

impl TermRequest {
    /// The slots to pay for beyond the included ones (AL-2, MD-4); none if a SAN licence covers the domains
    ///
    ///
    /// # Errors
    ///
    /// Every reason why the product is not sold with these choices.
    pub fn slots_to_pay(&self, draws_on_license: bool) -> Result<SlotCharge, Reasons> {
        let policy = &self.policy;
        let mut objections = Reasons::new();
        if !policy.term_months.contains(&self.months) {
            objections.insert(Reason::TermNotSold);
        }
        if self.licenses > policy.max_licenses {
            objections.insert(Reason::TooManyAdditionalLicenses);
        }
        let (standard, wildcards) = count(&self.domains);
        if !policy.has_wildcards && wildcards > 0 {
            objections.insert(Reason::WildcardNotOffered);
        }
        if standard + wildcards > policy.max_domains {
            objections.insert(Reason::TooManyDomains);
        }
        accept_unless(objections)?;
        Ok(match draws_on_license {
            true => NO_CHARGE,
            false => policy.slots_to_pay(policy.included_slots(), &Domains::new(), &self.domains),
        })
    }
}
