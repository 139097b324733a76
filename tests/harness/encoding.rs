//! Certificates and requests encoded byte by byte, because no library produces them. A request is signed with
//! its key; a certificate's signature is invalid, because nothing verifies it.

use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};

/// One element of DER: its tag and its content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|octet| **octet == 0).count()..];
    let mut octets = vec![tag];
    match length {
        [] => octets.push(0),
        [short @ 0..=0x7f] => octets.push(*short),
        long => {
            octets.push(0x80 | u8::try_from(long.len()).unwrap());
            octets.extend(long);
        }
    }
    octets.extend(content);
    octets
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

const COMMON_NAME: &[u8] = b"\x06\x03\x55\x04\x03";
const ALTERNATIVE_NAMES: &[u8] = b"\x06\x03\x55\x1d\x11";
const UPN: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03";
/// The attributes of a request that contain extensions, by PKCS#9 and by Microsoft.
pub(crate) const PKCS_9: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";
pub(crate) const MICROSOFT: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e";
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";
const ED448: &[u8] = b"\x06\x03\x2b\x65\x71";

/// String types.
pub(crate) const UTF8: u8 = 0x0c;
pub(crate) const PRINTABLE: u8 = 0x13;
pub(crate) const UNIVERSAL: u8 = 0x1c;

/// Text in the encoding of a string type.
pub(crate) fn string(tag: u8, text: &str) -> Vec<u8> {
    if tag == UNIVERSAL {
        let each = text.chars().flat_map(|sign| u32::from(sign).to_be_bytes());
        element(tag, &each.collect::<Vec<u8>>())
    } else {
        element(tag, text.as_bytes())
    }
}

/// A distinguished name with only a common name.
pub(crate) fn name(tag: u8, text: &str) -> Vec<u8> {
    let attribute = sequence(&[COMMON_NAME, &string(tag, text)]);
    sequence(&[&element(0x31, &attribute)])
}

pub(crate) fn dns(text: &[u8]) -> Vec<u8> {
    element(0x82, text)
}

/// An otherName of type UPN with any content.
pub(crate) fn upn(content: &[u8]) -> Vec<u8> {
    element(0xa0, &[UPN, content].concat())
}

fn alternative_names(names: &[Vec<u8>]) -> Vec<u8> {
    let names = sequence(&[&names.concat()]);
    sequence(&[&sequence(&[ALTERNATIVE_NAMES, &element(0x04, &names)])])
}

pub(crate) fn ed25519_key() -> Vec<u8> {
    sequence(&[&sequence(&[ED25519]), &element(0x03, &[0; 33])])
}

pub(crate) fn ed448_key() -> Vec<u8> {
    sequence(&[&sequence(&[ED448]), &element(0x03, &[0; 58])])
}

/// The contents of a certificate.
pub(crate) struct Odd {
    /// The octets of the serial's INTEGER.
    pub(crate) serial: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    /// As UTCTime.
    pub(crate) not_before: String,
    /// As GeneralizedTime.
    pub(crate) not_after: String,
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) key: Vec<u8>,
}

impl Odd {
    /// A certificate without an end, with this serial and these names.
    pub(crate) fn new(serial: &[u8], names: Vec<Vec<u8>>) -> Self {
        Self {
            serial: serial.to_vec(),
            issuer: name(UTF8, "Odd Authority"),
            subject: sequence(&[]),
            not_before: "200101000000Z".to_owned(),
            not_after: "99991231235959Z".to_owned(),
            names,
            key: ed25519_key(),
        }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let algorithm = sequence(&[ED25519]);
        let validity = sequence(&[
            &element(0x17, self.not_before.as_bytes()),
            &element(0x18, self.not_after.as_bytes()),
        ]);
        let extensions = if self.names.is_empty() {
            Vec::new()
        } else {
            element(0xa3, &alternative_names(&self.names))
        };
        let body = sequence(&[
            b"\xa0\x03\x02\x01\x02",
            &element(0x02, &self.serial),
            &algorithm,
            &self.issuer,
            &validity,
            &self.subject,
            &self.key,
            &extensions,
        ]);
        sequence(&[&body, &algorithm, &element(0x03, &[0; 65])])
    }
}

/// An attribute of a request: its kind, and the names in each of its values.
pub(crate) type Attribute<'a> = (&'a [u8], &'a [&'a [&'a str]]);

/// A request as PEM text; `None`: without the attributes field.
pub(crate) fn request(label: &str, subject: &[u8], attributes: Option<&[Attribute<'_>]>) -> String {
    let attribute = |(kind, values): &Attribute<'_>| {
        let value = |names: &&[&str]| {
            let names: Vec<_> = names.iter().map(|name| dns(name.as_bytes())).collect();
            alternative_names(&names)
        };
        let values: Vec<u8> = values.iter().flat_map(value).collect();
        sequence(&[kind, &element(0x31, &values)])
    };
    let attributes = attributes.map_or_else(Vec::new, |list| {
        element(0xa0, &list.iter().flat_map(attribute).collect::<Vec<u8>>())
    });
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let public_key = key.subject_public_key_info();
    let info = sequence(&[b"\x02\x01\x00", subject, &public_key, &attributes]);
    let signature = [vec![0], key.sign(&info).unwrap()].concat();
    let whole = sequence(&[&info, &sequence(&[ED25519]), &element(0x03, &signature)]);
    pem(label, &whole)
}

/// PEM text around DER.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, der))
}
