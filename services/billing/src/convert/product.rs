//! Products between the contract and the catalogue's rules.

use licet_contracts::billing::v1 as pb;
use licet_domain::{Instant, ProductId};
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
};

use super::decode_required_name;
use crate::{
    rules::{
        catalog::{self, Policy, Product, ProductKind, ProductVersion, ValidityLimits},
        proration::Convention,
    },
    use_cases::{create_product::CreateProduct, update_product::UpdateProduct},
};
use licet_runtime::wire::{decode_time, encode_count, encode_time};

pub(crate) fn decode_create<'a>(
    call: &'a Call,
    message: &'a pb::CreateProductRequest,
) -> Result<CreateProduct<'a>, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let product = decode_product(&mut fields, message.product.as_ref(), call.now);
    fields.build(|| {
        let (product_id, product, effective) = product?;
        let request_id = &message.request_id;
        Ok(CreateProduct {
            call,
            request_id,
            product_id,
            product,
            effective,
        })
    })
}

pub(crate) fn decode_update<'a>(
    call: &'a Call,
    message: &'a pb::UpdateProductRequest,
) -> Result<UpdateProduct<'a>, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let product = decode_product(&mut fields, message.product.as_ref(), call.now);
    fields.build(|| {
        let (product_id, product, effective) = product?;
        let request_id = &message.request_id;
        Ok(UpdateProduct {
            call,
            request_id,
            product_id,
            product,
            effective,
        })
    })
}

fn decode_product(
    fields: &mut Fields,
    message: Option<&pb::Product>,
    now: Instant,
) -> Field<(ProductId, Product, Instant)> {
    let Some(message) = message else {
        return Err(fields.note("product", "is required"));
    };
    let product_id = fields.required("product.product_id", &message.product_id);
    let effective = fields.optional_message(
        "product.effective_time",
        message.effective_time.as_ref(),
        decode_time,
    );
    let product = decode_facts(fields, message)?;
    for (path, sentence) in catalog::problems(&product) {
        fields.note(format!("product.{path}"), sentence);
    }
    Ok((product_id?, product, effective?.unwrap_or(now)))
}

fn decode_facts(fields: &mut Fields, message: &pb::Product) -> Field<Product> {
    let display_name = decode_required_name(fields, "product.display_name", &message.display_name);
    let kind = match pb::ProductKind::try_from(message.kind).map(decode_kind) {
        Ok(Some(kind)) => Ok(kind),
        Ok(None) | Err(_) => Err(fields.note("product.kind", "must be a kind of product")),
    };
    let tier = fields.count("product.tier", message.tier);
    let mut term_months = fields.each("product.term_months", &message.term_months, |months| {
        u32::try_from(*months).map_err(|_| "must not be negative")
    });
    if let Ok(months) = &mut term_months {
        months.sort_unstable();
    }
    let included_domains = fields.count("product.included_domains", message.included_domains);
    let max_domains = fields.count("product.max_domains", message.max_domains);
    let max_additional_licenses = fields.count(
        "product.max_additional_licenses",
        message.max_additional_licenses,
    );
    let validity_limits = match pb::ValidityLimits::try_from(message.validity_limits) {
        Ok(pb::ValidityLimits::Unspecified | pb::ValidityLimits::PublicTls) => {
            Ok(ValidityLimits::PublicTls)
        }
        Ok(pb::ValidityLimits::None) => Ok(ValidityLimits::Unlimited),
        Err(_) => Err(fields.note("product.validity_limits", "must be a table of limits")),
    };
    let policy = decode_policy(fields, &message.policy.unwrap_or_default());
    Ok(Product {
        kind: kind?,
        display_name: display_name?,
        tier: tier?,
        term_months: term_months?,
        included_domains: included_domains?,
        max_domains: max_domains?,
        max_additional_licenses: max_additional_licenses?,
        wildcards_allowed: message.wildcards_allowed,
        validity_limits: validity_limits?,
        policy: policy?,
    })
}

