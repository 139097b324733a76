//! A product version as far as orders depend on it (BL-8).

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
        /// Its purchase, even if nothing is issued.
        Purchase = "PURCHASE",
    }
}

/// The kind of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ProductKind {
    /// A certificate for its common name and the domains included in its price.
    SingleDomain,
    /// A certificate whose further domains are sold by the slot.
    MultiDomain,
    /// A SAN licence, which SanLicensing sells.
    SanLicense,
}

/// What happens to a certificate that a newer one replaces (MD-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SupersededHandling {
    /// It counts as revoked this many hours after the replacement is recorded, or its notBefore if
    /// that is later.
    RevokedAfterHours(u32),
    /// It is valid until it expires.
    NeverRevoked,
}

/// What of a product version decides about an order. A term stores what it was sold with, so that a
/// later version never changes what was bought (BL-8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) id: ProductId,
    pub(crate) version: u32,
    pub(crate) kind: ProductKind,
    /// The terms that are sold, in months.
    pub(crate) terms_months: Vec<u32>,
    /// The domains that the certificate's price covers, including the common name.
    pub(crate) included_domains: u32,
    /// The most domains of an order, including the common name.
    pub(crate) max_domains: u32,
    pub(crate) wildcards_offered: bool,
    pub(crate) max_additional_licenses: u32,
    pub(crate) superseded: SupersededHandling,
    /// How long a certificate may outlive the order's term, in hours (MD-9).
    pub(crate) tolerance_hours: u32,
    /// Whether the validity limits of public TLS apply to its certificates (MD-9).
    pub(crate) publicly_trusted: bool,
    /// How many days before its end an order may be renewed (MD-10).
    #[serde(default = "default_renewal_open_days")]
    pub(crate) renewal_open_days: u32,
    /// How many days after its end an order may still be renewed (MD-10).
    #[serde(default = "default_renewal_grace_days")]
    pub(crate) renewal_grace_days: u32,
    /// What a wildcard costs that takes a standard slot (MD-4).
    #[serde(default = "before_replacements_were_priced")]
    pub(crate) wildcard_replacement: WildcardReplacement,
    /// What the days of a term's refund count from (AL-4).
    #[serde(default)]
    pub(crate) refund_count: RefundCount,
    /// Days after which nothing is refunded (AL-4); absent if it was sold before this was stored.
    #[serde(default)]
    pub(crate) no_refund_days: Option<u32>,
}

/// The window of MD-10 for terms sold before it was stored.
fn default_renewal_open_days() -> u32 {
    90
}

fn default_renewal_grace_days() -> u32 {
    30
}

/// The policy of MD-4 for terms sold before there was one.
fn before_replacements_were_priced() -> WildcardReplacement {
    WildcardReplacement::Free
}

impl Product {
    /// The slots to charge to an order that owns `owned`, by this version's policy (MD-4). A
    /// single-domain product sells no slots: its price covers its domain, even a wildcard *(ours)*.
    pub(crate) fn charge(&self, owned: Slots, wanted: Slots, wildcards_added: u32) -> SlotCharge {
        match self.kind {
            ProductKind::SingleDomain | ProductKind::SanLicense => SlotCharge::default(),
            ProductKind::MultiDomain => {
                slots_to_charge(self.wildcard_replacement, owned, wanted, wildcards_added)
            }
        }
    }

    /// The most domains of an order of this product. A single-domain product sells none beyond
    /// those included.
    pub(crate) fn name_limit(&self) -> u32 {
        match self.kind {
            ProductKind::SingleDomain | ProductKind::SanLicense => self.included_domains.max(1),
            ProductKind::MultiDomain => self.max_domains,
        }
    }

    /// The slots in the product's price, which are standard slots (MD-4).
    pub(crate) fn included_slots(&self) -> Slots {
        Slots {
            standard: self.included_domains.max(1),
            wildcard: 0,
        }
    }
}
