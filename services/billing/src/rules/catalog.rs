//! What the catalogue accepts: products within sane limits, and versions that never change the past
//! (BL-8).

use licet_domain::{
    clock::Instant,
    ids::ProductId,
    refusal::{Reason, Refusal},
    worded,
};
use serde::{Deserialize, Serialize};

use super::{
    proration::Convention,
    refund_policy::{RefundCount, RefundPolicy},
};

worded! {
    /// The kind of a product.
    pub(crate) enum ProductKind {
        /// A certificate for one domain.
        SingleDomain = "SINGLE_DOMAIN",
        /// A certificate for several domains.
        MultiDomain = "MULTI_DOMAIN",
        /// A quota of SANs.
        SanLicense = "SAN_LICENSE",
    }
}

worded! {
    /// What a wildcard costs that takes a standard slot (MD-4).
    pub(crate) enum WildcardReplacement {
        /// Nothing; only the total number of domains counts.
        Free = "FREE",
        /// The wildcard's price minus the domain's; the slot becomes a wildcard slot.
        Difference = "DIFFERENCE",
        /// The wildcard's price; the standard slot stays paid.
        FullPrice = "FULL_PRICE",
    }
}

/// The meaning of versions that were stored without the field.
fn free_replacement() -> WildcardReplacement {
    WildcardReplacement::Free
}

/// The rules of sale, pinned to an order when it is bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// How a part of a term is measured.
    pub(crate) convention: Convention,
    /// AL-4: full refund up to and including this many days.
    pub(crate) full_refund_days: u32,
    /// AL-4: no refund after this many days.
    pub(crate) no_refund_days: u32,
    /// MD-10: a renewal opens this many days before the end.
    pub(crate) renewal_opens_days: u32,
    /// MD-10: a renewal closes this many days after the end.
    pub(crate) renewal_closes_days: u32,
    /// MD-7: hours after which a superseded certificate counts as revoked; `None`: never.
    pub(crate) superseded_after_hours: Option<u32>,
    /// MD-9: hours by which a certificate may outlive its order's term.
    pub(crate) outlive_tolerance_hours: u32,
    /// MD-4: the price of a wildcard that takes a standard slot. Versions stored without it mean
    /// FREE (BL-8).
    #[serde(default = "free_replacement")]
    pub(crate) wildcard_replacement: WildcardReplacement,
    /// AL-4: what the refund days count from. Versions stored without it mean the first issuance.
    #[serde(default)]
    pub(crate) refund_count: RefundCount,
}

impl Policy {
    /// The limits that AL-4 needs.
    pub(crate) fn refund(&self) -> RefundPolicy {
        RefundPolicy {
            count: self.refund_count,
            full_refund_days: self.full_refund_days,
            no_refund_days: self.no_refund_days,
        }
    }
}

worded! {
    /// Which limits on certificate validity a product obeys (MD-9).
    pub(crate) enum ValidityLimits {
        /// Those of publicly trusted TLS.
        PublicTls = "PUBLIC_TLS",
        /// No limit.
        Unlimited = "NONE",
    }
}

/// The content of a product version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Product {
    /// The same in every version.
    pub(crate) kind: ProductKind,
    /// For people.
    pub(crate) display_name: String,
    /// Rank among products (SL-10).
    pub(crate) tier: u32,
    /// The lengths of term it is sold for, in months, ascending.
    pub(crate) term_months: Vec<u32>,
    /// Standard domains included in the certificate's price, the common name among them.
    pub(crate) included_domains: u32,
    /// The most domains on an order, the common name among them.
    pub(crate) max_domains: u32,
    /// The most additional licences on an order (AL-1).
    pub(crate) max_additional_licenses: u32,
    /// Whether an order may have wildcard domains.
    pub(crate) wildcards_allowed: bool,
    /// MD-9; catalogue data, never pinned.
    pub(crate) validity_limits: ValidityLimits,
    /// Pinned when sold.
    pub(crate) policy: Policy,
}

/// A version of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProductVersion {
    /// The readable id.
    pub(crate) product_id: ProductId,
    /// From 1, without gaps.
    pub(crate) version: u32,
    /// New sales use the version from here on.
    pub(crate) effective: Instant,
    /// When it was recorded.
    pub(crate) recorded: Instant,
    /// The content of the version.
    pub(crate) product: Product,
}

pub(crate) const MAX_TERM_MONTHS: u32 = 120;
const MAX_DOMAINS: u32 = 1_000;
const MAX_ADDITIONAL_LICENSES: u32 = 10_000;
const MAX_POLICY_DAYS: u32 = 3_650;
const MAX_POLICY_HOURS: u32 = 8_760;

