//! Billing: the catalogue, accounts and their ledger, quotes, invoices and refunds. The only
//! service that computes an amount or moves money; it calls no other service.

mod convert;
mod events;
mod queries;
mod rendering;
mod retention;
mod rpc;
mod rules;
mod store;
mod use_cases;

use std::sync::Arc;

use licet_contracts::billing::v1::{
    account_service_server::AccountServiceServer, catalog_service_server::CatalogServiceServer,
    invoice_service_server::InvoiceServiceServer, quote_service_server::QuoteServiceServer,
    refund_service_server::RefundServiceServer,
};
use licet_runtime::{
    database::{Database, Location},
    fault::Fault,
    served,
    server::Service,
};
use tokio::sync::Semaphore;
use tonic::service::RoutesBuilder;

use crate::rpc::{
    account_service::AccountRpc,
    catalog_service::CatalogRpc,
    invoice_service::{InvoiceRpc, MAX_CONCURRENT_CHARGES},
    quote_service::QuoteRpc,
    refund_service::RefundRpc,
};

pub use crate::rules::numbers::Seller;
pub use licet_runtime::verification::{Check, Difference, Verification};

/// What Billing needs to run.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Its database; the schema is migrated when the service is built.
    pub location: Location,
    /// Who issues invoices and credit notes; `None`: the seller of the store, and of a new one the default.
    pub seller: Option<Seller>,
}

/// Builds the service, ready to be served.
///
/// # Errors
/// When the database cannot be opened or its schema cannot be migrated.
pub async fn build(deps: Deps) -> Result<Service, Fault> {
    let database = Database::open_rewriting(&deps.location, store::MIGRATIONS, &store::REWRITES)
        .await?
        .naming(store::SUBJECTS);
    let seller = store::numbers::seller(&database, deps.seller.as_ref()).await?;
    let mut routes = RoutesBuilder::default();
    macro_rules! serve {
        ($server:ident, $rpc:expr) => {
            routes.add_service(served!($server::new($rpc)))
        };
    }
    let schema = || database.clone();
    serve!(CatalogServiceServer, CatalogRpc { database: schema() });
    serve!(
        AccountServiceServer,
        AccountRpc {
            database: schema(),
            seller: seller.clone(),
        }
    );
    serve!(QuoteServiceServer, QuoteRpc { database: schema() });
    serve!(
        InvoiceServiceServer,
        InvoiceRpc {
            database: schema(),
            seller: seller.clone(),
            charge_permits: Arc::new(Semaphore::new(MAX_CONCURRENT_CHARGES)),
        }
    );
    serve!(
        RefundServiceServer,
        RefundRpc {
            database: schema(),
            seller,
        }
    );
    Ok(Service {
        name: "billing",
        routes,
        database,
        operations: None,
        due: Vec::new(),
        retentions: &retention::ALL,
    })
}

/// Verifies a store on one read-only snapshot: every balance against its postings, every invoice
/// against its lines, payments and credit notes (BL-3, BL-5, BL-8). Services that use the store
/// keep running.
///
/// # Errors
/// When the store is missing, has another version, or cannot be read.
pub async fn verify(location: &Location) -> Result<Verification, Fault> {
    let database = Database::open_read_only(location, store::MIGRATIONS).await?;
    queries::verify::verify(&database).await
}
