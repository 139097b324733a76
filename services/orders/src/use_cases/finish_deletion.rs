//! What a deletion still owes once the order is gone (AL-4, X-3): the refund of each of its terms,
//! and what it held of its SAN licence. It only goes forward: what is refused goes to a review.

use std::collections::BTreeMap;

use licet_clients::billing::{Refund, RefundQuestion};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
    money::Currency,
    refusal::Refusal,
};
use licet_runtime::{
    caller::Origin, database::Tx, fault::Fault, operation::Progress, peer::PeerFault,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    delete_order::Deleted,
    event::{OrderEvent, emit},
    operation::{Ended, OrderOperation, Outcome, misplaced},
};
use crate::{
    peers::{self, Peers, billing::refund_question},
    queries::order_view::{self, refunds},
    rules::{
        deletion::Deletion,
        order::{Order, OrderTerm},
        refund_count::{Stay, first_use, is_open},
        san_license::GiveBack,
    },
    store,
};

/// What is asked of Billing for the refunds of a deleted order's terms: each has a policy and a count
/// of its own (AL-4).
pub(super) struct Questions {
    decision_time: Instant,
    running: RefundQuestion,
    next: Option<RefundQuestion>,
    /// The terms that are over and whose count is still open, ascending by index.
    past: Vec<RefundQuestion>,
}

impl Questions {
    /// Of the running term, the next one, and those of the terms before that are still open at `now`.
    pub(super) fn new(
        order: &Order,
        past: &[OrderTerm],
        certificates: &[Stay],
        now: Instant,
        validate_only: bool,
    ) -> Self {
        let question = |term: &OrderTerm| {
            let since = first_use(term, certificates, now);
            refund_question(order, term, since, now, validate_only)
        };
        let open = past.iter().filter(|term| is_open(term, certificates, now));
        let mut open: Vec<&OrderTerm> = open.collect();
        open.sort_unstable_by_key(|term| term.index);
        Self {
            decision_time: now,
            running: question(&order.term),
            next: order.next_term.as_ref().map(question),
            past: open.into_iter().map(question).collect(),
        }
    }

    /// Ascending by the index of their terms.
    pub(super) fn all(&self) -> impl Iterator<Item = &RefundQuestion> {
        let running = std::iter::once(&self.running);
        self.past.iter().chain(running).chain(&self.next)
    }
}

/// A deletion whose refunds, term by term, and then what it gives back, are under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Deleting {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    deletion: Deletion,
    question: RefundQuestion,
    #[serde(default)]
    next_question: Option<RefundQuestion>,
    /// Of the terms that are over.
    #[serde(default)]
    past_questions: Vec<RefundQuestion>,
    #[serde(default)]
    back: Option<GiveBack>,
    #[serde(default)]
    is_refund_decided: bool,
    #[serde(default)]
    is_next_refund_decided: bool,
    #[serde(default)]
    are_past_refunds_decided: bool,
}

