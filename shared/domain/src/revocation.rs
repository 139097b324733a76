//! Why a certificate is revoked (SL-19).

use crate::worded;

worded! {
    /// Why a certificate is revoked, in the words of RFC 5280.
    pub enum RevocationReason {
        /// For no particular reason.
        Unspecified = "UNSPECIFIED",
        /// The private key is known or suspected to be in other hands.
        KeyCompromise = "KEY_COMPROMISE",
        /// The certificate authority's key is known or suspected to be in other hands.
        CaCompromise = "CA_COMPROMISE",
        /// The subject's name or its affiliation has changed.
        AffiliationChanged = "AFFILIATION_CHANGED",
        /// A newer certificate took its place (MD-7).
        Superseded = "SUPERSEDED",
        /// Its order was deleted.
        CessationOfOperation = "CESSATION_OF_OPERATION",
        /// A privilege that the certificate attests was withdrawn.
        PrivilegeWithdrawn = "PRIVILEGE_WITHDRAWN",
        /// What the attribute authority attested is known or suspected to be compromised.
        AaCompromise = "AA_COMPROMISE",
    }
}
