//! What a review holds becomes less, because something else credits it: a change that is taken back
//! (MD-7), or a full refund of the same term (AL-4).

use licet_runtime::{
    database::Tx,
    door::ChangeRequest,
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{rules::refund::Refund, store};

/// Keeps a refund in review that was lowered by the rules. Its account is locked.
pub(super) async fn lower_review(
    tx: &Tx,
    request: &ChangeRequest,
    review: &Refund,
    why: &str,
) -> Result<(), Fault> {
    store::refunds::set_held(tx, review).await?;
    let event = Event {
        kind: "licet.billing.refund.lowered.v1",
        resource_id: review
            .refund_id
            .map_or_else(String::new, |id| id.to_string()),
        account_id: Some(review.account_id),
        time: request.call.now,
        origin: &request.origin(),
        why: why.to_owned(),
        outcome: review.decision.explanation.clone(),
        data: json!({
            "resource_id": review.subject.resource_id,
            "term_index": review.subject.term_index,
            "state": review.decision.state.as_str(),
            "creditable": review.creditable.value(),
            "currency_code": review.creditable.currency().code(),
        }),
    };
    outbox::emit(tx, event).await
}
