//! Real X.509 certificates and PKCS#10 requests, read into the facts that are decided with.
//! Reading is pure, and verifies no path and no purpose: that is the CA's part. A request's own
//! signature is verified where one comes in.

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

/// The labels of PEM blocks that hold a certificate: today's first, and those of old software.
const CERTIFICATES: &[&str] = &["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

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

#[cfg(test)]
mod tests;