fn decode_policy(fields: &mut Fields, message: &pb::Policy) -> Field<Policy> {
    let convention = match pb::ProrationConvention::try_from(message.proration_convention) {
        Ok(pb::ProrationConvention::Unspecified | pb::ProrationConvention::Monthly) => {
            Ok(Convention::Monthly)
        }
        Ok(pb::ProrationConvention::Daily) => Ok(Convention::Daily),
        Ok(pb::ProrationConvention::Linear) => Ok(Convention::Linear),
        Err(_) => Err(fields.note(
            "product.policy.proration_convention",
            "must be a convention",
        )),
    };
    let mut count = |path: &str, given: Option<i32>, default: u32| match given {
        None => Ok(default),
        Some(given) => fields.count(&format!("product.policy.{path}"), given),
    };
    let full_refund_days = count("full_refund_days", message.full_refund_days, 25);
    let no_refund_days = count("no_refund_after_days", message.no_refund_after_days, 30);
    let renewal_opens_days = count("renewal_open_days", message.renewal_open_days, 90);
    let renewal_closes_days = count("renewal_grace_days", message.renewal_grace_days, 30);
    let outlive_tolerance_hours = count(
        "outlive_tolerance_hours",
        message.outlive_tolerance_hours,
        24,
    );
    let superseded_after_hours = decode_supersede(fields, message.supersede.as_ref());
    Ok(Policy {
        convention: convention?,
        full_refund_days: full_refund_days?,
        no_refund_days: no_refund_days?,
        renewal_opens_days: renewal_opens_days?,
        renewal_closes_days: renewal_closes_days?,
        superseded_after_hours: superseded_after_hours?,
        outlive_tolerance_hours: outlive_tolerance_hours?,
    })
}

fn decode_supersede(fields: &mut Fields, message: Option<&pb::Supersede>) -> Field<Option<u32>> {
    use pb::supersede::Handling;
    let path = "product.policy.supersede";
    match message.map(|message| message.handling.as_ref()) {
        None => Ok(Some(72)),
        Some(Some(Handling::AfterHours(hours))) => fields
            .count(&format!("{path}.after_hours"), *hours)
            .map(Some),
        Some(Some(Handling::Never(true))) => Ok(None),
        Some(Some(Handling::Never(false))) => {
            Err(fields.note(format!("{path}.never"), "can only be true"))
        }
        Some(None) => Err(fields.note(path, "must say after_hours or never")),
    }
}

/// The kind that a filter names: `None` for every kind.
pub(crate) fn decode_kind_filter(kind: i32) -> Result<Option<ProductKind>, Fault> {
    match pb::ProductKind::try_from(kind) {
        Ok(kind) => Ok(decode_kind(kind)),
        Err(_) => Err(Fault::invalid("kind", "must be a kind of product")),
    }
}

fn decode_kind(kind: pb::ProductKind) -> Option<ProductKind> {
    match kind {
        pb::ProductKind::Unspecified => None,
        pb::ProductKind::SingleDomain => Some(ProductKind::SingleDomain),
        pb::ProductKind::MultiDomain => Some(ProductKind::MultiDomain),
        pb::ProductKind::SanLicense => Some(ProductKind::SanLicense),
    }
}

pub(crate) fn encode(version: &ProductVersion) -> pb::Product {
    let product = &version.product;
    let kind = match product.kind {
        ProductKind::SingleDomain => pb::ProductKind::SingleDomain,
        ProductKind::MultiDomain => pb::ProductKind::MultiDomain,
        ProductKind::SanLicense => pb::ProductKind::SanLicense,
    };
    let limits = match product.validity_limits {
        ValidityLimits::PublicTls => pb::ValidityLimits::PublicTls,
        ValidityLimits::Unlimited => pb::ValidityLimits::None,
    };
    pb::Product {
        product_id: version.product_id.as_str().to_owned(),
        version: encode_count(version.version),
        display_name: product.display_name.clone(),
        kind: kind.into(),
        tier: encode_count(product.tier),
        term_months: product
            .term_months
            .iter()
            .copied()
            .map(encode_count)
            .collect(),
        included_domains: encode_count(product.included_domains),
        max_domains: encode_count(product.max_domains),
        max_additional_licenses: encode_count(product.max_additional_licenses),
        wildcards_allowed: product.wildcards_allowed,
        validity_limits: limits.into(),
        policy: Some(encode_policy(&product.policy)),
        effective_time: Some(encode_time(version.effective)),
        create_time: Some(encode_time(version.recorded)),
    }
}

fn encode_policy(policy: &Policy) -> pb::Policy {
    use pb::supersede::Handling;
    let handling = match policy.superseded_after_hours {
        Some(hours) => Handling::AfterHours(encode_count(hours)),
        None => Handling::Never(true),
    };
    pb::Policy {
        proration_convention: encode_convention(policy.convention).into(),
        full_refund_days: Some(encode_count(policy.full_refund_days)),
        no_refund_after_days: Some(encode_count(policy.no_refund_days)),
        renewal_open_days: Some(encode_count(policy.renewal_opens_days)),
        renewal_grace_days: Some(encode_count(policy.renewal_closes_days)),
        supersede: Some(pb::Supersede {
            handling: Some(handling),
        }),
        outlive_tolerance_hours: Some(encode_count(policy.outlive_tolerance_hours)),
    }
}

pub(crate) fn encode_convention(convention: Convention) -> pb::ProrationConvention {
    match convention {
        Convention::Monthly => pb::ProrationConvention::Monthly,
        Convention::Daily => pb::ProrationConvention::Daily,
        Convention::Linear => pb::ProrationConvention::Linear,
    }
}
