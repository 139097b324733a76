//! DeleteOrder (AL-4, AL-7, X-3): everything of the order is invalid with its acceptance; its refund
//! and what it gives back to its SAN licence follow as an operation that only goes forward, because
//! a deletion is never taken back.

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
    stored,
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
        self,
        deletion::{DeletionWish, encode_deletion},
        order::OrderView,
    },
    peers::{Billing, Peers},
    queries::order_view,
    rules::{
        deletion::{Deletion, plan_deletion},
        order::Order,
        san_license::{GiveBack, plan_give_back},
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
        let Plan {
            deletion,
            back,
            now,
        } = plan(tx, &before, self.call.now).await?;
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
            back,
            is_refund_decided: false,
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

/// What a deletion comes to.
struct Plan {
    deletion: Deletion,
    /// What the order holds of its SAN licence.
    back: Option<GiveBack>,
    now: Instant,
}

/// What falls with an order that has nothing else under way, and when (T-5).
async fn plan(tx: &Tx, order: &Order, clock: Instant) -> Result<Plan, Fault> {
    operation::refuse_if_running(tx, &order.id.to_string()).await?;
    let now = order.decide_at(clock);
    permit(order, Action::Delete, now)?;
    let certificates = store::certificates::list_of(tx, order.id).await?;
    let servers = store::servers::list_of(tx, order.id).await?;
    let deletion = plan_deletion(order, &certificates, &servers, now);
    let back = plan_give_back(order, &certificates, &deletion.certificates);
    Ok(Plan {
        deletion,
        back,
        now,
    })
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
        let Plan { deletion, now, .. } = plan(&tx, &order, call.now).await?;
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

/// The response while a step is still to come: what fell is read from what was marked.
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
    encode_deletion(view, &deletion, decided_refund(order)?)
}

/// The refund as it was decided; none while that is still to come.
fn decided_refund(order: &Order) -> Result<Option<billing::Refund>, Fault> {
    order.refund.as_deref().map(stored::message).transpose()
}

/// A deletion whose refund, and then what it gives back, is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Deleting {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    deletion: Deletion,
    question: Kept<billing::RequestRefundRequest>,
    #[serde(default)]
    back: Option<GiveBack>,
    #[serde(default)]
    is_refund_decided: bool,
}

impl Deleting {
    /// What is given back, once that is due.
    fn due_back(&self) -> Option<&GiveBack> {
        self.back.as_ref().filter(|_| self.is_refund_decided)
    }

    pub(super) fn step(&self) -> &'static str {
        match self.due_back() {
            Some(_) => "give-back",
            None => "refund",
        }
    }

    pub(super) async fn perform(
        &self,
        peers: &Peers,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        let Some(back) = self.due_back() else {
            let refund = peers.billing.request_refund(&self.question.0, request_id);
            return refund
                .await
                .map(|refund| Outcome::Refunded(Box::new(refund)));
        };
        let mut refused = Vec::new();
        if let Some(id) = back.reservation_id {
            let released = peers.san_licensing.release(back.license_id, id, request_id);
            refused.extend(released.await?.map(|refusal| *refusal));
        }
        for certificate in &back.certificates {
            let revoked = peers.san_licensing.revoke(certificate).await?;
            refused.extend(revoked.map(|refusal| *refusal));
        }
        Ok(Outcome::Returned(refused))
    }

    pub(super) async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        match (self.due_back(), outcome) {
            (None, Ok(Outcome::Refunded(refund))) => {
                self.apply_refund(tx, now, Ok(refund.as_ref())).await
            }
            (None, Err(refusal)) => self.apply_refund(tx, now, Err(refusal)).await,
            (Some(back), Ok(Outcome::Returned(refused))) => {
                self.apply_back(tx, now, back, refused).await
            }
            (Some(_), Err(refusal)) => Err(Fault::internal(format!(
                "what is given back is never refused: {refusal:?}"
            ))),
            (_, Ok(other)) => misplaced(self.step(), other),
        }
    }

    /// A refund that Billing refuses does not bring the order back: the deletion is done, and the
    /// order and its event show a refund that finance has to look at.
    async fn apply_refund(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: Result<&billing::Refund, &Refusal>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let (refund, refused) = match outcome {
            Ok(refund) => (refund.clone(), None),
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
        let progress = match self.back {
            Some(_) => Progress::Next(OrderOperation::DeleteOrder(Self {
                is_refund_decided: true,
                ..self.clone()
            })),
            None => self.done(tx, after.clone(), now).await?,
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
        let refund = decided_refund(&order)?;
        let view = order_view::load_ended(tx, order, now).await?;
        let response = encode_deletion(&view, &self.deletion, refund)?;
        Ok(Progress::Done(response.encode_to_vec()))
    }
}
