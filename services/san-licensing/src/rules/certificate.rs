//! A recorded certificate, from its record to its end (SL-1, SL-14, SL-19).

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId, LicenseId, ProductId, ReservationId},
    refusal::{Reason, Refusal},
    revocation::RevocationReason,
    worded,
};

use super::{license::KeyType, packed_san::PackedSan};

/// Identifies a certificate across reports (SL-14).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CertificateKey {
    pub(crate) account_id: AccountId,
    /// SHA-256 of the DER issuer name, in hexadecimal.
    pub(crate) issuer_sha256: String,
    /// Without leading zeros.
    pub(crate) serial_hex: String,
}

/// A revocation reported by the CA; its certificate may not be recorded yet (SL-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EarlyRevocation {
    pub(crate) reason: RevocationReason,
    /// Revocation time according to the CA. Not used for counting (T-6).
    pub(crate) ca_time: Option<Instant>,
}

/// A recorded certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) id: CertificateId,
    /// The licence that it counts in; `None` if no licence covers it (SL-16).
    pub(crate) license_id: Option<LicenseId>,
    pub(crate) key: CertificateKey,
    pub(crate) product_id: ProductId,
    /// `None` if unknown or of no supported family (SL-21).
    pub(crate) key_type: Option<KeyType>,
    /// Distinct.
    pub(crate) sans: Vec<PackedSan>,
    pub(crate) not_before: Instant,
    /// Its last second (RFC 5280, 4.1.2.5).
    pub(crate) not_after: Instant,
    /// When it was recorded here (T-6).
    pub(crate) record_time: Instant,
    /// The first instant at which it no longer counts (SL-1).
    pub(crate) until: Instant,
    /// When its revocation was recorded here (T-6).
    pub(crate) revoke_time: Option<Instant>,
    pub(crate) revoke_reason: Option<RevocationReason>,
    /// Revocation time according to the CA.
    pub(crate) ca_revoke_time: Option<Instant>,
    /// Since when it counts in its licence, if not since its record (SL-16).
    pub(crate) allocate_time: Option<Instant>,
    /// The reservation that it used.
    pub(crate) reservation_id: Option<ReservationId>,
}

worded! {
    /// State of a certificate at an instant.
    pub(crate) enum CertificateState {
        /// Its SANs are used.
        Active = "ACTIVE",
        /// It was revoked; its SANs no longer count.
        Revoked = "REVOKED",
        /// Its validity is over; its SANs no longer count.
        Expired = "EXPIRED",
    }
}

impl Certificate {
    /// Whether `other`, reported under the same key, describes the same certificate (SL-14).
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let sans = |certificate: &Self| -> BTreeSet<PackedSan> {
            let each = certificate.sans.iter();
            each.cloned().collect()
        };
        (self.not_before, self.not_after) == (other.not_before, other.not_after)
            && self.product_id == other.product_id
            && is_same_key_type(self.key_type, other.key_type)
            && sans(self) == sans(other)
    }

    /// Whether `other`, reported under the same key, differs in the product alone and may correct it: this
    /// certificate has counted in no licence yet (SL-14).
    pub(crate) fn is_corrected_by(&self, other: &Self) -> bool {
        let corrected = Self {
            product_id: other.product_id.clone(),
            ..self.clone()
        };
        self.license_id.is_none() && !self.is_same_as(other) && corrected.is_same_as(other)
    }

    /// The instant as of which it is shown or decided: `clock`, or its last change if another instance's clock
    /// was ahead (T-5).
    pub(crate) fn decide_at(&self, clock: Instant) -> Instant {
        let recorded = [self.revoke_time, self.allocate_time];
        let recorded = recorded.into_iter().flatten();
        recorded.fold(clock.max(self.record_time), Instant::max)
    }

    /// Revokes it as of `now` (SL-5, T-6), but no earlier than its last change (T-5).
    pub(crate) fn revoke(&mut self, revocation: EarlyRevocation, now: Instant) {
        let now = self.decide_at(now);
        self.revoke_time = Some(now);
        self.revoke_reason = Some(revocation.reason);
        self.ca_revoke_time = revocation.ca_time;
        self.until = self.until.min(now);
    }

    /// Its state at `now`.
    pub(crate) fn state(&self, now: Instant) -> CertificateState {
        if self.revoke_time.is_some_and(|revoked| revoked <= now) {
            CertificateState::Revoked
        } else if self.until <= now {
            CertificateState::Expired
        } else {
            CertificateState::Active
        }
    }
}

/// A report may omit the key type. Earlier versions recorded Ed25519 as ECC, and Ed448 as none.
fn is_same_key_type(one: Option<KeyType>, other: Option<KeyType>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return true;
    };
    let was_one = [KeyType::Ecc, KeyType::Ed25519];
    one == other || (was_one.contains(&one) && was_one.contains(&other))
}

/// The refusal to allocate an allocated certificate (SL-16).
pub(crate) fn already_allocated(certificate: &Certificate, license_id: LicenseId) -> Refusal {
    Refusal::new(
        Reason::CertificateAlreadyAllocated,
        format!(
            "certificate {} is already allocated to licence {license_id}",
            certificate.id
        ),
    )
    .with("certificate_id", certificate.id)
    .with("license_id", license_id)
}

/// The refusal of a different certificate under a recorded key (SL-14).
pub(crate) fn conflict(first: &Certificate) -> Refusal {
    Refusal::new(
        Reason::CertificateConflict,
        format!(
            "certificate {} of this issuer and serial is recorded with different SANs, dates, key type or product",
            first.id
        ),
    )
    .with("certificate_id", first.id)
    .with("serial", &first.key.serial_hex)
}
