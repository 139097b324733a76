//! What is asked to be priced: the vocabulary of quotes, price lists and volume tiers.

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
        /// The certificate with what it includes.
        Certificate = "CERTIFICATE",
        /// A further standard domain.
        Domain = "DOMAIN",
        /// A further wildcard domain (MD-4).
        WildcardDomain = "WILDCARD_DOMAIN",
        /// A wildcard domain in the place of a standard slot, for what it costs more (MD-4).
        WildcardDifference = "WILDCARD_DIFFERENCE",
        /// The licence for one further server (AL-1).
        AdditionalLicense = "ADDITIONAL_LICENSE",
        /// A SAN of a licence's quota, priced for 12 months (SL-7).
        SanQuota = "SAN_QUOTA",
        /// A SAN by which a running licence's quota is raised, priced likewise (SL-8).
        SanQuotaIncrease = "SAN_QUOTA_INCREASE",
    }
}

/// Where the price of an item comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pricing {
    /// The list in force at the item's price time.
    Listed,
    /// The request: one SAN for 12 months, which is the licence's own price (SL-8).
    UnitPrice(Price),
    /// The request: the own price of a licence that was sold by hand (SL-8).
    Share(HandPrice),
    /// The request: all of the item for its whole term, agreed by hand (SL-7).
    Amount(Money),
}

/// What a whole term of a licence was sold for by hand: its own price, which need not be a price of 6
/// decimals for each SAN (SL-8, M-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HandPrice {
    /// All of the quota for the whole term.
    pub(crate) amount: Money,
    /// That quota, at least 1.
    pub(crate) quantity: u32,
}

/// The two prices, each for the whole term, that a wildcard in a standard slot's place is priced by
/// (MD-4, BL-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PriceDifference {
    /// Of a wildcard domain.
    pub(crate) wildcard: Price,
    /// Of a domain.
    pub(crate) domain: Price,
}

impl PriceDifference {
    /// The one less the other; `None`: that is no price.
    pub(crate) fn unit_price(&self) -> Option<Price> {
        let micros = self.wildcard.micros().checked_sub(self.domain.micros())?;
        let price = Price::from_micros(self.wildcard.currency(), micros).ok();
        price.filter(|_| self.wildcard.currency() == self.domain.currency())
    }
}

/// One thing asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// What it is.
    pub(crate) kind: ItemKind,
    /// How many, at least 1.
    pub(crate) quantity: u32,
    /// The product it belongs to.
    pub(crate) product_id: ProductId,
    /// The version that it is or was sold with; `None`: the one in force at `price_time`.
    pub(crate) product_version: Option<u32>,
    /// The instant whose prices apply (MD-8).
    pub(crate) price_time: Instant,
    /// The term that it is bought for.
    pub(crate) term: Term,
    /// `None`: the whole term. Otherwise the rest of it from this instant on.
    pub(crate) change_time: Option<Instant>,
    /// Where its price comes from.
    pub(crate) pricing: Pricing,
}

/// Whether a unit price is for 12 months, not for the term (SL-7).
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
