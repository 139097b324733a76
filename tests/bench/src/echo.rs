//! The floor of every gRPC call: a tonic server that returns one ready message.

use licet_contracts::sanlicensing::v1::{
    GetUsageRequest, GetUsageResponse,
    usage_service_client::UsageServiceClient,
    usage_service_server::{UsageService, UsageServiceServer},
};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Server, server::TcpIncoming},
};

use crate::{
    operation::Usage,
    service::{CONNECTIONS, connect, listener},
    trouble::Trouble,
};

struct Echo(GetUsageResponse);

#[tonic::async_trait]
impl UsageService for Echo {
    async fn get_usage(
        &self,
        _: Request<GetUsageRequest>,
    ) -> Result<Response<GetUsageResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }
}

/// Serves `answer` until this process ends; returns connections to the server.
pub(crate) async fn serve(answer: GetUsageResponse) -> Result<Vec<Channel>, Trouble> {
    let listener = listener().await?;
    let address = format!("http://{}", listener.local_addr()?);
    let server = Server::builder().add_service(UsageServiceServer::new(Echo(answer)));
    let listener = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(server.serve_with_incoming(listener));
    connect(&address, CONNECTIONS).await
}

/// Streams that call it.
pub(crate) fn asking(channels: &[Channel], license_id: &str, streams: usize) -> Vec<Usage> {
    (0..streams)
        .map(|stream| Usage {
            client: UsageServiceClient::new(channels[stream % channels.len()].clone()),
            license_id: license_id.to_owned(),
            as_of: None,
            sans: None,
        })
        .collect()
}
