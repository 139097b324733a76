//! Computing a quote, and keeping it.

use std::collections::BTreeSet;

use licet_domain::ids::QuoteId;
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    outbox::{self, Event},
};
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::{
    convert::quote::Inquiry,
    rules::{
        charge::Quote,
        not_found,
        quote::{self, ItemFacts},
    },
    store::{self, catalog::Offer},
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
    pub(crate) async fn preview(&self, connection: &impl ConnectionTrait) -> Result<Quote, Fault> {
        let inquiry = self.inquiry;
        let account_id = inquiry.account_id;
        let offer = if self.call.caller.sees(account_id) {
            find_offer(connection, inquiry).await?
        } else {
            None
        };
        let offer = offer.ok_or_else(|| not_found("account", account_id))?;
        let priced = inquiry.items.iter().map(|item| -> Result<_, Fault> {
            let (versions, lists) = (&offer.versions, &offer.lists);
            let facts = ItemFacts::find(item, versions, lists, inquiry.decision)?;
            Ok((item.clone(), facts))
        });
        let priced: Vec<_> = priced.collect::<Result<_, _>>()?;
        let computed = quote::compute(&priced, offer.currency)?;
        Ok(Quote {
            quote_id: None,
            account_id,
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

/// What the account and the catalogue say about the items.
async fn find_offer(
    connection: &impl ConnectionTrait,
    inquiry: &Inquiry,
) -> Result<Option<Offer>, Fault> {
    let items = &inquiry.items;
    let ids: BTreeSet<&str> = items.iter().map(|item| item.product_id.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let latest = items.iter().map(|item| item.price_time).max();
    let until = latest.unwrap_or(inquiry.decision);
    store::catalog::find_offer(connection, inquiry.account_id, &ids, until).await
}

impl Work for CreateQuote<'_> {
    type Answer = Quote;

    async fn run(&self, tx: &Tx) -> Result<Quote, Fault> {
        let quote_id = QuoteId::generate();
        // What prices a quote is never changed (BL-8): it need not be read in the transaction.
        let quote = Quote {
            quote_id: Some(quote_id),
            ..self.preview(tx.before()?).await?
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
