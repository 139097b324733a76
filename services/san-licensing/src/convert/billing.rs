//! What is asked of Billing, and what of its answers decides about a licence.

use std::collections::BTreeSet;

use licet_contracts::billing::v1 as billing;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, ProductId},
    money::{Money, Price},
    refusal::{Reason, Refusal},
    term::Term,
};
use licet_runtime::wire::{
    decode_money, decode_price, decode_time, encode_count, encode_money, encode_price, encode_time,
};

use super::broken;
use crate::rules::{
    license::{License, LicenseTerm, Sale},
    pricing::dearest,
    renewal::RenewalPlan,
};

/// What is to be priced for a licence that is drafted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) account_id: AccountId,
    pub(crate) quota: u64,
    pub(crate) term: &'a Term,
    pub(crate) hand_price: Option<Money>,
}

/// The question what each of some products costs at a quota, now: a line for each, in their order.
pub(crate) fn draft_quote(
    wanted: &Wanted<'_>,
    products: &BTreeSet<ProductId>,
    now: Instant,
) -> billing::CreateQuoteRequest {
    let item = |product: &ProductId| billing::QuoteItem {
        hand_amount: wanted.hand_price.map(encode_money),
        price_time: Some(encode_time(now)),
        ..item(
            billing::LineKind::SanQuota,
            product,
            wanted.quota,
            wanted.term,
        )
    };
    billing::CreateQuoteRequest {
        account_id: wanted.account_id.to_string(),
        items: products.iter().map(item).collect(),
        decision_time: Some(encode_time(now)),
        ..billing::CreateQuoteRequest::default()
    }
}

/// The question for the price of an accepted licence, with all that its draft was priced with.
pub(crate) fn acceptance_quote(license: &License, now: Instant) -> billing::CreateQuoteRequest {
    let LicenseTerm { term, sale, .. } = &license.first;
    let item = billing::QuoteItem {
        product_version: encode_count(sale.product_version),
        hand_amount: sale.by_hand.then(|| encode_money(sale.amount)),
        price_time: Some(encode_time(sale.price_time)),
        ..item(
            billing::LineKind::SanQuota,
            &sale.product_id,
            sale.quota,
            term,
        )
    };
    license_quote(license, 0, vec![item], now)
}

/// The question for the price of `added` SANs at the running term's own price, from now to its end
/// (SL-8).
pub(crate) fn increase_quote(
    license: &License,
    added: u64,
    now: Instant,
) -> billing::CreateQuoteRequest {
    let LicenseTerm { term, sale, .. } = license.current_term(now);
    let before = license
        .terms()
        .take_while(|before| before.term.start() < term.start());
    let index = encode_count(before.count());
    let item = billing::QuoteItem {
        product_version: encode_count(sale.product_version),
        unit_price: (!sale.by_hand).then(|| encode_price(sale.unit_price)),
        // Exact where the price of each is not (M-2).
        hand_amount: sale.by_hand.then(|| encode_money(sale.amount)),
        hand_quantity: if sale.by_hand {
            encode_count(sale.quota)
        } else {
            0
        },
        change_time: Some(encode_time(now)),
        price_time: Some(encode_time(sale.price_time)),
        ..item(
            billing::LineKind::SanQuotaIncrease,
            &sale.product_id,
            added,
            term,
        )
    };
    license_quote(license, index, vec![item], now)
}

/// The question for the price of a licence's next term at the prices of now: a line for each of its
/// products (SL-9).
pub(crate) fn renewal_quote(
    license: &License,
    plan: &RenewalPlan,
    hand_price: Option<Money>,
    now: Instant,
) -> billing::CreateQuoteRequest {
    let wanted = Wanted {
        account_id: license.account_id,
        quota: plan.quota,
        term: &plan.term,
        hand_price,
    };
    let items = draft_quote(&wanted, &license.products, now).items;
    license_quote(license, encode_count(plan.index), items, now)
}