/// All problems of a product, each as the path of the field within it and a sentence.
pub(crate) fn problems(product: &Product) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut check = |path: &'static str, holds: bool, sentence: String| {
        if !holds {
            found.push((path, sentence));
        }
    };
    let months = &product.term_months;
    check(
        "term_months",
        !months.is_empty(),
        "must name at least one term".to_owned(),
    );
    check(
        "term_months",
        months
            .iter()
            .all(|months| (1..=MAX_TERM_MONTHS).contains(months)),
        format!("must each be 1 to {MAX_TERM_MONTHS}"),
    );
    check(
        "term_months",
        months.windows(2).all(|pair| pair[0] < pair[1]),
        "must not repeat a term".to_owned(),
    );
    check(
        "included_domains",
        product.included_domains >= 1,
        "must be at least 1, for the common name".to_owned(),
    );
    check(
        "max_domains",
        (product.included_domains..=MAX_DOMAINS).contains(&product.max_domains),
        format!("must be at least included_domains and at most {MAX_DOMAINS}"),
    );
    check(
        "max_domains",
        product.kind != ProductKind::SingleDomain || product.max_domains == 1,
        "must be 1 for a SINGLE_DOMAIN product".to_owned(),
    );
    check(
        "max_additional_licenses",
        product.max_additional_licenses <= MAX_ADDITIONAL_LICENSES,
        format!("must be at most {MAX_ADDITIONAL_LICENSES}"),
    );
    policy_problems(&product.policy, &mut check);
    found
}

fn policy_problems(policy: &Policy, check: &mut impl FnMut(&'static str, bool, String)) {
    for (path, days) in [
        ("policy.full_refund_days", policy.full_refund_days),
        ("policy.no_refund_after_days", policy.no_refund_days),
        ("policy.renewal_open_days", policy.renewal_opens_days),
        ("policy.renewal_grace_days", policy.renewal_closes_days),
    ] {
        check(
            path,
            days <= MAX_POLICY_DAYS,
            format!("must be at most {MAX_POLICY_DAYS}"),
        );
    }
    check(
        "policy.no_refund_after_days",
        policy.no_refund_days >= policy.full_refund_days,
        "must not be less than full_refund_days".to_owned(),
    );
    for (path, hours) in [
        (
            "policy.supersede.after_hours",
            policy.superseded_after_hours.unwrap_or(0),
        ),
        (
            "policy.outlive_tolerance_hours",
            policy.outlive_tolerance_hours,
        ),
    ] {
        check(
            path,
            hours <= MAX_POLICY_HOURS,
            format!("must be at most {MAX_POLICY_HOURS}"),
        );
    }
}

/// A catalogue change takes effect now or later (BL-8).
///
/// # Errors
/// EFFECTIVE_TIME_IN_PAST.
pub(crate) fn check_effective(effective: Instant, now: Instant) -> Result<(), Refusal> {
    if effective >= now {
        return Ok(());
    }
    Err(effective_in_past(
        effective,
        now,
        &format!("it is already {now}"),
    ))
}

/// A new version keeps the product's kind and takes effect no earlier than the newest version.
///
/// # Errors
/// PRODUCT_KIND_MISMATCH, EFFECTIVE_TIME_IN_PAST.
pub(crate) fn check_update(
    newest: &ProductVersion,
    product: &Product,
    effective: Instant,
    now: Instant,
) -> Result<(), Refusal> {
    let (current, given) = (newest.product.kind, product.kind);
    if current != given {
        return Err(kind_mismatch(
            &newest.product_id,
            current,
            &format!("it cannot become {}", given.as_str()),
        ));
    }
    check_effective(effective, now)?;
    if effective < newest.effective {
        let why = format!(
            "version {} already takes effect at {}",
            newest.version, newest.effective
        );
        return Err(
            effective_in_past(effective, now, &why).with("newest_effective_time", newest.effective)
        );
    }
    Ok(())
}

/// TERM_NOT_SOLD: the product is sold for the terms in `sold`, not for `months`.
pub(crate) fn term_not_sold<'a>(
    product_id: &ProductId,
    sold: impl IntoIterator<Item = &'a u32>,
    months: u32,
) -> Refusal {
    let sold: Vec<String> = sold.into_iter().map(ToString::to_string).collect();
    let id = product_id.as_str();
    Refusal::new(
        Reason::TermNotSold,
        format!(
            "{id} is sold for {} months, not for {months}",
            sold.join(", ")
        ),
    )
    .with("product_id", id)
    .with("term_months", months)
    .with("sold", sold.join(","))
}

