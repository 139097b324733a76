//! RegisterServer (AL-1, AL-6, AL-8, AL-11).

use licet_domain::{
    ids::{OrderId, ServerId},
    san::San,
};
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
};

use super::{event::OrderEvent, turns};
use crate::{
    events::ServerRegistered,
    rules::{
        common_name::permit_further_server,
        permission::{Action, permit},
        servers::{
            Server, ServerState, permit_server, registered, server_limit, takes_primary_place,
        },
    },
    store,
};

/// A server to register on an order.
#[derive(Debug, Clone)]
pub(crate) struct RegisterServer {
    pub(crate) order_id: OrderId,
    pub(crate) host_name: String,
    pub(crate) server_software: String,
    pub(crate) common_name: San,
}

/// A server, and how many its order is licensed for and has.
#[derive(Debug)]
pub(crate) struct ServerPlaces {
    pub(crate) server: Option<Server>,
    pub(crate) licensed: u64,
    pub(crate) registered: u64,
}

impl Verb for RegisterServer {
    type Output = ServerPlaces;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<ServerPlaces, Fault> {
        let wanted = self;
        let (order, now) = turns::lock(tx, &request.call, wanted.order_id).await?;
        permit(&order, Action::RegisterServer, now)?;
        let servers = store::servers::list_of(tx, &order).await?;
        permit_further_server(&order, &servers)?;
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
        store::servers::insert(tx, &order, &server).await?;
        let after = order.clone().apply_registration(server.id, now);
        store::orders::save(tx, &order, &after).await?;
        let event = OrderEvent {
            resource: &after,
            origin: &request.origin(),
            time: now,
            why: "AL-8",
            outcome: "REGISTERED",
            data: ServerRegistered {
                server_id: server.id,
                primary: server.primary,
            },
        };
        event.emit(tx).await?;
        Ok(ServerPlaces {
            server: Some(server),
            licensed: server_limit(&order),
            registered: number + 1,
        })
    }
}
