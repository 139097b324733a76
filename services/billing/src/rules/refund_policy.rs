//! The refund limits of a product version (AL-4).

use licet_domain::worded;

worded! {
    /// What the days of a refund count from.
    #[derive(Default)]
    pub(crate) enum RefundCount {
        /// The first issuance recorded in the term, or its start if a certificate is active then.
        #[default]
        FirstIssuance = "FIRST_ISSUANCE",
        /// The purchase of the term, whether or not anything is issued.
        Purchase = "PURCHASE",
    }
}

/// The two limits of AL-4 in days of 24 hours, pinned when the term was sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefundPolicy {
    /// What the days count from.
    pub(crate) count: RefundCount,
    /// Everything is refunded up to and including this many days.
    pub(crate) full_refund_days: u32,
    /// Nothing is refunded after this many days; at least `full_refund_days`.
    pub(crate) no_refund_days: u32,
}
