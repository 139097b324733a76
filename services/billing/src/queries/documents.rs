//! Printed documents: everything on one is read from the same snapshot.

use std::collections::BTreeMap;

use licet_domain::{
    ids::{AccountId, CreditNoteId, InvoiceId},
    term::Period,
};
use licet_runtime::{caller::Call, database::Database, fault::Fault, page::Page};

use super::statements;
use crate::{
    rules::{
        document::{InvoiceDocument, MAX_NOTES, StatementDocument, check_entries},
        listing::CreditNoteFilter,
        numbers::{DocumentNumber, Seller},
        statement::statement_end,
    },
    store,
};

/// The invoice with its account and its credit notes, or NOT_FOUND.
pub(crate) async fn invoice(
    database: &Database,
    call: &Call,
    invoice_id: InvoiceId,
) -> Result<InvoiceDocument, Fault> {
    let page = Page::decode(MAX_NOTES.into(), "", "document", call.now)?;
    let tx = database.read();
    let invoice = store::invoices::get(&tx, &call.caller, invoice_id).await?;
    let account = store::accounts::get(&tx, &call.caller, invoice.account_id).await?;
    let of_invoice = CreditNoteFilter {
        account_id: Some(invoice.account_id),
        invoice_id: Some(invoice_id),
    };
    let notes = store::credit_notes::list(&tx, &call.caller, &of_invoice, &page).await?;
    let seller = invoice.number.as_ref().map(|it| it.seller.clone());
    let seller = seller.ok_or_else(|| Fault::internal("a stored invoice has no number"))?;
    InvoiceDocument::new(seller, account, invoice, notes, call.now).map_err(Fault::internal)
}

/// The account's statement over the period with its entries. Refusals: NOT_FOUND,
/// STATEMENT_TOO_LONG.
pub(crate) async fn statement(
    database: &Database,
    call: &Call,
    account_id: AccountId,
    period: Period,
    seller: &Seller,
) -> Result<StatementDocument, Fault> {
    let tx = database.read();
    let statement = statements::read(&tx, call, account_id, period).await?;
    check_entries(&statement)?;
    let account = store::accounts::get(&tx, &call.caller, account_id).await?;
    let until = statement_end(period, account.seen_at(call.now));
    let entries = store::documents::list_entries(&tx, &account, period.start, until).await?;
    StatementDocument::new(seller.clone(), account, statement, entries).map_err(Fault::internal)
}

/// The numbers of issued invoices of an account.
pub(crate) async fn invoice_numbers(
    database: &Database,
    account_id: AccountId,
    ids: &[InvoiceId],
) -> Result<BTreeMap<InvoiceId, DocumentNumber>, Fault> {
    store::invoices::numbers(database.read_alone(), account_id, ids).await
}

/// The numbers of issued credit notes of an account.
pub(crate) async fn credit_note_numbers(
    database: &Database,
    account_id: AccountId,
    ids: &[CreditNoteId],
) -> Result<BTreeMap<CreditNoteId, DocumentNumber>, Fault> {
    store::credit_notes::numbers(database.read_alone(), account_id, ids).await
}
