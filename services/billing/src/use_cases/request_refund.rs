//! Deciding the refund of a term, and making it (AL-4).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, RefundId},
    money::Money,
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{Asked, Preview, Verb},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use super::credit_invoices::{check_balance, credit_invoices};
use crate::{
    rules::{
        account::Account,
        charge::{Invoice, Subject},
        credit::{self, InvoiceCredit, Source},
        not_found,
        refund::{self, Refund, RefundState, Requested, TermFacts},
    },
    store,
};

/// Decides what of a subject's invoices goes back, and credits or holds it (AL-4, BL-3, BL-4).
///
/// Refusals: NOT_FOUND, also when nothing was invoiced for the subject; REFUND_ALREADY_REQUESTED;
/// AMOUNT_OUT_OF_RANGE.
#[derive(Debug, Clone)]
pub(crate) struct RequestRefund {
    /// The account.
    pub(crate) account_id: AccountId,
    /// The term.
    pub(crate) subject: Subject,
    /// Since when it is in use; `None`: never issued.
    pub(crate) first_issuance: Option<Instant>,
    /// The instant as of which to decide.
    pub(crate) decision: Instant,
}

impl Preview for RequestRefund {
    type Answer = Requested;
    type Within = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<Requested, Fault> {
        let tx = &database.read();
        let account_id = self.account_id;
        let account = store::accounts::find(tx, &call.caller, account_id)
            .await?
            .ok_or_else(|| not_found("account", account_id))?;
        let invoices = store::invoices::list_of_subject(tx, account_id, &self.subject).await?;
        let (Requested { mut refund, notice }, credits) = self.decide(tx, &invoices).await?;
        match refund.decision.state {
            RefundState::Refunded => {
                check_balance(&account, &credits)?;
                refund.refunded = refund.creditable;
            }
            RefundState::NotDue | RefundState::PendingReview | RefundState::Rejected => {}
        }
        Ok(Requested { refund, notice })
    }
}

impl RequestRefund {
    /// The decision by the policy that the term was sold with, and what it would credit.
    async fn decide(
        &self,
        tx: &Tx,
        invoices: &[Invoice],
    ) -> Result<(Requested, Vec<InvoiceCredit>), Fault> {
        let nothing = || {
            let Subject {
                resource_id,
                term_index,
            } = &self.subject;
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
        let term = self.term(invoices).ok_or_else(nothing)?;
        let earlier = store::refunds::find_of_subject(tx, self.account_id, &self.subject).await?;
        if let Some(earlier) = earlier {
            return Err(earlier.stands().into());
        }
        let product = store::catalog::find_version(tx, &sold.product_id, sold.product_version)
            .await?
            .ok_or_else(|| Fault::internal("an invoice's product version is gone"))?;
        let policy = product.product.policy.refund();
        let decision = refund::decide(policy, &term, self.decision);
        let notice = refund::notice(&self.subject, term.end, self.decision);
        let zero = Money::zero(first.total.currency());
        let creditable = credit::creditable(invoices)?;
        let asked = credit::everything(&creditable, Source::Free)?;
        let credits = credit::plan(&creditable, &asked, Source::Free, zero)?;
        let (creditable, _) = credit::totals(&credits, zero)?;
        let refund = Refund {
            refund_id: None,
            account_id: self.account_id,
            subject: self.subject.clone(),
            decision,
            creditable,
            refunded: zero,
            first_issuance: self.first_issuance,
            decided: self.decision,
            credit_note_ids: Vec::new(),
            review: None,
        };
        Ok((Requested { refund, notice }, credits))
    }

    /// The term as its invoices have it: bought when the first of its charges was accepted.
    fn term(&self, invoices: &[Invoice]) -> Option<TermFacts> {
        let bought = invoices.iter().map(|invoice| invoice.accepted).min();
        let start = invoices.iter().filter_map(Invoice::term_start).min();
        let end = invoices.iter().filter_map(Invoice::term_end).max();
        Some(TermFacts {
            bought: bought?,
            start: start?,
            end: end?,
            first_use: self.first_issuance,
        })
    }

    /// Credits everything: a credit note for each invoice.
    async fn credit(
        &self,
        call: &Call,
        tx: &Tx,
        account: &Account,
        refund: &mut Refund,
        credits: &[InvoiceCredit],
    ) -> Result<(), Fault> {
        let reason = format!("Refund of {}, AL-4", self.subject.resource_id);
        let notes = credit_invoices(tx, call, account, credits, &reason).await?;
        refund.refunded = refund.creditable;
        refund.credit_note_ids = notes
            .iter()
            .filter_map(|note| note.credit_note_id)
            .collect();
        Ok(())
    }
}

impl Verb for RequestRefund {
    type Answer = Requested;

    async fn run(&self, asked: &Asked, tx: &Tx) -> Result<Requested, Fault> {
        let account_id = self.account_id;
        let account = store::accounts::lock(tx, &asked.call.caller, account_id)
            .await?
            .ok_or_else(|| not_found("account", account_id))?;
        let invoices = store::invoices::lock_of_subject(tx, account_id, &self.subject).await?;
        let (Requested { mut refund, notice }, credits) = self.decide(tx, &invoices).await?;
        match refund.decision.state {
            RefundState::Refunded => {
                self.credit(&asked.call, tx, &account, &mut refund, &credits)
                    .await?;
            }
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
            account_id: Some(self.account_id),
            time: asked.call.now,
            origin: &asked.origin(),
            why: format!("AL-4: {}", refund.decision.explanation),
            outcome: refund.decision.state.as_str().to_owned(),
            data: json!({
                "resource_id": self.subject.resource_id,
                "term_index": self.subject.term_index,
                "creditable": refund.creditable.value(),
                "refunded": refund.refunded.value(),
                "currency_code": refund.creditable.currency().code(),
                "credit_note_ids": refund.credit_note_ids,
                "counted_from": refund.decision.count.as_str(),
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(Requested { refund, notice })
    }
}
