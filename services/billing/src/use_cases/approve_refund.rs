//! Approves a refund in review, for any amount up to what it holds (AL-4).

use licet_domain::{clock::Instant, ids::RefundId, money::Money};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
};

use super::{
    credit_invoices::{check_balance, credit_invoices, draft_notes},
    event::emit,
};
use crate::{
    events::RefundApproved,
    rules::{
        account::Account,
        charge::Invoice,
        credit::{self, CreditNote, InvoiceCredit},
        numbers::Seller,
        refund::{self, Approval, Refund, Review},
    },
    store,
};

/// Credits the granted amount and releases the rest of what the refund holds (AL-4, BL-3, BL-4).
///
/// Refusals: NOT_FOUND, REFUND_NOT_PENDING, CURRENCY_MISMATCH, CREDIT_EXCEEDS_INVOICE,
/// AMOUNT_OUT_OF_RANGE.
#[derive(Debug, Clone)]
pub(crate) struct ApproveRefund {
    /// The refund.
    pub(crate) refund_id: RefundId,
    /// How much of it is granted.
    pub(crate) approval: Approval,
    /// Why.
    pub(crate) reason: String,
    /// Who issues the credit notes.
    pub(crate) seller: Seller,
}

/// An approved refund and its credit notes.
pub(crate) struct ApprovedRefund {
    /// The refund.
    pub(crate) refund: Refund,
    /// One for each credited invoice.
    pub(crate) notes: Vec<CreditNote>,
}

impl Preview for ApproveRefund {
    type Output = ApprovedRefund;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<ApprovedRefund, Fault> {
        let tx = &database.read();
        let refund = store::refunds::get(tx, &call.caller, self.refund_id).await?;
        let account = store::accounts::get(tx, &call.caller, refund.account_id).await?;
        let invoices =
            store::invoices::list_of_subject(tx, refund.account_id, &refund.subject).await?;
        let credits = self.plan(&refund, &invoices)?;
        check_balance(&account, &credits)?;
        let notes = draft_notes(call, &account, &credits, &self.reason);
        self.approved(call, refund, &credits, notes)
    }
}

impl ApproveRefund {
    fn plan(&self, refund: &Refund, invoices: &[Invoice]) -> Result<Vec<InvoiceCredit>, Fault> {
        refund.check_pending()?;
        let held = credit::creditable(invoices)?;
        let zero = Money::zero(refund.creditable.currency());
        refund::plan_approval(&held, &self.approval, zero)
            .map_err(|refusal| refusal.with("refund_id", self.refund_id).into())
    }

    fn approved(
        &self,
        call: &Call,
        refund: Refund,
        credits: &[InvoiceCredit],
        notes: Vec<CreditNote>,
    ) -> Result<ApprovedRefund, Fault> {
        let zero = Money::zero(refund.creditable.currency());
        let (granted, _) = credit::totals(credits, zero)?;
        let ids = notes.iter().filter_map(|note| note.credit_note_id);
        let time = notes.first().map_or(call.now, |note| note.issued);
        let review = review(call, time, &self.reason);
        let refund = refund.approve(granted, ids.collect(), review)?;
        Ok(ApprovedRefund { refund, notes })
    }
}

impl Verb for ApproveRefund {
    type Output = ApprovedRefund;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<ApprovedRefund, Fault> {
        let refund_id = self.refund_id;
        let (account, refund) = lock(tx, &request.call, refund_id).await?;
        let invoices =
            store::invoices::lock_of_subject(tx, account.account_id, &refund.subject).await?;
        let credits = self.plan(&refund, &invoices)?;
        let ids: Vec<_> = invoices.iter().filter_map(|it| it.invoice_id).collect();
        // Released first, so that no line is credited and held beyond its amount.
        store::invoices::release_holds(tx, account.account_id, &ids).await?;
        let reason = &self.reason;
        let (notes, _) =
            credit_invoices(tx, &request.call, &account, &credits, reason, &self.seller).await?;
        let approved = self.approved(&request.call, refund, &credits, notes)?;
        let refund = &approved.refund;
        store::refunds::set_reviewed(tx, refund_id, refund).await?;
        let data = RefundApproved {
            resource_id: &refund.subject.resource_id,
            term_index: refund.subject.term_index,
            state: refund.decision.state,
            creditable: refund.creditable,
            refunded: refund.refunded,
            currency_code: refund.creditable.currency(),
            credit_note_ids: &refund.credit_note_ids,
        };
        let (account_id, outcome) = (account.account_id, refund.decision.explanation.clone());
        emit(tx, request, refund_id, account_id, reason, outcome, &data).await?;
        Ok(approved)
    }
}

/// Locks the account of the refund, and then reads the refund: nobody else can review it.
pub(super) async fn lock(
    tx: &Tx,
    call: &Call,
    refund_id: RefundId,
) -> Result<(Account, Refund), Fault> {
    let caller = &call.caller;
    let account_id = store::owner::of_refund(tx, caller, refund_id).await?;
    let account = store::accounts::lock(tx, caller, account_id).await?;
    let refund = store::refunds::get_of_account(tx, account_id, refund_id).await?;
    Ok((account, refund))
}

/// The review by the caller.
pub(super) fn review(call: &Call, time: Instant, reason: &str) -> Review {
    Review {
        reviewer: call.caller.name.clone(),
        reason: reason.to_owned(),
        time,
    }
}
