//! `licet.orders.v1.OrderService`.

use licet_contracts::orders::{v1 as orders, v1::order_service_server::OrderService};
use licet_runtime::{
    caller::{Call, accept},
    database::Database,
    fault::Fault,
    joining::Answer,
    operation::Operations,
    replay::{self, Accepted},
};
use prost::Message;
use tonic::{Request, Response, Status};

use super::joining::{Pending, join};
use crate::{
    convert,
    peers::Peers,
    queries,
    use_cases::{
        cancel_domain_change, delete_order, license_options, operation::OrderOperation,
        place_order, renew_order, request_reissue::RequestReissue,
        set_server_software::SetServerSoftware, update_domains,
    },
};

/// Orders.
#[derive(Clone)]
pub(crate) struct OrderRpc {
    /// The service's schema.
    pub(crate) database: Database,
    /// For previews; what is accepted goes through the operations.
    pub(crate) peers: Peers,
    /// What spans services.
    pub(crate) operations: Operations<OrderOperation>,
}

impl OrderRpc {
    async fn answer<R: Message + Default>(
        &self,
        call: &Call,
        accepted: Accepted<R>,
    ) -> Result<Answer<R, Pending>, Fault> {
        join(&self.database, &self.operations, call, accepted).await
    }
}

#[tonic::async_trait]
impl OrderService for OrderRpc {
    async fn place_order(
        &self,
        request: Request<orders::PlaceOrderRequest>,
    ) -> Result<Response<orders::PlaceOrderResponse>, Status> {
        let (call, message) = accept(request)?;
        let wanted = convert::order::decode_place(&message)?;
        if message.validate_only {
            let response = place_order::preview(&self.peers, &call, &wanted).await?;
            return Ok(Response::new(response));
        }
        let work = place_order::PlaceOrder {
            call: &call,
            request_id: &message.request_id,
            wanted: &wanted,
        };
        let accepted =
            replay::accept(&self.database, &call, &message, &work, |response| response).await?;
        let response = match self.answer(&call, accepted).await? {
            Answer::Final(response) => response,
            Answer::Pending((_, view)) => orders::PlaceOrderResponse {
                order: Some(convert::order::encode(&view)?),
                quote: None,
            },
        };
        Ok(Response::new(response))
    }

    async fn get_order(
        &self,
        request: Request<orders::GetOrderRequest>,
    ) -> Result<Response<orders::GetOrderResponse>, Status> {
        let (call, message) = accept(request)?;
        let order_id = convert::order::decode_order_id(&message.order_id)?;
        let view = queries::orders::get(&self.database, &call, order_id).await?;
        let order = Some(convert::order::encode(&view)?);
        Ok(Response::new(orders::GetOrderResponse { order }))
    }

    async fn list_orders(
        &self,
        request: Request<orders::ListOrdersRequest>,
    ) -> Result<Response<orders::ListOrdersResponse>, Status> {
        let (call, message) = accept(request)?;
        let filter = convert::order::decode_list(&message)?;
        let (views, next_page_token) = queries::orders::list(
            &self.database,
            &call,
            &filter,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let orders = views
            .iter()
            .map(convert::order::encode)
            .collect::<Result<_, _>>()?;
        Ok(Response::new(orders::ListOrdersResponse {
            orders,
            next_page_token,
        }))
    }

    async fn list_order_history(
        &self,
        request: Request<orders::ListOrderHistoryRequest>,
    ) -> Result<Response<orders::ListOrderHistoryResponse>, Status> {
        let (call, message) = accept(request)?;
        let order_id = convert::order::decode_order_id(&message.order_id)?;
        let (entries, next_page_token) = queries::history::list(
            &self.database,
            &call,
            order_id,
            message.page_size,
            &message.page_token,
        )
        .await?;
        Ok(Response::new(orders::ListOrderHistoryResponse {
            next_page_token,
            entries: entries.into_iter().map(convert::history::encode).collect(),
        }))
    }

    async fn list_additional_license_options(
        &self,
        request: Request<orders::ListAdditionalLicenseOptionsRequest>,
    ) -> Result<Response<orders::ListAdditionalLicenseOptionsResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::options::decode_options(&message)?;
        let response = license_options::list(&self.database, &self.peers, &call, &wish).await?;
        Ok(Response::new(response))
    }

