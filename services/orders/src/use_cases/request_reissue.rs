//! RequestReissue (MD-7): the order awaits another certificate for the same domains, with the key
//! of the signing request if one is given. Free of charge.

use licet_domain::{certificate::ParsedRequest, ids::OrderId};
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
    operation,
};

use super::{event::OrderEvent, turns};
use crate::{
    events::ReissueRequested,
    queries::order_view::{self, OrderView},
    rules::{
        order::SigningRequest,
        permission::{Action, permit},
        reissue::permit_reissue,
    },
    store,
};

/// A reissue that a customer asks for.
#[derive(Debug, Clone)]
pub(crate) struct RequestReissue {
    pub(crate) order_id: OrderId,
    /// Absent: the order keeps its signing request.
    pub(crate) request: Option<ParsedRequest>,
}

impl Verb for RequestReissue {
    type Output = OrderView;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<OrderView, Fault> {
        let (before, now) = turns::lock(tx, &request.call, self.order_id).await?;
        permit(&before, Action::RequestReissue, now)?;
        // A certificate that is being recorded was checked against the order's present key.
        operation::refuse_if_running(tx, before.account_id, &before.id.to_string()).await?;
        let csr = self.request.as_ref();
        permit_reissue(&before, csr)?;
        let after = before
            .clone()
            .apply_reissue(csr.map(SigningRequest::of), now);
        store::orders::save(tx, &before, &after).await?;
        let view = order_view::load(tx, after, now).await?;
        let event = OrderEvent {
            resource: &view.order,
            origin: &request.origin(),
            time: now,
            why: "MD-7",
            outcome: "AWAITING_ISSUANCE",
            data: ReissueRequested {
                pending_since: view.order.issuance_pending_since(),
                has_new_key: csr.is_some(),
            },
        };
        event.emit(tx).await?;
        Ok(view)
    }
}
