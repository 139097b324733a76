//! RegisterServer (AL-1, AL-6, AL-8, AL-11).

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
    convert::{self, server::Registration},
    rules::{
        common_name::permit_beside_move,
        permission::{Action, permit},
        servers::{
            Server, ServerState, permit_server, registered, server_limit, takes_primary_place,
        },
    },
    store,
};

/// Registers a server on an order.
pub(crate) struct RegisterServer<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) registration: &'a Registration,
}

impl Work for RegisterServer<'_> {
    type Answer = orders::RegisterServerResponse;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let wanted = self.registration;
        let scope = &self.call.caller.accounts;
        let (order, now) = settle::lock(tx, scope, wanted.order_id, self.call.now).await?;
        permit(&order, Action::RegisterServer, now)?;
        let servers = store::servers::list_of(tx, &order).await?;
        permit_beside_move(&order, &servers)?;
        let number = registered(&servers).count() as u64;
        permit_server(&order, number, &wanted.server_software, &wanted.common_name)?;

        let server = Server {
            id: ServerId::generate(),
            order_id: order.id,
            host_name: wanted.host_name.clone(),
            server_software: order.server_software.clone(),
            common_name: order.common_name.clone(),
            primary: takes_primary_place(&servers),
            state: ServerState::Registered,
            register_time: now,
        };
        store::servers::insert(tx, order.account_id, &server).await?;
        let after = order.clone().apply_registration(server.id, now);
        store::orders::save(tx, &order, &after).await?;
        emit(
            tx,
            OrderEvent {
                kind: "server.registered",
                order: &after,
                origin: &self.call.origin(self.request_id),
                time: now,
                why: "AL-8",
                outcome: "REGISTERED",
                data: serde_json::json!({ "server_id": server.id, "primary": server.primary }),
            },
        )
        .await?;
        Ok(orders::RegisterServerResponse {
            server: Some(convert::server::encode(&server)),
            licensed_servers: encode_count(server_limit(&order)),
            registered_servers: encode_count(number + 1),
        })
    }
}
