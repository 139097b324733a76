//! An order with a change of its names, and what that costs in each of its terms.

use std::collections::BTreeSet;

use licet_clients::billing::Quote;
use licet_domain::{clock::Instant, san::San};

use crate::{
    queries::order_view::OrderView,
    rules::{
        domains::DomainPlan,
        name_sets::changed_names,
        order::{Order, OrderTerm},
    },
};

/// An order that has its change, or would have it, with the price in each of its terms where that is
/// known.
#[derive(Debug)]
pub(crate) struct Updated {
    pub(crate) view: OrderView,
    /// All names with the change, the common name among them.
    pub(crate) names: BTreeSet<San>,
    pub(crate) common_name: San,
    pub(crate) price: Option<TermPrice>,
    pub(crate) next_price: Option<TermPrice>,
}

/// What the change costs in a term.
#[derive(Debug)]
pub(crate) enum TermPrice {
    Charged(Quote),
    /// Nothing: the slots already paid for cover it (MD-2), or a SAN licence does.
    Free {
        term: OrderTerm,
        names: BTreeSet<San>,
        pin: String,
        now: Instant,
    },
}

impl Updated {
    /// Of an order that has its change, or has none under way.
    pub(super) fn of(
        view: OrderView,
        price: Option<TermPrice>,
        next_price: Option<TermPrice>,
    ) -> Self {
        let order = &view.order;
        let change = order.change.as_ref();
        let names = change.map_or(order.term_names(), |change| &change.names);
        Self {
            names: names.clone(),
            common_name: order.common_name_after().clone(),
            price,
            next_price,
            view,
        }
    }
}

/// What the change costs in each of the order's terms, where that was quoted; a term that has no quote
/// charges nothing.
pub(super) fn priced(
    order: &Order,
    plan: &DomainPlan,
    now: Instant,
    this: Option<Quote>,
    next: Option<Quote>,
) -> (TermPrice, Option<TermPrice>) {
    let free = |term: &OrderTerm, names: BTreeSet<San>| TermPrice::Free {
        term: term.clone(),
        names,
        pin: plan.pin.clone(),
        now,
    };
    let this = match this {
        Some(quote) => TermPrice::Charged(quote),
        None => free(&order.term, plan.names.clone()),
    };
    let next = order.next_term.as_ref().and_then(|term| match next {
        Some(quote) => Some(TermPrice::Charged(quote)),
        // One that is not sold has no price yet.
        None if term.sold.is_none() => None,
        None => {
            let names = term.names.as_ref().unwrap_or(order.term_names());
            Some(free(term, changed_names(names, &plan.added, &plan.removed)))
        }
    });
    (this, next)
}
