//! The result of parsing certificates and requests.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{clock::Instant, san::San};

/// Kind of a public key.
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
    /// Bits: for RSA of the modulus; for P-256, P-384 and P-521 of the curve's field; for Ed25519 and
    /// Ed448 of the key; 0 if unknown.
    pub bits: u32,
}

/// A parsed certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedCertificate {
    /// The certificate, exactly as given.
    pub der: Vec<u8>,
    /// SHA-256 of `der`.
    pub fingerprint_sha256: [u8; 32],
    /// The issuer's name in DER, exactly as in the certificate (SL-14).
    pub issuer_der: Vec<u8>,
    /// The issuer's name for people, RFC 4514.
    pub issuer: String,
    /// The subject's name for people, RFC 4514; may be empty.
    pub subject: String,
    /// The subject's most specific common name, as written.
    pub common_name: Option<String>,
    /// The serial number in lower-case hex without leading zeros, preceded by `-` if negative; `0` for
    /// zero (SL-14). The form that [`serial`](super::serial()) returns.
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
    /// notAfter − notBefore + 1 s in seconds, because both ends are included (MD-9). At least 1.
    pub fn validity_seconds(&self) -> i64 {
        self.not_before.micros_until(self.not_after) / 1_000_000 + 1
    }

    /// The first instant at which it is expired: one second after notAfter (SL-1). A certificate
    /// without expiry (9999-12-31T23:59:59Z; RFC 5280, 4.1.2.5) stays within the supported range.
    pub fn active_until(&self) -> Instant {
        self.not_after
            .checked_add(chrono::TimeDelta::seconds(1))
            .unwrap_or(Instant::MAX)
    }
}

/// A parsed PKCS#10 request. Parsing does not verify the signature, so that requests accepted earlier
/// stay readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedRequest {
    /// The request, exactly as given.
    pub der: Vec<u8>,
    /// The subject's name for people, RFC 4514; may be empty.
    pub subject: String,
    /// The subject's most specific common name, as written.
    pub common_name: Option<String>,
    /// The requested SANs of the four types that count, well formed or not.
    pub sans: BTreeSet<San>,
    /// Its public key's kind and strength.
    pub key: PublicKey,
    /// SHA-256 of its SubjectPublicKeyInfo in DER; the same for a certificate with this key.
    pub spki_sha256: [u8; 32],
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
