//! A product that is to join a licence: its request, and how what decided about it is shown (SL-10).

use licet_contracts::sanlicensing::v1 as sanlicensing;
use licet_domain::ids::{LicenseId, ProductId};
use licet_runtime::{
    fault::Fault,
    field::Fields,
    wire::{encode_count, encode_price},
};

use super::license::{self, LicenseView};
use crate::rules::pricing::Joining;

/// A product for a licence.
#[derive(Debug, Clone)]
pub(crate) struct Addition {
    pub(crate) license_id: LicenseId,
    pub(crate) product_id: ProductId,
}

/// Reads the request to add a product.
pub(crate) fn decode_add(message: &sanlicensing::AddProductRequest) -> Result<Addition, Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let product_id = fields.required("product_id", &message.product_id);
    fields.request_id(message);
    fields.build(|| {
        Ok(Addition {
            license_id: license_id?,
            product_id: product_id?,
        })
    })
}

/// The licence with the product, and why it may have it.
pub(crate) fn encode_added(
    view: &LicenseView,
    joining: &Joining,
) -> Result<sanlicensing::AddProductResponse, Fault> {
    Ok(sanlicensing::AddProductResponse {
        license: Some(license::encode(view)?),
        tier: encode_count(joining.tier),
        highest_tier: encode_count(joining.highest_tier),
        price: Some(encode_price(joining.price)),
        highest_price: joining.highest_price.map(encode_price),
        explanation: joining.explain(),
        rule_id: "SL-10".to_owned(),
    })
}
