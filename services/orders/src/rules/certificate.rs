//! A recorded certificate and its state at an instant. Its validity dates are the CA's; when it was
//! recorded and since when it counts as revoked is ours (T-6).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use licet_domain::{
    certificate::{KeyKind, PublicKey},
    clock::Instant,
    ids::{AccountId, CertificateId, LicenseId, OrderId},
    revocation::RevocationReason,
    san::San,
};
use serde::{Deserialize, Serialize};

/// The record of a certificate in a SAN licence: the licence, and the certificate's id in
/// SanLicensing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LicenseRecord {
    pub(crate) license_id: LicenseId,
    pub(crate) certificate_id: CertificateId,
}

/// A certificate of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) id: CertificateId,
    pub(crate) account_id: AccountId,
    pub(crate) order_id: OrderId,
    /// The chain as PEM, the certificate first; empty in listings, which do not read it.
    pub(crate) chain_pem: String,
    pub(crate) fingerprint_sha256: [u8; 32],
    /// Digest of the issuer's name in DER (SL-14); absent if it was recorded before this was
    /// stored.
    pub(crate) issuer_sha256: Option<[u8; 32]>,
    pub(crate) serial_hex: String,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// The order's common name when it was recorded.
    pub(crate) common_name: San,
    /// Kind and size of the key: `RSA 2048`.
    pub(crate) key_type: String,
    pub(crate) names: BTreeSet<San>,
    pub(crate) not_before: Instant,
    pub(crate) not_after: Instant,
    pub(crate) record_time: Instant,
    /// When a newer certificate replaced it (MD-7).
    pub(crate) superseded_time: Option<Instant>,
    /// Since when it counts as revoked; may lie ahead.
    pub(crate) revoke_time: Option<Instant>,
    /// Why it was revoked, if a request said so; absent if a replacement or a deletion revokes it.
    pub(crate) revoke_reason: Option<RevocationReason>,
    /// Its order is deleted, and the CA has not revoked it yet.
    pub(crate) to_revoke: bool,
    /// Absent if its SANs count in no SAN licence.
    pub(crate) license_record: Option<LicenseRecord>,
}

/// The state of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CertificateState {
    /// Neither replaced, nor revoked, nor expired.
    Active,
    /// Replaced, and valid until it is revoked or expires (MD-7).
    Superseded,
    /// Revoked.
    Revoked,
    /// Past its last second.
    Expired,
    /// Revoked by the deletion of its order; the CA has not done it yet.
    ToRevoke,
}

impl Certificate {
    /// The state at `now`.
    pub(crate) fn state(&self, now: Instant) -> CertificateState {
        let lifecycle = CertificateLifecycle {
            not_after: self.not_after,
            superseded_time: self.superseded_time,
            revoke_time: self.revoke_time,
            to_revoke: self.to_revoke,
        };
        lifecycle.state(now)
    }
}

/// What the state of a certificate depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CertificateLifecycle {
    pub(crate) not_after: Instant,
    pub(crate) superseded_time: Option<Instant>,
    pub(crate) revoke_time: Option<Instant>,
    pub(crate) to_revoke: bool,
}

impl CertificateLifecycle {
    /// The state at `now`, from instants alone: nothing has to run at those instants.
    pub(crate) fn state(&self, now: Instant) -> CertificateState {
        // notAfter includes its second (SL-1); beyond the supported date range nothing expires.
        let over = self
            .not_after
            .checked_add(TimeDelta::seconds(1))
            .is_some_and(|active_until| now >= active_until);
        if self.to_revoke {
            CertificateState::ToRevoke
        } else if self.revoke_time.is_some_and(|time| now >= time) {
            CertificateState::Revoked
        } else if over {
            CertificateState::Expired
        } else if self.superseded_time.is_some() {
            CertificateState::Superseded
        } else {
            CertificateState::Active
        }
    }
}

/// Kind and size of a key for people: `RSA 2048`.
pub(crate) fn key_type(key: PublicKey) -> String {
    match key.kind {
        KeyKind::Rsa if key.bits == 0 => "RSA".to_owned(),
        KeyKind::Rsa => format!("RSA {}", key.bits),
        KeyKind::Ec if key.bits == 0 => "EC, another curve".to_owned(),
        KeyKind::Ec => format!("EC {}", key.bits),
        KeyKind::Ed25519 => "Ed25519".to_owned(),
        KeyKind::Ed448 => "Ed448".to_owned(),
        KeyKind::Other => "other".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::samples, *};

    fn certificate() -> Certificate {
        samples::certificate(&["a.test"])
    }

    #[test]
    fn sl_1_the_last_second_still_counts() {
        let found = certificate();
        let last = samples::instant("2026-06-30T23:59:59.999999Z");
        assert_eq!(found.state(last), CertificateState::Active);
        let after = samples::instant("2026-07-01T00:00:00Z");
        assert_eq!(found.state(after), CertificateState::Expired);
    }

    #[test]
    fn md_7_superseded_first_revoked_from_the_stated_time_on() {
        let mut found = certificate();
        found.superseded_time = Some(samples::instant("2026-02-01T00:00:00Z"));
        found.revoke_time = Some(samples::instant("2026-02-04T00:00:00Z"));
        let before = samples::instant("2026-02-03T23:59:59.999999Z");
        assert_eq!(found.state(before), CertificateState::Superseded);
        let then = samples::instant("2026-02-04T00:00:00Z");
        assert_eq!(found.state(then), CertificateState::Revoked);
        // If the policy never revokes, it is valid until it expires.
        found.revoke_time = None;
        assert_eq!(found.state(then), CertificateState::Superseded);
    }

    #[test]
    fn x_8_a_late_certificate_stays_to_be_revoked() {
        let mut found = certificate();
        found.to_revoke = true;
        let later = samples::instant("2027-01-01T00:00:00Z");
        assert_eq!(found.state(later), CertificateState::ToRevoke);
    }
}
