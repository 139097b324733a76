//! Decides the refund of a term, and makes it (AL-4).

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
};

use super::{
    credit_invoices::{check_balance, credit_invoices},
    event::emit,
    lower_review::lower_review,
};
use crate::{
    events::{RefundDecided, RefundExtended},
    rules::{
        account::Account,
        charge::{Invoice, Subject},
        credit::InvoiceCredit,
        numbers::Seller,
        refund::{
            self, Refund, RefundState, RequestedRefund, TermTimes,
            claim::{RefundClaim, RefundPlan, TermHistory},
        },
    },
    store,
};

/// Decides how much of a subject's invoices is refunded, and credits or holds it (AL-4, BL-3,
/// BL-4).
///
/// Refusals: NOT_FOUND, also when nothing was invoiced for the subject; REFUND_ALREADY_REQUESTED,
/// DECISION_BEFORE_PURCHASE, ISSUANCE_OUTSIDE_TERM, AMOUNT_OUT_OF_RANGE.
#[derive(Debug, Clone)]
pub(crate) struct RequestRefund {
    /// The account.
    pub(crate) account_id: AccountId,
    /// The term.
    pub(crate) subject: Subject,
    /// When its use began; `None`: no certificate was active in it.
    pub(crate) first_issuance: Option<Instant>,
    /// The decision time; `None`: now.
    pub(crate) decision: Option<Instant>,
    /// Who issues the credit notes.
    pub(crate) seller: Seller,
}

impl Preview for RequestRefund {
    type Output = RequestedRefund;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<RequestedRefund, Fault> {
        let tx = &database.read();
        let account_id = self.account_id;
        let account = store::accounts::get(tx, &call.caller, account_id).await?;
        let invoices = store::invoices::list_of_subject(tx, account_id, &self.subject).await?;
        let (plan, notice) = self.decide(call, tx, &invoices).await?;
        let mut refund = plan.refund;
        match refund.decision.state {
            RefundState::Refunded => {
                check_balance(&account, &plan.credits)?;
                refund.refunded = refund.creditable;
            }
            RefundState::NotDue | RefundState::PendingReview | RefundState::Rejected => {}
        }
        refund.refund_id = None;
        Ok(RequestedRefund { refund, notice })
    }
}

impl RequestRefund {
    /// The decision by the policy that the term was sold with, and the notice of what the refund
    /// does not end.
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
            .ok_or_else(|| Fault::internal("the product version of an invoice is missing"))?;
        let policy = product.product.policy.refund();
        let at = history.decide_at(self.decision, call.now)?;
        let claim = RefundClaim {
            account_id: self.account_id,
            subject: self.subject.clone(),
            first_issuance: self.first_issuance,
        };
        let plan = claim.decide(policy, &term, history, at)?;
        Ok((plan, refund::notice(&self.subject, term.end, at)))
    }

    /// The times of the term, from its invoices; it was bought when its first charge was accepted.
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

    /// Credits everything, with a credit note for each invoice.
    async fn credit(
        &self,
        call: &Call,
        tx: &Tx,
        account: &Account,
        refund: &mut Refund,
        credits: &[InvoiceCredit],
    ) -> Result<(), Fault> {
        let reason = format!("Refund of {}, AL-4", self.subject.resource_id);
        let (notes, _) = credit_invoices(tx, call, account, credits, &reason, &self.seller).await?;
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
        let account = store::accounts::lock(tx, &request.call.caller, account_id).await?;
        let invoices = store::invoices::lock_of_subject(tx, account_id, &self.subject).await?;
        let (plan, notice) = self.decide(&request.call, tx, &invoices).await?;
        let RefundPlan {
            mut refund,
            credits,
            emptied_review,
        } = plan;
        if let Some(review) = emptied_review {
            let ids: Vec<_> = invoices.iter().filter_map(|it| it.invoice_id).collect();
            store::invoices::release_holds(tx, account_id, &ids).await?;
            lower_review(tx, request, &review, "AL-4: refunded in full").await?;
        }
        match refund.decision.state {
            RefundState::Refunded => {
                self.credit(&request.call, tx, &account, &mut refund, &credits)
                    .await?;
            }
            RefundState::PendingReview => {
                let held: Vec<InvoiceId> = credits.iter().map(|credit| credit.invoice_id).collect();
                store::invoices::hold_creditable(tx, account_id, &held).await?;
            }
            RefundState::NotDue | RefundState::Rejected => {}
        }
        let is_extended = refund.refund_id.is_some();
        let refund_id = refund.refund_id.unwrap_or_else(RefundId::generate);
        refund.refund_id = Some(refund_id);
        if is_extended {
            store::refunds::set_held(tx, &refund).await?;
        } else {
            store::refunds::insert(tx, refund_id, &refund).await?;
        }
        let data = RefundDecided {
            resource_id: &self.subject.resource_id,
            term_index: self.subject.term_index,
            creditable: refund.creditable,
            refunded: refund.refunded,
            currency_code: refund.creditable.currency(),
            credit_note_ids: &refund.credit_note_ids,
            counted_from: refund.decision.count,
        };
        let why = format!("AL-4: {}", refund.decision.explanation);
        let outcome = refund.decision.state.as_str().to_owned();
        if is_extended {
            let data = RefundExtended(data);
            emit(tx, request, refund_id, account_id, &why, outcome, &data).await?;
        } else {
            emit(tx, request, refund_id, account_id, &why, outcome, &data).await?;
        }
        Ok(RequestedRefund { refund, notice })
    }
}
