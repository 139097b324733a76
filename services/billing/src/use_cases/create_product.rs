//! Adding a product in its version 1.

use licet_domain::{clock::Instant, ids::ProductId};
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{
    rules::{
        already_exists,
        catalog::{self, Product, ProductVersion},
    },
    store,
};

/// What a version of a product is to say.
#[derive(Debug, Clone)]
pub(crate) struct VersionDraft {
    /// The product's id.
    pub(crate) product_id: ProductId,
    /// What the version says.
    pub(crate) product: Product,
    /// From when on it is sold.
    pub(crate) effective: Instant,
}

/// Adds a product (BL-8).
///
/// Refusals: ALREADY_EXISTS, EFFECTIVE_TIME_IN_PAST.
#[derive(Debug, Clone)]
pub(crate) struct CreateProduct {
    /// What version 1 says, and from when on.
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
        let event = Event {
            kind: "licet.billing.product.created.v1",
            resource_id: product_id.as_str().to_owned(),
            account_id: None,
            time: request.call.now,
            origin: &request.origin(),
            why: "BL-8".to_owned(),
            outcome: "version 1".to_owned(),
            data: json!({
                "version": 1,
                "effective_time": effective,
                "product": version.product,
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(version)
    }
}
