//! `licet.orders.v1.ServerService`.

use licet_contracts::orders::{v1 as orders, v1::server_service_server::ServerService};
use licet_runtime::{caller::accept, database::Database, replay, wire::encode_count};
use tonic::{Request, Response, Status};

use crate::{
    convert, queries,
    use_cases::{register_server::RegisterServer, unregister_server::UnregisterServer},
};

/// Servers.
#[derive(Clone)]
pub(crate) struct ServerRpc {
    /// The service's schema.
    pub(crate) database: Database,
}

#[tonic::async_trait]
impl ServerService for ServerRpc {
    async fn register_server(
        &self,
        request: Request<orders::RegisterServerRequest>,
    ) -> Result<Response<orders::RegisterServerResponse>, Status> {
        let (call, message) = accept(request)?;
        let registration = convert::server::decode_register(&message)?;
        let work = RegisterServer {
            call: &call,
            request_id: &message.request_id,
            registration: &registration,
        };
        let response =
            replay::once(&self.database, &call, &message, &work, |response| response).await?;
        Ok(Response::new(response))
    }

    async fn unregister_server(
        &self,
        request: Request<orders::UnregisterServerRequest>,
    ) -> Result<Response<orders::UnregisterServerResponse>, Status> {
        let (call, message) = accept(request)?;
        let server_id = convert::server::decode_unregister(&message)?;
        let work = UnregisterServer {
            call: &call,
            request_id: &message.request_id,
            server_id,
        };
        let response =
            replay::once(&self.database, &call, &message, &work, |response| response).await?;
        Ok(Response::new(response))
    }

    async fn list_servers(
        &self,
        request: Request<orders::ListServersRequest>,
    ) -> Result<Response<orders::ListServersResponse>, Status> {
        let (call, message) = accept(request)?;
        let order_id = convert::order::decode_order_id(&message.order_id)?;
        let page = queries::servers::list(
            &self.database,
            &call,
            order_id,
            message.page_size,
            &message.page_token,
        )
        .await?;
        Ok(Response::new(orders::ListServersResponse {
            servers: page.servers.iter().map(convert::server::encode).collect(),
            licensed_servers: encode_count(page.licensed),
            registered_servers: encode_count(page.registered),
            next_page_token: page.next_page_token,
        }))
    }
}
