//! Reasons for revocation (SL-19).

use crate::worded;

worded! {
    /// Why a certificate is revoked, with the names of RFC 5280.
    pub enum RevocationReason {
        /// No particular reason.
        Unspecified = "UNSPECIFIED",
        /// The private key is known or suspected to be compromised.
        KeyCompromise = "KEY_COMPROMISE",
        /// The certificate authority's key is known or suspected to be compromised.
        CaCompromise = "CA_COMPROMISE",
        /// The subject's name or affiliation has changed.
        AffiliationChanged = "AFFILIATION_CHANGED",
        /// Replaced by a newer certificate (MD-7).
        Superseded = "SUPERSEDED",
        /// Its order was deleted.
        CessationOfOperation = "CESSATION_OF_OPERATION",
        /// A privilege stated in the certificate was withdrawn.
        PrivilegeWithdrawn = "PRIVILEGE_WITHDRAWN",
        /// Something that the attribute authority attested is known or suspected to be compromised.
        AaCompromise = "AA_COMPROMISE",
    }
}
