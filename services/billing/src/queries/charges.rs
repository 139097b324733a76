//! Quotes, invoices and credit notes.

use licet_domain::{AccountId, InvoiceId, QuoteId};
use licet_runtime::{caller::Call, database::Database, fault::Fault, page::Page};

use super::{account_text, time_key};
use crate::{
    rules::{
        charge::{Invoice, Quote},
        credit::CreditNote,
        not_found,
    },
    store,
};

/// The quote, or NOT_FOUND.
pub(crate) async fn get_quote(
    database: &Database,
    call: &Call,
    quote_id: QuoteId,
) -> Result<Quote, Fault> {
    let tx = database.read().await?;
    let found = store::quotes::find(&tx, &call.caller, quote_id).await?;
    Ok(found.ok_or_else(|| not_found("quote", quote_id))?)
}

/// The invoice, or NOT_FOUND.
pub(crate) async fn get_invoice(
    database: &Database,
    call: &Call,
    invoice_id: InvoiceId,
) -> Result<Invoice, Fault> {
    let tx = database.read().await?;
    let found = store::invoices::find(&tx, &call.caller, invoice_id).await?;
    Ok(found.ok_or_else(|| not_found("invoice", invoice_id))?)
}

/// A page of invoices, and the next one's token.
pub(crate) async fn list_invoices(
    database: &Database,
    call: &Call,
    account_id: Option<AccountId>,
    resource_id: Option<&str>,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<Invoice>, String), Fault> {
    let filter = format!(
        "invoices {} {}",
        account_text(account_id),
        resource_id.unwrap_or_default()
    );
    let page = Page::decode(page_size, page_token, &filter, call.now)?;
    let tx = database.read().await?;
    let rows = store::invoices::list(&tx, &call.caller, account_id, resource_id, &page).await?;
    Ok(page.finish(rows, |invoice| {
        let id = invoice
            .invoice_id
            .map_or_else(String::new, |id| id.to_string());
        time_key(invoice.issued, id)
    }))
}

/// A page of credit notes, and the next one's token.
pub(crate) async fn list_credit_notes(
    database: &Database,
    call: &Call,
    account_id: Option<AccountId>,
    invoice_id: Option<InvoiceId>,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<CreditNote>, String), Fault> {
    let invoice_text = invoice_id.map_or_else(String::new, |id| id.to_string());
    let filter = format!("credit notes {} {invoice_text}", account_text(account_id));
    let page = Page::decode(page_size, page_token, &filter, call.now)?;
    let tx = database.read().await?;
    let rows = store::credit_notes::list(&tx, &call.caller, account_id, invoice_id, &page).await?;
    Ok(page.finish(rows, |note| time_key(note.issued, note.credit_note_id)))
}
