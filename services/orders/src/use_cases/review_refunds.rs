//! The outcome of the reviews of a deleted order's refunds, noted on the order once Billing has it
//! (AL-4): what the order shows follows the review, and nothing is decided here.

use licet_contracts::billing::v1 as billing;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
};
use licet_runtime::{
    database::{Tx, Work},
    fault::Fault,
    stored,
};
use prost::Message;

use super::{
    event::{OrderEvent, emit},
    settle,
};
use crate::{convert::billing::is_in_review, rules::order::Order, store};

/// The refunds of an order that wait for a review: the running term's, then the next one's.
pub(crate) fn waiting(order: &Order) -> Result<Vec<billing::Refund>, Fault> {
    let encoded = [&order.refund, &order.next_refund];
    let refunds = encoded.into_iter().flatten();
    let refunds = refunds.map(|encoded| stored::message::<billing::Refund>(encoded));
    refunds
        .filter(|refund| refund.as_ref().map_or(true, is_in_review))
        .collect()
}

/// Notes refunds as Billing answered them just now.
pub(crate) struct NoteReviews<'a> {
    pub(crate) account_id: AccountId,
    pub(crate) order_id: OrderId,
    pub(crate) answered: &'a [billing::Refund],
    pub(crate) now: Instant,
}

impl NoteReviews<'_> {
    /// The refund as it was answered, where that differs from what the order shows.
    fn newer(&self, shown: Option<&Vec<u8>>) -> Result<Option<billing::Refund>, Fault> {
        let Some(shown) = shown else { return Ok(None) };
        let shown: billing::Refund = stored::message(shown)?;
        let mut answered = self.answered.iter();
        let found = answered.find(|found| found.refund_id == shown.refund_id);
        Ok(found.filter(|found| **found != shown).cloned())
    }
}

impl Work for NoteReviews<'_> {
    /// Whether anything was noted that was not before.
    type Answer = bool;

    async fn run(&self, tx: &Tx) -> Result<bool, Fault> {
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let this = self.newer(before.refund.as_ref())?;
        let next = self.newer(before.next_refund.as_ref())?;
        let encoded = |refund: &Option<billing::Refund>| {
            let refund = refund.as_ref();
            refund.map(Message::encode_to_vec)
        };
        let noted = before
            .clone()
            .apply_refunds(encoded(&this), encoded(&next), true);
        let still_waits = !waiting(&noted)?.is_empty();
        let after = noted.apply_refunds(None, None, still_waits);
        if after == before {
            return Ok(false);
        }
        store::orders::save(tx, &before, &after).await?;
        for refund in [this, next].into_iter().flatten() {
            self.emit(tx, &after, &refund).await?;
        }
        Ok(true)
    }
}

impl NoteReviews<'_> {
    async fn emit(&self, tx: &Tx, after: &Order, refund: &billing::Refund) -> Result<(), Fault> {
        emit(
            tx,
            OrderEvent {
                kind: "order.refund_reviewed",
                order: after,
                origin: &settle::origin(),
                time: after.decide_at(self.now),
                why: "AL-4",
                outcome: refund.state().as_str_name(),
                data: serde_json::json!({
                    "refund_id": refund.refund_id,
                    "term_index": refund.subject.as_ref().map(|subject| subject.term_index),
                    "refunded": refund.refunded.as_ref().map(|money| &money.value),
                    "currency": refund.refunded.as_ref().map(|money| &money.currency_code),
                    "reviewer": refund.reviewer,
                    "review_reason": refund.review_reason,
                }),
            },
        )
        .await
    }
}
