//! What SanLicensing asks of Billing about a licence, and what of its quotes decides about one. Several
//! products are priced by the dearest (SL-10).

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

/// A quote, computed alone: nothing of it is kept.
pub(crate) async fn preview_quote(
    billing: &Billing,
    question: &QuoteQuestion,
) -> Result<Quote, PeerFault> {
    let question = question.previewed();
    billing.create_quote(&question, Uuid::new_v4()).await
}

/// The question about the one product of several that is the dearest, which prices them all (SL-10).
pub(crate) async fn narrow_to_dearest(
    billing: &Billing,
    question: &QuoteQuestion,
) -> Result<QuoteQuestion, PeerFault> {
    if question.item_count() <= 1 {
        return Ok(question.clone());
    }
    // About one thing a quote would have to be of one product.
    let quote = preview_quote(billing, &question.without_subject()).await?;
    let prices = quote.prices().map_err(PeerFault::Unknown)?;
    let dearest = dearest(&prices);
    let dearest = dearest.ok_or_else(|| PeerFault::Unknown("Billing priced no line".to_owned()))?;
    Ok(question.of_product(dearest))
}

/// The price of a purchase that may be of several products.
pub(crate) async fn price(
    billing: &Billing,
    question: &QuoteQuestion,
    request_id: Uuid,
) -> Result<Quote, PeerFault> {
    let question = narrow_to_dearest(billing, question).await?;
    billing.create_quote(&question, request_id).await
}

/// What a quote of one line pins for the term that it is of (SL-7, BL-8).
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

/// What is to be priced for a licence that is drafted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TermPricing<'a> {
    pub(crate) account_id: AccountId,
    pub(crate) quota: u64,
    pub(crate) term: &'a Term,
    pub(crate) hand_price: Option<Money>,
}

impl TermPricing<'_> {
    /// An item for each of some products, in their order, at the prices of now.
    fn items(&self, products: &BTreeSet<ProductId>, now: Instant) -> Vec<Item> {
        let item = |product: &ProductId| Item {
            hand_amount: self.hand_price,
            price_time: Some(now),
            ..Item::of_term(LineKind::SanQuota, product.clone(), self.quota, *self.term)
        };
        products.iter().map(item).collect()
    }
}

/// The question what each of some products costs at a quota, now: a line for each, in their order.
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

/// The question for the price of an accepted licence, with all that its draft was priced with.
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

/// The question for the price of `added` SANs at the running term's own price, from now to its end
/// (SL-8).
pub(crate) fn increase_quote(license: &License, added: u64, now: Instant) -> QuoteQuestion {
    let LicenseTerm { term, sale, .. } = license.current_term(now);
    let before = license
        .terms()
        .take_while(|before| before.term.start() < term.start());
    let index = u32::try_from(before.count()).unwrap_or(u32::MAX);
    let item = Item {
        product_version: Some(sale.product_version),
        unit_price: (!sale.by_hand).then_some(sale.unit_price),
        // Exact where the price of each is not (M-2).
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

/// The question for the price of a licence's next term at the prices of now: a line for each of its
/// products (SL-9).
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

/// The question what each of some products costs now, at the quota and for the length of the running
/// term (SL-10).
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
