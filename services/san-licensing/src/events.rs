//! The events that SanLicensing emits: the data of each as a struct, and its type in the table at the
//! end. Weights are as in SL-3; an amount of money is a decimal text beside its currency.
//! `operation.cancel_accepted` is the runtime's.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{CertificateId, InvoiceId, OperationId, ProductId, ReservationId},
    revocation::RevocationReason,
};
use licet_runtime::{caller::Origin, event_types};
use serde::Serialize;

/// A draft was made (SL-7).
#[derive(Serialize)]
pub(crate) struct LicenseQuoted<'a> {
    pub(crate) products: &'a BTreeSet<ProductId>,
    pub(crate) quota: u64,
    pub(crate) term_months: u32,
    /// Price of the whole term.
    pub(crate) price: String,
    pub(crate) currency: &'static str,
    /// Whether sales set the price in place of the volume tiers.
    pub(crate) by_hand: bool,
    /// The first instant at which the draft can no longer be accepted.
    pub(crate) valid_until_time: Instant,
}

/// A draft was withdrawn (SL-7).
#[derive(Serialize)]
pub(crate) struct LicenseWithdrawn {
    pub(crate) valid_until_time: Instant,
}

/// A draft was accepted: its products are held, and its price is being charged (SL-20).
#[derive(Serialize)]
pub(crate) struct LicenseAccepted<'a> {
    pub(crate) operation_id: OperationId,
    pub(crate) products: &'a BTreeSet<ProductId>,
    pub(crate) start_time: Instant,
    pub(crate) end_time: Instant,
}

/// A licence was charged, and runs from the start of its term (T-4).
#[derive(Serialize)]
pub(crate) struct LicenseCharged {
    pub(crate) invoice_id: InvoiceId,
    pub(crate) total: String,
    pub(crate) currency: &'static str,
    pub(crate) quota: u64,
}

/// A charged licence was cancelled (SL-7).
#[derive(Serialize)]
pub(crate) struct LicenseCancelled<'a> {
    /// In the caller's words.
    pub(crate) reason: &'a str,
    pub(crate) products: &'a BTreeSet<ProductId>,
    /// When the licence would have ended.
    pub(crate) end_time: Instant,
}

/// A product was added to a licence (SL-10). Prices are those of one SAN for 12 months.
#[derive(Serialize)]
pub(crate) struct ProductAdded<'a> {
    pub(crate) product_id: &'a ProductId,
    pub(crate) tier: u32,
    /// Highest tier of the products that the term was sold with.
    pub(crate) highest_tier: u32,
    pub(crate) price: String,
    /// Highest price of the products that the term was sold with; `null`: the catalogue prices none of them.
    pub(crate) highest_price: Option<String>,
    pub(crate) currency: &'static str,
}

/// A higher quota was accepted and is being charged (SL-8).
#[derive(Serialize)]
pub(crate) struct QuotaIncreaseAccepted {
    pub(crate) operation_id: OperationId,
    /// The quota before the increase.
    pub(crate) quota: u64,
    pub(crate) new_quota: u64,
}

/// A higher quota was charged, and applies from the decision time (SL-8).
#[derive(Serialize)]
pub(crate) struct QuotaIncreaseCharged {
    pub(crate) invoice_id: InvoiceId,
    pub(crate) total: String,
    pub(crate) currency: &'static str,
    pub(crate) old_quota: u64,
    pub(crate) quota: u64,
}

/// A renewal was accepted and is being charged (SL-9).
#[derive(Serialize)]
pub(crate) struct RenewalAccepted<'a> {
    pub(crate) operation_id: OperationId,
    /// Index of the new term among the licence's terms; 0 is the first.
    pub(crate) term_index: u32,
    pub(crate) term_months: u32,
    pub(crate) quota: u64,
    /// Weight in use when the new term comes into force, from today's certificates.
    pub(crate) foreseen: u64,
    /// Weight by which `foreseen` exceeds the quota.
    pub(crate) over_by: u64,
    /// Stated reason of a renewal after the licence's end.
    pub(crate) late_exception: Option<&'a str>,
}

