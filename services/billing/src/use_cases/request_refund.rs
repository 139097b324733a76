//! Deciding the refund of a term, and making it (AL-4).

use licet_domain::{
    ids::{CreditNoteId, InvoiceId, RefundId},
    money::Money,
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{
    convert::refund::RefundWish,
    rules::{
        charge::{Invoice, Subject},
        credit::{self, CreditNote, LineCredit},
        ledger::{Cause, Entry, LedgerEntry},
        not_found,
        refund::{self, Refund, RefundState},
        sum_refused,
    },
    store::{self, numbers::Series},
};

/// Decides what of a subject's invoices goes back, and credits or holds it (AL-4, BL-3, BL-4).
///
/// Refusals: NOT_FOUND, also when nothing was invoiced for the subject; REFUND_ALREADY_REQUESTED.
pub(crate) struct RequestRefund<'a> {
    /// What was accepted.
    pub(crate) call: &'a Call,
    /// The attempt's id.
    pub(crate) request_id: &'a str,
    /// The term to refund.
    pub(crate) wish: &'a RefundWish,
}

/// What can be credited of one invoice.
struct InvoiceCredit {
    invoice_id: InvoiceId,
    lines: Vec<LineCredit>,
    total: Money,
}

impl RequestRefund<'_> {
    /// The refund as it would be decided; nothing is written.
    pub(crate) async fn preview(&self, tx: &Tx) -> Result<Refund, Fault> {
        self.check_account(tx).await?;
        let invoices =
            store::invoices::list_of_subject(tx, self.wish.account_id, &self.wish.subject).await?;
        let (mut refund, _) = self.decide(tx, &invoices).await?;
        match refund.decision.state {
            RefundState::Refunded => refund.refunded = refund.creditable,
            RefundState::NotDue | RefundState::PendingReview | RefundState::Rejected => {}
        }
        Ok(refund)
    }

    async fn check_account(&self, tx: &Tx) -> Result<(), Fault> {
        match store::accounts::find(tx, &self.call.caller, self.wish.account_id).await? {
            Some(_) => Ok(()),
            None => Err(not_found("account", self.wish.account_id).into()),
        }
    }

    /// The decision by the policy that the term was sold with, and what it would credit.
    async fn decide(
        &self,
        tx: &Tx,
        invoices: &[Invoice],
    ) -> Result<(Refund, Vec<InvoiceCredit>), Fault> {
        let nothing = || {
            let Subject {
                resource_id,
                term_index,
            } = &self.wish.subject;
            let subject = format!("{resource_id}, term {term_index}");
            Refusal::new(
                Reason::NotFound,
                format!("nothing was invoiced for {subject}"),
            )
            .with("resource", "subject")
            .with("id", subject)
        };
        let first = invoices.first().ok_or_else(nothing)?;
        let sold = &first.lines.first().ok_or_else(nothing)?.line;
        let term_end = invoices
            .iter()
            .filter_map(Invoice::term_end)
            .max()
            .ok_or_else(nothing)?;
        let earlier =
            store::refunds::find_of_subject(tx, self.wish.account_id, &self.wish.subject).await?;
        if let Some(earlier) = earlier {
            return Err(earlier.stands().into());
        }
        let product = store::catalog::find_version(tx, &sold.product_id, sold.product_version)
            .await?
            .ok_or_else(|| Fault::internal("an invoice's product version is gone"))?;
        let policy = product.product.policy.refund();
        let decision = refund::decide(
            policy,
            self.wish.first_issuance,
            term_end,
            self.wish.decision,
        );
        let zero = Money::zero(first.total.currency());
        let mut credits = Vec::with_capacity(invoices.len());
        let mut creditable = zero;
        for invoice in invoices {
            let credit = plan_credit(invoice, zero)?;
            creditable = creditable
                .checked_add(credit.total)
                .map_err(|error| sum_refused(zero.currency(), &error))?;
            credits.push(credit);
        }
        credits.retain(|credit| !credit.total.is_zero());
        let refund = Refund {
            refund_id: None,
            account_id: self.wish.account_id,
            subject: self.wish.subject.clone(),
            decision,
            creditable,
            refunded: zero,
            first_issuance: self.wish.first_issuance,
            decided: self.wish.decision,
            credit_note_ids: Vec::new(),
        };
        Ok((refund, credits))
    }

    /// Credits everything: a credit note for each invoice, and the money back on the balance.
    async fn credit(
        &self,
        tx: &Tx,
        refund: &mut Refund,
        credits: Vec<InvoiceCredit>,
    ) -> Result<(), Fault> {
        refund.refunded = refund.creditable;
        if credits.is_empty() {
            return Ok(());
        }
        let total = refund.refunded;
        let invoice_ids: Vec<InvoiceId> = credits.iter().map(|credit| credit.invoice_id).collect();
        store::invoices::credit_whole(tx, &invoice_ids).await?;
        if !store::accounts::credit(tx, self.wish.account_id, total).await? {
            // A charge may have made room since: what fits the locked balance can be added.
            let account =
                store::accounts::lock(tx, &self.call.caller, self.wish.account_id).await?;
            let account = account.ok_or_else(|| not_found("account", self.wish.account_id))?;
            account.balance_with(total)?;
            if !store::accounts::credit(tx, self.wish.account_id, total).await? {
                return Err(Fault::internal("a refund that fits was not credited"));
            }
        }
        let first = store::numbers::take(tx, Series::CreditNote, credits.len()).await?;
        let mut notes = Vec::with_capacity(credits.len());
        let mut entries = Vec::with_capacity(credits.len());
        for (number, credit) in (first..).zip(credits) {
            let note = self.note(number, credit);
            let entry = Entry::credit_note(note.total)
                .map_err(|error| sum_refused(total.currency(), &error))?;
            let cause = Cause::CreditNote(note.credit_note_id);
            entries.push(LedgerEntry::book(
                self.wish.account_id,
                &entry,
                cause,
                self.call.now,
            ));
            notes.push(note);
        }
        store::credit_notes::insert(tx, &notes).await?;
        store::ledger::insert(tx, total.currency(), &entries).await?;
        refund.credit_note_ids = notes.iter().map(|note| note.credit_note_id).collect();
        Ok(())
    }

    fn note(&self, number: i64, credit: InvoiceCredit) -> CreditNote {
        CreditNote {
            credit_note_id: CreditNoteId::generate(),
            number,
            account_id: self.wish.account_id,
            invoice_id: credit.invoice_id,
            lines: credit.lines,
            total: credit.total,
            reason: format!("Refund of {}, AL-4", self.wish.subject.resource_id),
            issued: self.call.now,
        }
    }
}

