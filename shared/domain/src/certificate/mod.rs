//! Parses X.509 certificates and PKCS#10 requests into the data that decisions need. Parsing is pure;
//! it validates no path and no purpose, which is the CA's task. The signature of a request is verified
//! separately, when one is submitted.

mod bundle;
mod container;
mod der;
mod elements;
mod error;
mod names;
mod parsed;
mod serial;
mod signature;

pub use bundle::{Document, classify_document, document_length};
pub use error::CertificateError;
pub use parsed::{KeyKind, ParsedCertificate, ParsedRequest, PublicKey};
pub use serial::{LONGEST_SERIAL_DIGITS, SerialError, serial};
pub use signature::SignatureError;

use crate::text::shortened;

/// PEM labels of certificates: the current one first, then those of old software.
const CERTIFICATES: &[&str] = &["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/// Parses one certificate, PEM or DER. Everything after it is ignored: a caller that stores no chain
/// does not judge one.
///
/// # Errors
/// If the bytes are not a certificate.
pub fn parse_leaf(bytes: &[u8]) -> Result<ParsedCertificate, CertificateError> {
    let document = container::first(bytes, CERTIFICATES)?;
    let parsed = der::certificate(&document);
    let (certificate, _) = parsed.map_err(|broken| broken.of("the certificate".to_owned()))?;
    Ok(certificate)
}

/// Parses a certificate chain: one or more PEM blocks, or concatenated DER. The leaf comes first, and
/// each issuer must equal the subject of the next certificate, as RFC 5280, 7.1 compares names. Returns
/// at least one certificate.
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

/// Parses one PKCS#10 certification request, PEM or DER.
pub fn parse_request(bytes: &[u8]) -> Result<ParsedRequest, CertificateError> {
    let labels = &["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
    let documents = container::documents(bytes, labels)?;
    let [document] = <[Vec<u8>; 1]>::try_from(documents)
        .map_err(|several| CertificateError::SeveralRequests(several.len()))?;
    der::request(&document).map_err(|broken| broken.of("the request".to_owned()))
}

#[cfg(test)]
mod tests;
