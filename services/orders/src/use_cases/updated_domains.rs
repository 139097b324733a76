//! An order with a domain change, and what the change costs in each of its terms.

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

/// An order with its accepted or previewed change, and the price in each term where it is known.
#[derive(Debug)]
pub(crate) struct UpdatedDomains {
    pub(crate) view: OrderView,
    /// All domains with the change, including the common name.
    pub(crate) names: BTreeSet<San>,
    pub(crate) common_name: San,
    pub(crate) price: Option<Quote>,
    pub(crate) next_price: Option<Quote>,
}

impl UpdatedDomains {
    /// For an order whose change, if any, is stored.
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

/// The price in each of the order's terms: the quote, or for a term without one why it costs
/// nothing (MD-2, X-4). A term that is not sold yet has no price.
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