/// A further term was charged (SL-9).
#[derive(Serialize)]
pub(crate) struct LicenseRenewed<'a> {
    /// Index of the new term among the licence's terms; 0 is the first.
    pub(crate) term_index: u32,
    pub(crate) start_time: Instant,
    pub(crate) end_time: Instant,
    pub(crate) quota: u64,
    /// When a term that had already started was bought; it is in force from then on.
    pub(crate) bought_late_time: Option<Instant>,
    /// Stated reason of a renewal after the licence's end.
    pub(crate) late_exception: Option<&'a str>,
    pub(crate) invoice_id: InvoiceId,
    pub(crate) total: String,
    pub(crate) currency: &'static str,
}

/// Declares the events of changes that Billing or the caller turned back. The refusal's reason is the
/// event's outcome.
macro_rules! refused_events {
    ($($(#[$doc:meta])* $name:ident,)+) => {$(
        $(#[$doc])*
        #[derive(Serialize)]
        pub(crate) struct $name<'a> {
            /// Message of the refusal.
            pub(crate) message: &'a str,
        }
    )+};
}

refused_events! {
    /// The charge of an acceptance was refused: the licence is a draft again.
    LicenseRefused,
    /// The charge of an increase was refused: the quota stays.
    QuotaIncreaseRefused,
    /// The charge of a renewal was refused: the licence stays as it was.
    RenewalRefused,
}

/// A certificate was recorded that no licence covers (SL-16).
#[derive(Serialize)]
pub(crate) struct CertificateUnallocated<'a> {
    pub(crate) product_id: &'a ProductId,
    /// Hexadecimal, without leading zeros.
    pub(crate) serial: &'a str,
}

/// Certificates of one account were recorded by one batch of a feed, and no licence covers them (SL-16).
#[derive(Serialize)]
pub(crate) struct CertificatesUnallocated<'a> {
    pub(crate) certificates: &'a [CertificateId],
}

/// A batch of a feed is durable (SL-14). Each record of the batch counts in one of the six figures.
#[derive(Serialize)]
pub(crate) struct FeedAdvanced<'a> {
    /// Number of the batch in its feed.
    pub(crate) sequence: u64,
    /// The sender's own position.
    pub(crate) cursor: &'a str,
    pub(crate) recorded: u64,
    pub(crate) unallocated: u64,
    pub(crate) revoked: u64,
    /// Revocations whose certificates are not recorded yet (SL-15).
    pub(crate) kept_for_later: u64,
    pub(crate) already_known: u64,
    pub(crate) refused: u64,
}

/// Usage reached a share of the quota (SL-17).
#[derive(Serialize)]
pub(crate) struct UsageAlert {
    /// 80, 90 or 100.
    pub(crate) threshold_percent: u32,
    /// Always `UPWARDS`.
    pub(crate) direction: &'static str,
    pub(crate) quota: u64,
    pub(crate) used: u64,
}

/// A round of decisions changed a licence's usage. Figures are those at the end of the round.
#[derive(Serialize)]
pub(crate) struct UsageChanged<'a> {
    pub(crate) granted: &'a [ReservationId],
    /// Number of denied requests.
    pub(crate) denied: u64,
    pub(crate) released: &'a [ReservationId],
    pub(crate) recorded: &'a [CertificateId],
    pub(crate) revoked: &'a [Revocations],
    /// Recorded before, and allocated to this licence by the round.
    pub(crate) allocated: &'a [CertificateId],
    /// Allocated to another licence by the round.
    pub(crate) left: &'a [CertificateId],
    /// Callers beside the event's own.
    pub(crate) further_callers: &'a BTreeSet<String>,
    pub(crate) quota: u64,
    /// Weight on active certificates.
    pub(crate) used: u64,
    /// Weight that reservations hold beyond `used`.
    pub(crate) reserved: u64,
    /// Version of the licence's fence.
    pub(crate) version: i64,
}

