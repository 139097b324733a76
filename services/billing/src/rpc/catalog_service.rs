//! `licet.billing.v1.CatalogService`.

use licet_contracts::billing::v1::{self as billing, catalog_service_server::CatalogService};
use licet_runtime::{database::Database, door};
use tonic::{Request, Response, Status};

use crate::{convert, queries};

/// Products and prices.
#[derive(Clone, Debug)]
pub(crate) struct CatalogRpc {
    /// The database of Billing.
    pub(crate) database: Database,
}

#[tonic::async_trait]
impl CatalogService for CatalogRpc {
    async fn create_product(
        &self,
        request: Request<billing::CreateProductRequest>,
    ) -> Result<Response<billing::CreateProductResponse>, Status> {
        door::run(
            &self.database,
            request,
            convert::product::decode_create,
            |version| Ok(convert::product::encode_created(&version)),
        )
        .await
    }

    async fn update_product(
        &self,
        request: Request<billing::UpdateProductRequest>,
    ) -> Result<Response<billing::UpdateProductResponse>, Status> {
        door::run(
            &self.database,
            request,
            convert::product::decode_update,
            |version| Ok(convert::product::encode_updated(&version)),
        )
        .await
    }

    async fn get_product(
        &self,
        request: Request<billing::GetProductRequest>,
    ) -> Result<Response<billing::GetProductResponse>, Status> {
        let (_, (product_id, selection)) = door::read(request, convert::product::decode_get)?;
        let found = queries::catalog::get_product(&self.database, &product_id, selection).await?;
        Ok(Response::new(billing::GetProductResponse {
            product: Some(convert::product::encode(&found)),
        }))
    }

    async fn list_products(
        &self,
        request: Request<billing::ListProductsRequest>,
    ) -> Result<Response<billing::ListProductsResponse>, Status> {
        let (_, kind, page) =
            door::list(request, |_, message| convert::product::decode_list(message))?;
        let (found, next_page_token) =
            queries::catalog::list_products(&self.database, kind, &page).await?;
        Ok(Response::new(billing::ListProductsResponse {
            products: found.iter().map(convert::product::encode).collect(),
            next_page_token,
        }))
    }

    async fn set_prices(
        &self,
        request: Request<billing::SetPricesRequest>,
    ) -> Result<Response<billing::SetPricesResponse>, Status> {
        door::run(
            &self.database,
            request,
            convert::price::decode_set,
            |list| Ok(convert::price::encode_set(&list)),
        )
        .await
    }

    async fn list_prices(
        &self,
        request: Request<billing::ListPricesRequest>,
    ) -> Result<Response<billing::ListPricesResponse>, Status> {
        let (_, filter, page) =
            door::list(request, |_, message| convert::price::decode_list(message))?;
        let (found, next_page_token) =
            queries::catalog::list_prices(&self.database, &filter, &page).await?;
        Ok(Response::new(billing::ListPricesResponse {
            price_lists: found.iter().map(convert::price::encode).collect(),
            next_page_token,
        }))
    }
}
