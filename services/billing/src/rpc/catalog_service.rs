//! `licet.billing.v1.CatalogService`.

use licet_contracts::billing::v1::{self as billing, catalog_service_server::CatalogService};
use licet_runtime::{caller::accept, database::Database, replay};
use tonic::{Request, Response, Status};

use crate::{
    convert, queries,
    use_cases::{
        create_product::CreateProduct, set_prices::SetPrices, update_product::UpdateProduct,
    },
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
        request: Request<billing::CreateProductRequest>,
    ) -> Result<Response<billing::CreateProductResponse>, Status> {
        let (call, message) = accept(request)?;
        let offering = convert::product::decode_create(&call, &message)?;
        let work = CreateProduct {
            call: &call,
            request_id: &message.request_id,
            offering: &offering,
        };
        let response = replay::once(&self.database, &call, &message, &work, |version| {
            billing::CreateProductResponse {
                product: Some(convert::product::encode(&version)),
            }
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn update_product(
        &self,
        request: Request<billing::UpdateProductRequest>,
    ) -> Result<Response<billing::UpdateProductResponse>, Status> {
        let (call, message) = accept(request)?;
        let offering = convert::product::decode_update(&call, &message)?;
        let work = UpdateProduct {
            call: &call,
            request_id: &message.request_id,
            offering: &offering,
        };
        let response = replay::once(&self.database, &call, &message, &work, |version| {
            billing::UpdateProductResponse {
                product: Some(convert::product::encode(&version)),
            }
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn get_product(
        &self,
        request: Request<billing::GetProductRequest>,
    ) -> Result<Response<billing::GetProductResponse>, Status> {
        let (call, message) = accept(request)?;
        let (product_id, selection) = convert::product::decode_get(&call, &message)?;
        let found = queries::catalog::get_product(&self.database, &product_id, selection).await?;
        let product = Some(convert::product::encode(&found));
        Ok(Response::new(billing::GetProductResponse { product }))
    }

    async fn list_products(
        &self,
        request: Request<billing::ListProductsRequest>,
    ) -> Result<Response<billing::ListProductsResponse>, Status> {
        let (call, message) = accept(request)?;
        let kind = convert::product::decode_list(&message)?;
        let (versions, next_page_token) = queries::catalog::list_products(
            &self.database,
            &call,
            kind,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let products = versions.iter().map(convert::product::encode).collect();
        Ok(Response::new(billing::ListProductsResponse {
            products,
            next_page_token,
        }))
    }

    async fn set_prices(
        &self,
        request: Request<billing::SetPricesRequest>,
    ) -> Result<Response<billing::SetPricesResponse>, Status> {
        let (call, message) = accept(request)?;
        let list = convert::price::decode_set(&call, &message)?;
        let work = SetPrices {
            call: &call,
            request_id: &message.request_id,
            list: &list,
        };
        let response = replay::once(&self.database, &call, &message, &work, |list| {
            billing::SetPricesResponse {
                price_list: Some(convert::price::encode(&list)),
            }
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn list_prices(
        &self,
        request: Request<billing::ListPricesRequest>,
    ) -> Result<Response<billing::ListPricesResponse>, Status> {
        let (call, message) = accept(request)?;
        let filter = convert::price::decode_list(&message)?;
        let (lists, next_page_token) = queries::catalog::list_prices(
            &self.database,
            &call,
            &filter,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let price_lists = lists.iter().map(convert::price::encode).collect();
        Ok(Response::new(billing::ListPricesResponse {
            price_lists,
            next_page_token,
        }))
    }
}
