//! Splits what a client sends, PEM or DER, into the DER of each document. The result is never empty.

use der::{Reader, SliceReader};

use super::error::CertificateError;
use crate::{private_key::is_private_key_document, text::shortened};

const BEGIN: &[u8] = b"-----BEGIN ";

/// The documents in `bytes`, in order. PEM blocks must have one of `labels`; the error for any other
/// label names the first.
pub(super) fn documents(
    bytes: &[u8],
    labels: &[&'static str],
) -> Result<Vec<Vec<u8>>, CertificateError> {
    check(bytes)?;
    if is_der(bytes) {
        from_der(bytes)
    } else {
        from_pem(bytes, labels)
    }
}

/// The first document in `bytes`, as [`documents`]; everything after it is ignored.
pub(super) fn first(bytes: &[u8], labels: &[&'static str]) -> Result<Vec<u8>, CertificateError> {
    check(bytes)?;
    if is_der(bytes) {
        return element(bytes, 1).map(<[u8]>::to_vec);
    }
    // Up to the next block or the end, so that a truncated block is detected.
    let position = |bytes: &[u8], mark: &[u8]| {
        let mut windows = bytes.windows(mark.len());
        windows.position(|window| window == mark)
    };
    let begin = position(bytes, BEGIN).ok_or(CertificateError::NeitherPemNorDer)?;
    let block = &bytes[begin..];
    let next = position(&block[BEGIN.len()..], BEGIN).map(|next| next + BEGIN.len());
    let block = &block[..next.unwrap_or(block.len())];
    let documents = from_pem(block, labels)?;
    documents
        .into_iter()
        .next()
        .ok_or(CertificateError::NeitherPemNorDer)
}

fn check(bytes: &[u8]) -> Result<(), CertificateError> {
    if bytes.trim_ascii().is_empty() {
        return Err(CertificateError::Empty);
    }
    if is_private_key_document(bytes) {
        return Err(CertificateError::PrivateKey);
    }
    Ok(())
}

/// A SEQUENCE of at least 128 octets, as every document is. No text starts like this.
fn is_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x80..=0xff, ..])
}

/// Editors and shells leave white space between and after documents.
fn from_der(mut rest: &[u8]) -> Result<Vec<Vec<u8>>, CertificateError> {
    let mut documents = Vec::new();
    while !rest.is_empty() {
        let document = element(rest, documents.len() + 1)?;
        documents.push(document.to_vec());
        rest = rest[document.len()..].trim_ascii_start();
    }
    Ok(documents)
}

/// The element at the start of `bytes`.
fn element(bytes: &[u8], number: usize) -> Result<&[u8], CertificateError> {
    SliceReader::new(bytes)
        .and_then(|mut reader| reader.tlv_bytes())
        .map_err(|error| CertificateError::BrokenDer {
            what: format!("document {number}"),
            part: "outermost structure",
            detail: error.to_string(),
        })
}

fn from_pem(bytes: &[u8], labels: &[&'static str]) -> Result<Vec<Vec<u8>>, CertificateError> {
    let begin_count = bytes
        .windows(BEGIN.len())
        .filter(|window| *window == BEGIN)
        .count();
    if begin_count == 0 {
        return Err(CertificateError::NeitherPemNorDer);
    }
    let blocks = pem::parse_many(bytes)
        .map_err(|error| CertificateError::BrokenPem(shortened(&error.to_string())))?;
    // The parser skips a block that never ends.
    if blocks.len() != begin_count {
        return Err(CertificateError::BrokenPem(
            "a block is truncated".to_owned(),
        ));
    }
    let expected = labels.first().copied().unwrap_or_default();
    blocks
        .into_iter()
        .map(|block| {
            if labels.contains(&block.tag()) {
                // In a trusted certificate, trust settings follow the certificate.
                element(block.contents(), 1).map(<[u8]>::to_vec)
            } else {
                Err(CertificateError::WrongLabel {
                    found: shortened(block.tag()),
                    expected,
                })
            }
        })
        .collect()
}
