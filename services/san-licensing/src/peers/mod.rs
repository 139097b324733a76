//! Questions to Billing about the price of a licence, and the sale that a quote pins. The dearest of several
//! products prices all of them (SL-10).

use std::collections::BTreeSet;

use licet_clients::billing::{Item, LineKind, QuoteInput, Subject};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, ProductId},
    money::Money,
    term::Term,
};
use licet_runtime::peer::PeerFault;
use uuid::Uuid;

use crate::rules::{
    license::{License, LicenseTerm, Sale},
    pricing::dearest,
    renewal::RenewalPlan,
};

pub(crate) use licet_clients::billing::{Billing, Invoice, Product, Quote, QuoteQuestion};

/// Asks Billing for a quote that is not stored.
pub(crate) async fn preview_quote(
    billing: &Billing,
    question: &QuoteQuestion,
) -> Result<Quote, PeerFault> {
    let question = question.previewed();
    billing.create_quote(&question, Uuid::new_v4()).await
}

/// Narrows a question about several products to the dearest one, which prices them all (SL-10).
pub(crate) async fn narrow_to_dearest(
    billing: &Billing,
    question: &QuoteQuestion,
) -> Result<QuoteQuestion, PeerFault> {
    if question.item_count() <= 1 {
        return Ok(question.clone());
    }
    // A quote with a subject can only have one product.
    let quote = preview_quote(billing, &question.without_subject()).await?;
    let prices = quote.prices().map_err(PeerFault::Unknown)?;
    let dearest = dearest(&prices);
    let dearest =
        dearest.ok_or_else(|| PeerFault::Unknown("Billing's quote has no lines".to_owned()))?;
    Ok(question.of_product(dearest))
}

/// Asks Billing to price a purchase of one or more products.
pub(crate) async fn price(
    billing: &Billing,
    question: &QuoteQuestion,
    request_id: Uuid,
) -> Result<Quote, PeerFault> {
    let question = narrow_to_dearest(billing, question).await?;
    billing.create_quote(&question, request_id).await
}

/// The sale that a quote of one line pins for its term (SL-7, BL-8).
pub(crate) fn sale(quote: &Quote, quota: u64, by_hand: bool) -> Result<Sale, String> {
    let line = quote.only_line()?;
    Ok(Sale {
        product_id: line.product_id,
        product_version: line.product_version,
        price_time: line.price_time,
        quota,
        amount: quote.total()?,
        unit_price: line.unit_price,
        by_hand,
    })
}

/// A term to be priced, for any products.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TermPricing<'a> {
    pub(crate) account_id: AccountId,
    pub(crate) quota: u64,
    pub(crate) term: &'a Term,
    pub(crate) hand_price: Option<Money>,
}

impl TermPricing<'_> {
    /// An item per product, in order, at the prices of `now`.
    fn items(&self, products: &BTreeSet<ProductId>, now: Instant) -> Vec<Item> {
        let item = |product: &ProductId| Item {
            hand_amount: self.hand_price,
            price_time: Some(now),
            ..Item::of_term(LineKind::SanQuota, product.clone(), self.quota, *self.term)
        };
        products.iter().map(item).collect()
    }
}

/// The question for the prices of a draft at `now`: one line per product, in order.
pub(crate) fn draft_quote(
    wanted: &TermPricing<'_>,
    products: &BTreeSet<ProductId>,
    now: Instant,
) -> QuoteQuestion {
    QuoteQuestion::new(&QuoteInput {
        account_id: wanted.account_id,
        items: wanted.items(products, now),
        decision_time: now,
        pin: String::new(),
        subject: None,
        validate_only: false,
    })
}

/// The question for the price of an accepted licence, priced as its draft was.
pub(crate) fn acceptance_quote(license: &License, now: Instant) -> QuoteQuestion {
    let LicenseTerm { term, sale, .. } = &license.first;
    let item = Item {
        product_version: Some(sale.product_version),
        hand_amount: sale.by_hand.then_some(sale.amount),
        price_time: Some(sale.price_time),
        ..Item::of_term(
            LineKind::SanQuota,
            sale.product_id.clone(),
            sale.quota,
            *term,
        )
    };
    license_quote(license, 0, vec![item], now)
}

