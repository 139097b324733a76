//! Adds a version of a product.

use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
    outbox::{self, Event, EventHeader},
};

use super::create_product::VersionDraft;
use crate::{
    events::{ProductCreated, ProductUpdated},
    rules::catalog::{self, ProductVersion},
    store,
};

/// Adds a version. What was sold keeps its version (BL-8).
///
/// Refusals: NOT_FOUND, PRODUCT_KIND_MISMATCH, EFFECTIVE_TIME_IN_PAST.
#[derive(Debug, Clone)]
pub(crate) struct UpdateProduct {
    /// The new version.
    pub(crate) draft: VersionDraft,
}

impl Verb for UpdateProduct {
    type Output = ProductVersion;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<ProductVersion, Fault> {
        let VersionDraft {
            product_id,
            product,
            effective,
        } = &self.draft;
        let newest = store::catalog::lock_newest(tx, product_id).await?;
        catalog::check_update(&newest, product, *effective, request.call.now)?;
        let version = ProductVersion {
            product_id: product_id.clone(),
            version: newest.version + 1,
            effective: *effective,
            recorded: request.call.now,
            product: product.clone(),
        };
        store::catalog::insert_version(tx, &version).await?;
        let header = EventHeader {
            resource_id: product_id.as_str().to_owned(),
            account_id: None,
            time: request.call.now,
            origin: &request.origin(),
            why: "BL-8".to_owned(),
            outcome: format!("version {}", version.version),
        };
        let data = ProductUpdated(ProductCreated {
            version: version.version,
            effective_time: *effective,
            product: &version.product,
        });
        outbox::emit(tx, Event::new(header, &data)?).await?;
        Ok(version)
    }
}
