//! Adds a version of a product.

use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
};

use super::create_product::{VersionDraft, emit};
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
        let now = request.call.now;
        let newest = store::catalog::lock_newest(tx, product_id).await?;
        catalog::check_update(&newest, product, *effective, now)?;
        let version = self.draft.version(newest.version + 1, now);
        store::catalog::insert_version(tx, &version).await?;
        let data = ProductUpdated(ProductCreated {
            version: version.version,
            effective_time: *effective,
            product: &version.product,
        });
        let outcome = format!("version {}", version.version);
        emit(tx, request, product_id, outcome, &data).await?;
        Ok(version)
    }
}
