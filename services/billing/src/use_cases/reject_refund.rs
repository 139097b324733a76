//! Turning down a refund in review (AL-4).

use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use super::approve_refund::{find, lock, review};
use crate::{convert::refund::Rejection, rules::refund::Refund, store};

/// Lets go of all that the refund holds (AL-4, BL-3).
///
/// Refusals: NOT_FOUND, REFUND_NOT_PENDING.
pub(crate) struct RejectRefund<'a> {
    /// What was accepted.
    pub(crate) call: &'a Call,
    /// The attempt's id.
    pub(crate) request_id: &'a str,
    /// What to turn down.
    pub(crate) rejection: &'a Rejection,
}

impl RejectRefund<'_> {
    /// The refund as it would be; nothing is written.
    pub(crate) async fn preview(&self, tx: &Tx) -> Result<Refund, Fault> {
        let refund = find(tx, self.call, self.rejection.refund_id).await?;
        Ok(refund.reject(review(self.call, self.call.now, &self.rejection.reason))?)
    }
}

impl Work for RejectRefund<'_> {
    type Answer = Refund;

    async fn run(&self, tx: &Tx) -> Result<Refund, Fault> {
        let refund_id = self.rejection.refund_id;
        let reason = &self.rejection.reason;
        let (account, refund) = lock(tx, self.call, refund_id).await?;
        let refund = refund.reject(review(self.call, self.call.now, reason))?;
        let invoices =
            store::invoices::lock_of_subject(tx, account.account_id, &refund.subject).await?;
        let ids: Vec<_> = invoices.iter().filter_map(|it| it.invoice_id).collect();
        store::invoices::release_whole(tx, &ids).await?;
        store::refunds::set_reviewed(tx, refund_id, &refund).await?;
        let event = Event {
            kind: "licet.billing.refund.rejected.v1",
            resource_id: refund_id.to_string(),
            account_id: Some(account.account_id),
            time: self.call.now,
            origin: &self.call.origin(self.request_id),
            why: reason.clone(),
            outcome: refund.decision.explanation.clone(),
            data: json!({
                "resource_id": refund.subject.resource_id,
                "term_index": refund.subject.term_index,
                "state": refund.decision.state.as_str(),
                "creditable": refund.creditable.value(),
                "currency_code": refund.creditable.currency().code(),
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(refund)
    }
}
