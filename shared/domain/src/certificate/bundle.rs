//! Classifies a DER document by its outermost structure alone, and extracts the certificates of a
//! certs-only PKCS#7 (RFC 2315, RFC 5652). Whatever is odd inside a certificate, it is still a
//! certificate.

use der::{
    Decode, Header, Reader, Sequence, SliceReader, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier},
};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// Kind of a DER document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// Signed as a certificate is. It may not parse as one; a revocation list has the same outermost
    /// structure.
    Signed,
    /// A PKCS#7 with these certificates, each exactly as encoded there.
    Bundle(Vec<Vec<u8>>),
    /// Anything else: a key, a PKCS#12, a damaged structure.
    Other,
}

/// The length in bytes of the DER document that begins with `head`; `None` if no DER document begins
/// like this. Its first 16 bytes are enough.
#[must_use]
pub fn document_length(head: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(head).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    if header.tag() != Tag::Sequence {
        return None;
    }
    let begun = usize::try_from(reader.position()).ok()?;
    begun.checked_add(usize::try_from(header.length()).ok()?)
}

/// Classifies `der` by its outermost structure.
#[must_use]
pub fn classify_document(der: &[u8]) -> Document {
    let Some(parts) = AnyRef::from_der(der).ok().and_then(parts) else {
        return Document::Other;
    };
    let tags: Vec<_> = parts.iter().map(Tagged::tag).collect();
    if tags == [Tag::Sequence, Tag::Sequence, Tag::BitString] {
        return Document::Signed;
    }
    match bundled(der) {
        Some(certificates) => Document::Bundle(certificates),
        None => Document::Other,
    }
}

#[derive(Sequence)]
struct ContentInfo<'a> {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: AnyRef<'a>,
}

/// The certificates of a SignedData: the part tagged [0].
fn bundled(der: &[u8]) -> Option<Vec<Vec<u8>>> {
    let info = ContentInfo::from_der(der).ok()?;
    if info.content_type != SIGNED_DATA {
        return None;
    }
    let found = parts(info.content)?.into_iter().find(
        |part| matches!(part.tag(), Tag::ContextSpecific { number, .. } if number.value() == 0),
    );
    let Some(certificates) = found else {
        return Some(Vec::new());
    };
    let mut reader = SliceReader::new(certificates.value()).ok()?;
    let mut each = Vec::new();
    while !reader.is_finished() {
        each.push(reader.tlv_bytes().ok()?.to_vec());
    }
    Some(each)
}

/// The parts of a SEQUENCE.
fn parts(whole: AnyRef<'_>) -> Option<Vec<AnyRef<'_>>> {
    if whole.tag() != Tag::Sequence {
        return None;
    }
    let mut reader = SliceReader::new(whole.value()).ok()?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(reader.decode().ok()?);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_told_by_its_outermost_structure() {
        let signed = [0x30, 7, 0x30, 0, 0x30, 0, 3, 1, 0];
        assert_eq!(classify_document(&signed), Document::Signed);
        // A private key begins with its version (RFC 5958); an encrypted one ends with octets.
        assert_eq!(
            classify_document(&[0x30, 5, 2, 1, 0, 0x30, 0]),
            Document::Other
        );
        assert_eq!(
            classify_document(&[0x30, 4, 0x30, 0, 4, 0]),
            Document::Other
        );
        for broken in [&[][..], &[0x30], &[0x30, 2, 0x30], &[4, 0]] {
            assert_eq!(classify_document(broken), Document::Other);
        }
    }

    #[test]
    fn a_bundle_gives_its_certificates_as_they_stand() {
        // ContentInfo { signedData, [0] { version, SET, SEQUENCE, [0] { two documents }, SET } }
        let oid = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
        let signed_data = [
            0x30, 17, 2, 1, 1, 0x31, 0, 0x30, 0, 0xa0, 6, 0x30, 1, 5, 0x30, 1, 6, 0x31, 0,
        ];
        let mut der = vec![0x30, 32];
        der.extend(oid);
        der.extend([0xa0, 19]);
        der.extend(signed_data);
        let each = vec![vec![0x30, 1, 5], vec![0x30, 1, 6]];
        assert_eq!(classify_document(&der), Document::Bundle(each));
    }

    #[test]
    fn a_document_tells_its_length_at_its_beginning() {
        assert_eq!(document_length(&[0x30, 0x82, 1, 0, 0x30]), Some(260));
        assert_eq!(document_length(&[0x30, 5, 2]), Some(7));
        for other in [&[][..], b"-----BEGIN", &[0x30, 0x80, 0], &[0x30, 0x82, 1]] {
            assert_eq!(document_length(other), None);
        }
    }
}
