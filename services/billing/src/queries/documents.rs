//! Printed documents: everything on one is read from the same snapshot.

use licet_domain::{
    ids::{AccountId, InvoiceId},
    term::Period,
};
use licet_runtime::{caller::Call, database::Database, fault::Fault, page::Page};

use super::statements;
use crate::{
    rules::{
        document::{InvoiceDocument, MAX_NOTES, StatementDocument, check_entries},
        listing::CreditNoteFilter,
        statement::statement_end,
    },
    store::{self, numbers::SELLER},
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
    InvoiceDocument::new(SELLER, account, invoice, notes, call.now).map_err(Fault::internal)
}

/// The account's statement over the period with its entries. Refusals: NOT_FOUND,
/// STATEMENT_TOO_LONG.
pub(crate) async fn statement(
    database: &Database,
    call: &Call,
    account_id: AccountId,
    period: Period,
) -> Result<StatementDocument, Fault> {
    let tx = database.read();
    let statement = statements::read(&tx, call, account_id, period).await?;
    check_entries(&statement)?;
    let account = store::accounts::get(&tx, &call.caller, account_id).await?;
    let until = statement_end(period, account.seen_at(call.now));
    let entries = store::documents::list_entries(&tx, &account, period.start, until).await?;
    StatementDocument::new(SELLER, account, statement, entries).map_err(Fault::internal)
}
