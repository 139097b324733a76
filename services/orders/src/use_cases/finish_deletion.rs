//! What a deletion still owes once the order is gone (AL-4, X-3): the refund of each of its terms,
//! and what it held of its SAN licence. It only goes forward: what is refused goes to a review.

use licet_contracts::billing::v1 as billing;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
    refusal::Refusal,
};
use licet_runtime::{
    caller::Origin, database::Tx, fault::Fault, operation::Progress, peer::PeerFault, stored,
    stored::Kept,
};
use prost::Message;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::{OrderEvent, emit},
    operation::{OrderOperation, Outcome, misplaced},
};
use crate::{
    convert::{
        billing::{is_in_review, refund_question, refund_to_review},
        deletion::encode_deletion,
    },
    peers::Peers,
    queries::order_view,
    rules::{deletion::Deletion, order::Order, san_license::GiveBack},
    store,
};

/// The question for the refund of the term bought for the time after the running one: it has a
/// policy and a first issuance of its own (AL-4).
pub(super) fn next_question(
    order: &Order,
    now: Instant,
    validate_only: bool,
) -> Option<billing::RequestRefundRequest> {
    let next = order.next_term.as_ref()?;
    Some(refund_question(order, next, now, validate_only))
}

/// The refunds of the running and the next term as they were decided; none while that is still to
/// come.
pub(super) fn decided_refunds(
    order: &Order,
) -> Result<(Option<billing::Refund>, Option<billing::Refund>), Fault> {
    let read = |encoded: &Option<Vec<u8>>| encoded.as_deref().map(stored::message).transpose();
    Ok((read(&order.refund)?, read(&order.next_refund)?))
}

/// A deletion whose refunds, term by term, and then what it gives back, are under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Deleting {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    deletion: Deletion,
    question: Kept<billing::RequestRefundRequest>,
    #[serde(default)]
    next_question: Option<Kept<billing::RequestRefundRequest>>,
    #[serde(default)]
    back: Option<GiveBack>,
    #[serde(default)]
    is_refund_decided: bool,
    #[serde(default)]
    is_next_refund_decided: bool,
}

