//! Adding a product in its version 1.

use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{
    convert::product::Offering,
    rules::{
        already_exists,
        catalog::{self, ProductVersion},
    },
    store,
};

/// Adds a product (BL-8).
///
/// Refusals: ALREADY_EXISTS, EFFECTIVE_TIME_IN_PAST.
pub(crate) struct CreateProduct<'a> {
    /// What was accepted.
    pub(crate) call: &'a Call,
    /// The attempt's id.
    pub(crate) request_id: &'a str,
    /// What version 1 says, and from when on.
    pub(crate) offering: &'a Offering,
}

impl Work for CreateProduct<'_> {
    type Answer = ProductVersion;

    async fn run(&self, tx: &Tx) -> Result<ProductVersion, Fault> {
        let Offering {
            product_id,
            product,
            effective,
        } = self.offering;
        catalog::check_effective(*effective, self.call.now)?;
        let version = ProductVersion {
            product_id: product_id.clone(),
            version: 1,
            effective: *effective,
            recorded: self.call.now,
            product: product.clone(),
        };
        if !store::catalog::insert_product(tx, &version).await? {
            return Err(already_exists("product", product_id.as_str()).into());
        }
        let event = Event {
            kind: "licet.billing.product.created.v1",
            resource_id: product_id.as_str().to_owned(),
            account_id: None,
            time: self.call.now,
            origin: &self.call.origin(self.request_id),
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