/// The question what each of some products costs now, at the quota and for the length of the running
/// term (SL-10).
pub(crate) fn joining_quote(
    license: &License,
    products: &BTreeSet<ProductId>,
    now: Instant,
) -> billing::CreateQuoteRequest {
    let term = license.current_term(now);
    let wanted = Wanted {
        account_id: license.account_id,
        quota: term.quota(),
        term: &term.term,
        hand_price: None,
    };
    draft_quote(&wanted, products, now)
}

/// The question about the one product that is the dearest of those in a quote (SL-10).
pub(crate) fn about_dearest(
    question: &billing::CreateQuoteRequest,
    quote: &billing::Quote,
) -> Result<billing::CreateQuoteRequest, String> {
    let prices = prices(quote)?;
    let dearest = dearest(&prices).map(ProductId::as_str);
    let items = question.items.iter();
    let items = items.filter(|item| Some(item.product_id.as_str()) == dearest);
    Ok(billing::CreateQuoteRequest {
        items: items.cloned().collect(),
        ..question.clone()
    })
}

fn item(
    kind: billing::LineKind,
    product_id: &ProductId,
    quantity: u64,
    term: &Term,
) -> billing::QuoteItem {
    billing::QuoteItem {
        kind: kind.into(),
        product_id: product_id.to_string(),
        quantity: encode_count(quantity),
        term: Some(billing::TermRef {
            anchor_time: Some(encode_time(term.anchor())),
            first_month: encode_count(term.first_month()),
            months: encode_count(term.months()),
        }),
        ..billing::QuoteItem::default()
    }
}

fn license_quote(
    license: &License,
    term_index: i32,
    items: Vec<billing::QuoteItem>,
    now: Instant,
) -> billing::CreateQuoteRequest {
    billing::CreateQuoteRequest {
        account_id: license.account_id.to_string(),
        items,
        decision_time: Some(encode_time(now)),
        pin: license.id.to_string(),
        subject: Some(billing::Subject {
            resource_id: license.id.to_string(),
            term_index,
        }),
        ..billing::CreateQuoteRequest::default()
    }
}

/// What each product of a quote costs.
fn prices(quote: &billing::Quote) -> Result<Vec<(ProductId, Money)>, String> {
    quote
        .lines
        .iter()
        .map(|line| {
            let product = line.product_id.parse();
            let product = product.map_err(|error| broken("product", error))?;
            Ok((product, amount(line.amount.as_ref())?))
        })
        .collect()
}

/// What a quote of one line pins for the term that it is of (SL-7, BL-8).
pub(crate) fn sale(quote: &billing::Quote, quota: u64, by_hand: bool) -> Result<Sale, String> {
    let [line] = quote.lines.as_slice() else {
        return Err(broken("quote", format!("{} lines", quote.lines.len())));
    };
    let absent = |what| broken(what, "it is absent");
    // An amount given by hand comes from no list.
    let since = line
        .price_effective_time
        .as_ref()
        .or(quote.decision_time.as_ref());
    let since = since.ok_or_else(|| absent("price_effective_time"))?;
    let unit_price = line
        .unit_price
        .as_ref()
        .ok_or_else(|| absent("unit_price"))?;
    Ok(Sale {
        product_id: line
            .product_id
            .parse()
            .map_err(|error| broken("product", error))?,
        product_version: u32::try_from(line.product_version)
            .map_err(|error| broken("product_version", error))?,
        price_time: decode_time(since).map_err(|error| broken("price_effective_time", error))?,
        quota,
        amount: total(quote)?,
        unit_price: decode_price(unit_price).map_err(|error| broken("unit_price", error))?,
        by_hand,
    })
}

