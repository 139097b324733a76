//! Addition of a product: decodes the request, and encodes the licence with the reasons (SL-10).

use licet_contracts::sanlicensing::v1 as sanlicensing;
use licet_runtime::{
    fault::Fault,
    field::Fields,
    wire::{encode_count, encode_price},
};

use super::license;
use crate::use_cases::add_product::{AddedProduct, ProductAddition};

/// Decodes an addition.
pub(crate) fn decode_add(
    message: &sanlicensing::AddProductRequest,
) -> Result<ProductAddition, Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let product_id = fields.required("product_id", &message.product_id);
    fields.request_id(message);
    fields.build(|| {
        Ok(ProductAddition {
            license_id: license_id?,
            product_id: product_id?,
        })
    })
}

/// Encodes the licence with the product, and why it may have it.
pub(crate) fn encode_added(
    AddedProduct { view, comparison }: &AddedProduct,
) -> Result<sanlicensing::AddProductResponse, Fault> {
    Ok(sanlicensing::AddProductResponse {
        license: Some(license::encode(view)?),
        tier: encode_count(comparison.tier),
        highest_tier: encode_count(comparison.highest_tier),
        price: Some(encode_price(comparison.price)),
        highest_price: comparison.highest_price.map(encode_price),
        explanation: comparison.explain(),
        rule_id: "SL-10".to_owned(),
    })
}
