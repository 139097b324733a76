//! Computing a quote, and keeping it.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, QuoteId},
};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
    outbox::{self, Event},
};
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::{
    rules::{
        charge::{Quote, Subject},
        item::Item,
        not_found,
        quote::{self, PriceBasis},
    },
    store::{self, catalog::AccountCatalog},
};

/// Prices items and keeps the result as an offer (BL-1, MD-6).
///
/// Refusals: NOT_FOUND, and those of [`quote::compute`].
#[derive(Debug, Clone)]
pub(crate) struct CreateQuote {
    /// The account to be charged.
    pub(crate) account_id: AccountId,
    /// What to price, at least one.
    pub(crate) items: Vec<Item>,
    /// The instant as of which to decide.
    pub(crate) decision: Instant,
    /// What a charge must repeat.
    pub(crate) pin: String,
    /// What it is about.
    pub(crate) subject: Option<Subject>,
    /// Until when it holds.
    pub(crate) expires: Instant,
}

impl CreateQuote {
    /// The quote before it has an id.
    async fn price(&self, call: &Call, connection: &impl ConnectionTrait) -> Result<Quote, Fault> {
        let account_id = self.account_id;
        let catalog = if call.caller.sees(account_id) {
            find_account_catalog(connection, self).await?
        } else {
            None
        };
        let catalog = catalog.ok_or_else(|| not_found("account", account_id))?;
        let priced = self.items.iter().map(|item| -> Result<_, Fault> {
            let (versions, lists) = (&catalog.versions, &catalog.lists);
            let basis = PriceBasis::find(item, versions, lists, self.decision)?;
            Ok((item.clone(), basis))
        });
        let priced: Vec<_> = priced.collect::<Result<_, _>>()?;
        let computed = quote::compute(&priced, catalog.currency)?;
        Ok(Quote {
            quote_id: None,
            account_id,
            pin: self.pin.clone(),
            subject: self.subject.clone(),
            lines: computed.lines,
            total: computed.total,
            decision: self.decision,
            expires: self.expires,
            invoice_id: None,
        })
    }
}

/// What the account and the catalogue say about the items.
async fn find_account_catalog(
    connection: &impl ConnectionTrait,
    inquiry: &CreateQuote,
) -> Result<Option<AccountCatalog>, Fault> {
    let items = &inquiry.items;
    let ids: BTreeSet<&str> = items.iter().map(|item| item.product_id.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let latest = items.iter().map(|item| item.price_time).max();
    let until = latest.unwrap_or(inquiry.decision);
    store::catalog::find_account_catalog(connection, inquiry.account_id, &ids, until).await
}

/// A quote with the instant that it is seen at.
pub(crate) type CreatedQuote = (Quote, Instant);

impl Preview for CreateQuote {
    type Output = CreatedQuote;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<CreatedQuote, Fault> {
        let quote = self.price(call, database.read_alone()).await?;
        Ok((quote, call.now))
    }
}

impl Verb for CreateQuote {
    type Output = CreatedQuote;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<CreatedQuote, Fault> {
        let quote_id = QuoteId::generate();
        // What prices a quote is never changed (BL-8): it need not be read in the transaction.
        let quote = Quote {
            quote_id: Some(quote_id),
            ..self.price(&request.call, tx.before()?).await?
        };
        store::quotes::insert(tx, quote_id, &quote).await?;
        let event = Event {
            kind: "licet.billing.quote.created.v1",
            resource_id: quote_id.to_string(),
            account_id: Some(quote.account_id),
            time: request.call.now,
            origin: &request.origin(),
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
        Ok((quote, request.call.now))
    }
}
