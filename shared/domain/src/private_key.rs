//! Recognises private keys, which are sent by mistake and must never be stored, logged or repeated.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use der::{
    AnyRef, Decode as _, Reader as _, SliceReader, Tag, Tagged as _, asn1::ObjectIdentifier,
};

/// All PEM labels of private keys end so (RFC 7468, RFC 5915, RFC 8017, OpenSSH).
const PEM_LABEL: &[u8] = b"PRIVATE KEY-----";
const PEM_BEGIN: &[u8] = b"-----BEGIN ";
/// The first line of a key of PuTTY.
const PUTTY: &[u8] = b"PuTTY-User-Key-File-";
/// The least length of a key in base64; shorter runs are words.
const SHORTEST_BASE64: usize = 40;
/// The objects of encrypted keys (RFC 8018, PBES1 and PBES2) and of PKCS#12 begin so.
const PASSWORD_BASED: [&str; 2] = ["1.2.840.113549.1.5.", "1.2.840.113549.1.12.1."];

/// Whether the bytes hold a private key anywhere: PKCS#8, PKCS#1 or SEC 1, encrypted PKCS#8, or a PKCS#12 file, as
/// PEM, DER or bare base64. Data of another kind may be taken for a key, so this decides only what is not stored.
#[must_use]
pub fn holds_private_key(bytes: &[u8]) -> bool {
    holds(bytes, PEM_LABEL) || holds(bytes, PUTTY) || holds_der(bytes) || holds_base64(bytes)
}

/// Whether a document, or one of several in a row, is a private key: as PEM, DER or bare base64. Unlike
/// [`holds_private_key`], it looks at no part of a document: numbers in a certificate's extension may be encoded as a
/// key is.
#[must_use]
pub fn is_private_key_document(bytes: &[u8]) -> bool {
    let is_text = !bytes.starts_with(&[0x30]) && !holds(bytes, PEM_BEGIN);
    holds(bytes, PEM_LABEL)
        || holds(bytes, PUTTY)
        || starts_of_documents(bytes).any(|document| is_private_key(document).unwrap_or(false))
        || is_text && holds_base64(bytes)
}

/// The bytes from the start of each of the DER documents that follow one another.
fn starts_of_documents(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let start = Some(rest).filter(|rest| !rest.is_empty())?;
        let mut reader = SliceReader::new(start).ok()?;
        AnyRef::decode(&mut reader).ok()?;
        rest = start.get(usize::try_from(reader.position()).ok()?..)?;
        Some(start)
    })
}

fn holds(bytes: &[u8], mark: &[u8]) -> bool {
    bytes.windows(mark.len()).any(|window| window == mark)
}

fn holds_der(bytes: &[u8]) -> bool {
    let sequence = |at: &usize| bytes[*at] == 0x30;
    (0..bytes.len())
        .filter(sequence)
        .any(|at| is_private_key(&bytes[at..]).unwrap_or(false))
}

/// Whether a DER-encoded private key starts here.
fn is_private_key(bytes: &[u8]) -> der::Result<bool> {
    let mut reader = SliceReader::new(bytes)?;
    let whole = AnyRef::decode(&mut reader)?;
    let mut parts = SliceReader::new(whole.value())?;
    let first = AnyRef::decode(&mut parts)?;
    let second = AnyRef::decode(&mut parts)?;
    let tags = (first.tag(), second.tag());
    Ok(match tags {
        // RFC 8018: the algorithm and the encrypted key.
        (Tag::Sequence, Tag::OctetString) => is_password_based(first.value())?,
        // RFC 5915: version 1 and the key.
        (Tag::Integer, Tag::OctetString) => first.value() == [1],
        // RFC 5958: version 0 or 1, the algorithm and the key. RFC 7292: version 3 and the content.
        (Tag::Integer, Tag::Sequence) => match first.value() {
            [0 | 1] => AnyRef::decode(&mut parts)?.tag() == Tag::OctetString,
            [3] => second.value().first() == Some(&0x06),
            _ => false,
        },
        // RFC 8017: version 0 or 1, the modulus, both exponents.
        (Tag::Integer, Tag::Integer) => {
            let exponents = [AnyRef::decode(&mut parts)?, AnyRef::decode(&mut parts)?];
            matches!(first.value(), [0 | 1]) && exponents.iter().all(|it| it.tag() == Tag::Integer)
        }
        _ => false,
    })
}

