//! Items of a quote: messages to values. What an item leaves out follows from the quote's decision
//! time.

use licet_contracts::{billing::v1 as billing, types::v1 as types};
use licet_domain::{clock::Instant, term::Term};
use licet_runtime::{
    caller::Call,
    field::{Field, Fields},
    wire::{decode_money, decode_price, decode_time},
};

use super::line::decode_kind;
use crate::rules::{
    item::{HandPrice, Item, ItemKind, Pricing},
    volume,
};

const MAX_ITEMS: usize = 100;
const MAX_QUANTITY: u32 = 1_000_000;

/// Who may give a price.
const PRICING_ROLES: [types::Role; 3] = [
    types::Role::Operator,
    types::Role::Sales,
    types::Role::Service,
];

/// Decodes the items of a quote, at least one.
pub(crate) fn decode_items(
    fields: &mut Fields,
    call: &Call,
    messages: &[billing::QuoteItem],
    decision: Instant,
) -> Field<Vec<Item>> {
    if messages.is_empty() || messages.len() > MAX_ITEMS {
        return Err(fields.note("items", format!("must have 1 to {MAX_ITEMS} entries")));
    }
    let items: Vec<Field<Item>> = (0..)
        .zip(messages)
        .map(|(index, message)| decode_item(fields, call, index, message, decision))
        .collect();
    items.into_iter().collect()
}

fn decode_item(
    fields: &mut Fields,
    call: &Call,
    index: usize,
    message: &billing::QuoteItem,
    decision: Instant,
) -> Field<Item> {
    let path = |name: &str| format!("items[{index}].{name}");
    let kind = decode_kind(message.kind).ok_or_else(|| {
        fields.note(
            path("kind"),
            "must be a LineKind other than LINE_KIND_UNSPECIFIED",
        )
    });
    let product_id = fields.required(&path("product_id"), &message.product_id);
    let product_version = match u32::try_from(message.product_version) {
        Ok(0) => Ok(None),
        Ok(version) => Ok(Some(version)),
        Err(_) => Err(fields.note(path("product_version"), "must not be negative")),
    };
    let quantity = decode_quantity(fields, index, message, kind.ok());
    let term = decode_term(fields, index, message, decision);
    let change_time = fields.optional_message(
        &path("change_time"),
        message.change_time.as_ref(),
        decode_time,
    );
    let price_time = fields.optional_message(
        &path("price_time"),
        message.price_time.as_ref(),
        decode_time,
    );
    if let Ok(Some(price_time)) = price_time {
        // Future prices may still change (BL-8).
        fields.check(
            &path("price_time"),
            price_time <= decision,
            "must not be after the decision time",
        );
    }
    let may_price = call.caller.has_any(&PRICING_ROLES);
    let pricing = decode_pricing(fields, may_price, index, message, kind.ok());
    Ok(Item {
        kind: kind?,
        quantity: quantity?,
        product_id: product_id?,
        product_version: product_version?,
        price_time: price_time?.unwrap_or(decision),
        term: term?,
        change_time: change_time?,
        pricing: pricing?,
    })
}

/// The number of units; of SANs as many as a quota may have (SL-7).
fn decode_quantity(
    fields: &mut Fields,
    index: usize,
    message: &billing::QuoteItem,
    kind: Option<ItemKind>,
) -> Field<u32> {
    let most = match kind {
        Some(ItemKind::SanQuota | ItemKind::SanQuotaIncrease) => volume::MAX_QUANTITY,
        None
        | Some(
            ItemKind::Certificate
            | ItemKind::Domain
            | ItemKind::WildcardDomain
            | ItemKind::WildcardDifference
            | ItemKind::AdditionalLicense,
        ) => MAX_QUANTITY,
    };
    u32::try_from(message.quantity)
        .ok()
        .filter(|quantity| (1..=most).contains(quantity))
        .ok_or_else(|| {
            fields.note(
                format!("items[{index}].quantity"),
                format!("must be 1 to {most}"),
            )
        })
}

