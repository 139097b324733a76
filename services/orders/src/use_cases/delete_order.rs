//! DeleteOrder (AL-4, AL-7, X-3): invalidates everything of the order when it is accepted. An
//! operation then requests the refunds of its terms and releases what it holds of its SAN licence.
//! It only goes forward, because a deletion is final.

use licet_clients::billing::{Refund, RefundQuestion};
use licet_domain::{clock::Instant, ids::OrderId};
use licet_runtime::{
    caller::Call,
    database::Tx,
    door::{ChangeRequest, DurableVerb, Preview},
    fault::Fault,
    operation,
    peer::PeerFault,
    replay::Accepted,
};
use uuid::Uuid;

use super::{
    PreviewContext,
    event::OrderEvent,
    finish_deletion::{DeleteOrderOperation, DeletedOrder, Questions, sold_in},
    turns,
};
use crate::{
    events::OrderDeleted,
    peers::Billing,
    queries::order_view::{self, OrderView, refunds},
    rules::{
        deletion::{Deletion, next_additional_licenses, plan_deletion},
        order::Order,
        permission::{Action, permit},
        refund_count::ValidPeriod,
        san_license::{LicenseReleasePlan, plan_license_release},
        servers::ServerState,
    },
    store,
};

/// The deletion that a customer asks for, and why.
#[derive(Debug, Clone)]
pub(crate) struct DeleteOrder {
    pub(crate) order_id: OrderId,
    pub(crate) reason: String,
}

impl DurableVerb for DeleteOrder {
    type Output = DeletedOrder;
    type View = OrderView;

    async fn accept(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> Result<Accepted<DeletedOrder>, Fault> {
        let (before, now) = turns::lock(tx, &request.call, self.order_id).await?;
        let Plan {
            deletion,
            questions,
            release,
        } = plan(tx, &before, now, false).await?;
        store::certificates::revoke(tx, before.account_id, &deletion.certificates, now).await?;
        store::servers::invalidate(tx, &before, &deletion.servers).await?;
        let origin = request.origin();
        let first = DeleteOrderOperation::begin(
            &before,
            origin.clone(),
            deletion.clone(),
            questions,
            release,
        );
        let id = before.id.to_string();
        let handle = operation::begin(tx, now, &id, before.account_id, first).await?;
        let after = before.clone().apply_deletion(now);
        store::orders::save(tx, &before, &after).await?;
        let event = OrderEvent {
            resource: &after,
            origin: &origin,
            time: now,
            why: if self.reason.is_empty() {
                "AL-7"
            } else {
                &self.reason
            },
            outcome: "DELETED",
            data: OrderDeleted {
                operation_id: handle.id,
                revoked_certificate_ids: &deletion.certificates,
                invalidated_server_ids: &deletion.servers,
                void_additional_licenses: deletion.additional_licenses,
                void_next_additional_licenses: deletion.next_additional_licenses,
                dropped_domain_change: deletion.drops_change,
            },
        };
        event.emit(tx).await?;
        Ok(Accepted::Operation(handle))
    }

    async fn pending(&self, tx: &Tx, view: OrderView) -> Result<DeletedOrder, Fault> {
        let deletion = invalidated(tx, &view.order).await?;
        let refunds = refunds(&view.order)?;
        Ok(DeletedOrder {
            view,
            deletion,
            refunds,
        })
    }
}

/// What a deletion does.
struct Plan {
    deletion: Deletion,
    /// The refunds to request of Billing.
    questions: Questions,
    /// What the order holds of its SAN licence, to be released.
    release: Option<LicenseReleasePlan>,
}

/// Plans the deletion of an order that has no other operation running.
async fn plan(tx: &Tx, order: &Order, now: Instant, validate_only: bool) -> Result<Plan, Fault> {
    permit(order, Action::Delete, now)?;
    operation::refuse_if_running(tx, order.account_id, &order.id.to_string()).await?;
    let certificates = store::certificates::list_of(tx, order).await?;
    let servers = store::servers::list_of(tx, order).await?;
    let deletion = plan_deletion(order, &certificates, &servers, now);
    let release = plan_license_release(order, &certificates, &deletion.certificates);
    let past = store::orders::list_past_terms(tx, order).await?;
    let valid_periods: Vec<ValidPeriod> = certificates.iter().map(ValidPeriod::of).collect();
    let questions = Questions::new(order, &past, &valid_periods, now, validate_only);
    Ok(Plan {
        deletion,
        questions,
        release,
    })
}

impl Preview for DeleteOrder {
    type Output = DeletedOrder;
    type Context = PreviewContext;

    /// Shows what a deletion would refund and invalidate.
    async fn preview(&self, call: &Call, context: &PreviewContext) -> Result<DeletedOrder, Fault> {
        let (view, deletion, questions) = {
            let tx = context.database.read();
            let order = store::orders::get(&tx, &call.caller.accounts, self.order_id).await?;
            let (order, now) = order.at(call.now);
            let planned = plan(&tx, &order, now, true).await?;
            let view = order_view::load(&tx, order, now).await?;
            (view, planned.deletion, planned.questions)
        };
        let mut refunds = Vec::new();
        for question in questions.all() {
            let billing = &context.peers.billing;
            refunds.push(preview_refund(billing, &view.order, question).await?);
        }
        Ok(DeletedOrder {
            view,
            deletion,
            refunds,
        })
    }
}

async fn preview_refund(
    billing: &Billing,
    order: &Order,
    question: &RefundQuestion,
) -> Result<Refund, Fault> {
    // Billing stores nothing under this id.
    match billing.request_refund(question, Uuid::new_v4()).await {
        Ok(refund) => Ok(refund),
        Err(PeerFault::Refused(refusal)) => {
            Ok(Refund::to_review(question, &refusal, sold_in(order)))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// What an accepted deletion invalidated, read from the marks that it left.
async fn invalidated(tx: &Tx, order: &Order) -> Result<Deletion, Fault> {
    let certificates = store::certificates::list_of(tx, order).await?;
    let servers = store::servers::list_of(tx, order).await?;
    Ok(Deletion {
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
    })
}
