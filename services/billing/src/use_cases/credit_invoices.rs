//! What all credits share, goodwill and refunds alike: invoices, credit notes and ledger change
//! together (BL-3, BL-4, BL-5).

use licet_domain::{ids::CreditNoteId, money::Money, refusal::Refusal};
use licet_runtime::{
    caller::Call,
    database::{Number, Tx},
    fault::Fault,
};

use crate::{
    rules::{
        account::Account,
        credit::{self, CreditNote, InvoiceCredit},
        ledger::Entry,
        money_refusal,
        numbers::Seller,
    },
    store,
};

/// Issues a credit note for each credit; there may be none. Returns the notes, and the numbers that the commit gives them. The account and then the invoices are
/// locked, and the credits were planned on the locked invoices.
///
/// Refusals: AMOUNT_OUT_OF_RANGE.
pub(crate) async fn credit_invoices(
    tx: &Tx,
    call: &Call,
    account: &Account,
    credits: &[InvoiceCredit],
    reason: &str,
    seller: &Seller,
) -> Result<(Vec<CreditNote>, Vec<Number>), Fault> {
    if credits.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut notes = draft_notes(call, account, credits, reason);
    let refused = |error| money_refusal(account.currency(), &error);
    let mut entries = Vec::with_capacity(notes.len());
    for note in &mut notes {
        let id = CreditNoteId::generate();
        note.credit_note_id = Some(id);
        entries.push(Entry::credit_note(note.total, note.returned, id).map_err(refused)?);
    }
    check_balance(account, credits)?;
    store::credit_notes::apply_credits(tx, account.account_id, credits).await?;
    let booked = store::ledger::post(tx, account.account_id, entries, None, call.now)
        .await?
        .ok_or_else(|| Fault::internal("a credit that the account allows could not be booked"))?;
    for (note, entry) in notes.iter_mut().zip(&booked) {
        // Credit notes are dated as the account's entries are, whose times never run back (T-5).
        note.issued = entry.time;
    }
    let numbers = store::credit_notes::issue(tx, seller, &notes).await?;
    Ok((notes, numbers))
}

/// The credit notes of the credits, without ids and numbers.
pub(crate) fn draft_notes(
    call: &Call,
    account: &Account,
    credits: &[InvoiceCredit],
    reason: &str,
) -> Vec<CreditNote> {
    let each = credits
        .iter()
        .map(|credit| CreditNote::draft(account.account_id, credit, reason, call.now));
    each.collect()
}

/// Whether the balance stays in range with what returns to it.
///
/// # Errors
/// AMOUNT_OUT_OF_RANGE.
pub(crate) fn check_balance(account: &Account, credits: &[InvoiceCredit]) -> Result<(), Refusal> {
    let (_, returned) = credit::totals(credits, Money::zero(account.currency()))?;
    account.balance_with(returned).map(drop)
}
