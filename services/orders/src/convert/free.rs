//! Why something of an order is not charged, in the form of a quote's lines (BL-7): an answer that
//! shows an amount explains the names that it has nothing for, too.

use std::collections::BTreeSet;

use licet_clients::billing::Quote;
use licet_contracts::billing::v1 as billing;
use licet_domain::{clock::Instant, ids::LicenseId, money::Money, san::San};
use licet_runtime::wire::{encode_count, encode_money, encode_time};

use crate::{
    peers::billing::subject,
    rules::{
        order::{Order, OrderTerm, Sold},
        slots::Slots,
    },
};

/// The answer to a change that costs nothing in one of the order's terms: the slots already paid for cover it (MD-2), or its
/// names are drawn from a SAN licence. Billing is not asked, so it has no id; its one line
/// says why nothing is charged.
pub(crate) fn free_quote(
    order: &Order,
    term: &OrderTerm,
    sold: &Sold,
    names: &BTreeSet<San>,
    pin: &str,
    now: Instant,
) -> Quote {
    let line = match order.san_license_id {
        Some(license_id) => drawn_line(license_id, sold, names),
        None => paid_line(sold, names),
    };
    Quote::from(billing::Quote {
        account_id: order.account_id.to_string(),
        pin: pin.to_owned(),
        subject: Some(subject(order.id, term).encode()),
        lines: vec![line],
        total: Some(encode_money(Money::zero(sold.currency))),
        decision_time: Some(encode_time(now)),
        ..billing::Quote::default()
    })
}

/// The quote that a term was sold with for some names, and for an order that draws on a SAN licence a
/// last line that says why they are not charged. That line is not Billing's, and on no invoice.
pub(crate) fn explained(
    quote: Quote,
    order: &Order,
    sold: Option<&Sold>,
    names: &BTreeSet<San>,
) -> Quote {
    let (Some(license_id), Some(sold)) = (order.san_license_id, sold) else {
        return quote;
    };
    let mut message = quote.into_message();
    let number = encode_count(message.lines.len() + 1);
    let line = drawn_line(license_id, sold, names);
    message.lines.push(billing::Line { number, ..line });
    Quote::from(message)
}

fn paid_line(sold: &Sold, names: &BTreeSet<San>) -> billing::Line {
    let wanted = Slots::of(names);
    let zero = encode_money(Money::zero(sold.currency));
    let explanation = format!(
        "{} names, {} of them wildcards, where {} standard and {} wildcard slots are paid \
         for: {} {}",
        wanted.total(),
        wanted.wildcard,
        sold.slots.standard,
        sold.slots.wildcard,
        zero.value,
        zero.currency_code
    );
    free_line(
        sold,
        "MD-2",
        "Names within the slots already paid for",
        explanation,
    )
}

fn drawn_line(license_id: LicenseId, sold: &Sold, names: &BTreeSet<San>) -> billing::Line {
    let wanted = Slots::of(names);
    let zero = encode_money(Money::zero(sold.currency));
    let explanation = format!(
        "{} names, {} of them wildcards, drawn from SAN licence {license_id}: no slot is charged, \
         {} {}",
        wanted.total(),
        wanted.wildcard,
        zero.value,
        zero.currency_code
    );
    free_line(sold, "X-4", "Names drawn from a SAN licence", explanation)
}

fn free_line(sold: &Sold, rule_id: &str, text: &str, explanation: String) -> billing::Line {
    billing::Line {
        number: 1,
        kind: billing::LineKind::Domain.into(),
        description: text.to_owned(),
        product_id: sold.product.id.to_string(),
        product_version: encode_count(sold.product.version),
        quantity: 0,
        amount: Some(encode_money(Money::zero(sold.currency))),
        rule_id: rule_id.to_owned(),
        explanation,
        ..billing::Line::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::samples::order;

    #[test]
    fn x_4_drawn_names_are_explained_after_what_is_charged() {
        let mut order = order(&["example.com", "*.example.com"]);
        let sold = order.sold().unwrap().clone();
        let charged = Quote::from(billing::Quote {
            lines: vec![billing::Line {
                number: 1,
                ..billing::Line::default()
            }],
            ..billing::Quote::default()
        });
        let shown = explained(charged.clone(), &order, Some(&sold), &order.names);
        assert_eq!(shown, charged);

        let license_id = LicenseId::generate();
        order.san_license_id = Some(license_id);
        let quote = explained(charged, &order, Some(&sold), &order.names).into_message();
        let line = quote.lines.last().unwrap();
        assert_eq!(
            (quote.lines.len(), line.number, line.rule_id.as_str()),
            (2, 2, "X-4")
        );
        assert_eq!(
            line.explanation,
            format!(
                "2 names, 1 of them wildcards, drawn from SAN licence {license_id}: no slot is \
                 charged, 0.00 USD"
            )
        );
    }
}
