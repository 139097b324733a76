//! Adds the numbers of new documents to responses. The commit of a change takes them (BL-8), so that neither the
//! change nor its replay record knows them; the documents keep them for ever.

use licet_contracts::billing::v1 as billing;
use licet_domain::ids::{CreditNoteId, InvoiceId};
use licet_runtime::{database::Database, fault::Fault, stored::parsed};

use crate::queries;

/// Adds the numbers of invoices, all of one account. Previews have neither id nor number.
pub(super) async fn add_to_invoices<'a>(
    database: &Database,
    invoices: impl IntoIterator<Item = &'a mut billing::Invoice>,
) -> Result<(), Fault> {
    let is_new = |it: &&mut billing::Invoice| !it.invoice_id.is_empty() && it.number.is_empty();
    let mut new: Vec<_> = invoices.into_iter().filter(is_new).collect();
    let Some(first) = new.first() else {
        return Ok(());
    };
    let account_id = parsed("account_id", &first.account_id)?;
    let ids = new.iter().map(|it| parsed("invoice_id", &it.invoice_id));
    let ids = ids.collect::<Result<Vec<InvoiceId>, Fault>>()?;
    let numbers = queries::documents::invoice_numbers(database, account_id, &ids).await?;
    for (invoice, id) in new.iter_mut().zip(&ids) {
        let number = numbers.get(id).ok_or_else(missing)?;
        invoice.number = number.of_invoice();
    }
    Ok(())
}

/// As [`add_to_invoices`], for credit notes.
pub(super) async fn add_to_credit_notes<'a>(
    database: &Database,
    notes: impl IntoIterator<Item = &'a mut billing::CreditNote>,
) -> Result<(), Fault> {
    let is_new =
        |it: &&mut billing::CreditNote| !it.credit_note_id.is_empty() && it.number.is_empty();
    let mut new: Vec<_> = notes.into_iter().filter(is_new).collect();
    let Some(first) = new.first() else {
        return Ok(());
    };
    let account_id = parsed("account_id", &first.account_id)?;
    let ids = new
        .iter()
        .map(|it| parsed("credit_note_id", &it.credit_note_id));
    let ids = ids.collect::<Result<Vec<CreditNoteId>, Fault>>()?;
    let numbers = queries::documents::credit_note_numbers(database, account_id, &ids).await?;
    for (note, id) in new.iter_mut().zip(&ids) {
        let number = numbers.get(id).ok_or_else(missing)?;
        note.number = number.of_credit_note();
    }
    Ok(())
}

fn missing() -> Fault {
    Fault::internal("an issued document is not in the store")
}