/// Where the item's price comes from. For an increase, a caller that `may_price` gives the
/// licence's own price, per SAN or for all that were sold by hand (SL-8); it may also give the
/// amount of a whole term agreed by hand (SL-7). Everything else is listed.
fn decode_pricing(
    fields: &mut Fields,
    may_price: bool,
    index: usize,
    message: &billing::QuoteItem,
    kind: Option<ItemKind>,
) -> Field<Pricing> {
    let (unit_path, hand_path) = (
        format!("items[{index}].unit_price"),
        format!("items[{index}].hand_amount"),
    );
    let unit_price = fields.optional_message(&unit_path, message.unit_price.as_ref(), decode_price);
    let hand_amount =
        fields.optional_message(&hand_path, message.hand_amount.as_ref(), decode_money);
    for (path, given) in [
        (&unit_path, message.unit_price.is_some()),
        (&hand_path, message.hand_amount.is_some()),
    ] {
        fields.check(
            path,
            may_price || !given,
            "may be given by OPERATOR, SALES and SERVICE only",
        );
    }
    // A kind that did not decode forbids nothing.
    let is_increase = kind.is_none_or(|kind| kind == ItemKind::SanQuotaIncrease);
    let is_whole_quota =
        kind.is_none_or(|kind| kind == ItemKind::SanQuota && message.change_time.is_none());
    fields.check(
        &unit_path,
        is_increase || message.unit_price.is_none(),
        "may be given for a SAN_QUOTA_INCREASE only",
    );
    fields.check(
        &hand_path,
        is_whole_quota || is_increase || message.hand_amount.is_none(),
        "may be given only for a SAN_QUOTA_INCREASE, or for a SAN_QUOTA without change_time",
    );
    let hand_quantity = decode_hand_quantity(fields, index, message, kind);
    match (unit_price?, hand_amount?) {
        (None, None) if kind == Some(ItemKind::SanQuotaIncrease) => Err(fields.note(
            unit_path,
            "is required for a SAN_QUOTA_INCREASE without hand_amount",
        )),
        (None, None) => Ok(Pricing::Listed),
        (Some(_), Some(_)) => {
            Err(fields.note(hand_path, "must not be given together with unit_price"))
        }
        (Some(price), None) => Ok(Pricing::UnitPrice(price)),
        (None, Some(amount)) if amount.minor() < 0 => {
            Err(fields.note(format!("{hand_path}.value"), "must not be negative"))
        }
        (None, Some(amount)) => Ok(match hand_quantity? {
            0 => Pricing::Amount(amount),
            quantity => Pricing::Share(HandPrice { amount, quantity }),
        }),
    }
}

/// How many SANs the amount by hand is for; 0: it is the amount of the item itself.
fn decode_hand_quantity(
    fields: &mut Fields,
    index: usize,
    message: &billing::QuoteItem,
    kind: Option<ItemKind>,
) -> Field<u32> {
    let path = format!("items[{index}].hand_quantity");
    let is_share = match kind {
        None => return Ok(0),
        Some(kind) => kind == ItemKind::SanQuotaIncrease && message.hand_amount.is_some(),
    };
    match (is_share, u32::try_from(message.hand_quantity)) {
        (false, Ok(0)) => Ok(0),
        (true, Ok(quantity @ 1..=volume::MAX_QUANTITY)) => Ok(quantity),
        (true, Ok(_) | Err(_)) => {
            Err(fields.note(path, format!("must be 1 to {}", volume::MAX_QUANTITY)))
        }
        (false, Ok(_) | Err(_)) => {
            let why = "must be 0 unless a SAN_QUOTA_INCREASE has a hand_amount";
            Err(fields.note(path, why))
        }
    }
}

/// The term that the item names, or a new one from the decision time on (T-4).
fn decode_term(
    fields: &mut Fields,
    index: usize,
    message: &billing::QuoteItem,
    decision: Instant,
) -> Field<Term> {
    let path = |name: &str| format!("items[{index}].{name}");
    let out_of_range = "must be at least 1, and end within the supported date range";
    match (&message.term, message.term_months) {
        (None, 0) => Err(fields.note(path("term_months"), "is required unless term is given")),
        (None, months) => u32::try_from(months)
            .ok()
            .and_then(|months| Term::first(decision, months))
            .ok_or_else(|| fields.note(path("term_months"), out_of_range)),
        (Some(term), 0) => {
            let anchor_path = path("term.anchor_time");
            let anchor = fields.message(&anchor_path, term.anchor_time.as_ref(), decode_time);
            let first_month = fields.count(&path("term.first_month"), term.first_month);
            let months = match u32::try_from(term.months) {
                Ok(months @ 1..) => Ok(months),
                Ok(0) | Err(_) => Err(fields.note(path("term.months"), out_of_range)),
            };
            let (anchor, first_month, months) = (anchor?, first_month?, months?);
            Term::new(anchor, first_month, months)
                .ok_or_else(|| fields.note(path("term.months"), out_of_range))
        }
        (Some(_), _) => Err(fields.note(path("term_months"), "must be 0 when term is given")),
    }
}

#[cfg(test)]
mod tests {
    use licet_runtime::{fault::Fault, wire::encode_time};

    use super::*;

    #[test]
    fn every_problem_of_a_term_is_reported_at_once() {
        let item = billing::QuoteItem {
            term: Some(billing::TermRef {
                anchor_time: None,
                first_month: -1,
                months: 0,
            }),
            ..billing::QuoteItem::default()
        };
        let mut fields = Fields::new();
        let decision = "2026-02-01T00:00:00Z".parse().unwrap();
        let term = decode_term(&mut fields, 2, &item, decision);
        let Fault::Invalid(violations) = fields.build(|| term).unwrap_err() else {
            panic!("the term was not refused as invalid");
        };
        let paths: Vec<_> = violations.noted.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(
            paths,
            [
                "items[2].term.anchor_time",
                "items[2].term.first_month",
                "items[2].term.months",
            ]
        );
    }