fn is_password_based(algorithm: &[u8]) -> der::Result<bool> {
    let mut parts = SliceReader::new(algorithm)?;
    let object: ObjectIdentifier = parts.decode()?;
    let object = object.to_string();
    Ok(PASSWORD_BASED.iter().any(|start| object.starts_with(start)))
}

/// Base64 may be folded into lines, and the bytes before it may look like base64 as well.
fn holds_base64(bytes: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/\r\n".contains(byte);
    bytes
        .split(|byte| !is_part(byte))
        .filter(|run| run.len() >= SHORTEST_BASE64)
        .any(|run| {
            let dense: Vec<u8> = run
                .iter()
                .copied()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            (0..4).any(|start| {
                let rest = dense.get(start..).unwrap_or_default();
                let whole = &rest[..rest.len() / 4 * 4];
                let decoded = STANDARD_NO_PAD.decode(whole);
                decoded.is_ok_and(|decoded| holds_der_start(&decoded, rest))
            })
        })
}

/// The last one or two bytes, which padding completes, are not decoded: the key is then told by what is there.
fn holds_der_start(decoded: &[u8], run: &[u8]) -> bool {
    let missing = 3 * (run.len() % 4) / 4;
    let mut completed = decoded.to_vec();
    completed.resize(decoded.len() + missing, 0);
    holds_der(&completed)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};

    use super::*;

    fn base64(bytes: &[u8]) -> Vec<u8> {
        base64::engine::general_purpose::STANDARD
            .encode(bytes)
            .into_bytes()
    }

    fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(value.len()).unwrap().to_be_bytes();
        let length: &[u8] = match (high, low) {
            (0, ..0x80) => &[low],
            (0, _) => &[0x81, low],
            _ => &[0x82, high, low],
        };
        [&[tag], length, value].concat()
    }

    /// An RSA key with the right structure.
    fn rsa() -> Vec<u8> {
        let integer = |length| tlv(2, &vec![0x55; length]);
        let parts = [vec![2, 1, 0], integer(128), vec![2, 1, 3], integer(128)];
        tlv(0x30, &parts.concat())
    }

    #[test]
    fn every_form_of_a_key_is_recognised() {
        let mut keys = vec![rsa()];
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
            keys.push(KeyPair::generate_for(algorithm).unwrap().serialize_der());
        }
        // RFC 5915, and PBES2.
        keys.push(tlv(0x30, &[vec![2, 1, 1], tlv(4, &[7; 32])].concat()));
        let pbes2 = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
        let encrypted = [tlv(0x30, &pbes2), tlv(4, &[7; 48])].concat();
        keys.push(tlv(0x30, &encrypted));
        for key in keys {
            let encoded = base64(&key);
            let folded = encoded.chunks(64).collect::<Vec<_>>().join(&b'\n');
            let within = [b"A\x12bc".as_slice(), &encoded, b"\x08"].concat();
            for form in [key.clone(), encoded, folded, within] {
                assert!(holds_private_key(&form), "{form:02x?}");
            }
            let after_another = [tlv(0x30, &[5, 0]), key.clone()].concat();
            for form in [key.clone(), base64(&key), after_another] {
                assert!(is_private_key_document(&form), "{form:02x?}");
            }
        }
        assert!(holds_private_key(b"-----BEGIN EC PRIVATE KEY-----\n"));
        assert!(holds_private_key(b"PuTTY-User-Key-File-3: ssh-rsa"));
    }

    #[test]
    fn certificates_and_requests_hold_none() {
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let names = vec!["www.example.com".to_owned()];
            let params = CertificateParams::new(names).unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let request = params.serialize_request(&key).unwrap();
            for form in [
                certificate.der().to_vec(),
                certificate.pem().into_bytes(),
                base64(certificate.der()),
                request.der().to_vec(),
                request.pem().unwrap().into_bytes(),
            ] {
                assert!(!holds_private_key(&form));
                assert!(!is_private_key_document(&form));
            }
        }
        // The numbers of a policy's notice (RFC 5280, 4.2.1.4), in the form of an RSA key.
        let numbers = tlv(0x30, &[2, 1, 1, 2, 1, 2, 2, 1, 3, 2, 1, 4]);
        assert!(!is_private_key_document(&tlv(0x30, &numbers)));
        assert!(!holds_private_key(
            b"a certificate for the name Private Key"
        ));
    }
}
