//! Real X.509 certificates and PKCS#10 requests, read into the facts that are decided with.
//! Reading is pure, and verifies no path and no purpose: that is the CA's part. A request's own
//! signature is verified where one comes in.

mod bundle;
mod container;
mod der;
mod elements;
mod names;
mod signature;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use bundle::{Document, document, document_length};
pub use signature::SignatureError;

use crate::{clock::Instant, san::San, text::shortened};

/// The labels of PEM blocks that hold a certificate: today's first, and those of old software.
const CERTIFICATES: &[&str] = &["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

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
pub struct KeyFacts {
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
    /// for zero (SL-14). As [`serial`] has it.
    pub serial_hex: String,
    /// Its SANs of the four types that count, well formed or not (SL-1).
    pub sans: BTreeSet<San>,
    /// The first instant of its validity.
    pub not_before: Instant,
    /// The last second of its validity, inclusive (RFC 5280, 4.1.2.5).
    pub not_after: Instant,
    /// Its public key's kind and strength.
    pub key: KeyFacts,
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
    pub key: KeyFacts,
    /// SHA-256 of its SubjectPublicKeyInfo in DER: a certificate for this key has the same.
    pub spki_sha256: [u8; 32],
}

/// Why bytes are no certificate chain or request; a sentence to put after a field's path. It quotes
/// names at most, and never the bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Nothing stands there.
    #[error("must not be empty: PEM or DER is expected")]
    Empty,
    /// Neither form.
    #[error("is neither PEM (no `-----BEGIN` line) nor DER")]
    NeitherPemNorDer,
    /// The armour around the DER is broken.
    #[error("has PEM that cannot be read: {0}")]
    BrokenPem(String),
    /// Something else than asked for, a private key for one.
    #[error("holds a PEM block of `{found}` where `{expected}` is expected")]
    WrongLabel {
        /// The label that stood there, shortened.
        found: String,
        /// The label that belongs there.
        expected: &'static str,
    },
    /// DER that is no such structure.
    #[error("{what} cannot be read: {part}: {detail}")]
    BrokenDer {
        /// Which one: `certificate 2` or `the request`.
        what: String,
        /// The part of it that is broken.
        part: &'static str,
        /// What broke.
        detail: String,
    },
    /// Certificates that do not follow one another.
    #[error(
        "certificate {position} was issued by `{issuer}`, but the one after it is `{subject}`: \
         the chain must start with the leaf, each followed by its issuer"
    )]
    BrokenChain {
        /// Which certificate, counted from 1.
        position: usize,
        /// Its issuer, shortened.
        issuer: String,
        /// The subject of the next one, shortened.
        subject: String,
    },
    /// More requests than one.
    #[error("holds {0} requests where one is expected")]
    SeveralRequests(usize),
}

/// The most hexadecimal digits of a serial number: RFC 5280 has 40, and what was signed beyond it
/// exists. It stands in the key of an index.
pub const LONGEST_SERIAL_DIGITS: usize = 2000;

/// What is wrong with a serial number that was written down; a sentence to put after a field's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to {LONGEST_SERIAL_DIGITS} hexadecimal digits, with a `-` before them where it is \
     negative"
)]
pub struct SerialError;

/// A serial number in its one spelling, from hexadecimal digits: lower case, without leading zeros,
/// `-` before a negative one; `0` for zero (SL-14).
///
/// # Errors
/// When it is none.
pub fn serial(text: &str) -> Result<String, SerialError> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if digits.is_empty() || !is_hex || digits.len() > LONGEST_SERIAL_DIGITS {
        return Err(SerialError);
    }
    match digits.trim_start_matches('0') {
        "" => Ok("0".to_owned()),
        digits => Ok(format!("{sign}{}", digits.to_ascii_lowercase())),
    }
}

/// Reads one certificate, PEM or DER. What follows it is not looked at: a caller that keeps no chain
/// judges none.
///
/// # Errors
/// What the bytes are not.
pub fn parse_leaf(bytes: &[u8]) -> Result<ParsedCertificate, CertificateError> {
    let document = container::first(bytes, CERTIFICATES)?;
    let parsed = der::certificate(&document);
    let (certificate, _) = parsed.map_err(|broken| broken.of("the certificate".to_owned()))?;
    Ok(certificate)
}

/// Reads a certificate chain: PEM of one or several blocks, or DER of one or several certificates
/// one after another. The leaf comes first, and each certificate's issuer is the subject of the next
/// one, as RFC 5280, 7.1 compares names. The answer holds at least one certificate.
pub fn parse_chain(bytes: &[u8]) -> Result<Vec<ParsedCertificate>, CertificateError> {
    let documents = container::documents(bytes, CERTIFICATES)?;
    let mut chain: Vec<ParsedCertificate> = Vec::with_capacity(documents.len());
    let mut expected = None;
    for (index, document) in documents.iter().enumerate() {
        let (certificate, names) = der::certificate(document)
            .map_err(|broken| broken.of(format!("certificate {}", index + 1)))?;
        if let (Some(previous), Some(expected)) = (chain.last(), &expected)
            && *expected != names.subject
        {
            return Err(CertificateError::BrokenChain {
                position: index,
                issuer: shortened(&previous.issuer),
                subject: shortened(&certificate.subject),
            });
        }
        expected = Some(names.issuer);
        chain.push(certificate);
    }
    Ok(chain)
}

/// Reads one PKCS#10 certification request, PEM or DER.
pub fn parse_request(bytes: &[u8]) -> Result<ParsedRequest, CertificateError> {
    let labels = &["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
    let documents = container::documents(bytes, labels)?;
    let [document] = <[Vec<u8>; 1]>::try_from(documents)
        .map_err(|several| CertificateError::SeveralRequests(several.len()))?;
    der::request(&document).map_err(|broken| broken.of("the request".to_owned()))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests;
