//! UnregisterServer (AL-8): frees the server's place and refunds nothing.

use licet_contracts::orders::v1 as orders;
use licet_domain::ids::ServerId;
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    wire::encode_count,
};

use super::{
    event::{OrderEvent, emit},
    settle,
};
use crate::{
    convert,
    rules::{
        permission::{Action, permit},
        servers::{Server, ServerState, registered, server_limit},
    },
    store,
};

/// Takes a server off its order.
pub(crate) struct UnregisterServer<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) server_id: ServerId,
}

impl Work for UnregisterServer<'_> {
    type Answer = orders::UnregisterServerResponse;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let found = store::servers::get(tx, scope, self.server_id).await?;
        let (order, now) = settle::lock(tx, scope, found.order_id, self.call.now).await?;
        permit(&order, Action::UnregisterServer, now)?;
        // Read again under the order's lock: a rival may have taken it off meanwhile.
        let mut servers = store::servers::list_of(tx, &order).await?;
        if let Some(server) = servers.iter_mut().find(|server| server.id == found.id)
            && server.state == ServerState::Registered
        {
            server.state = ServerState::Unregistered;
            store::servers::unregister(tx, server.id).await?;
            let after = order.clone().apply_unregistration(server.id, now);
            store::orders::save(tx, &order, &after).await?;
            emit(
                tx,
                OrderEvent {
                    kind: "server.unregistered",
                    order: &after,
                    origin: &self.call.origin(self.request_id),
                    time: now,
                    why: "AL-8",
                    outcome: "UNREGISTERED",
                    data: serde_json::json!({ "server_id": server.id }),
                },
            )
            .await?;
        }
        let server: Option<&Server> = servers.iter().find(|server| server.id == found.id);
        Ok(orders::UnregisterServerResponse {
            server: server.map(convert::server::encode),
            licensed_servers: encode_count(server_limit(&order)),
            registered_servers: encode_count(registered(&servers).count()),
        })
    }
}
