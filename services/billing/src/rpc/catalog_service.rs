//! `licet.billing.v1.CatalogService`.

use licet_contracts::billing::v1::{
    self as pb, catalog_service_server::CatalogService, get_product_request,
};
use licet_runtime::{caller::accept, database::Database, field::Fields, replay, wire::decode_time};
use tonic::{Request, Response, Status};

use crate::{
    convert::{price, product},
    queries::{self, catalog::Selection},
};

/// Products and prices.
#[derive(Clone, Debug)]
pub(crate) struct CatalogRpc {
    /// The service's schema.
    pub(crate) database: Database,
}

#[tonic::async_trait]
impl CatalogService for CatalogRpc {
    async fn create_product(
        &self,
        request: Request<pb::CreateProductRequest>,
    ) -> Result<Response<pb::CreateProductResponse>, Status> {
        let (call, message) = accept(request)?;
        let work = product::decode_create(&call, &message)?;
        let answer = replay::once(&self.database, &call, &message, &work, |version| {
            pb::CreateProductResponse {
                product: Some(product::encode(&version)),
            }
        });
        Ok(Response::new(answer.await?))
    }

    async fn update_product(
        &self,
        request: Request<pb::UpdateProductRequest>,
    ) -> Result<Response<pb::UpdateProductResponse>, Status> {
        let (call, message) = accept(request)?;
        let work = product::decode_update(&call, &message)?;
        let answer = replay::once(&self.database, &call, &message, &work, |version| {
            pb::UpdateProductResponse {
                product: Some(product::encode(&version)),
            }
        });
        Ok(Response::new(answer.await?))
    }

    async fn get_product(
        &self,
        request: Request<pb::GetProductRequest>,
    ) -> Result<Response<pb::GetProductResponse>, Status> {
        use get_product_request::Selection as Asked;
        let (call, message) = accept(request)?;
        let mut fields = Fields::new();
        let product_id = fields.required("product_id", &message.product_id);
        let selection = match &message.selection {
            None => Ok(Selection::InForce(call.now)),
            Some(Asked::AsOfTime(at)) => fields
                .message("as_of_time", Some(at), decode_time)
                .map(Selection::InForce),
            Some(Asked::Version(version)) => match u32::try_from(*version) {
                Ok(version @ 1..) => Ok(Selection::Version(version)),
                Ok(0) | Err(_) => Err(fields.note("version", "must be at least 1")),
            },
        };
        let (product_id, selection) = fields.build(|| Ok((product_id?, selection?)))?;
        let found = queries::catalog::get_product(&self.database, &product_id, selection).await?;
        let product = Some(product::encode(&found));
        Ok(Response::new(pb::GetProductResponse { product }))
    }

    async fn list_products(
        &self,
        request: Request<pb::ListProductsRequest>,
    ) -> Result<Response<pb::ListProductsResponse>, Status> {
        let (call, message) = accept(request)?;
        let kind = product::decode_kind_filter(message.kind)?;
        let (versions, next_page_token) = queries::catalog::list_products(
            &self.database,
            &call,
            kind,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let products = versions.iter().map(product::encode).collect();
        Ok(Response::new(pb::ListProductsResponse {
            products,
            next_page_token,
        }))
    }

    async fn set_prices(
        &self,
        request: Request<pb::SetPricesRequest>,
    ) -> Result<Response<pb::SetPricesResponse>, Status> {
        let (call, message) = accept(request)?;
        let work = price::decode_set(&call, &message)?;
        let answer = replay::once(&self.database, &call, &message, &work, |list| {
            pb::SetPricesResponse {
                price_list: Some(price::encode(&list)),
            }
        });
        Ok(Response::new(answer.await?))
    }

    async fn list_prices(
        &self,
        request: Request<pb::ListPricesRequest>,
    ) -> Result<Response<pb::ListPricesResponse>, Status> {
        let (call, message) = accept(request)?;
        let mut fields = Fields::new();
        let product_id = fields.required("product_id", &message.product_id);
        let currency = fields.optional("currency_code", &message.currency_code);
        let at = fields.optional_message("as_of_time", message.as_of_time.as_ref(), decode_time);
        let (product_id, currency, at) = fields.build(|| Ok((product_id?, currency?, at?)))?;
        let (lists, next_page_token) = queries::catalog::list_prices(
            &self.database,
            &call,
            &product_id,
            currency,
            at,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let price_lists = lists.iter().map(price::encode).collect();
        Ok(Response::new(pb::ListPricesResponse {
            price_lists,
            next_page_token,
        }))
    }
}
