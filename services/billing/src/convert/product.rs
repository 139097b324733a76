//! Products: messages to values, and back.

use licet_contracts::billing::v1 as billing;
use licet_domain::ids::ProductId;
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_time, encode_count, encode_time},
};

use super::decode_required_name;
use crate::{
    rules::{
        catalog::{
            self, Policy, Product, ProductKind, ProductVersion, ValidityLimits, WildcardReplacement,
        },
        listing::{InForceAt, VersionSelection},
        proration::Convention,
        refund_policy::RefundCount,
    },
    use_cases::{
        create_product::{CreateProduct, VersionDraft},
        update_product::UpdateProduct,
    },
};

/// The most terms of a product: as many as there are different ones.
const MAX_TERMS: usize = catalog::MAX_TERM_MONTHS as usize;

/// Decodes CreateProduct.
pub(crate) fn decode_create(
    call: &Call,
    message: &billing::CreateProductRequest,
) -> Result<CreateProduct, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let draft = decode_draft(&mut fields, call, message.product.as_ref());
    fields.build(|| Ok(CreateProduct { draft: draft? }))
}

/// Decodes UpdateProduct.
pub(crate) fn decode_update(
    call: &Call,
    message: &billing::UpdateProductRequest,
) -> Result<UpdateProduct, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let draft = decode_draft(&mut fields, call, message.product.as_ref());
    fields.build(|| Ok(UpdateProduct { draft: draft? }))
}

fn decode_draft(
    fields: &mut Fields,
    call: &Call,
    message: Option<&billing::Product>,
) -> Field<VersionDraft> {
    let Some(message) = message else {
        return Err(fields.note("product", "is required"));
    };
    let product_id = fields.required("product.product_id", &message.product_id);
    let effective = fields.optional_message(
        "product.effective_time",
        message.effective_time.as_ref(),
        decode_time,
    );
    let product = decode_product(fields, message);
    for (path, sentence) in catalog::problems(&product) {
        fields.note(format!("product.{path}"), sentence);
    }
    Ok(VersionDraft {
        product_id: product_id?,
        product,
        effective: effective?.unwrap_or(call.now),
    })
}

/// Refuses what does not decode, and puts a harmless value in its place, so that the other fields
/// can still be checked against each other and all problems are reported at once.
fn decode_product(fields: &mut Fields, message: &billing::Product) -> Product {
    let display_name = decode_required_name(fields, "product.display_name", &message.display_name);
    let kind = match billing::ProductKind::try_from(message.kind).map(decode_kind) {
        Ok(Some(kind)) => Ok(kind),
        Ok(None) | Err(_) => Err(fields.note(
            "product.kind",
            "must be SINGLE_DOMAIN, MULTI_DOMAIN or SAN_LICENSE",
        )),
    };
    let tier = fields.count("product.tier", message.tier);
    let term_months = decode_term_months(fields, &message.term_months);
    let included_domains = fields.count("product.included_domains", message.included_domains);
    let max_domains = fields.count("product.max_domains", message.max_domains);
    let max_additional_licenses = fields.count(
        "product.max_additional_licenses",
        message.max_additional_licenses,
    );
    let validity_limits = match billing::ValidityLimits::try_from(message.validity_limits) {
        Ok(billing::ValidityLimits::Unspecified | billing::ValidityLimits::PublicTls) => {
            Ok(ValidityLimits::PublicTls)
        }
        Ok(billing::ValidityLimits::None) => Ok(ValidityLimits::Unlimited),
        Err(_) => Err(fields.note("product.validity_limits", "must be PUBLIC_TLS or NONE")),
    };
    let included_domains = included_domains.unwrap_or(1);
    Product {
        kind: kind.unwrap_or(ProductKind::MultiDomain),
        display_name: display_name.unwrap_or_default(),
        tier: tier.unwrap_or_default(),
        term_months: term_months.unwrap_or_else(|_| vec![1]),
        included_domains,
        max_domains: max_domains.unwrap_or(included_domains),
        max_additional_licenses: max_additional_licenses.unwrap_or_default(),
        wildcards_allowed: message.wildcards_allowed,
        validity_limits: validity_limits.unwrap_or(ValidityLimits::PublicTls),
        policy: decode_policy(fields, &message.policy.unwrap_or_default()),
    }
}

