//! `licet.orders.v1.ServerService`.

use licet_contracts::orders::{v1 as orders, v1::server_service_server::ServerService};
use licet_runtime::{database::Database, door, field::only};
use tonic::{Request, Response, Status};

use crate::{convert, queries};

/// Serves ServerService.
#[derive(Clone)]
pub(crate) struct ServerRpc {
    pub(crate) database: Database,
}

#[tonic::async_trait]
impl ServerService for ServerRpc {
    async fn register_server(
        &self,
        request: Request<orders::RegisterServerRequest>,
    ) -> Result<Response<orders::RegisterServerResponse>, Status> {
        door::run(
            &self.database,
            request,
            convert::server::decode_register,
            |places| Ok(convert::server::encode_registered(&places)),
        )
        .await
    }

    async fn unregister_server(
        &self,
        request: Request<orders::UnregisterServerRequest>,
    ) -> Result<Response<orders::UnregisterServerResponse>, Status> {
        door::run(
            &self.database,
            request,
            convert::server::decode_unregister,
            |places| Ok(convert::server::encode_unregistered(&places)),
        )
        .await
    }

    async fn list_servers(
        &self,
        request: Request<orders::ListServersRequest>,
    ) -> Result<Response<orders::ListServersResponse>, Status> {
        let (call, id, page) =
            door::list(request, |_, message| only("order_id", &message.order_id))?;
        let found = queries::servers::list(&self.database, &call, id, &page).await?;
        Ok(Response::new(convert::server::encode_page(found)))
    }
}