impl Work for RequestRefund<'_> {
    type Answer = Refund;

    async fn run(&self, tx: &Tx) -> Result<Refund, Fault> {
        self.check_account(tx).await?;
        let invoices =
            store::invoices::lock_of_subject(tx, self.wish.account_id, &self.wish.subject).await?;
        let (mut refund, credits) = self.decide(tx, &invoices).await?;
        match refund.decision.state {
            RefundState::Refunded => self.credit(tx, &mut refund, credits).await?,
            RefundState::PendingReview => {
                let held: Vec<InvoiceId> = credits.iter().map(|credit| credit.invoice_id).collect();
                store::invoices::hold_whole(tx, &held).await?;
            }
            RefundState::NotDue | RefundState::Rejected => {}
        }
        let refund_id = RefundId::generate();
        refund.refund_id = Some(refund_id);
        store::refunds::insert(tx, refund_id, &refund).await?;
        let event = Event {
            kind: "licet.billing.refund.decided.v1",
            resource_id: refund_id.to_string(),
            account_id: Some(self.wish.account_id),
            time: self.call.now,
            origin: &self.call.origin(self.request_id),
            why: format!("AL-4: {}", refund.decision.explanation),
            outcome: refund.decision.state.as_str().to_owned(),
            data: json!({
                "resource_id": self.wish.subject.resource_id,
                "term_index": self.wish.subject.term_index,
                "creditable": refund.creditable.value(),
                "refunded": refund.refunded.value(),
                "currency_code": refund.creditable.currency().code(),
                "credit_note_ids": refund.credit_note_ids,
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(refund)
    }
}

/// Everything that is left of an invoice, held against BL-3.
fn plan_credit(invoice: &Invoice, zero: Money) -> Result<InvoiceCredit, Fault> {
    let invoice_id = invoice
        .invoice_id
        .ok_or_else(|| Fault::internal("a kept invoice has no id"))?;
    let creditable = invoice.creditable_lines();
    let lines = credit::whole(&creditable)?;
    let total = credit::check(&creditable, &lines, zero)
        .map_err(|refusal| refusal.with("invoice_id", invoice_id))?;
    Ok(InvoiceCredit {
        invoice_id,
        lines,
        total,
    })
}
