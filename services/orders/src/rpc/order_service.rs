//! `licet.orders.v1.OrderService`.

use licet_contracts::orders::{v1 as orders, v1::order_service_server::OrderService};
use licet_runtime::{door, field::only, operation::Operations};
use tonic::{Request, Response, Status};

use crate::{
    convert,
    peers::Peers,
    queries,
    use_cases::{PreviewContext, find_orders, license_options},
};

/// Serves OrderService.
#[derive(Clone)]
pub(crate) struct OrderRpc {
    /// The database, and the peers for previews.
    pub(crate) context: PreviewContext,
    /// The durable operations.
    pub(crate) operations: Operations<Peers>,
}

#[tonic::async_trait]
impl OrderService for OrderRpc {
    async fn place_order(
        &self,
        request: Request<orders::PlaceOrderRequest>,
    ) -> Result<Response<orders::PlaceOrderResponse>, Status> {
        door::begin_or_preview(
            &self.operations,
            &self.context,
            request,
            convert::order::decode_place,
            convert::order::encode_placed,
        )
        .await
    }

    async fn get_order(
        &self,
        request: Request<orders::GetOrderRequest>,
    ) -> Result<Response<orders::GetOrderResponse>, Status> {
        let (call, id) = door::read(request, |_, message| only("order_id", &message.order_id))?;
        let view = queries::orders::get(&self.context.database, &call, id).await?;
        Ok(Response::new(convert::order::encode_found(&view)?))
    }

    async fn list_orders(
        &self,
        request: Request<orders::ListOrdersRequest>,
    ) -> Result<Response<orders::ListOrdersResponse>, Status> {
        let (call, filter, page) = door::list(request, convert::order::decode_list)?;
        let database = &self.context.database;
        let (views, next_page_token) =
            queries::orders::list(database, &call, &filter, &page).await?;
        let orders = views.iter().map(convert::order::encode);
        Ok(Response::new(orders::ListOrdersResponse {
            orders: orders.collect::<Result<_, _>>()?,
            next_page_token,
        }))
    }

    async fn find_orders(
        &self,
        request: Request<orders::FindOrdersRequest>,
    ) -> Result<Response<orders::FindOrdersResponse>, Status> {
        let (call, clues, page) = door::list(request, convert::clue::decode_find)?;
        let (views, next_page_token) =
            find_orders::find(&self.context, &call, clues, &page).await?;
        let orders = views.iter().map(convert::order::encode);
        Ok(Response::new(orders::FindOrdersResponse {
            orders: orders.collect::<Result<_, _>>()?,
            next_page_token,
        }))
    }

    async fn list_order_history(
        &self,
        request: Request<orders::ListOrderHistoryRequest>,
    ) -> Result<Response<orders::ListOrderHistoryResponse>, Status> {
        let (call, id, page) = door::list(request, convert::history::decode_list)?;
        let database = &self.context.database;
        let (entries, next_page_token) = queries::history::list(database, &call, id, &page).await?;
        Ok(Response::new(orders::ListOrderHistoryResponse {
            next_page_token,
            entries: entries.into_iter().map(convert::history::encode).collect(),
        }))
    }

    async fn list_additional_license_options(
        &self,
        request: Request<orders::ListAdditionalLicenseOptionsRequest>,
    ) -> Result<Response<orders::ListAdditionalLicenseOptionsResponse>, Status> {
        let (call, wanted) = door::read(request, convert::options::decode_options)?;
        let found = license_options::list(&self.context, &call, wanted).await?;
        Ok(Response::new(convert::options::encode_options(found)))
    }

    async fn update_domains(
        &self,
        request: Request<orders::UpdateDomainsRequest>,
    ) -> Result<Response<orders::UpdateDomainsResponse>, Status> {
        door::begin_or_preview(
            &self.operations,
            &self.context,
            request,
            convert::domains::decode_update,
            convert::domains::encode_update,
        )
        .await
    }

    async fn renew_order(
        &self,
        request: Request<orders::RenewOrderRequest>,
    ) -> Result<Response<orders::RenewOrderResponse>, Status> {
        door::begin_or_preview(
            &self.operations,
            &self.context,
            request,
            convert::renewal::decode_renew,
            convert::renewal::encode_renewal,
        )
        .await
    }

    async fn delete_order(
        &self,
        request: Request<orders::DeleteOrderRequest>,
    ) -> Result<Response<orders::DeleteOrderResponse>, Status> {
        door::begin_or_preview(
            &self.operations,
            &self.context,
            request,
            convert::deletion::decode_delete,
            convert::deletion::encode_deletion,
        )
        .await
    }

    async fn cancel_domain_change(
        &self,
        request: Request<orders::CancelDomainChangeRequest>,
    ) -> Result<Response<orders::CancelDomainChangeResponse>, Status> {
        door::begin_or_preview(
            &self.operations,
            &self.context,
            request,
            convert::cancellation::decode_cancel,
            convert::cancellation::encode_cancel,
        )
        .await
    }

    async fn request_reissue(
        &self,
        request: Request<orders::RequestReissueRequest>,
    ) -> Result<Response<orders::RequestReissueResponse>, Status> {
        door::run(
            &self.context.database,
            request,
            convert::reissue::decode_reissue,
            |view| convert::order::encode_reissue(&view),
        )
        .await
    }

    async fn set_server_software(
        &self,
        request: Request<orders::SetServerSoftwareRequest>,
    ) -> Result<Response<orders::SetServerSoftwareResponse>, Status> {
        door::run(
            &self.context.database,
            request,
            convert::server::decode_software,
            |view| convert::order::encode_software(&view),
        )
        .await
    }
}
