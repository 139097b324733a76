//! What is read of certificates and requests.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{clock::Instant, san::San};

/// What kind of public key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum KeyKind {
    /// RSA, with or without PSS parameters.
    Rsa,
    /// An elliptic curve.
    Ec,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Ed448 (RFC 8410).
    Ed448,
    /// Anything else.
    Other,
}

/// A public key's kind and strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublicKey {
    /// Its kind.
    pub kind: KeyKind,
    /// Bits of the RSA modulus; of the curve's field for P-256, P-384 and P-521; of the key for
    /// Ed25519 and Ed448; 0 where that is not known.
    pub bits: u32,
}

/// The facts of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedCertificate {
    /// The certificate itself, exactly as it was given.
    pub der: Vec<u8>,
    /// SHA-256 of `der`.
    pub fingerprint_sha256: [u8; 32],
    /// The issuer's name in DER, exactly as it stands in the certificate (SL-14).
    pub issuer_der: Vec<u8>,
    /// The issuer's name for a person, RFC 4514.
    pub issuer: String,
    /// The subject's name for a person, RFC 4514; may be empty.
    pub subject: String,
    /// The subject's most specific common name, as written.
    pub common_name: Option<String>,
    /// The serial number in lower-case hex without leading zeros, `-` before a negative one; `0`
    /// for zero (SL-14). As [`serial`](super::serial()) has it.
    pub serial_hex: String,
    /// Its SANs of the four types that count, well formed or not (SL-1).
    pub sans: BTreeSet<San>,
    /// The first instant of its validity.
    pub not_before: Instant,
    /// The last second of its validity, inclusive (RFC 5280, 4.1.2.5).
    pub not_after: Instant,
    /// Its public key's kind and strength.
    pub key: PublicKey,
    /// SHA-256 of its SubjectPublicKeyInfo in DER: the same key has the same digest.
    pub spki_sha256: [u8; 32],
    /// Whether it is a certificate authority's: basicConstraints with cA TRUE (RFC 5280, 4.2.1.9).
    pub is_authority: bool,
}

impl ParsedCertificate {
    /// notAfter − notBefore + 1 s, because both ends are inside (MD-9). In seconds, at least 1.
    pub fn validity_seconds(&self) -> i64 {
        self.not_before.micros_until(self.not_after) / 1_000_000 + 1
    }

    /// The first instant at which it is expired: one second after notAfter (SL-1). The
    /// 9999-12-31T23:59:59Z of a certificate without expiry (RFC 5280, 4.1.2.5) stays within the
    /// calendar.
    pub fn active_until(&self) -> Instant {
        self.not_after
            .checked_add(chrono::TimeDelta::seconds(1))
            .unwrap_or(Instant::MAX)
    }
}

/// The facts of one PKCS#10 request. Reading it verifies no signature: one that was taken in before
/// stays readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedRequest {
    /// The request itself, exactly as it was given.
    pub der: Vec<u8>,
    /// The subject's name for a person, RFC 4514; may be empty.
    pub subject: String,
    /// The subject's most specific common name, as written.
    pub common_name: Option<String>,
    /// The SANs it asks for, of the four types that count, well formed or not.
    pub sans: BTreeSet<San>,
    /// Its public key's kind and strength.
    pub key: PublicKey,
    /// SHA-256 of its SubjectPublicKeyInfo in DER: a certificate for this key has the same.
    pub spki_sha256: [u8; 32],
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
