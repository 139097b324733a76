//! RequestReissue (MD-7): the order waits for another certificate with the same names, and with the
//! key of the signing request where one is given. Free.

use licet_contracts::orders::v1 as orders;
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    operation,
};

use super::{
    event::{OrderEvent, emit},
    settle,
};
use crate::{
    convert::{
        self,
        reissue::{ReissueWish, kept_request},
    },
    queries::order_view,
    rules::{
        permission::{Action, permit},
        reissue::permit_reissue,
    },
    store,
};

/// Asks for another certificate.
pub(crate) struct RequestReissue<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) wish: &'a ReissueWish,
}

impl Work for RequestReissue<'_> {
    type Answer = orders::RequestReissueResponse;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let (before, now) = settle::lock(tx, scope, self.wish.order_id, self.call.now).await?;
        permit(&before, Action::RequestReissue, now)?;
        // A certificate on its way was held against the key that the order has now.
        operation::refuse_if_running(tx, &before.id.to_string()).await?;
        let request = self.wish.request.as_ref();
        permit_reissue(&before, request)?;
        let after = before.clone().apply_reissue(request.map(kept_request), now);
        store::orders::save(tx, &before, &after).await?;
        let view = order_view::load(tx, after, now).await?;
        let order = Some(convert::order::encode(&view)?);
        emit(
            tx,
            OrderEvent {
                kind: "reissue.requested",
                order: &view.order,
                origin: &self.call.origin(self.request_id),
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
        Ok(orders::RequestReissueResponse { order })
    }
}
