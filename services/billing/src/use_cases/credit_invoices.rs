//! What all credits share, goodwill and refunds alike: invoices, credit notes and ledger change
//! together (BL-3, BL-4, BL-5).

use licet_domain::{ids::CreditNoteId, money::Money, refusal::Refusal};
use licet_runtime::{caller::Call, database::Tx, fault::Fault};

use crate::{
    rules::{
        account::Account,
        credit::{self, CreditNote, InvoiceCredit},
        ledger::Entry,
        money_refusal,
    },
    store::{self, numbers::Series},
};

/// Issues a credit note for each credit; there may be none. The account and then the invoices are
/// locked, and the credits were planned on the locked invoices.
///
/// Refusals: AMOUNT_OUT_OF_RANGE.
pub(crate) async fn credit_invoices(
    tx: &Tx,
    call: &Call,
    account: &Account,
    credits: &[InvoiceCredit],
    reason: &str,
) -> Result<Vec<CreditNote>, Fault> {
    if credits.is_empty() {
        return Ok(Vec::new());
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
    store::credit_notes::apply_credits(tx, credits).await?;
    let booked = store::ledger::post(tx, account.account_id, entries, None, call.now)
        .await?
        .ok_or_else(|| Fault::internal("a credit that the account allows could not be booked"))?;
    let first = store::numbers::assign(tx, Series::CreditNote, notes.len()).await?;
    for ((number, note), entry) in (first..).zip(&mut notes).zip(&booked) {
        note.number = Some(number);
        // Credit notes are dated as the account's entries are, whose times never run back (T-5).
        note.issued = entry.time;
    }
    store::credit_notes::insert(tx, &notes).await?;
    Ok(notes)
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