/// What is still to come of a deletion, in this order.
enum Due<'a> {
    Refund(&'a RefundQuestion),
    NextRefund(&'a RefundQuestion),
    PastRefunds(&'a [RefundQuestion]),
    GiveBack(&'a GiveBack),
    Nothing,
}

impl Deleting {
    pub(super) fn new(
        order: &Order,
        origin: Origin,
        deletion: Deletion,
        questions: Questions,
        back: Option<GiveBack>,
    ) -> Self {
        Self {
            order_id: order.id,
            account_id: order.account_id,
            origin,
            decision_time: questions.decision_time,
            deletion,
            question: questions.running,
            next_question: questions.next,
            past_questions: questions.past,
            back,
            is_refund_decided: false,
            is_next_refund_decided: false,
            are_past_refunds_decided: false,
        }
    }

    fn due(&self) -> Due<'_> {
        if !self.is_refund_decided {
            return Due::Refund(&self.question);
        }
        if let Some(question) = &self.next_question
            && !self.is_next_refund_decided
        {
            return Due::NextRefund(question);
        }
        if !self.past_questions.is_empty() && !self.are_past_refunds_decided {
            return Due::PastRefunds(&self.past_questions);
        }
        self.back.as_ref().map_or(Due::Nothing, Due::GiveBack)
    }

    pub(super) fn step(&self) -> &'static str {
        match self.due() {
            Due::Refund(_) => "refund",
            Due::NextRefund(_) => "refund-next-term",
            Due::PastRefunds(_) => "refund-past-terms",
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
            Due::PastRefunds(questions) => return refund_past(peers, questions, request_id).await,
            Due::GiveBack(back) => {
                if let Some(id) = back.reservation_id {
                    let released = peers.san_licensing.release(back.license_id, id, request_id);
                    refused.extend(released.await?.map(|refusal| *refusal));
                }
                for certificate in &back.certificates {
                    let revoked = peers::san_licensing::revoke(&peers.san_licensing, certificate);
                    refused.extend(revoked.await?.map(|refusal| *refusal));
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
                next.apply_refunds(tx, now, &[(question, decided)]).await
            }
            (Due::NextRefund(question), Some(decided), _) => {
                let next = Self {
                    is_next_refund_decided: true,
                    ..self.clone()
                };
                next.apply_refunds(tx, now, &[(question, decided)]).await
            }
            (Due::PastRefunds(questions), _, Ok(Outcome::PastRefunded(decided))) => {
                let next = Self {
                    are_past_refunds_decided: true,
                    ..self.clone()
                };
                let decided = decided.iter().map(Result::as_ref);
                let decided: Vec<_> = questions.iter().zip(decided).collect();
                next.apply_refunds(tx, now, &decided).await
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
    async fn apply_refunds(
        &self,
        tx: &Tx,
        now: Instant,
        decided: &[(&RefundQuestion, Result<&Refund, &Refusal>)],
    ) -> Result<Progress<OrderOperation>, Fault> {
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let shown = decided.iter().map(|(question, outcome)| match outcome {
            Ok(refund) => (*refund).clone(),
            Err(refusal) => Refund::to_review(question, refusal, sold_in(&before)),
        });
        let shown: Vec<Refund> = shown.collect();
        let in_review = before.refund_in_review || shown.iter().any(Refund::is_in_review);
        let encoded = shown.iter().map(|refund| {
            let index = refund.term_index().unwrap_or_default();
            let index = u32::try_from(index).map_err(Fault::internal)?;
            Ok((index, refund.encode()))
        });
        let encoded: Result<BTreeMap<_, _>, Fault> = encoded.collect();
        let after = before.clone().apply_refunds(encoded?, in_review);
        store::orders::save(tx, &before, &after).await?;
        let progress = match self.due() {
            Due::Nothing => self.done(tx, after.clone(), now).await?,
            Due::Refund(_) | Due::NextRefund(_) | Due::PastRefunds(_) | Due::GiveBack(_) => {
                Progress::Next(OrderOperation::DeleteOrder(self.clone()))
            }
        };
        for (refund, (_, outcome)) in shown.iter().zip(decided) {
            self.emit_refund(tx, &after, refund, outcome.err()).await?;
        }
        Ok(progress)
    }

    async fn emit_refund(
        &self,
        tx: &Tx,
        after: &Order,
        refund: &Refund,
        refused: Option<&Refusal>,
    ) -> Result<(), Fault> {
        let (value, currency) = refund.refunded_text().unzip();
        let data = serde_json::json!({
            "refund_id": refund.id(),
            "term_index": refund.term_index(),
            "refunded": value,
            "currency": currency,
            "refused_reason": refused.map(|refusal| refusal.reason.as_str()),
            "refused_message": refused.map(|refusal| &refusal.message),
        });
        emit(
            tx,
            OrderEvent {
                kind: "order.refund_decided",
                order: after,
                origin: &self.origin,
                time: self.decision_time,
                why: if refused.is_some() { "X-3" } else { "AL-4" },
                outcome: refund.state_name(),
                data,
            },
        )
        .await
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
        let refunds = refunds(&order)?;
        let view = order_view::load_ended(tx, order, now).await?;
        let deleted = Deleted {
            view,
            deletion: self.deletion.clone(),
            refunds,
        };
        Ok(Progress::Done(Ended::Deleted(Box::new(deleted))))
    }
}

/// The currency that an order was sold in.
pub(super) fn sold_in(order: &Order) -> Option<Currency> {
    order.term.sold.as_ref().map(|sold| sold.currency)
}

/// Asks for the refunds of the terms that are over, each under an id of its own: asked again, each is
/// answered as it was.
async fn refund_past(
    peers: &Peers,
    questions: &[RefundQuestion],
    request_id: Uuid,
) -> Result<Outcome, PeerFault> {
    let mut decided = Vec::new();
    for (number, question) in (1..).zip(questions) {
        let request_id = Uuid::from_u128(request_id.as_u128() ^ number);
        match peers.billing.request_refund(question, request_id).await {
            Ok(refund) => decided.push(Ok(refund)),
            Err(PeerFault::Refused(refusal)) => decided.push(Err(*refusal)),
            Err(fault) => return Err(fault),
        }
    }
    Ok(Outcome::PastRefunded(decided))
}