    async fn update_domains(
        &self,
        request: Request<orders::UpdateDomainsRequest>,
    ) -> Result<Response<orders::UpdateDomainsResponse>, Status> {
        let (call, message) = accept(request)?;
        let update = convert::domains::decode_update(&message)?;
        if message.validate_only {
            let response =
                update_domains::preview(&self.database, &self.peers.billing, &call, &update)
                    .await?;
            return Ok(Response::new(response));
        }
        let work = update_domains::UpdateDomains {
            call: &call,
            request_id: &message.request_id,
            update: &update,
        };
        let accepted =
            replay::accept(&self.database, &call, &message, &work, |response| response).await?;
        let response = match self.answer(&call, accepted).await? {
            Answer::Final(response) => response,
            Answer::Pending((_, view)) => update_domains::encode_pending(&view)?,
        };
        Ok(Response::new(response))
    }

    async fn renew_order(
        &self,
        request: Request<orders::RenewOrderRequest>,
    ) -> Result<Response<orders::RenewOrderResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::renewal::decode_renew(&message)?;
        if message.validate_only {
            let response = renew_order::preview(&self.database, &self.peers, &call, &wish).await?;
            return Ok(Response::new(response));
        }
        let work = renew_order::RenewOrder {
            call: &call,
            request_id: &message.request_id,
            wish: &wish,
        };
        let accepted =
            replay::accept(&self.database, &call, &message, &work, |response| response).await?;
        let response = match self.answer(&call, accepted).await? {
            Answer::Final(response) => response,
            Answer::Pending((_, view)) => renew_order::encode_pending(&view)?,
        };
        Ok(Response::new(response))
    }

    async fn delete_order(
        &self,
        request: Request<orders::DeleteOrderRequest>,
    ) -> Result<Response<orders::DeleteOrderResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::deletion::decode_delete(&message)?;
        if message.validate_only {
            let response =
                delete_order::preview(&self.database, &self.peers.billing, &call, &wish).await?;
            return Ok(Response::new(response));
        }
        let work = delete_order::DeleteOrder {
            call: &call,
            request_id: &message.request_id,
            wish: &wish,
        };
        let accepted =
            replay::accept(&self.database, &call, &message, &work, |response| response).await?;
        let response = match self.answer(&call, accepted).await? {
            Answer::Final(response) => response,
            Answer::Pending((tx, view)) => delete_order::encode_pending(&tx, &view).await?,
        };
        Ok(Response::new(response))
    }

    async fn cancel_domain_change(
        &self,
        request: Request<orders::CancelDomainChangeRequest>,
    ) -> Result<Response<orders::CancelDomainChangeResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::taking_back::decode_cancel(&message)?;
        if message.validate_only {
            let billing = &self.peers.billing;
            let response =
                cancel_domain_change::preview(&self.database, billing, &call, &wish).await?;
            return Ok(Response::new(response));
        }
        let work = cancel_domain_change::CancelDomainChange {
            call: &call,
            request_id: &message.request_id,
            wish: &wish,
        };
        let accepted =
            replay::accept(&self.database, &call, &message, &work, |response| response).await?;
        let response = match self.answer(&call, accepted).await? {
            Answer::Final(response) => response,
            Answer::Pending((_, view)) => cancel_domain_change::encode_pending(&view)?,
        };
        Ok(Response::new(response))
    }

    async fn request_reissue(
        &self,
        request: Request<orders::RequestReissueRequest>,
    ) -> Result<Response<orders::RequestReissueResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::reissue::decode_reissue(&message)?;
        let work = RequestReissue {
            call: &call,
            request_id: &message.request_id,
            wish: &wish,
        };
        let response =
            replay::once(&self.database, &call, &message, &work, |response| response).await?;
        Ok(Response::new(response))
    }

    async fn set_server_software(
        &self,
        request: Request<orders::SetServerSoftwareRequest>,
    ) -> Result<Response<orders::SetServerSoftwareResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::server::decode_software(&message)?;
        let work = SetServerSoftware {
            call: &call,
            request_id: &message.request_id,
            wish: &wish,
        };
        let response =
            replay::once(&self.database, &call, &message, &work, |response| response).await?;
        Ok(Response::new(response))
    }
}
