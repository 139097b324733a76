//! Adds products, in version 1.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, ProductId},
};
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
    outbox::EventData,
};

use super::event;
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

impl VersionDraft {
    /// The version with this number.
    pub(super) fn version(&self, number: u32, recorded: Instant) -> ProductVersion {
        ProductVersion {
            product_id: self.product_id.clone(),
            version: number,
            effective: self.effective,
            recorded,
            product: self.product.clone(),
        }
    }
}

/// Writes an event of a product (BL-8).
pub(super) async fn emit<D: EventData>(
    tx: &Tx,
    request: &ChangeRequest,
    product_id: &ProductId,
    outcome: String,
    data: &D,
) -> Result<(), Fault> {
    let (id, no_account) = (product_id.as_str(), None::<AccountId>);
    event::emit(tx, request, id, no_account, "BL-8", outcome, data).await
}

impl Verb for CreateProduct {
    type Output = ProductVersion;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<ProductVersion, Fault> {
        let now = request.call.now;
        catalog::check_effective(self.draft.effective, now)?;
        let version = self.draft.version(1, now);
        let product_id = &version.product_id;
        if !store::catalog::insert_product(tx, &version).await? {
            return Err(already_exists("product", product_id.as_str()).into());
        }
        let data = ProductCreated {
            version: 1,
            effective_time: version.effective,
            product: &version.product,
        };
        emit(tx, request, product_id, "version 1".to_owned(), &data).await?;
        Ok(version)
    }
}
