//! DeleteOrder (AL-4, AL-7, X-3): everything of the order is invalid with its acceptance; the refunds
//! of its terms and what it gives back to its SAN licence follow as an operation that only goes
//! forward, because a deletion is never taken back.

use licet_contracts::{billing::v1 as billing, orders::v1 as orders};
use licet_domain::clock::Instant;
use licet_runtime::{
    caller::Call,
    database::{Database, Tx, Work},
    fault::Fault,
    operation,
    peer::PeerFault,
    replay::Accepted,
};
use uuid::Uuid;

use super::{
    event::{OrderEvent, emit},
    finish_deletion::{Deleting, Questions},
    operation::OrderOperation,
    settle,
};
use crate::{
    convert::{
        self,
        deletion::{DeletionWish, encode_deletion},
        order::OrderView,
    },
    peers::Billing,
    queries::order_view,
    rules::{
        deletion::{Deletion, next_additional_licenses, plan_deletion},
        order::Order,
        permission::{Action, permit},
        refund_count::Stay,
        san_license::{GiveBack, plan_give_back},
        servers::ServerState,
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
        let (before, now) = settle::lock(tx, scope, self.wish.order_id, self.call.now).await?;
        let Plan {
            deletion,
            questions,
            back,
        } = plan(tx, &before, now, false).await?;
        store::certificates::revoke(tx, &deletion.certificates, now).await?;
        store::servers::invalidate(tx, &deletion.servers).await?;
        let origin = self.call.origin(self.request_id);
        let deleting = Deleting::new(&before, origin.clone(), deletion.clone(), questions, back);
        let operation = OrderOperation::DeleteOrder(deleting);
        let id = before.id.to_string();
        let begun = operation::begin(tx, self.call, &id, before.account_id, &operation).await?;
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
                    "operation_id": begun.id,
                    "revoked_certificate_ids": deletion.certificates,
                    "invalidated_server_ids": deletion.servers,
                    "void_additional_licenses": deletion.additional_licenses,
                    "void_next_additional_licenses": deletion.next_additional_licenses,
                    "dropped_domain_change": deletion.drops_change,
                }),
            },
        )
        .await?;
        Ok(Accepted::Operation(begun))
    }
}

/// What a deletion comes to.
struct Plan {
    deletion: Deletion,
    /// What is asked of Billing for the refunds of its terms.
    questions: Questions,
    /// What the order holds of its SAN licence.
    back: Option<GiveBack>,
}

/// What falls at `now` with a settled order that has nothing else under way.
async fn plan(tx: &Tx, order: &Order, now: Instant, validate_only: bool) -> Result<Plan, Fault> {
    operation::refuse_if_running(tx, &order.id.to_string()).await?;
    permit(order, Action::Delete, now)?;
    let certificates = store::certificates::list_of(tx, order.id).await?;
    let servers = store::servers::list_of(tx, order).await?;
    let deletion = plan_deletion(order, &certificates, &servers, now);
    let back = plan_give_back(order, &certificates, &deletion.certificates);
    let past = store::orders::list_past_terms(tx, order).await?;
    let stays: Vec<Stay> = certificates.iter().map(Stay::of).collect();
    let questions = Questions::new(order, &past, &stays, now, validate_only);
    Ok(Plan {
        deletion,
        questions,
        back,
    })
}

/// Says what a deletion would refund and what would become invalid.
pub(crate) async fn preview(
    database: &Database,
    billing: &Billing,
    call: &Call,
    wish: &DeletionWish,
) -> Result<orders::DeleteOrderResponse, Fault> {
    let (view, deletion, questions) = {
        let tx = database.read();
        let order = store::orders::get(&tx, &call.caller.accounts, wish.order_id).await?;
        let (order, now) = order.at(call.now);
        let planned = plan(&tx, &order, now, true).await?;
        let view = order_view::load(&tx, order, now).await?;
        (view, planned.deletion, planned.questions)
    };
    let mut refunds = Vec::new();
    for question in questions.all() {
        refunds.push(preview_refund(billing, &view.order, question).await?);
    }
    encode_deletion(&view, &deletion, refunds)
}

async fn preview_refund(
    billing: &Billing,
    order: &Order,
    question: &billing::RequestRefundRequest,
) -> Result<billing::Refund, Fault> {
    // Nothing is kept at Billing under this id.
    match billing.request_refund(question, Uuid::new_v4()).await {
        Ok(refund) => Ok(refund),
        Err(PeerFault::Refused(refusal)) => Ok(convert::billing::refund_to_review(
            order, question, &refusal,
        )),
        Err(fault) => Err(fault.into()),
    }
}

/// The response while a step is still to come: what fell is read from what was marked.
pub(crate) async fn encode_pending(
    tx: &Tx,
    view: &OrderView,
) -> Result<orders::DeleteOrderResponse, Fault> {
    let order = &view.order;
    let certificates = store::certificates::list_of(tx, order.id).await?;
    let servers = store::servers::list_of(tx, order).await?;
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
        next_additional_licenses: next_additional_licenses(order),
        drops_change: false,
    };
    encode_deletion(view, &deletion, convert::order::refunds(order)?)
}