/// In months, ascending.
fn decode_term_months(fields: &mut Fields, messages: &[i32]) -> Field<Vec<u32>> {
    let path = "product.term_months";
    if messages.len() > MAX_TERMS {
        return Err(fields.note(path, format!("must have at most {MAX_TERMS} entries")));
    }
    let mut terms = fields.each(path, messages, |months| match u32::try_from(*months) {
        Ok(months @ 1..=catalog::MAX_TERM_MONTHS) => Ok(months),
        Ok(_) | Err(_) => Err(format!("must be 1 to {}", catalog::MAX_TERM_MONTHS)),
    })?;
    terms.sort_unstable();
    Ok(terms)
}

fn decode_policy(fields: &mut Fields, message: &billing::Policy) -> Policy {
    let convention = match billing::ProrationConvention::try_from(message.proration_convention) {
        Ok(billing::ProrationConvention::Unspecified | billing::ProrationConvention::Monthly) => {
            Ok(Convention::Monthly)
        }
        Ok(billing::ProrationConvention::Daily) => Ok(Convention::Daily),
        Ok(billing::ProrationConvention::Linear) => Ok(Convention::Linear),
        Err(_) => Err(fields.note(
            "product.policy.proration_convention",
            "must be MONTHLY, DAILY or LINEAR",
        )),
    };
    let wildcard_replacement = decode_replacement(fields, message.wildcard_replacement);
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
    let refund_count = match billing::RefundCount::try_from(message.refund_count) {
        Ok(billing::RefundCount::Unspecified | billing::RefundCount::FirstIssuance) => {
            Ok(RefundCount::FirstIssuance)
        }
        Ok(billing::RefundCount::Purchase) => Ok(RefundCount::Purchase),
        Err(_) => Err(fields.note(
            "product.policy.refund_count",
            "must be FIRST_ISSUANCE or PURCHASE",
        )),
    };
    let full_refund_days = full_refund_days.unwrap_or_default();
    Policy {
        convention: convention.unwrap_or(Convention::Monthly),
        full_refund_days,
        no_refund_days: no_refund_days.unwrap_or(full_refund_days),
        renewal_opens_days: renewal_opens_days.unwrap_or_default(),
        renewal_closes_days: renewal_closes_days.unwrap_or_default(),
        superseded_after_hours: superseded_after_hours.unwrap_or_default(),
        outlive_tolerance_hours: outlive_tolerance_hours.unwrap_or_default(),
        wildcard_replacement: wildcard_replacement.unwrap_or(WildcardReplacement::Difference),
        refund_count: refund_count.unwrap_or_default(),
    }
}

/// MD-4: DIFFERENCE unless the request says otherwise.
fn decode_replacement(fields: &mut Fields, given: i32) -> Field<WildcardReplacement> {
    use billing::WildcardReplacement as Given;
    match Given::try_from(given) {
        Ok(Given::Free) => Ok(WildcardReplacement::Free),
        Ok(Given::Unspecified | Given::Difference) => Ok(WildcardReplacement::Difference),
        Ok(Given::FullPrice) => Ok(WildcardReplacement::FullPrice),
        Err(_) => Err(fields.note(
            "product.policy.wildcard_replacement",
            "must be FREE, DIFFERENCE or FULL_PRICE",
        )),
    }
}

fn decode_supersede(
    fields: &mut Fields,
    message: Option<&billing::Supersede>,
) -> Field<Option<u32>> {
    use billing::supersede::Handling;
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
        Some(None) => Err(fields.note(path, "must set after_hours or never")),
    }
}

/// Decodes GetProduct: the requested version, or the one in force now.
pub(crate) fn decode_get(
    call: &Call,
    message: &billing::GetProductRequest,
) -> Result<(ProductId, VersionSelection), Fault> {
    use billing::get_product_request::Selection as Wanted;
    let mut fields = Fields::new();
    let product_id = fields.required("product_id", &message.product_id);
    let selection = match &message.selection {
        None => Ok(VersionSelection::InForce(InForceAt::Now(call.now))),
        Some(Wanted::AsOfTime(at)) => fields
            .message("as_of_time", Some(at), decode_time)
            .map(|at| VersionSelection::InForce(InForceAt::Instant(at))),
        Some(Wanted::Version(version)) => match u32::try_from(*version) {
            Ok(version @ 1..) => Ok(VersionSelection::Version(version)),
            Ok(0) | Err(_) => Err(fields.note("version", "must be at least 1")),
        },
    };
    fields.build(|| Ok((product_id?, selection?)))
}