/// PRODUCT_KIND_MISMATCH: the request does not fit the product's kind.
pub(crate) fn kind_mismatch(product_id: &ProductId, kind: ProductKind, why: &str) -> Refusal {
    Refusal::new(
        Reason::ProductKindMismatch,
        format!(
            "{} is of kind {}; {why}",
            product_id.as_str(),
            kind.as_str()
        ),
    )
    .with("product_id", product_id.as_str())
    .with("kind", kind.as_str())
}

/// EFFECTIVE_TIME_IN_PAST (BL-8).
pub(super) fn effective_in_past(effective: Instant, now: Instant, why: &str) -> Refusal {
    Refusal::new(
        Reason::EffectiveTimeInPast,
        format!("a change effective at {effective} could alter past sales: {why}"),
    )
    .with("effective_time", effective)
    .with("now", now)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A product for the tests of this folder: terms of 1 and 12 months, at most five domains.
    pub(crate) fn product(kind: ProductKind) -> Product {
        Product {
            kind,
            display_name: "Multi-domain DV".to_owned(),
            tier: 1,
            term_months: vec![1, 12],
            included_domains: 1,
            max_domains: 5,
            max_additional_licenses: 10,
            wildcards_allowed: true,
            validity_limits: ValidityLimits::PublicTls,
            policy: Policy {
                convention: Convention::Monthly,
                full_refund_days: 25,
                no_refund_days: 30,
                renewal_opens_days: 90,
                renewal_closes_days: 30,
                superseded_after_hours: Some(72),
                outlive_tolerance_hours: 24,
                wildcard_replacement: WildcardReplacement::Difference,
                refund_count: RefundCount::FirstIssuance,
            },
        }
    }

    pub(crate) fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    /// Version 2 of that product, in force from February 2026.
    pub(crate) fn version(kind: ProductKind) -> ProductVersion {
        ProductVersion {
            product_id: "some-product".parse().unwrap(),
            version: 2,
            effective: at("2026-02-01T00:00:00Z"),
            recorded: at("2026-01-01T00:00:00Z"),
            product: product(kind),
        }
    }

    /// MD-4, BL-8: a version stored without the field means FREE.
    #[test]
    fn md_4_versions_of_before_keep_free_replacements() {
        let mut json = serde_json::to_value(product(ProductKind::MultiDomain)).unwrap();
        let policy = json["policy"].as_object_mut().unwrap();
        assert_eq!(policy.remove("wildcard_replacement").unwrap(), "DIFFERENCE");
        let stored: Product = serde_json::from_value(json).unwrap();
        assert_eq!(
            stored.policy.wildcard_replacement,
            WildcardReplacement::Free
        );
    }

    #[test]
    fn product_limits() {
        assert_eq!(problems(&product(ProductKind::MultiDomain)), []);
        let mut bad = product(ProductKind::SingleDomain);
        bad.term_months = vec![0, 12, 12];
        bad.included_domains = 0;
        bad.max_additional_licenses = 10_001;
        bad.policy.no_refund_days = 24;
        bad.policy.superseded_after_hours = Some(8_761);
        let paths: Vec<_> = problems(&bad).into_iter().map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            [
                "term_months",
                "term_months",
                "included_domains",
                "max_domains",
                "max_additional_licenses",
                "policy.no_refund_after_days",
                "policy.supersede.after_hours",
            ]
        );
    }

    /// BL-8: each version takes effect no earlier than the one before, and keeps the kind.
    #[test]
    fn updates() {
        let version = version(ProductKind::MultiDomain);
        let past = Some(Reason::EffectiveTimeInPast);
        let product = product(ProductKind::MultiDomain);
        let update = |effective: &str, now: &str| {
            check_update(&version, &product, at(effective), at(now))
                .err()
                .map(|r| r.reason)
        };
        assert_eq!(update("2026-02-01T00:00:00Z", "2026-01-15T00:00:00Z"), None);
        assert_eq!(update("2026-01-20T00:00:00Z", "2026-01-15T00:00:00Z"), past);
        assert_eq!(update("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z"), past);
        let earlier = check_update(
            &version,
            &product,
            at("2026-01-20T00:00:00Z"),
            at("2026-01-15T00:00:00Z"),
        );
        assert_eq!(
            earlier.unwrap_err().metadata["newest_effective_time"],
            version.effective.to_string()
        );
        let now = at("2026-03-01T00:00:00Z");
        let single = Product {
            kind: ProductKind::SingleDomain,
            ..product.clone()
        };
        let changed = check_update(&version, &single, now, now);
        assert_eq!(changed.unwrap_err().reason, Reason::ProductKindMismatch);
    }
}
