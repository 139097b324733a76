//! A version of a product, and the facts of it that others decide with.

use licet_contracts::billing::v1 as billing;
use licet_domain::ids::ProductId;

use super::reading::broken;
use crate::opaque::opaque;

/// What a product sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProductKind {
    /// A certificate for the names that are included.
    SingleDomain,
    /// A certificate that further names can be added to.
    MultiDomain,
    /// A quota of SANs.
    SanLicense,
}

/// What becomes of a certificate that another one took the place of (MD-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supersede {
    /// It counts as revoked so many hours later.
    AfterHours(u32),
    /// It stands until it expires.
    Never,
}

/// What a wildcard costs that takes the place of a standard slot (MD-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WildcardReplacement {
    /// Nothing.
    Free,
    /// The difference of the two prices.
    Difference,
    /// The whole price of a wildcard.
    FullPrice,
}

/// What the days of a term's refund count from (AL-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundCount {
    /// The first issuance of the term.
    FirstIssuance,
    /// The purchase of the term.
    Purchase,
}

/// The facts of a product's version.
#[derive(Clone, Debug)]
pub struct ProductVersion {
    /// The product.
    pub id: ProductId,
    /// Its version.
    pub version: u32,
    /// What it sells.
    pub kind: ProductKind,
    /// Lengths in months for which it is sold.
    pub terms_months: Vec<u32>,
    /// Names that the certificate's own price covers.
    pub included_domains: u32,
    /// Most names.
    pub max_domains: u32,
    /// Whether wildcards are sold.
    pub wildcards_allowed: bool,
    /// Most additional licences.
    pub max_additional_licenses: u32,
    /// What becomes of a superseded certificate.
    pub supersede: Supersede,
    /// How far a certificate may outlive the term, in hours (MD-9).
    pub outlive_tolerance_hours: u32,
    /// Whether the validity limits of public TLS apply (MD-9).
    pub publicly_trusted: bool,
    /// Days before the end from which on renewal is open (MD-10).
    pub renewal_open_days: u32,
    /// Days after the end until which it is (MD-10).
    pub renewal_grace_days: u32,
    /// What a wildcard costs in a standard slot.
    pub wildcard_replacement: WildcardReplacement,
    /// What the days of a refund count from.
    pub refund_count: RefundCount,
    /// Days after which nothing is refunded (AL-4).
    pub no_refund_after_days: u32,
}

opaque! {
    /// A version of a product as Billing answered it.
    Product, billing::Product
}

impl Product {
    /// What orders decide with.
    ///
    /// # Errors
    /// What is broken in it.
    pub fn facts(&self) -> Result<ProductVersion, String> {
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
            outlive_tolerance_hours: said("outlive_tolerance_hours", tolerance)?,
            publicly_trusted: match message.validity_limits() {
                billing::ValidityLimits::PublicTls | billing::ValidityLimits::Unspecified => true,
                billing::ValidityLimits::None => false,
            },
            renewal_open_days: said("renewal_open_days", policy.renewal_open_days)?,
            renewal_grace_days: said("renewal_grace_days", policy.renewal_grace_days)?,
            wildcard_replacement: match policy.wildcard_replacement() {
                billing::WildcardReplacement::Difference => WildcardReplacement::Difference,
                billing::WildcardReplacement::FullPrice => WildcardReplacement::FullPrice,
                // A Billing that does not say so yet sells as before the policy was there.
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
            no_refund_after_days: said("no_refund_after_days", policy.no_refund_after_days)?,
        })
    }

    /// The product's tier among those that a SAN licence covers (SL-10).
    ///
    /// # Errors
    /// What is broken in it.
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
        None => Err(broken("product", "its policy leaves supersede open")),
    }
}

/// A number that every policy in an answer says.
fn said(what: &str, number: Option<i32>) -> Result<u32, String> {
    let number = number.ok_or_else(|| format!("its policy leaves {what} open"));
    unsigned(number.map_err(|error| broken("product", error))?)
}

fn unsigned(number: i32) -> Result<u32, String> {
    u32::try_from(number).map_err(|_| broken("number", number))
}
