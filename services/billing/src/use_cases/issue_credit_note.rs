//! Credits an invoice, as goodwill or for a cancelled domain change (BL-3, BL-4).

use licet_domain::{ids::InvoiceId, money::Money};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
};

use super::{
    credit_invoices::{check_balance, credit_invoices, draft_notes},
    event::emit,
    lower_review::lower_review,
    pay_invoice::lock_with_account,
};
use crate::{
    events::CreditNoteIssued,
    rules::{
        charge::Invoice,
        credit::{self, CreditNote, InvoiceCredit, LineCredit},
        id_text, money_refusal,
        numbers::Seller,
        refund::RefundState,
    },
    store,
};

/// Credits everything free of an invoice, or the given lines; or also what a review holds, which
/// the review then no longer holds (MD-7, BL-3).
///
/// Refusals: NOT_FOUND, CURRENCY_MISMATCH, CREDIT_EXCEEDS_INVOICE, AMOUNT_OUT_OF_RANGE.
#[derive(Debug, Clone)]
pub(crate) struct IssueCreditNote {
    /// The invoice.
    pub(crate) invoice_id: InvoiceId,
    /// The amounts by line, each line once; empty: everything that is left.
    pub(crate) lines: Vec<LineCredit>,
    /// Whether to credit also what a review holds; only without lines.
    pub(crate) including_held: bool,
    /// Why.
    pub(crate) reason: String,
    /// Who issues the credit note.
    pub(crate) seller: Seller,
}

/// An issued credit note, and its invoice afterwards.
pub(crate) struct IssuedCreditNote {
    /// The credit note.
    pub(crate) note: CreditNote,
    /// The invoice.
    pub(crate) invoice: Invoice,
}

impl Preview for IssueCreditNote {
    type Output = IssuedCreditNote;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<IssuedCreditNote, Fault> {
        let tx = &database.read();
        let invoice = store::invoices::get(tx, &call.caller, self.invoice_id).await?;
        let account = store::accounts::get(tx, &call.caller, invoice.account_id).await?;
        let (invoice, _) = self.release(invoice);
        let credit = credit::plan_goodwill(&invoice, &self.lines)?;
        check_balance(&account, std::slice::from_ref(&credit))?;
        let notes = draft_notes(call, &account, std::slice::from_ref(&credit), &self.reason);
        issued_credit_note(notes, invoice, &credit)
    }
}

impl IssueCreditNote {
    /// The invoice, without what a review holds if that is credited as well; and how much that is.
    fn release(&self, invoice: Invoice) -> (Invoice, Option<Money>) {
        let held = invoice.held;
        if self.including_held && held.minor() > 0 {
            (credit::release_hold(invoice), Some(held))
        } else {
            (invoice, None)
        }
    }

    /// Lowers the review that holds `held` of the locked invoice.
    async fn lower_review_by(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
        invoice: &Invoice,
        held: Money,
    ) -> Result<(), Fault> {
        let subject = invoice.subject.as_ref();
        let subject = subject
            .ok_or_else(|| Fault::internal("an invoice without a term is held by a review"))?;
        let refunds = store::refunds::list_of_subject(tx, invoice.account_id, subject).await?;
        let mut refunds = refunds.into_iter();
        let review = refunds.find(|it| it.decision.state == RefundState::PendingReview);
        let review = review.ok_or_else(|| {
            Fault::internal("a part of an invoice is held, but no refund of its term is in review")
        })?;
        let lowered = review.lower(held, request.call.now);
        let lowered = lowered.map_err(|error| money_refusal(held.currency(), &error))?;
        store::invoices::release_holds(tx, invoice.account_id, &[self.invoice_id]).await?;
        lower_review(tx, request, &lowered, &self.reason).await
    }
}

impl Verb for IssueCreditNote {
    type Output = IssuedCreditNote;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<IssuedCreditNote, Fault> {
        let (account, invoice) =
            lock_with_account(tx, &request.call.caller, self.invoice_id).await?;
        let (invoice, held) = self.release(invoice);
        if let Some(held) = held {
            self.lower_review_by(request, tx, &invoice, held).await?;
        }
        let credit = credit::plan_goodwill(&invoice, &self.lines)?;
        let reason = &self.reason;
        let credits = std::slice::from_ref(&credit);
        let (notes, numbers) =
            credit_invoices(tx, &request.call, &account, credits, reason, &self.seller).await?;
        let number = numbers.into_iter().next();
        let number = number.ok_or_else(|| Fault::internal("a credit note has no number"))?;
        let issued = issued_credit_note(notes, invoice, &credit)?;
        let note = &issued.note;
        let data = CreditNoteIssued {
            seller: self.seller.as_str(),
            number,
            invoice_id: note.invoice_id,
            total: note.total,
            returned: note.returned,
            due: credit.due,
            currency_code: note.total.currency(),
        };
        let (id, account_id) = (id_text(note.credit_note_id), account.account_id);
        let outcome = note.explanation();
        emit(tx, request, id, account_id, reason, outcome, &data).await?;
        Ok(issued)
    }
}

fn issued_credit_note(
    notes: Vec<CreditNote>,
    invoice: Invoice,
    credit: &InvoiceCredit,
) -> Result<IssuedCreditNote, Fault> {
    let currency = invoice.total.currency();
    let note = notes.into_iter().next();
    let note = note.ok_or_else(|| Fault::internal("a credit has no credit note"))?;
    let invoice =
        credit::apply_credit(invoice, credit).map_err(|error| money_refusal(currency, &error))?;
    Ok(IssuedCreditNote { note, invoice })
}
