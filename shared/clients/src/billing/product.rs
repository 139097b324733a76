//! A version of a product, with the fields that other services decide with.

use licet_contracts::billing::v1 as billing;
use licet_domain::ids::ProductId;

use super::reading::broken;
use crate::opaque::opaque;

/// What a product sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProductKind {
    /// A certificate with the included domains only.
    SingleDomain,
    /// A certificate to which domains can be added.
    MultiDomain,
    /// A quota of SANs.
    SanLicense,
}

/// What happens to a superseded certificate (MD-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supersede {
    /// It counts as revoked after this many hours.
    AfterHours(u32),
    /// It stays valid until it expires.
    Never,
}

/// What a wildcard in a standard slot costs (MD-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WildcardReplacement {
    /// Nothing.
    Free,
    /// The difference of the two prices.
    Difference,
    /// The full price of a wildcard.
    FullPrice,
}

/// The event from which the days of a term's refund count (AL-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundCount {
    /// The first issuance of the term.
    FirstIssuance,
    /// The purchase of the term.
    Purchase,
}

/// A version of a product.
#[derive(Clone, Debug)]
pub struct ProductVersion {
    /// The product.
    pub id: ProductId,
    /// Its version.
    pub version: u32,
    /// What it sells.
    pub kind: ProductKind,
    /// The terms that are sold, in months.
    pub terms_months: Vec<u32>,
    /// The domains that the certificate's price includes.
    pub included_domains: u32,
    /// The most domains.
    pub max_domains: u32,
    /// Whether wildcards are sold.
    pub wildcards_allowed: bool,
    /// The most additional licences.
    pub max_additional_licenses: u32,
    /// What happens to a superseded certificate.
    pub supersede: Supersede,
    /// How long a certificate may outlive the term, in hours (MD-9).
    pub outlive_tolerance_hours: u32,
    /// Whether the validity limits of public TLS apply (MD-9).
    pub publicly_trusted: bool,
    /// How many days before the end of a term renewal opens (MD-10).
    pub renewal_open_days: u32,
    /// How many days after the end of a term renewal closes (MD-10).
    pub renewal_grace_days: u32,
    /// What a wildcard costs in a standard slot.
    pub wildcard_replacement: WildcardReplacement,
    /// The event from which the days of a refund count.
    pub refund_count: RefundCount,
    /// After how many days nothing is refunded (AL-4).
    pub no_refund_after_days: u32,
}

opaque! {
    /// A version of a product as Billing returned it.
    Product, billing::Product
}

impl Product {
    /// The fields that orders decide with.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn version(&self) -> Result<ProductVersion, String> {
        let message = self.message();
        let policy = message.policy.as_ref();
        let policy = policy.ok_or_else(|| broken("product", "it has no policy"))?;
        let id = message.product_id.parse();
        let months = message.term_months.iter();
        let tolerance = policy.outlive_tolerance_hours;
        Ok(ProductVersion {
            id: id.map_err(|error| broken("product", error))?,
            version: unsigned(message.version)?,
            kind: kind(message.kind())?,
            terms_months: months.map(|it| unsigned(*it)).collect::<Result<_, _>>()?,
            included_domains: unsigned(message.included_domains)?,
            max_domains: unsigned(message.max_domains)?,
            wildcards_allowed: message.wildcards_allowed,
            max_additional_licenses: unsigned(message.max_additional_licenses)?,
            supersede: supersede(policy)?,
            outlive_tolerance_hours: required("outlive_tolerance_hours", tolerance)?,
            publicly_trusted: match message.validity_limits() {
                billing::ValidityLimits::PublicTls | billing::ValidityLimits::Unspecified => true,
                billing::ValidityLimits::None => false,
            },
            renewal_open_days: required("renewal_open_days", policy.renewal_open_days)?,
            renewal_grace_days: required("renewal_grace_days", policy.renewal_grace_days)?,
            wildcard_replacement: match policy.wildcard_replacement() {
                billing::WildcardReplacement::Difference => WildcardReplacement::Difference,
                billing::WildcardReplacement::FullPrice => WildcardReplacement::FullPrice,
                // An earlier version of Billing does not set it; wildcards were free then.
                billing::WildcardReplacement::Free | billing::WildcardReplacement::Unspecified => {
                    WildcardReplacement::Free
                }
            },
            refund_count: match policy.refund_count() {
                billing::RefundCount::Unspecified | billing::RefundCount::FirstIssuance => {
                    RefundCount::FirstIssuance
                }
                billing::RefundCount::Purchase => RefundCount::Purchase,
            },
            no_refund_after_days: required("no_refund_after_days", policy.no_refund_after_days)?,
        })
    }

    /// The product's tier among those that a SAN licence covers (SL-10).
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn tier(&self) -> Result<u32, String> {
        let tier = self.message().tier;
        u32::try_from(tier).map_err(|error| broken("tier", error))
    }
}

fn kind(kind: billing::ProductKind) -> Result<ProductKind, String> {
    match kind {
        billing::ProductKind::SingleDomain => Ok(ProductKind::SingleDomain),
        billing::ProductKind::MultiDomain => Ok(ProductKind::MultiDomain),
        billing::ProductKind::SanLicense => Ok(ProductKind::SanLicense),
        billing::ProductKind::Unspecified => Err(broken("product", "it has no kind")),
    }
}

fn supersede(policy: &billing::Policy) -> Result<Supersede, String> {
    let supersede = policy.supersede.as_ref();
    match supersede.and_then(|supersede| supersede.handling) {
        Some(billing::supersede::Handling::AfterHours(hours)) => {
            Ok(Supersede::AfterHours(unsigned(hours)?))
        }
        Some(billing::supersede::Handling::Never(_)) => Ok(Supersede::Never),
        None => Err(broken("product", "its policy does not set supersede")),
    }
}

/// A required number of the policy.
fn required(what: &str, number: Option<i32>) -> Result<u32, String> {
    let number = number.ok_or_else(|| format!("its policy does not set {what}"));
    unsigned(number.map_err(|error| broken("product", error))?)
}

fn unsigned(number: i32) -> Result<u32, String> {
    u32::try_from(number).map_err(|_| broken("number", number))
}