/// The question for the price of `added` SANs from `now` to the end of the current term, at its own price (SL-8).
pub(crate) fn increase_quote(license: &License, added: u64, now: Instant) -> QuoteQuestion {
    let LicenseTerm { term, sale, .. } = license.current_term(now);
    let before = license
        .terms()
        .take_while(|before| before.term.start() < term.start());
    let index = u32::try_from(before.count()).unwrap_or(u32::MAX);
    let item = Item {
        product_version: Some(sale.product_version),
        unit_price: (!sale.by_hand).then_some(sale.unit_price),
        // The unit price of an amount by hand is rounded; the amount itself is exact (M-2).
        hand_amount: sale.by_hand.then_some(sale.amount),
        hand_quantity: if sale.by_hand { sale.quota } else { 0 },
        change_time: Some(now),
        price_time: Some(sale.price_time),
        ..Item::of_term(
            LineKind::SanQuotaIncrease,
            sale.product_id.clone(),
            added,
            *term,
        )
    };
    license_quote(license, index, vec![item], now)
}

/// The question for the price of a further term at the prices of `now`: one line per product (SL-9).
pub(crate) fn renewal_quote(
    license: &License,
    plan: &RenewalPlan,
    hand_price: Option<Money>,
    now: Instant,
) -> QuoteQuestion {
    let wanted = TermPricing {
        account_id: license.account_id,
        quota: plan.quota,
        term: &plan.term,
        hand_price,
    };
    let items = wanted.items(&license.products, now);
    license_quote(license, plan.index, items, now)
}

/// The question for the prices of products at `now`, with the quota and length of the current term (SL-10).
pub(crate) fn comparison_quote(
    license: &License,
    products: &BTreeSet<ProductId>,
    now: Instant,
) -> QuoteQuestion {
    let term = license.current_term(now);
    let wanted = TermPricing {
        account_id: license.account_id,
        quota: term.quota(),
        term: &term.term,
        hand_price: None,
    };
    draft_quote(&wanted, products, now)
}

fn license_quote(
    license: &License,
    term_index: u32,
    items: Vec<Item>,
    now: Instant,
) -> QuoteQuestion {
    QuoteQuestion::new(&QuoteInput {
        account_id: license.account_id,
        items,
        decision_time: now,
        pin: license.id.to_string(),
        subject: Some(Subject {
            resource_id: license.id.to_string(),
            term_index,
        }),
        validate_only: false,
    })
}

#[cfg(test)]
mod tests {
    use licet_runtime::wire::encode_time;

    use super::*;
    use crate::rules::samples::{draft, instant};

    #[test]
    fn sl_7_an_acceptance_is_priced_by_what_its_draft_pinned() {
        let mut license = draft();
        let now = instant("2026-02-10T00:00:00Z");
        let question = acceptance_quote(&license, now);
        let [item] = question.message().items.as_slice() else {
            panic!("{question:?}")
        };
        assert_eq!(
            item.price_time,
            Some(encode_time(license.first.sale.price_time))
        );
        assert_eq!((item.quantity, &item.hand_amount), (100, &None));
        license.first.sale.by_hand = true;
        let by_hand = acceptance_quote(&license, now);
        let given = by_hand.message().items[0].hand_amount.as_ref().unwrap();
        assert_eq!(given.value, "80.00");
    }

    #[test]
    fn sl_8_an_increase_pays_the_own_price_from_now_on() {
        let mut license = draft();
        let now = instant("2026-02-10T00:00:00Z");
        let question = increase_quote(&license, 50, now);
        let item = &question.message().items[0];
        assert_eq!(
            (item.quantity, item.change_time),
            (50, Some(encode_time(now)))
        );
        assert_eq!(item.unit_price.as_ref().unwrap().value, "0.80");
        assert_eq!((&item.hand_amount, item.hand_quantity), (&None, 0));
        license.first.sale.by_hand = true;
        let by_hand = increase_quote(&license, 50, now);
        let by_hand = &by_hand.message().items[0];
        assert_eq!(by_hand.hand_amount.as_ref().unwrap().value, "80.00");
        assert_eq!((&by_hand.unit_price, by_hand.hand_quantity), (&None, 100));
    }
}
