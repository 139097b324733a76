//! An order with a change of its names, and what that costs in each of its terms.

use std::collections::BTreeSet;

use licet_clients::billing::Quote;
use licet_domain::{clock::Instant, san::San};

use crate::{
    peers::free::free_quote,
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
pub(crate) struct UpdatedDomains {
    pub(crate) view: OrderView,
    /// All names with the change, the common name among them.
    pub(crate) names: BTreeSet<San>,
    pub(crate) common_name: San,
    pub(crate) price: Option<Quote>,
    pub(crate) next_price: Option<Quote>,
}

impl UpdatedDomains {
    /// Of an order that has its change, or has none under way.
    pub(super) fn of(view: OrderView, price: Option<Quote>, next_price: Option<Quote>) -> Self {
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

/// What the change costs in each of the order's terms: what was quoted, and for a term that has no
/// quote why it charges nothing (MD-2, X-4). One that is not sold has no price yet.
pub(super) fn priced(
    order: &Order,
    plan: &DomainPlan,
    now: Instant,
    this: Option<Quote>,
    next: Option<Quote>,
) -> (Option<Quote>, Option<Quote>) {
    let free =
        |term: &OrderTerm, names: &BTreeSet<San>| free_quote(order, term, names, &plan.pin, now);
    let this = this.or_else(|| free(&order.term, &plan.names));
    let next = next.or_else(|| {
        let term = order.next_term.as_ref()?;
        let names = term.names.as_ref().unwrap_or(order.term_names());
        free(term, &changed_names(names, &plan.added, &plan.removed))
    });
    (this, next)
}
