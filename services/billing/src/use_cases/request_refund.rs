//! Deciding the refund of a term, and making it (AL-4).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, RefundId},
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use super::{
    credit_invoices::{check_balance, credit_invoices},
    lower_review::lower_review,
};
use crate::{
    rules::{
        account::Account,
        charge::{Invoice, Subject},
        credit::InvoiceCredit,
        not_found,
        refund::{
            self, Refund, RefundState, RequestedRefund, TermTimes,
            claim::{RefundClaim, RefundPlan, TermHistory},
        },
    },
    store,
};

/// Decides what of a subject's invoices goes back, and credits or holds it (AL-4, BL-3, BL-4).
///
/// Refusals: NOT_FOUND, also when nothing was invoiced for the subject; REFUND_ALREADY_REQUESTED,
/// DECISION_BEFORE_PURCHASE, ISSUANCE_OUTSIDE_TERM, AMOUNT_OUT_OF_RANGE.
#[derive(Debug, Clone)]
pub(crate) struct RequestRefund {
    /// The account.
    pub(crate) account_id: AccountId,
    /// The term.
    pub(crate) subject: Subject,
    /// Since when it is in use; `None`: never issued.
    pub(crate) first_issuance: Option<Instant>,
    /// The instant as of which to decide; `None`: now.
    pub(crate) decision: Option<Instant>,
}

impl Preview for RequestRefund {
    type Output = RequestedRefund;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<RequestedRefund, Fault> {
        let tx = &database.read();
        let account_id = self.account_id;
        let account = store::accounts::find(tx, &call.caller, account_id)
            .await?
            .ok_or_else(|| not_found("account", account_id))?;
        let invoices = store::invoices::list_of_subject(tx, account_id, &self.subject).await?;
        let (decided, notice) = self.decide(call, tx, &invoices).await?;
        let mut refund = decided.refund;
        match refund.decision.state {
            RefundState::Refunded => {
                check_balance(&account, &decided.credits)?;
                refund.refunded = refund.creditable;
            }
            RefundState::NotDue | RefundState::PendingReview | RefundState::Rejected => {}
        }
        refund.refund_id = None;
        Ok(RequestedRefund { refund, notice })
    }
}

impl RequestRefund {
    /// The decision by the policy that the term was sold with, what it credits or holds, and what it
    /// leaves as it is.
    async fn decide(
        &self,
        call: &Call,
        tx: &Tx,
        invoices: &[Invoice],
    ) -> Result<(RefundPlan, Option<String>), Fault> {
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
        let earlier = store::refunds::list_of_subject(tx, self.account_id, &self.subject).await?;
        let history = TermHistory {
            invoices,
            earlier: &earlier,
        };
        let product = store::catalog::find_version(tx, &sold.product_id, sold.product_version)
            .await?
            .ok_or_else(|| Fault::internal("an invoice's product version is gone"))?;
        let policy = product.product.policy.refund();
        let at = history.decide_at(self.decision, call.now)?;
        let claim = RefundClaim {
            account_id: self.account_id,
            subject: self.subject.clone(),
            first_issuance: self.first_issuance,
        };
        let decided = claim.decide(policy, &term, history, at)?;
        Ok((decided, refund::notice(&self.subject, term.end, at)))
    }

    /// The term as its invoices have it: bought when the first of its charges was accepted.
    fn term(&self, invoices: &[Invoice]) -> Option<TermTimes> {
        let bought = invoices.iter().map(|invoice| invoice.accepted).min();
        let start = invoices.iter().filter_map(Invoice::term_start).min();
        let end = invoices.iter().filter_map(Invoice::term_end).max();
        Some(TermTimes {
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
    type Output = RequestedRefund;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<RequestedRefund, Fault> {
        let account_id = self.account_id;
        let account = store::accounts::lock(tx, &request.call.caller, account_id)
            .await?
            .ok_or_else(|| not_found("account", account_id))?;
        let invoices = store::invoices::lock_of_subject(tx, account_id, &self.subject).await?;
        let (decided, notice) = self.decide(&request.call, tx, &invoices).await?;
        let RefundPlan {
            mut refund,
            credits,
            emptied,
        } = decided;
        if let Some(review) = emptied {
            let ids: Vec<_> = invoices.iter().filter_map(|it| it.invoice_id).collect();
            store::invoices::release_holds(tx, &ids).await?;
            lower_review(tx, request, &review, "AL-4: refunded in full").await?;
        }
        match refund.decision.state {
            RefundState::Refunded => {
                self.credit(&request.call, tx, &account, &mut refund, &credits)
                    .await?;
            }
            RefundState::PendingReview => {
                let held: Vec<InvoiceId> = credits.iter().map(|credit| credit.invoice_id).collect();
                store::invoices::hold_creditable(tx, &held).await?;
            }
            RefundState::NotDue | RefundState::Rejected => {}
        }
        let kind = match refund.refund_id {
            Some(_) => {
                store::refunds::set_held(tx, &refund).await?;
                "licet.billing.refund.extended.v1"
            }
            None => {
                let refund_id = RefundId::generate();
                refund.refund_id = Some(refund_id);
                store::refunds::insert(tx, refund_id, &refund).await?;
                "licet.billing.refund.decided.v1"
            }
        };
        let event = Event {
            kind,
            resource_id: refund
                .refund_id
                .map_or_else(String::new, |id| id.to_string()),
            account_id: Some(self.account_id),
            time: request.call.now,
            origin: &request.origin(),
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
        Ok(RequestedRefund { refund, notice })
    }
}