    fn money(value: &str) -> Option<types::Money> {
        Some(types::Money {
            currency_code: "USD".to_owned(),
            value: value.to_owned(),
        })
    }

    fn unit_price() -> Option<types::Price> {
        Some(types::Price {
            currency_code: "USD".to_owned(),
            value: "0.35".to_owned(),
        })
    }

    /// SL-7, SL-8: which prices may come with which kind, and from whom.
    #[test]
    fn prices_that_come_with_an_item() {
        let plain = billing::QuoteItem::default();
        let by_hand = |value| billing::QuoteItem {
            hand_amount: money(value),
            ..plain.clone()
        };
        let by_unit = billing::QuoteItem {
            unit_price: unit_price(),
            ..plain.clone()
        };
        let by_share = |hand_quantity| billing::QuoteItem {
            hand_quantity,
            ..by_hand("1.00")
        };
        let both = billing::QuoteItem {
            unit_price: unit_price(),
            ..by_share(3)
        };
        let later = billing::QuoteItem {
            change_time: Some(encode_time("2026-02-01T00:00:00Z".parse().unwrap())),
            ..by_hand("1.00")
        };
        let decode = |item: &billing::QuoteItem, kind, may_price| {
            let mut fields = Fields::new();
            let pricing = decode_pricing(&mut fields, may_price, 0, item, Some(kind));
            match fields.build(|| pricing) {
                Ok(Pricing::Listed) => "listed".to_owned(),
                Ok(Pricing::UnitPrice(price)) => format!("each {price}"),
                Ok(Pricing::Amount(amount)) => format!("all {amount}"),
                Ok(Pricing::Share(sold)) => format!("{} for {}", sold.amount, sold.quantity),
                Err(Fault::Invalid(violations)) => {
                    let paths = violations.noted.into_iter().map(|v| v.field);
                    paths.collect::<Vec<_>>().join(" ")
                }
                Err(other) => panic!("{other:?}"),
            }
        };
        let (unit, hand) = ("items[0].unit_price", "items[0].hand_amount");
        let (negative, count) = ("items[0].hand_amount.value", "items[0].hand_quantity");
        for (item, kind, expected) in [
            (&plain, ItemKind::Domain, "listed"),
            (&plain, ItemKind::SanQuota, "listed"),
            (&plain, ItemKind::SanQuotaIncrease, unit),
            (&by_unit, ItemKind::SanQuotaIncrease, "each 0.35 USD"),
            (&by_unit, ItemKind::SanQuota, unit),
            (&by_unit, ItemKind::Certificate, unit),
            (&by_hand("0.00"), ItemKind::SanQuota, "all 0.00 USD"),
            (&by_hand("-0.01"), ItemKind::SanQuota, negative),
            (&by_hand("1.00"), ItemKind::Domain, hand),
            (&by_hand("1.000"), ItemKind::SanQuota, hand),
            (&later, ItemKind::SanQuota, hand),
            (&by_share(3), ItemKind::SanQuotaIncrease, "1.00 USD for 3"),
            (&by_share(0), ItemKind::SanQuotaIncrease, count),
            (&by_share(-1), ItemKind::SanQuotaIncrease, count),
            (&by_share(3), ItemKind::SanQuota, count),
            (&both, ItemKind::SanQuotaIncrease, hand),
        ] {
            assert_eq!(decode(item, kind, true), expected, "{kind:?}");
        }
        assert_eq!(decode(&by_unit, ItemKind::SanQuotaIncrease, false), unit);
        assert_eq!(decode(&by_hand("1.00"), ItemKind::SanQuota, false), hand);
        assert_eq!(decode(&plain, ItemKind::SanQuota, false), "listed");
    }

    /// SL-7: a quota may be a thousand times as large as a number of domains.
    #[test]
    fn quantities() {
        let decode = |kind, quantity| {
            let item = billing::QuoteItem {
                quantity,
                ..billing::QuoteItem::default()
            };
            decode_quantity(&mut Fields::new(), 0, &item, Some(kind)).ok()
        };
        for (kind, most) in [
            (ItemKind::Domain, 1_000_000),
            (ItemKind::SanQuota, 1_000_000_000),
            (ItemKind::SanQuotaIncrease, 1_000_000_000),
        ] {
            assert_eq!(decode(kind, most), u32::try_from(most).ok());
            assert_eq!(decode(kind, 1), Some(1));
            for outside in [0, -1, most + 1] {
                assert_eq!(decode(kind, outside), None, "{kind:?} {outside}");
            }
        }
    }
}
