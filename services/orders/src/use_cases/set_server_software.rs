//! SetServerSoftware (AL-6): corrects the software of the order and of its registered primary
//! server.

use licet_domain::ids::OrderId;
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
};

use super::{event::OrderEvent, turns};
use crate::{
    events::SoftwareSet,
    queries::order_view::{self, OrderView},
    rules::{
        permission::{Action, permit},
        software::plan_software,
    },
    store,
};

/// The corrected software of an order's servers.
#[derive(Debug, Clone)]
pub(crate) struct SetServerSoftware {
    pub(crate) order_id: OrderId,
    pub(crate) server_software: String,
}

impl Verb for SetServerSoftware {
    type Output = OrderView;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<OrderView, Fault> {
        let (before, now) = turns::lock(tx, &request.call, self.order_id).await?;
        permit(&before, Action::SetServerSoftware, now)?;
        let servers = store::servers::list_of(tx, &before).await?;
        let with_it = plan_software(&before, &servers)?;
        let software = &self.server_software;
        store::servers::set_software(tx, &before, &with_it, software).await?;
        let after = before.clone().apply_software(software.clone(), now);
        store::orders::save(tx, &before, &after).await?;
        let view = order_view::load(tx, after, now).await?;
        let event = OrderEvent {
            resource: &view.order,
            origin: &request.origin(),
            time: now,
            why: "AL-6",
            outcome: "SET",
            data: SoftwareSet {
                old_server_software: &before.server_software,
                server_software: software,
                server_ids: &with_it,
            },
        };
        event.emit(tx).await?;
        Ok(view)
    }
}