/// Certificates that one caller revoked for one reason. Orders follows them.
#[derive(Serialize)]
pub(crate) struct Revocations {
    pub(crate) certificate_ids: Vec<CertificateId>,
    pub(crate) reason: RevocationReason,
    #[serde(flatten)]
    pub(crate) origin: Origin,
}

event_types! {
    LicenseQuoted<'_> => "licet.sanlicensing.license.quoted.v1",
    LicenseWithdrawn => "licet.sanlicensing.license.withdrawn.v1",
    LicenseAccepted<'_> => "licet.sanlicensing.license.accepted.v1",
    LicenseRefused<'_> => "licet.sanlicensing.license.refused.v1",
    LicenseCharged => "licet.sanlicensing.license.charged.v1",
    LicenseCancelled<'_> => "licet.sanlicensing.license.cancelled.v1",
    ProductAdded<'_> => "licet.sanlicensing.license.product_added.v1",
    QuotaIncreaseAccepted => "licet.sanlicensing.quota_increase.accepted.v1",
    QuotaIncreaseRefused<'_> => "licet.sanlicensing.quota_increase.refused.v1",
    QuotaIncreaseCharged => "licet.sanlicensing.quota_increase.charged.v1",
    RenewalAccepted<'_> => "licet.sanlicensing.renewal.accepted.v1",
    RenewalRefused<'_> => "licet.sanlicensing.renewal.refused.v1",
    LicenseRenewed<'_> => "licet.sanlicensing.license.renewed.v1",
    CertificateUnallocated<'_> => "licet.sanlicensing.certificate.unallocated.v1",
    CertificatesUnallocated<'_> => "licet.sanlicensing.certificates.unallocated.v1",
    FeedAdvanced<'_> => "licet.sanlicensing.feed.advanced.v1",
    UsageAlert => "licet.sanlicensing.usage.alert.v1",
    UsageChanged<'_> => "licet.sanlicensing.usage.changed.v1",
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn x_5_the_shapes_of_data_stay() {
        let certificate_id = CertificateId::generate();
        let revoked = [Revocations {
            certificate_ids: vec![certificate_id],
            reason: RevocationReason::Superseded,
            origin: Origin {
                caller: "ca-1".to_owned(),
                method: "/Revoke".to_owned(),
                request_id: "1".to_owned(),
            },
        }];
        let changed = UsageChanged {
            granted: &[],
            denied: 1,
            released: &[],
            recorded: &[],
            revoked: &revoked,
            allocated: &[],
            left: &[],
            further_callers: &BTreeSet::from(["ca-2".to_owned()]),
            quota: 20,
            used: 8,
            reserved: 1,
            version: 6,
        };
        let expected = json!({
            "granted": [], "denied": 1, "released": [], "recorded": [],
            "revoked": [{
                "certificate_ids": [certificate_id], "reason": "SUPERSEDED",
                "caller": "ca-1", "method": "/Revoke", "request_id": "1",
            }],
            "allocated": [], "left": [], "further_callers": ["ca-2"],
            "quota": 20, "used": 8, "reserved": 1, "version": 6,
        });
        assert_eq!(to_value(&changed).unwrap(), expected);
        let refused = RenewalRefused { message: "no" };
        assert_eq!(to_value(&refused).unwrap(), json!({ "message": "no" }));
        let product_id = "intranet-dv".parse().unwrap();
        let added = ProductAdded {
            product_id: &product_id,
            tier: 1,
            highest_tier: 2,
            price: "0.80".to_owned(),
            highest_price: None,
            currency: "USD",
        };
        let expected = json!({
            "product_id": "intranet-dv", "tier": 1, "highest_tier": 2,
            "price": "0.80", "highest_price": null, "currency": "USD",
        });
        assert_eq!(to_value(&added).unwrap(), expected);
    }
}