/// Decodes the filter of ListProducts; `None`: every kind.
pub(crate) fn decode_list(
    message: &billing::ListProductsRequest,
) -> Result<Option<ProductKind>, Fault> {
    match billing::ProductKind::try_from(message.kind) {
        Ok(kind) => Ok(decode_kind(kind)),
        Err(_) => Err(Fault::invalid(
            "kind",
            "must be SINGLE_DOMAIN, MULTI_DOMAIN or SAN_LICENSE",
        )),
    }
}

fn decode_kind(kind: billing::ProductKind) -> Option<ProductKind> {
    match kind {
        billing::ProductKind::Unspecified => None,
        billing::ProductKind::SingleDomain => Some(ProductKind::SingleDomain),
        billing::ProductKind::MultiDomain => Some(ProductKind::MultiDomain),
        billing::ProductKind::SanLicense => Some(ProductKind::SanLicense),
    }
}

/// A product in one version.
pub(crate) fn encode(version: &ProductVersion) -> billing::Product {
    let product = &version.product;
    let kind = match product.kind {
        ProductKind::SingleDomain => billing::ProductKind::SingleDomain,
        ProductKind::MultiDomain => billing::ProductKind::MultiDomain,
        ProductKind::SanLicense => billing::ProductKind::SanLicense,
    };
    let limits = match product.validity_limits {
        ValidityLimits::PublicTls => billing::ValidityLimits::PublicTls,
        ValidityLimits::Unlimited => billing::ValidityLimits::None,
    };
    billing::Product {
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

fn encode_policy(policy: &Policy) -> billing::Policy {
    use billing::supersede::Handling;
    let handling = match policy.superseded_after_hours {
        Some(hours) => Handling::AfterHours(encode_count(hours)),
        None => Handling::Never(true),
    };
    let replacement = match policy.wildcard_replacement {
        WildcardReplacement::Free => billing::WildcardReplacement::Free,
        WildcardReplacement::Difference => billing::WildcardReplacement::Difference,
        WildcardReplacement::FullPrice => billing::WildcardReplacement::FullPrice,
    };
    billing::Policy {
        proration_convention: encode_convention(policy.convention).into(),
        full_refund_days: Some(encode_count(policy.full_refund_days)),
        no_refund_after_days: Some(encode_count(policy.no_refund_days)),
        renewal_open_days: Some(encode_count(policy.renewal_opens_days)),
        renewal_grace_days: Some(encode_count(policy.renewal_closes_days)),
        supersede: Some(billing::Supersede {
            handling: Some(handling),
        }),
        outlive_tolerance_hours: Some(encode_count(policy.outlive_tolerance_hours)),
        wildcard_replacement: replacement.into(),
        refund_count: encode_refund_count(policy.refund_count).into(),
    }
}

/// What the refund days count from.
pub(crate) fn encode_refund_count(count: RefundCount) -> billing::RefundCount {
    match count {
        RefundCount::FirstIssuance => billing::RefundCount::FirstIssuance,
        RefundCount::Purchase => billing::RefundCount::Purchase,
    }
}

/// A new product.
pub(crate) fn encode_created(version: &ProductVersion) -> billing::CreateProductResponse {
    billing::CreateProductResponse {
        product: Some(encode(version)),
    }
}

/// A new version of a product.
pub(crate) fn encode_updated(version: &ProductVersion) -> billing::UpdateProductResponse {
    billing::UpdateProductResponse {
        product: Some(encode(version)),
    }
}

/// How a part of a term is measured.
pub(crate) fn encode_convention(convention: Convention) -> billing::ProrationConvention {
    match convention {
        Convention::Monthly => billing::ProrationConvention::Monthly,
        Convention::Daily => billing::ProrationConvention::Daily,
        Convention::Linear => billing::ProrationConvention::Linear,
    }
}