/// What is still to come of a deletion, in this order.
enum Due<'a> {
    Refund(&'a billing::RequestRefundRequest),
    NextRefund(&'a billing::RequestRefundRequest),
    GiveBack(&'a GiveBack),
    Nothing,
}

impl Deleting {
    pub(super) fn new(
        order: &Order,
        origin: Origin,
        now: Instant,
        deletion: Deletion,
        back: Option<GiveBack>,
    ) -> Self {
        Self {
            order_id: order.id,
            account_id: order.account_id,
            origin,
            decision_time: now,
            deletion,
            question: Kept(refund_question(order, &order.term, now, false)),
            next_question: next_question(order, now, false).map(Kept),
            back,
            is_refund_decided: false,
            is_next_refund_decided: false,
        }
    }

    fn due(&self) -> Due<'_> {
        if !self.is_refund_decided {
            return Due::Refund(&self.question.0);
        }
        match (&self.next_question, &self.back) {
            (Some(question), _) if !self.is_next_refund_decided => Due::NextRefund(&question.0),
            (_, Some(back)) => Due::GiveBack(back),
            (_, None) => Due::Nothing,
        }
    }

    pub(super) fn step(&self) -> &'static str {
        match self.due() {
            Due::Refund(_) => "refund",
            Due::NextRefund(_) => "refund-next-term",
            Due::GiveBack(_) | Due::Nothing => "give-back",
        }
    }

    pub(super) async fn perform(
        &self,
        peers: &Peers,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        let mut refused = Vec::new();
        match self.due() {
            Due::Refund(question) | Due::NextRefund(question) => {
                let refund = peers.billing.request_refund(question, request_id);
                return refund
                    .await
                    .map(|refund| Outcome::Refunded(Box::new(refund)));
            }
            Due::GiveBack(back) => {
                if let Some(id) = back.reservation_id {
                    let released = peers.san_licensing.release(back.license_id, id, request_id);
                    refused.extend(released.await?.map(|refusal| *refusal));
                }
                for certificate in &back.certificates {
                    let revoked = peers.san_licensing.revoke(certificate).await?;
                    refused.extend(revoked.map(|refusal| *refusal));
                }
            }
            Due::Nothing => {}
        }
        Ok(Outcome::Returned(refused))
    }

    pub(super) async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let decided = match outcome {
            Ok(Outcome::Refunded(refund)) => Some(Ok(refund.as_ref())),
            Err(refusal) => Some(Err(refusal)),
            Ok(_) => None,
        };
        match (self.due(), decided, outcome) {
            (Due::Refund(question), Some(decided), _) => {
                let next = Self {
                    is_refund_decided: true,
                    ..self.clone()
                };
                next.apply_refund(tx, now, question, decided).await
            }
            (Due::NextRefund(question), Some(decided), _) => {
                let next = Self {
                    is_next_refund_decided: true,
                    ..self.clone()
                };
                next.apply_refund(tx, now, question, decided).await
            }
            (Due::GiveBack(back), _, Ok(Outcome::Returned(refused))) => {
                self.apply_back(tx, now, back, refused).await
            }
            (_, _, Err(refusal)) => Err(Fault::internal(format!(
                "what is given back is never refused: {refusal:?}"
            ))),
            (_, _, Ok(other)) => misplaced(self.step(), other),
        }
    }

    /// A refund that Billing refuses does not bring the order back: the deletion is done, and the
    /// order and its event show a refund that finance has to look at. Called on the operation
    /// as it stands after the step.
    async fn apply_refund(
        &self,
        tx: &Tx,
        now: Instant,
        question: &billing::RequestRefundRequest,
        outcome: Result<&billing::Refund, &Refusal>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let (refund, refused) = match outcome {
            Ok(refund) => (refund.clone(), None),
            Err(refusal) => (refund_to_review(&before, question, refusal), Some(refusal)),
        };
        let outcome = refund.state().as_str_name();
        let data = serde_json::json!({
            "refund_id": refund.refund_id,
            "term_index": question.subject.as_ref().map(|subject| subject.term_index),
            "refunded": refund.refunded.as_ref().map(|money| &money.value),
            "currency": refund.refunded.as_ref().map(|money| &money.currency_code),
            "refused_reason": refused.map(|refusal| refusal.reason.as_str()),
            "refused_message": refused.map(|refusal| &refusal.message),
        });
        let in_review = before.refund_in_review || is_in_review(&refund);
        let encoded = Some(refund.encode_to_vec());
        let (first, second) = if self.is_next_refund_decided {
            (None, encoded)
        } else {
            (encoded, None)
        };
        let after = before.clone().apply_refunds(first, second, in_review);
        store::orders::save(tx, &before, &after).await?;
        let progress = match self.due() {
            Due::Nothing => self.done(tx, after.clone(), now).await?,
            Due::Refund(_) | Due::NextRefund(_) | Due::GiveBack(_) => {
                Progress::Next(OrderOperation::DeleteOrder(self.clone()))
            }
        };
        emit(
            tx,
            OrderEvent {
                kind: "order.refund_decided",
                order: &after,
                origin: &self.origin,
                time: self.decision_time,
                why: if refused.is_some() { "X-3" } else { "AL-4" },
                outcome,
                data,
            },
        )
        .await?;
        Ok(progress)
    }

    /// Nothing of the SAN licence is held any more: what was refused there is shown in the event.
    async fn apply_back(
        &self,
        tx: &Tx,
        now: Instant,
        back: &GiveBack,
        refused: &[Refusal],
    ) -> Result<Progress<OrderOperation>, Fault> {
        let order = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let ids: Vec<_> = back
            .certificates
            .iter()
            .map(|found| found.certificate_id)
            .collect();
        store::san_returns::mark(tx, &ids, now).await?;
        let progress = self.done(tx, order.clone(), now).await?;
        let refused: Vec<_> = refused.iter().map(|refusal| &refusal.message).collect();
        emit(
            tx,
            OrderEvent {
                kind: "order.sans_returned",
                order: &order,
                origin: &self.origin,
                time: self.decision_time,
                why: "X-3",
                outcome: "RETURNED",
                data: serde_json::json!({
                    "san_license_id": back.license_id,
                    "reservation_id": back.reservation_id,
                    "certificate_ids": ids,
                    "refused_messages": refused,
                }),
            },
        )
        .await?;
        Ok(progress)
    }

    async fn done(
        &self,
        tx: &Tx,
        order: Order,
        now: Instant,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let (refund, next_refund) = decided_refunds(&order)?;
        let view = order_view::load_ended(tx, order, now).await?;
        let response = encode_deletion(&view, &self.deletion, refund, next_refund)?;
        Ok(Progress::Done(response.encode_to_vec()))
    }
}
