//! Computes and stores quotes.

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
};
use sea_orm::ConnectionTrait;

use super::event::emit;
use crate::{
    events::{QuoteCreated, SubjectFields},
    rules::{
        charge::{Quote, Subject},
        item::Item,
        not_found,
        quote::{self, PriceBasis},
    },
    store::{self, catalog::AccountCatalog},
};

/// Prices items and stores the result as a quote (BL-1, MD-6).
///
/// Refusals: NOT_FOUND, and those of [`quote::compute`].
#[derive(Debug, Clone)]
pub(crate) struct CreateQuote {
    /// The account to be charged.
    pub(crate) account_id: AccountId,
    /// The items to price, at least one.
    pub(crate) items: Vec<Item>,
    /// The decision time.
    pub(crate) decision: Instant,
    /// The text that a charge must repeat (MD-6).
    pub(crate) pin: String,
    /// What the quote is for.
    pub(crate) subject: Option<Subject>,
    /// The quote cannot be accepted from here on.
    pub(crate) expires: Instant,
}

impl CreateQuote {
    /// The quote without an id.
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

/// The part of the catalogue that prices the items for the account.
async fn find_account_catalog(
    connection: &impl ConnectionTrait,
    request: &CreateQuote,
) -> Result<Option<AccountCatalog>, Fault> {
    let items = &request.items;
    let ids: BTreeSet<&str> = items.iter().map(|item| item.product_id.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let latest = items.iter().map(|item| item.price_time).max();
    let until = latest.unwrap_or(request.decision);
    store::catalog::find_account_catalog(connection, request.account_id, &ids, until).await
}

/// A quote, and the time that its state is shown at.
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
        // The catalogue is never changed, only added to (BL-8), so the transaction need not read
        // it.
        let quote = Quote {
            quote_id: Some(quote_id),
            ..self.price(&request.call, tx.before()?).await?
        };
        store::quotes::insert(tx, quote_id, &quote).await?;
        let data = QuoteCreated {
            total: quote.total,
            currency_code: quote.total.currency(),
            expire_time: quote.expires,
            subject: SubjectFields::of(quote.subject.as_ref()),
        };
        let outcome = format!("{} until {}", quote.total, quote.expires);
        let account_id = quote.account_id;
        emit(tx, request, quote_id, account_id, "BL-1", outcome, &data).await?;
        Ok((quote, request.call.now))
    }
}
