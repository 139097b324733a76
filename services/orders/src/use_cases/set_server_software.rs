//! SetServerSoftware (AL-6): the order's software, and the registered primary server's with it.

use licet_contracts::orders::v1 as orders;
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
};

use super::{
    event::{OrderEvent, emit},
    settle,
};
use crate::{
    convert::{self, server::SoftwareWish},
    queries::order_view,
    rules::{
        permission::{Action, permit},
        software::plan_software,
    },
    store,
};

/// Corrects the software of an order's servers.
pub(crate) struct SetServerSoftware<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) wish: &'a SoftwareWish,
}

impl Work for SetServerSoftware<'_> {
    type Answer = orders::SetServerSoftwareResponse;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let (before, now) = settle::lock(tx, scope, self.wish.order_id, self.call.now).await?;
        permit(&before, Action::SetServerSoftware, now)?;
        let servers = store::servers::list_of(tx, &before).await?;
        let with_it = plan_software(&before, &servers)?;
        let software = &self.wish.server_software;
        store::servers::set_software(tx, &with_it, software).await?;
        let after = before.clone().apply_software(software.clone(), now);
        store::orders::save(tx, &before, &after).await?;
        let view = order_view::load(tx, after, now).await?;
        let order = Some(convert::order::encode(&view)?);
        emit(
            tx,
            OrderEvent {
                kind: "order.software_set",
                order: &view.order,
                origin: &self.call.origin(self.request_id),
                time: now,
                why: "AL-6",
                outcome: "SET",
                data: serde_json::json!({
                    "old_server_software": before.server_software,
                    "server_software": software,
                    "server_ids": with_it,
                }),
            },
        )
        .await?;
        Ok(orders::SetServerSoftwareResponse { order })
    }
}
