//! UnregisterServer (AL-8): frees the server's place; refunds nothing.

use licet_domain::ids::ServerId;
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
};

use super::{event::OrderEvent, register_server::ServerPlaces, turns};
use crate::{
    events::ServerUnregistered,
    rules::{
        permission::{Action, permit},
        servers::{ServerState, registered, server_limit},
    },
    store,
};

/// A server to unregister.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnregisterServer {
    pub(crate) server_id: ServerId,
}

impl Verb for UnregisterServer {
    type Output = ServerPlaces;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<ServerPlaces, Fault> {
        let call = &request.call;
        let asked = &call.caller.accounts;
        let account_id = store::owner::of_server(tx, asked, self.server_id).await?;
        let scope = &account_id.into();
        let found = store::servers::get(tx, scope, self.server_id).await?;
        let (order, now) = turns::lock_in(tx, scope, found.order_id, call.now).await?;
        permit(&order, Action::UnregisterServer, now)?;
        // Read again under the order's lock: another request may have unregistered it meanwhile.
        let mut servers = store::servers::list_of(tx, &order).await?;
        if let Some(server) = servers.iter_mut().find(|server| server.id == found.id)
            && server.state == ServerState::Registered
        {
            server.state = ServerState::Unregistered;
            store::servers::unregister(tx, &order, server.id).await?;
            let after = order.clone().apply_unregistration(server.id, now);
            store::orders::save(tx, &order, &after).await?;
            let event = OrderEvent {
                resource: &after,
                origin: &request.origin(),
                time: now,
                why: "AL-8",
                outcome: "UNREGISTERED",
                data: ServerUnregistered {
                    server_id: server.id,
                },
            };
            event.emit(tx).await?;
        }
        let registered = registered(&servers).count() as u64;
        Ok(ServerPlaces {
            server: servers.into_iter().find(|server| server.id == found.id),
            licensed: server_limit(&order),
            registered,
        })
    }
}
