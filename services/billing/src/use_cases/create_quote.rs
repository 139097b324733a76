//! Computing a quote, and keeping it.

use std::collections::BTreeSet;

use licet_domain::{ids::QuoteId, money::Currency};
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{
    convert::quote::Inquiry,
    rules::{
        charge::Quote,
        not_found,
        quote::{self, Item, ItemFacts},
    },
    store,
};

/// Prices items and keeps the result as an offer (BL-1, MD-6).
///
/// Refusals: NOT_FOUND, and those of [`quote::compute`].
pub(crate) struct CreateQuote<'a> {
    /// What was accepted.
    pub(crate) call: &'a Call,
    /// The attempt's id.
    pub(crate) request_id: &'a str,
    /// What is to be priced, and for how long it holds.
    pub(crate) inquiry: &'a Inquiry,
}

impl CreateQuote<'_> {
    /// The quote as it would be kept; nothing is written.
    pub(crate) async fn preview(&self, tx: &Tx) -> Result<Quote, Fault> {
        let inquiry = self.inquiry;
        let account = store::accounts::find(tx, &self.call.caller, inquiry.account_id)
            .await?
            .ok_or_else(|| not_found("account", inquiry.account_id))?;
        let priced = load_facts(tx, inquiry, account.currency()).await?;
        let computed = quote::compute(&priced, account.currency())?;
        Ok(Quote {
            quote_id: None,
            account_id: inquiry.account_id,
            pin: inquiry.pin.clone(),
            subject: inquiry.subject.clone(),
            lines: computed.lines,
            total: computed.total,
            decision: inquiry.decision,
            expires: inquiry.expires,
            invoice_id: None,
        })
    }
}

impl Work for CreateQuote<'_> {
    type Answer = Quote;

    async fn run(&self, tx: &Tx) -> Result<Quote, Fault> {
        let quote_id = QuoteId::generate();
        let quote = Quote {
            quote_id: Some(quote_id),
            ..self.preview(tx).await?
        };
        store::quotes::insert(tx, quote_id, &quote).await?;
        let event = Event {
            kind: "licet.billing.quote.created.v1",
            resource_id: quote_id.to_string(),
            account_id: Some(quote.account_id),
            time: self.call.now,
            origin: &self.call.origin(self.request_id),
            why: "BL-1".to_owned(),
            outcome: format!("{} until {}", quote.total, quote.expires),
            data: json!({
                "total": quote.total.value(),
                "currency_code": quote.total.currency().code(),
                "expire_time": quote.expires,
                "resource_id": quote.subject.as_ref().map(|subject| &subject.resource_id),
                "term_index": quote.subject.as_ref().map(|subject| subject.term_index),
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(quote)
    }
}

/// What the catalogue says about each item: one read, however many items there are.
async fn load_facts(
    tx: &Tx,
    inquiry: &Inquiry,
    currency: Currency,
) -> Result<Vec<(Item, ItemFacts)>, Fault> {
    let items = &inquiry.items;
    let ids: BTreeSet<&str> = items.iter().map(|item| item.product_id.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let Some(until) = items.iter().map(|item| item.price_time).max() else {
        return Ok(Vec::new());
    };
    let (versions, lists) =
        store::catalog::list_versions_and_lists(tx, &ids, currency, until).await?;
    let priced = items.iter().map(|item| -> Result<_, Fault> {
        let facts = ItemFacts::find(item, &versions, &lists, inquiry.decision)?;
        Ok((item.clone(), facts))
    });
    priced.collect()
}
