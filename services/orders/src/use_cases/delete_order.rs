//! DeleteOrder (AL-4, AL-7, X-3): everything of the order is invalid with its acceptance; the
//! refund follows as an operation that only goes forward, because a deletion is never taken back.

use licet_contracts::{billing::v1 as billing, orders::v1 as orders};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
    refusal::Refusal,
};
use licet_runtime::{
    caller::{Call, Origin},
    database::{Database, Tx, Work},
    fault::Fault,
    operation::{self, Progress},
    peer::PeerFault,
    replay::Accepted,
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
        self,
        deletion::{DeletionWish, encode_deletion},
        kept::Kept,
        order::OrderView,
    },
    peers::Billing,
    queries::order_view,
    rules::{
        deletion::{Deletion, plan_deletion},
        order::Order,
        servers::ServerState,
        state::{Action, permit},
    },
    store,
};

/// Accepts a deletion.
pub(crate) struct DeleteOrder<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) wish: &'a DeletionWish,
}

impl Work for DeleteOrder<'_> {
    type Answer = Accepted<orders::DeleteOrderResponse>;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let before = store::orders::lock(tx, scope, self.wish.order_id).await?;
        let (deletion, now) = plan(tx, &before, self.call.now).await?;
        store::certificates::revoke(tx, &deletion.certificates, now).await?;
        store::servers::invalidate(tx, &deletion.servers).await?;
        let origin = self.call.origin(self.request_id);
        let deleting = Deleting {
            order_id: before.id,
            account_id: before.account_id,
            origin: origin.clone(),
            decision_time: now,
            deletion: deletion.clone(),
            question: Kept(convert::billing::refund_question(&before, now, false)),
        };
        let operation = OrderOperation::DeleteOrder(deleting);
        let id = before.id.to_string();
        let operation_id =
            operation::begin(tx, self.call, &id, before.account_id, &operation).await?;
        let after = before.clone().apply_deletion(now);
        store::orders::save(tx, &before, &after).await?;
        emit(
            tx,
            OrderEvent {
                kind: "order.deleted",
                order: &after,
                origin: &origin,
                time: now,
                why: if self.wish.reason.is_empty() {
                    "AL-7"
                } else {
                    &self.wish.reason
                },
                outcome: "DELETED",
                data: serde_json::json!({
                    "operation_id": operation_id,
                    "revoked_certificate_ids": deletion.certificates,
                    "invalidated_server_ids": deletion.servers,
                    "void_additional_licenses": deletion.additional_licenses,
                    "dropped_domain_change": deletion.drops_change,
                }),
            },
        )
        .await?;
        Ok(Accepted::Operation(operation_id))
    }
}

/// What falls with an order that has nothing else under way, and when (T-5).
async fn plan(tx: &Tx, order: &Order, clock: Instant) -> Result<(Deletion, Instant), Fault> {
    operation::refuse_if_running(tx, &order.id.to_string()).await?;
    let now = order.decide_at(clock);
    permit(order, Action::Delete, now)?;
    let certificates = store::certificates::list_of(tx, order.id).await?;
    let servers = store::servers::list_of(tx, order.id).await?;
    Ok((plan_deletion(order, &certificates, &servers, now), now))
}

/// Says what a deletion would refund and what would become invalid.
pub(crate) async fn preview(
    database: &Database,
    billing: &Billing,
    call: &Call,
    wish: &DeletionWish,
) -> Result<orders::DeleteOrderResponse, Fault> {
    let (view, deletion, now) = {
        let tx = database.read().await?;
        let order = store::orders::get(&tx, &call.caller.accounts, wish.order_id).await?;
        let (deletion, now) = plan(&tx, &order, call.now).await?;
        (order_view::load(&tx, order, now).await?, deletion, now)
    };
    let question = convert::billing::refund_question(&view.order, now, true);
    // Nothing is kept at Billing under this id.
    let refund = match billing.request_refund(&question, Uuid::new_v4()).await {
        Ok(refund) => refund,
        Err(PeerFault::Refused(refusal)) => {
            convert::billing::refund_to_review(&view.order, &question, &refusal)
        }
        Err(fault) => return Err(fault.into()),
    };
    encode_deletion(&view, &deletion, Some(refund))
}

/// The response while the refund is still to come: what fell is read from what was marked.
pub(crate) async fn encode_pending(
    tx: &Tx,
    view: &OrderView,
) -> Result<orders::DeleteOrderResponse, Fault> {
    let order = &view.order;
    let certificates = store::certificates::list_of(tx, order.id).await?;
    let servers = store::servers::list_of(tx, order.id).await?;
    let deletion = Deletion {
        certificates: certificates
            .iter()
            .filter(|found| found.to_revoke && found.revoke_time == order.delete_time)
            .map(|found| found.id)
            .collect(),
        servers: servers
            .iter()
            .filter(|server| server.state == ServerState::Invalidated)
            .map(|server| server.id)
            .collect(),
        additional_licenses: order.term.additional_licenses,
        drops_change: false,
    };
    encode_deletion(view, &deletion, None)
}

/// A deletion whose refund is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Deleting {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    deletion: Deletion,
    question: Kept<billing::RequestRefundRequest>,
}

impl Deleting {
    pub(super) async fn perform(
        &self,
        billing: &Billing,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        billing
            .request_refund(&self.question.0, request_id)
            .await
            .map(|refund| Outcome::Refunded(Box::new(refund)))
    }

    /// A refund that Billing refuses does not bring the order back: the deletion is done, and the
    /// order and its event show a refund that finance has to look at.
    pub(super) async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let (refund, refused) = match outcome {
            Ok(Outcome::Refunded(refund)) => (refund.as_ref().clone(), None),
            Ok(other) => return misplaced("refund", other),
            Err(refusal) => (
                convert::billing::refund_to_review(&before, &self.question.0, refusal),
                Some(refusal),
            ),
        };
        let outcome = refund.state().as_str_name();
        let data = serde_json::json!({
            "refund_id": refund.refund_id,
            "refunded": refund.refunded.as_ref().map(|money| &money.value),
            "currency": refund.refunded.as_ref().map(|money| &money.currency_code),
            "refused_reason": refused.map(|refusal| refusal.reason.as_str()),
            "refused_message": refused.map(|refusal| &refusal.message),
        });
        let after = before.clone().apply_refund(refund.encode_to_vec());
        store::orders::save(tx, &before, &after).await?;
        let view = order_view::load_ended(tx, after, now).await?;
        let response = encode_deletion(&view, &self.deletion, Some(refund))?;
        emit(
            tx,
            OrderEvent {
                kind: "order.refund_decided",
                order: &view.order,
                origin: &self.origin,
                time: self.decision_time,
                why: if refused.is_some() { "X-3" } else { "AL-4" },
                outcome,
                data,
            },
        )
        .await?;
        Ok(Progress::Done(response.encode_to_vec()))
    }
}
