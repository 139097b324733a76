//! What can be priced: the vocabulary of quotes, price lists and volume tiers.

use licet_domain::{
    clock::Instant,
    ids::ProductId,
    money::{Money, Price},
    term::Term,
    worded,
};
use serde::{Deserialize, Serialize};

worded! {
    /// What is sold.
    pub(crate) enum ItemKind {
        /// The certificate with the domains that it includes.
        Certificate = "CERTIFICATE",
        /// A further standard domain.
        Domain = "DOMAIN",
        /// A further wildcard domain (MD-4).
        WildcardDomain = "WILDCARD_DOMAIN",
        /// A wildcard domain that takes a standard slot, for the difference of the prices (MD-4).
        WildcardDifference = "WILDCARD_DIFFERENCE",
        /// The licence for one further server (AL-1).
        AdditionalLicense = "ADDITIONAL_LICENSE",
        /// A SAN of a licence's quota, priced for 12 months (SL-7).
        SanQuota = "SAN_QUOTA",
        /// A SAN added to the quota of a running licence, priced for 12 months (SL-8).
        SanQuotaIncrease = "SAN_QUOTA_INCREASE",
    }
}

/// Where the price of an item comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pricing {
    /// The list in force at the item's price time.
    Listed,
    /// In the request: the licence's own price of one SAN for 12 months (SL-8).
    UnitPrice(Price),
    /// In the request: what the whole licence was sold for by hand (SL-8).
    Share(HandPrice),
    /// In the request: the price of the whole item for its whole term, agreed by hand (SL-7).
    Amount(Money),
}

/// What a whole term of a licence was sold for by hand. Increases are computed from it: its price
/// per SAN may need more than the 6 decimals of a price (SL-8, M-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HandPrice {
    /// For the whole quota and the whole term.
    pub(crate) amount: Money,
    /// The quota, at least 1.
    pub(crate) quantity: u32,
}

/// The two prices, each for the whole term, of a wildcard that takes a standard slot (MD-4, BL-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PriceDifference {
    /// Of a wildcard domain.
    pub(crate) wildcard: Price,
    /// Of a domain.
    pub(crate) domain: Price,
}

impl PriceDifference {
    /// The wildcard's price minus the domain's; `None` if that is negative or the currencies
    /// differ.
    pub(crate) fn unit_price(&self) -> Option<Price> {
        let micros = self.wildcard.micros().checked_sub(self.domain.micros())?;
        let price = Price::from_micros(self.wildcard.currency(), micros).ok();
        price.filter(|_| self.wildcard.currency() == self.domain.currency())
    }
}

/// One item of a quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// What it is.
    pub(crate) kind: ItemKind,
    /// How many, at least 1.
    pub(crate) quantity: u32,
    /// The product it belongs to.
    pub(crate) product_id: ProductId,
    /// The version that it is sold with; `None`: the one in force at `price_time`.
    pub(crate) product_version: Option<u32>,
    /// The instant whose prices apply (MD-8).
    pub(crate) price_time: Instant,
    /// The term that it is bought for.
    pub(crate) term: Term,
    /// The charge covers the term from this instant on; `None`: the whole term.
    pub(crate) change_time: Option<Instant>,
    /// Where its price comes from.
    pub(crate) pricing: Pricing,
}

/// Whether the unit price is for 12 months rather than for the term (SL-7).
pub(super) fn is_priced_yearly(kind: ItemKind) -> bool {
    match kind {
        ItemKind::SanQuota | ItemKind::SanQuotaIncrease => true,
        ItemKind::Certificate
        | ItemKind::Domain
        | ItemKind::WildcardDomain
        | ItemKind::WildcardDifference
        | ItemKind::AdditionalLicense => false,
    }
}
