//! What a random history stores of an order besides the oracle's state: ids, quotes and prices.

use licet_contracts::billing::v1::LineKind;
use licet_domain::clock::Instant;
use licet_oracle::orders::{domain_changes::ChangeRequest, order::Order, policy::SlotCharge};

use super::billing_prices::{Item, Pricing};

/// The domains of the histories, all canonical.
pub(super) const DOMAINS: [&str; 8] = [
    "cn.test",
    "a.test",
    "b.test",
    "c.test",
    "d.test",
    "e.test",
    "*.cn.test",
    "*.w.test",
];

/// A quote for a domain change.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) quote_id: String,
    /// The domains and the common name after the change.
    pub(super) goal: String,
    pub(super) revision: i64,
    pub(super) expires: Instant,
    /// The total of each term that is charged.
    pub(super) totals: Vec<(usize, i64)>,
}

/// The change that a quote is bound to, besides the revision (MD-6).
pub(super) fn goal(order: &Order, request: &ChangeRequest) -> String {
    let domains = request.applied_to(&order.term().domains);
    let common_name = request.common_name.unwrap_or(order.common_name);
    format!("{domains:?} {common_name}")
}

#[derive(Clone, Debug)]
pub(super) struct TrackedOrder {
    pub(super) id: String,
    pub(super) model: Order,
    /// In the order of the model's servers.
    pub(super) server_ids: Vec<String>,
    /// In the order of the model's certificates.
    pub(super) certificate_ids: Vec<String>,
    pub(super) offers: Vec<Offer>,
}

/// A term whose items are priced.
#[derive(Clone, Copy)]
pub(super) struct PricedTerm {
    pub(super) anchor: Instant,
    pub(super) first_month: u32,
    pub(super) months: u32,
    pub(super) price_time: Instant,
}

impl PricedTerm {
    pub(super) fn of(order: &Order, place: usize) -> Self {
        let term = &order.terms[place];
        Self {
            anchor: order.anchor,
            first_month: order.first_month(place),
            months: term.months,
            price_time: term.price_time,
        }
    }

    /// The certificate, the slots beyond the included ones and the additional licences.
    pub(super) fn items(self, paid: SlotCharge, licenses: i64) -> Vec<Item> {
        let mut items = vec![self.item(LineKind::Certificate, 1)];
        items.extend(self.slots(paid, None));
        if licenses > 0 {
            items.push(self.item(LineKind::AdditionalLicense, licenses));
        }
        items
    }

    /// Slots for the whole term, or for its rest from a change on (MD-1).
    pub(super) fn slots(
        self,
        (standard, wildcard, converted): SlotCharge,
        change: Option<Instant>,
    ) -> Vec<Item> {
        let all = [
            (LineKind::Domain, standard),
            (LineKind::WildcardDomain, wildcard),
            (LineKind::WildcardDifference, converted),
        ];
        let charged = all.into_iter().filter(|(_, quantity)| *quantity > 0);
        charged
            .map(|(kind, quantity)| Item {
                change,
                ..self.item(kind, quantity)
            })
            .collect()
    }

    fn item(self, kind: LineKind, quantity: i64) -> Item {
        Item {
            kind,
            quantity: i32::try_from(quantity).unwrap(),
            anchor: self.anchor,
            first_month: self.first_month,
            months: self.months.cast_signed(),
            change: None,
            price_time: self.price_time,
            pricing: Pricing::Listed,
        }
    }
}
