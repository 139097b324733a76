//! Rejects refunds in review (AL-4).

use licet_domain::ids::RefundId;
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
};

use super::{
    approve_refund::{lock, review},
    event::emit,
};
use crate::{
    events::{RefundLowered, RefundRejected},
    rules::refund::Refund,
    store,
};

/// Releases everything that the refund holds (AL-4, BL-3).
///
/// Refusals: NOT_FOUND, REFUND_NOT_PENDING.
#[derive(Debug, Clone)]
pub(crate) struct RejectRefund {
    /// The refund.
    pub(crate) refund_id: RefundId,
    /// Why.
    pub(crate) reason: String,
}

impl Preview for RejectRefund {
    type Output = Refund;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<Refund, Fault> {
        let tx = &database.read();
        let refund = store::refunds::get(tx, &call.caller, self.refund_id).await?;
        Ok(refund.reject(review(call, call.now, &self.reason))?)
    }
}

impl Verb for RejectRefund {
    type Output = Refund;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<Refund, Fault> {
        let refund_id = self.refund_id;
        let reason = &self.reason;
        let (account, refund) = lock(tx, &request.call, refund_id).await?;
        let refund = refund.reject(review(&request.call, request.call.now, reason))?;
        let invoices =
            store::invoices::lock_of_subject(tx, account.account_id, &refund.subject).await?;
        let ids: Vec<_> = invoices.iter().filter_map(|it| it.invoice_id).collect();
        store::invoices::release_holds(tx, account.account_id, &ids).await?;
        store::refunds::set_reviewed(tx, refund_id, &refund).await?;
        let data = RefundRejected(RefundLowered {
            resource_id: &refund.subject.resource_id,
            term_index: refund.subject.term_index,
            state: refund.decision.state,
            creditable: refund.creditable,
            currency_code: refund.creditable.currency(),
        });
        let (account_id, outcome) = (account.account_id, refund.decision.explanation.clone());
        emit(tx, request, refund_id, account_id, reason, outcome, &data).await?;
        Ok(refund)
    }
}
