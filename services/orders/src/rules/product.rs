//! A product as far as orders care: the facts of a version that later decisions are made with (BL-8).

use licet_domain::{ids::ProductId, worded};
use serde::{Deserialize, Serialize};

use super::slots::{SlotCharge, Slots, WildcardReplacement, slots_to_charge};

worded! {
    /// What the days of a refund count from, by the policy that a term was sold with.
    #[derive(Default)]
    pub(crate) enum RefundCount {
        /// The first use of the term.
        #[default]
        FirstIssuance = "FIRST_ISSUANCE",
        /// Its purchase, whether or not anything is issued.
        Purchase = "PURCHASE",
    }
}

/// What kind of thing a product is, as far as orders care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ProductKind {
    /// A certificate for its common name, and for the names included in it.
    SingleDomain,
    /// A certificate whose further names are sold by the slot.
    MultiDomain,
    /// A quota of names, bought and used in a service of its own.
    SanLicense,
}

/// What becomes of the certificate that a newer one replaces (MD-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SupersededHandling {
    /// It counts as revoked this many hours after its replacement was recorded.
    RevokedAfterHours(u32),
    /// It stands until it expires.
    NeverRevoked,
}

/// The facts of a product version that decide about an order. A term keeps those that it was sold
/// with, so that a later version of the product never changes what was bought (BL-8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) id: ProductId,
    pub(crate) version: u32,
    pub(crate) kind: ProductKind,
    /// Lengths in months for which the product is sold.
    pub(crate) terms_months: Vec<u32>,
    /// Names that the certificate's own price covers, the common name among them.
    pub(crate) included_domains: u32,
    /// Most names an order may have, the common name among them.
    pub(crate) max_domains: u32,
    pub(crate) wildcards_offered: bool,
    pub(crate) max_additional_licenses: u32,
    pub(crate) superseded: SupersededHandling,
    /// How far a certificate may outlive the order's term, in hours (MD-9).
    pub(crate) tolerance_hours: u32,
    /// Whether the validity limits of public TLS apply to its certificates (MD-9).
    pub(crate) publicly_trusted: bool,
    /// Days before its end from which on an order may be renewed (MD-10).
    #[serde(default = "default_renewal_open_days")]
    pub(crate) renewal_open_days: u32,
    /// Days after its end until which an order may be renewed (MD-10).
    #[serde(default = "default_renewal_grace_days")]
    pub(crate) renewal_grace_days: u32,
    /// What a wildcard costs that takes the place of a standard slot (MD-4).
    #[serde(default = "before_replacements_were_priced")]
    pub(crate) wildcard_replacement: WildcardReplacement,
    /// What the days of a term's refund count from (AL-4).
    #[serde(default)]
    pub(crate) refund_count: RefundCount,
    /// Days after which nothing is refunded (AL-4); absent for what was sold before it was kept.
    #[serde(default)]
    pub(crate) no_refund_days: Option<u32>,
}

/// The window of MD-10 for what was sold before it was kept with the sale.
fn default_renewal_open_days() -> u32 {
    90
}

fn default_renewal_grace_days() -> u32 {
    30
}

/// The policy of MD-4 for what was sold before there was one.
fn before_replacements_were_priced() -> WildcardReplacement {
    WildcardReplacement::Free
}

impl Product {
    /// What `wanted` names charge an order that owns these slots, by this version's policy (MD-4). A
    /// single-domain product sells no slots: its own price covers its name, a wildcard, too *(ours)*.
    pub(crate) fn charge(&self, owned: Slots, wanted: Slots, wildcards_added: u32) -> SlotCharge {
        match self.kind {
            ProductKind::SingleDomain | ProductKind::SanLicense => SlotCharge::default(),
            ProductKind::MultiDomain => {
                slots_to_charge(self.wildcard_replacement, owned, wanted, wildcards_added)
            }
        }
    }

    /// Most names an order of this product may have. A single-domain product takes what it
    /// includes and sells no further name, so its common name is all unless it includes more.
    pub(crate) fn name_limit(&self) -> u32 {
        match self.kind {
            ProductKind::SingleDomain | ProductKind::SanLicense => self.included_domains.max(1),
            ProductKind::MultiDomain => self.max_domains,
        }
    }

    /// What an order owns before it pays for a single slot: the included ones are standard (MD-4).
    pub(crate) fn included_slots(&self) -> Slots {
        Slots {
            standard: self.included_domains.max(1),
            wildcard: 0,
        }
    }
}
