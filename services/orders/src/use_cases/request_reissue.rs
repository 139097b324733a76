//! RequestReissue (MD-7): the order waits for another certificate with the same names, and with the
//! key of the signing request where one is given. Free.

use licet_domain::{certificate::ParsedRequest, ids::OrderId};
use licet_runtime::{
    database::Tx,
    door::{Asked, Verb},
    fault::Fault,
    operation,
};

use super::{
    event::{OrderEvent, emit},
    turns,
};
use crate::{
    queries::order_view::{self, OrderView},
    rules::{
        order::SigningRequest,
        permission::{Action, permit},
        reissue::permit_reissue,
    },
    store,
};

/// Another certificate that a customer asks for.
#[derive(Debug, Clone)]
pub(crate) struct RequestReissue {
    pub(crate) order_id: OrderId,
    /// Absent: the key stays.
    pub(crate) request: Option<ParsedRequest>,
}

impl Verb for RequestReissue {
    type Answer = OrderView;

    async fn run(&self, asked: &Asked, tx: &Tx) -> Result<OrderView, Fault> {
        let scope = &asked.call.caller.accounts;
        let (before, now) = turns::lock(tx, scope, self.order_id, asked.call.now).await?;
        permit(&before, Action::RequestReissue, now)?;
        // A certificate on its way was held against the key that the order has now.
        operation::refuse_if_running(tx, &before.id.to_string()).await?;
        let request = self.request.as_ref();
        permit_reissue(&before, request)?;
        let after = before
            .clone()
            .apply_reissue(request.map(SigningRequest::of), now);
        store::orders::save(tx, &before, &after).await?;
        let view = order_view::load(tx, after, now).await?;
        emit(
            tx,
            OrderEvent {
                kind: "reissue.requested",
                order: &view.order,
                origin: &asked.origin(),
                time: now,
                why: "MD-7",
                outcome: "AWAITING_ISSUANCE",
                data: serde_json::json!({
                    "pending_since": view.order.issuance_pending_since(),
                    "has_new_key": request.is_some(),
                }),
            },
        )
        .await?;
        Ok(view)
    }
}
