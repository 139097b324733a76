//! Explains what an order is not charged for (BL-7): domains within its paid slots (MD-2), and
//! domains that count in a SAN licence. Billing is not asked, so that a free change works
//! while Billing is down.

use std::collections::BTreeSet;

use licet_clients::billing::{FreeDomains, Quote, WhyFree};
use licet_domain::{clock::Instant, san::San};

use super::billing::subject;
use crate::rules::{
    order::{Order, OrderTerm, SoldProduct},
    slots::Slots,
};

/// The quote for domains that cost nothing in a term. `None` for a term that is not sold: it has no
/// price yet.
pub(crate) fn free_quote(
    order: &Order,
    term: &OrderTerm,
    names: &BTreeSet<San>,
    pin: &str,
    now: Instant,
) -> Option<Quote> {
    let sold = term.sold.as_ref()?;
    let why = match order.san_license_id {
        Some(license_id) => WhyFree::DrawnFrom(license_id),
        None => WhyFree::SlotsPaid {
            standard: sold.slots.standard,
            wildcard: sold.slots.wildcard,
        },
    };
    let subject = subject(order.id, term);
    let free = free_names(sold, names, why);
    Some(Quote::free(order.account_id, &subject, pin, &free, now))
}

/// The quote that a term was sold with; for an order that draws on a SAN licence with a last line
/// that says why its domains are not charged.
pub(crate) fn with_free_domains(
    quote: Quote,
    order: &Order,
    sold: Option<&SoldProduct>,
    names: &BTreeSet<San>,
) -> Quote {
    match (order.san_license_id, sold) {
        (Some(license_id), Some(sold)) => {
            quote.with_free(&free_names(sold, names, WhyFree::DrawnFrom(license_id)))
        }
        (None, _) | (_, None) => quote,
    }
}

fn free_names(sold: &SoldProduct, names: &BTreeSet<San>, why: WhyFree) -> FreeDomains {
    let slots = Slots::of(names);
    FreeDomains {
        product_id: sold.product.id.clone(),
        product_version: sold.product.version,
        currency: sold.currency,
        domains: slots.total(),
        wildcards: slots.wildcard,
        why,
    }
}

#[cfg(test)]
mod tests {
    use licet_domain::ids::LicenseId;

    use super::*;
    use crate::rules::samples::order;

    #[test]
    fn x_4_only_names_drawn_from_a_license_are_explained_beside_what_is_charged() {
        let mut order = order(&["example.com", "*.example.com"]);
        let sold = order.sold().unwrap().clone();
        let names = order.names.clone();
        let charged = Quote::default();
        let shown = with_free_domains(charged.clone(), &order, Some(&sold), &names);
        assert_eq!(shown, charged);
        order.san_license_id = Some(LicenseId::generate());
        let shown = with_free_domains(charged.clone(), &order, Some(&sold), &names);
        assert_eq!(shown.message().lines.len(), 1);
        assert_eq!(
            with_free_domains(charged.clone(), &order, None, &names),
            charged
        );
    }
}
