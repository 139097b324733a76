//! From what a client sends, PEM or DER, to the DER of each document in it. Never empty.

use der::{Reader, SliceReader};

use super::CertificateError;
use crate::text::shortened;

const BEGIN: &[u8] = b"-----BEGIN ";

/// The documents in `bytes`, in their order. PEM blocks must have one of `labels`, the first of
/// which is named where another stands.
pub(super) fn documents(
    bytes: &[u8],
    labels: &[&'static str],
) -> Result<Vec<Vec<u8>>, CertificateError> {
    if bytes.trim_ascii().is_empty() {
        return Err(CertificateError::Empty);
    }
    // A SEQUENCE of 128 octets or more, as each of these is: no text starts so.
    if matches!(bytes, [0x30, 0x80..=0xff, ..]) {
        from_der(bytes)
    } else {
        from_pem(bytes, labels)
    }
}

fn from_der(mut rest: &[u8]) -> Result<Vec<Vec<u8>>, CertificateError> {
    let mut documents = Vec::new();
    while !rest.is_empty() {
        let document = SliceReader::new(rest)
            .and_then(|mut reader| reader.tlv_bytes())
            .map_err(|error| CertificateError::BrokenDer {
                what: format!("document {}", documents.len() + 1),
                part: "its outermost structure",
                detail: error.to_string(),
            })?;
        documents.push(document.to_vec());
        rest = &rest[document.len()..];
    }
    Ok(documents)
}

fn from_pem(bytes: &[u8], labels: &[&'static str]) -> Result<Vec<Vec<u8>>, CertificateError> {
    let begun = bytes
        .windows(BEGIN.len())
        .filter(|window| *window == BEGIN)
        .count();
    if begun == 0 {
        return Err(CertificateError::NeitherPemNorDer);
    }
    let blocks = pem::parse_many(bytes)
        .map_err(|error| CertificateError::BrokenPem(shortened(&error.to_string())))?;
    // The parser passes over a block that never ends.
    if blocks.len() != begun {
        return Err(CertificateError::BrokenPem("a block is cut off".to_owned()));
    }
    let expected = labels.first().copied().unwrap_or_default();
    blocks
        .into_iter()
        .map(|block| {
            if labels.contains(&block.tag()) {
                Ok(block.into_contents())
            } else {
                Err(CertificateError::WrongLabel {
                    found: shortened(block.tag()),
                    expected,
                })
            }
        })
        .collect()
}
