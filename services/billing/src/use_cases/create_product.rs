//! Adds products, in version 1.

use licet_domain::{clock::Instant, ids::ProductId};
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
    outbox::{self, Event, EventHeader},
};

use crate::{
    events::ProductCreated,
    rules::{
        already_exists,
        catalog::{self, Product, ProductVersion},
    },
    store,
};

/// A new version of a product.
#[derive(Debug, Clone)]
pub(crate) struct VersionDraft {
    /// The product's id.
    pub(crate) product_id: ProductId,
    /// The content of the version.
    pub(crate) product: Product,
    /// When the version takes effect.
    pub(crate) effective: Instant,
}

/// Adds a product (BL-8).
///
/// Refusals: ALREADY_EXISTS, EFFECTIVE_TIME_IN_PAST.
#[derive(Debug, Clone)]
pub(crate) struct CreateProduct {
    /// Version 1.
    pub(crate) draft: VersionDraft,
}

impl Verb for CreateProduct {
    type Output = ProductVersion;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<ProductVersion, Fault> {
        let VersionDraft {
            product_id,
            product,
            effective,
        } = &self.draft;
        catalog::check_effective(*effective, request.call.now)?;
        let version = ProductVersion {
            product_id: product_id.clone(),
            version: 1,
            effective: *effective,
            recorded: request.call.now,
            product: product.clone(),
        };
        if !store::catalog::insert_product(tx, &version).await? {
            return Err(already_exists("product", product_id.as_str()).into());
        }
        let header = EventHeader {
            resource_id: product_id.as_str().to_owned(),
            account_id: None,
            time: request.call.now,
            origin: &request.origin(),
            why: "BL-8".to_owned(),
            outcome: "version 1".to_owned(),
        };
        let data = ProductCreated {
            version: 1,
            effective_time: *effective,
            product: &version.product,
        };
        outbox::emit(tx, Event::new(header, &data)?).await?;
        Ok(version)
    }
}
