//! Lowers what a review holds when something else credits it: a cancelled domain change (MD-7), or
//! a full refund of the same term (AL-4).

use licet_runtime::{database::Tx, door::ChangeRequest, fault::Fault};

use super::event::emit;
use crate::{
    events::RefundLowered,
    rules::{id_text, refund::Refund},
    store,
};

/// Stores a refund in review that the rules have lowered. Its account is locked.
pub(super) async fn lower_review(
    tx: &Tx,
    request: &ChangeRequest,
    review: &Refund,
    why: &str,
) -> Result<(), Fault> {
    store::refunds::set_held(tx, review).await?;
    let data = RefundLowered {
        resource_id: &review.subject.resource_id,
        term_index: review.subject.term_index,
        state: review.decision.state,
        creditable: review.creditable,
        currency_code: review.creditable.currency(),
    };
    let id = id_text(review.refund_id);
    let outcome = review.decision.explanation.clone();
    emit(tx, request, id, review.account_id, why, outcome, &data).await
}
