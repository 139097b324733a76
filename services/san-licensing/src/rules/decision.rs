//! The decision of an authorisation, with all figures that it is based on (SL-12).

use licet_domain::{clock::Instant, worded};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

worded! {
    /// Why a request is denied.
    pub(crate) enum DenialReason {
        /// The licence is not charged, not started, ended or cancelled (SL-11).
        LicenseNotActive = "LICENSE_NOT_ACTIVE",
        /// The licence does not include the product (SL-6).
        ProductNotLicensed = "PRODUCT_NOT_LICENSED",
        /// The licence was sold without wildcards (SL-6).
        WildcardNotAllowed = "WILDCARD_NOT_ALLOWED",
        /// The licence was sold without that key type (SL-6).
        KeyTypeNotAllowed = "KEY_TYPE_NOT_ALLOWED",
        /// The certificate would be valid for longer than the licence allows (SL-6).
        ValidityTooLong = "VALIDITY_TOO_LONG",
        /// The certificate would outlive the licence, which does not allow it (SL-6).
        OutlivesLicense = "OUTLIVES_LICENSE",
        /// The SANs that the licence does not hold yet exceed its quota (SL-13).
        QuotaExceeded = "QUOTA_EXCEEDED",
        /// The SANs that would last into the next term exceed its quota (SL-6).
        NextTermQuotaExceeded = "NEXT_TERM_QUOTA_EXCEEDED",
    }
}

/// By how much a request exceeds the quota of the next term (SL-6). Weights are by that term's multiplier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NextShortage {
    pub(crate) start: Instant,
    pub(crate) quota: u64,
    /// Weight that the licence will hold at the term's start as far as known now: SANs on certificates that
    /// last into it, and reserved for such.
    pub(crate) held: u64,
    /// Weight of the request's SANs that are not among them.
    pub(crate) needed: u64,
}

impl NextShortage {
    /// Weight by which the request exceeds the quota.
    pub(crate) fn short_by(&self) -> u64 {
        (self.held + self.needed).saturating_sub(self.quota)
    }
}

/// The decision of an authorisation; stored, and returned to a repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) id: Uuid,
    /// Empty if granted.
    pub(crate) reasons: Vec<DenialReason>,
    pub(crate) time: Instant,
    /// Until when a grant holds its SANs.
    pub(crate) expire: Option<Instant>,
    pub(crate) quota: u64,
    /// Weight of the SANs on active certificates, before this decision.
    pub(crate) used: u64,
    /// Weight of the SANs that reservations hold beyond `used`, before this decision.
    pub(crate) reserved: u64,
    /// Weight of the request's SANs that the licence did not hold before.
    pub(crate) needed: u64,
    pub(crate) short_by: u64,
    /// When the request would be granted.
    pub(crate) fits: Option<Instant>,
    /// The latest permitted notAfter, if the request's was too late.
    pub(crate) latest_not_after: Option<Instant>,
    /// Set if the next term's quota was a reason.
    pub(crate) next: Option<NextShortage>,
}

impl Decision {
    pub(crate) fn is_granted(&self) -> bool {
        self.reasons.is_empty()
    }
}