/// The highest price of one SAN for 12 months among the lines of a quote; `None` without any.
pub(crate) fn highest_unit_price(quote: &billing::Quote) -> Result<Option<Price>, String> {
    let prices = quote.lines.iter().map(|line| {
        let price = line.unit_price.as_ref();
        let price = price.ok_or_else(|| broken("unit_price", "it is absent"))?;
        decode_price(price).map_err(|error| broken("unit_price", error))
    });
    let prices: Vec<_> = prices.collect::<Result<_, _>>()?;
    Ok(prices.into_iter().max_by_key(|price| price.micros()))
}

/// A product's tier.
pub(crate) fn tier(product: &billing::Product) -> Result<u32, String> {
    u32::try_from(product.tier).map_err(|error| broken("tier", error))
}

/// The invoice that a refusal says its quote became.
pub(crate) fn spent_on(refusal: &Refusal) -> Option<String> {
    let value = refusal
        .metadata
        .get("invoice_id")
        .filter(|_| refusal.reason == Reason::QuoteSpent);
    value.filter(|value| !value.is_empty()).cloned()
}

/// A quote's total.
pub(crate) fn total(quote: &billing::Quote) -> Result<Money, String> {
    amount(quote.total.as_ref())
}

/// An invoice's id and total.
pub(crate) fn invoice_identity(invoice: &billing::Invoice) -> Result<(InvoiceId, Money), String> {
    let id = invoice
        .invoice_id
        .parse()
        .map_err(|error| broken("invoice", error))?;
    Ok((id, amount(invoice.total.as_ref())?))
}

fn amount(message: Option<&licet_contracts::types::v1::Money>) -> Result<Money, String> {
    let message = message.ok_or_else(|| broken("amount", "it is absent"))?;
    decode_money(message).map_err(|error| broken("amount", error))
}

/// The quote as it stands once it was charged.
pub(crate) fn charged(quote: &billing::Quote, invoice: &billing::Invoice) -> billing::Quote {
    billing::Quote {
        state: billing::QuoteState::Charged.into(),
        invoice_id: invoice.invoice_id.clone(),
        ..quote.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::samples::{draft, instant};

    #[test]
    fn sl_7_an_acceptance_is_priced_by_what_its_draft_pinned() {
        let mut license = draft();
        let now = instant("2026-02-10T00:00:00Z");
        let question = acceptance_quote(&license, now);
        let [item] = question.items.as_slice() else {
            panic!("{question:?}")
        };
        assert_eq!(
            item.price_time,
            Some(encode_time(license.first.sale.price_time))
        );
        assert_eq!((item.quantity, &item.hand_amount), (100, &None));
        license.first.sale.by_hand = true;
        let by_hand = acceptance_quote(&license, now);
        let given = by_hand.items[0].hand_amount.as_ref().unwrap();
        assert_eq!(given.value, "80.00");
    }

    #[test]
    fn sl_8_an_increase_pays_the_own_price_from_now_on() {
        let mut license = draft();
        let now = instant("2026-02-10T00:00:00Z");
        let question = increase_quote(&license, 50, now);
        let item = &question.items[0];
        assert_eq!(
            (item.quantity, item.change_time),
            (50, Some(encode_time(now)))
        );
        assert_eq!(item.unit_price.as_ref().unwrap().value, "0.80");
        assert_eq!((&item.hand_amount, item.hand_quantity), (&None, 0));
        license.first.sale.by_hand = true;
        let by_hand = &increase_quote(&license, 50, now).items[0];
        assert_eq!(by_hand.hand_amount.as_ref().unwrap().value, "80.00");
        assert_eq!((&by_hand.unit_price, by_hand.hand_quantity), (&None, 100));
    }

    #[test]
    fn x_2_a_refusal_names_what_was_done_before() {
        let spent = Refusal::new(Reason::QuoteSpent, "charged already").with("invoice_id", "inv_1");
        assert_eq!(spent_on(&spent).as_deref(), Some("inv_1"));
        let stale = Refusal::new(Reason::QuoteStale, "not this").with("invoice_id", "inv_1");
        assert_eq!(spent_on(&stale), None);
    }
}
