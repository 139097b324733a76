//! Quotes, invoices and credit notes.

use licet_domain::ids::{InvoiceId, QuoteId};
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    page::{Page, time_key},
};

use crate::{
    rules::{
        charge::{Invoice, Quote},
        credit::CreditNote,
        id_text,
        listing::{CreditNoteFilter, InvoiceFilter},
    },
    store,
};

/// The most bytes of a credit note's line in a response.
const CREDIT_LINE_BYTES: usize = 48;

/// The quote, or NOT_FOUND.
pub(crate) async fn get_quote(
    database: &Database,
    call: &Call,
    quote_id: QuoteId,
) -> Result<Quote, Fault> {
    let tx = database.read();
    store::quotes::get(&tx, &call.caller, quote_id).await
}

/// The invoice, or NOT_FOUND.
pub(crate) async fn get_invoice(
    database: &Database,
    call: &Call,
    invoice_id: InvoiceId,
) -> Result<Invoice, Fault> {
    let tx = database.read();
    store::invoices::get(&tx, &call.caller, invoice_id).await
}

/// A page of invoices, and the token of the next page.
pub(crate) async fn list_invoices(
    database: &Database,
    call: &Call,
    filter: &InvoiceFilter,
    page: &Page,
) -> Result<(Vec<Invoice>, String), Fault> {
    let tx = database.read();
    store::invoices::list(&tx, &call.caller, filter, page).await
}

/// A page of credit notes, and the token of the next page.
pub(crate) async fn list_credit_notes(
    database: &Database,
    call: &Call,
    filter: &CreditNoteFilter,
    page: &Page,
) -> Result<(Vec<CreditNote>, String), Fault> {
    let tx = database.read();
    let rows = store::credit_notes::list(&tx, &call.caller, filter, page).await?;
    let bytes = |note: &CreditNote| note.reason.len() + note.lines.len() * CREDIT_LINE_BYTES;
    let key = |note: &CreditNote| {
        let id = id_text(note.credit_note_id);
        time_key(note.issued, id)
    };
    Ok(page.finish_sized(rows, bytes, key))
}
