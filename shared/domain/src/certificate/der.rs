//! The ASN.1 of certificates and requests. Interprets only what is needed and ignores the rest, so that an
//! odd extension or name type never makes a certificate unreadable.

use std::collections::BTreeSet;

use chrono::{NaiveDateTime, TimeDelta};
use der::{
    Decode,
    asn1::{AnyRef, ObjectIdentifier},
};
use num_bigint::BigInt;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::{
    elements::{
        BIT_STRING, BOOLEAN, Element, Elements, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE,
        SET, within,
    },
    error::CertificateError,
    names::{Comparable, DistinguishedName, octets_text, text},
    parsed::{KeyKind, ParsedCertificate, ParsedRequest, PublicKey, sha256},
    serial::LONGEST_SERIAL_DIGITS,
};
use crate::{
    clock::Instant,
    san::{San, SanType},
    text::shortened,
};

const SAN_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
/// The attributes that request extensions: PKCS#9 (RFC 2985, 5.4.2), and Microsoft's predecessor.
const EXTENSION_REQUESTS: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.14"),
];
/// The encoded type of a user principal name, 1.3.6.1.4.1.311.20.2.3.
const UPN: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03";
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P_521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const UNIQUE_IDS: [u8; 2] = [0x81, 0x82];
/// Context-specific, constructed, numbers 0 and 3.
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_3: u8 = 0xa3;

/// The part of a document that is broken, and how.
pub(super) struct Broken {
    part: &'static str,
    detail: String,
}

impl Broken {
    pub(super) fn of(self, what: String) -> CertificateError {
        CertificateError::BrokenDer {
            what,
            part: self.part,
            detail: self.detail,
        }
    }
}

fn broken<E: ToString>(part: &'static str) -> impl FnOnce(E) -> Broken {
    move |error| Broken {
        part,
        detail: error.to_string(),
    }
}

/// Both names of a certificate, in the form that is compared along a chain.
pub(super) struct Names {
    pub(super) issuer: Comparable,
    pub(super) subject: Comparable,
}

/// The parts of a certificate (RFC 5280, 4.1) that are used.
struct Parts<'a> {
    serial: Element<'a>,
    issuer: Element<'a>,
    validity: Element<'a>,
    subject: Element<'a>,
    public_key: Element<'a>,
    /// A SEQUENCE of extensions, inside its tag.
    extensions: Option<Element<'a>>,
}

impl<'a> Parts<'a> {
    fn read(document: &'a [u8]) -> Result<Self, String> {
        let mut outer = within(SEQUENCE, document)?;
        let mut body = Elements::of(outer.take(SEQUENCE)?.content);
        outer.take(SEQUENCE)?;
        outer.take(BIT_STRING)?;
        outer.end()?;
        body.take_if(CONTEXT_0)?;
        let serial = body.take(INTEGER)?;
        body.take(SEQUENCE)?;
        let parts = Self {
            serial,
            issuer: body.take(SEQUENCE)?,
            validity: body.take(SEQUENCE)?,
            subject: body.take(SEQUENCE)?,
            public_key: body.take(SEQUENCE)?,
            extensions: {
                for tag in UNIQUE_IDS {
                    body.take_if(tag)?;
                }
                body.take_if(CONTEXT_3)?
            },
        };
        body.end()?;
        Ok(parts)
    }
}

/// Parses a certificate, and its names for comparison.
pub(super) fn certificate(document: &[u8]) -> Result<(ParsedCertificate, Names), Broken> {
    let parts = Parts::read(document).map_err(broken("structure"))?;
    let issuer = DistinguishedName::read(parts.issuer.whole).map_err(broken("issuer"))?;
    let subject = DistinguishedName::read(parts.subject.whole).map_err(broken("subject"))?;
    let (not_before, not_after) = validity(parts.validity)?;
    let extensions = parts.extensions.map(|tagged| tagged.content);
    let names = Names {
        issuer: issuer.comparable(),
        subject: subject.comparable(),
    };
    let parsed = ParsedCertificate {
        fingerprint_sha256: sha256(document),
        issuer: issuer.shown(),
        subject: subject.shown(),
        common_name: subject.common_name(),
        serial_hex: serial_hex(parts.serial.content)?,
        sans: sans(extensions)?,
        not_before,
        not_after,
        key: parse_public_key(parts.public_key.whole),
        spki_sha256: sha256(parts.public_key.whole),
        is_authority: is_authority(extensions).map_err(broken("extensions"))?,
        issuer_der: parts.issuer.whole.to_vec(),
        der: document.to_vec(),
    };
    Ok((parsed, names))
}

/// Parses a request (RFC 2986). The attributes may be missing, as OpenSSL permits.
pub(super) fn request(document: &[u8]) -> Result<ParsedRequest, Broken> {
    let part = "structure";
    let mut outer = within(SEQUENCE, document).map_err(broken(part))?;
    let info = outer.take(SEQUENCE).map_err(broken(part))?;
    outer.take(SEQUENCE).map_err(broken(part))?;
    outer.take(BIT_STRING).map_err(broken(part))?;
    outer.end().map_err(broken(part))?;
    let mut info = Elements::of(info.content);
    info.take(INTEGER).map_err(broken(part))?;
    let subject = info.take(SEQUENCE).map_err(broken(part))?;
    let public_key = info.take(SEQUENCE).map_err(broken(part))?;
    let attributes = info.take_if(CONTEXT_0).map_err(broken(part))?;
    info.end().map_err(broken(part))?;

    let subject = DistinguishedName::read(subject.whole).map_err(broken("subject"))?;
    let mut requested = BTreeSet::new();
    if let Some(attributes) = attributes {
        let requests = extension_requests(attributes).map_err(broken("attributes"))?;
        for extensions in requests {
            requested.append(&mut sans(Some(extensions))?);
        }
    }
    Ok(ParsedRequest {
        subject: subject.shown(),
        common_name: subject.common_name(),
        sans: requested,
        key: parse_public_key(public_key.whole),
        spki_sha256: sha256(public_key.whole),
        der: document.to_vec(),
    })
}

/// All values of all attributes that request extensions.
fn extension_requests(attributes: Element<'_>) -> Result<Vec<&[u8]>, String> {
    let mut requests = Vec::new();
    for attribute in Elements::of(attributes.content).rest()? {
        let mut parts = within(SEQUENCE, attribute.whole)?;
        let kind = parts.take(OBJECT_IDENTIFIER)?;
        let values = parts.take(SET)?;
        parts.end()?;
        if EXTENSION_REQUESTS
            .iter()
            .any(|request| request.as_bytes() == kind.content)
        {
            let values = Elements::of(values.content).rest()?;
            requests.extend(values.iter().map(|value| value.whole));
        }
    }
    Ok(requests)
}

fn validity(element: Element<'_>) -> Result<(Instant, Instant), Broken> {
    let part = "validity";
    let ends = Elements::of(element.content).rest();
    let ends = ends.map_err(broken(part))?;
    let [not_before, not_after] = <[Element<'_>; 2]>::try_from(ends)
        .map_err(|ends| broken(part)(format!("has {} times instead of 2", ends.len())))?;
    let (not_before, not_after) = (instant(not_before)?, instant(not_after)?);
    if not_after < not_before {
        return Err(broken(part)("ends before it starts"));
    }
    Ok((not_before, not_after))
}

/// Parses a time as OpenSSL does: seconds may be missing, and an offset may replace `Z`.
fn instant(element: Element<'_>) -> Result<Instant, Broken> {
    let written = octets_text(element.content);
    let invalid = || {
        let text = format!("`{}` is not a valid time", shortened(&written));
        broken("validity")(text)
    };
    let digits = written.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, mut rest) = written.split_at(digits);
    let mut whole = match element.tag {
        // RFC 5280, 4.1.2.5.1.
        UTC_TIME if digits >= "50" => format!("19{digits}"),
        UTC_TIME => format!("20{digits}"),
        GENERALIZED_TIME => digits.to_owned(),
        _ => return Err(invalid()),
    };
    if whole.len() == 12 {
        whole.push_str("00");
    }
    let local = NaiveDateTime::parse_from_str(&whole, "%Y%m%d%H%M%S").map_err(|_| invalid())?;
    if whole.len() != 14 {
        return Err(invalid());
    }
    if element.tag == GENERALIZED_TIME
        && let Some(fraction) = rest.strip_prefix(['.', ','])
    {
        rest = fraction.trim_start_matches(|sign: char| sign.is_ascii_digit());
    }
    let offset = offset_minutes(rest).ok_or_else(invalid)?;
    let utc = local
        .and_utc()
        .checked_sub_signed(TimeDelta::minutes(offset));
    utc.and_then(|time| Instant::from_micros(time.timestamp_micros()))
        .ok_or_else(|| broken("validity")("is outside years 1 to 9999"))
}

fn offset_minutes(zone: &str) -> Option<i64> {
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("Z", "") => return Some(0),
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let is_plain = digits.len() == 4 && digits.bytes().all(|octet| octet.is_ascii_digit());
    let digits: i64 = digits.parse().ok().filter(|_| is_plain)?;
    let (hours, minutes) = (digits / 100, digits % 100);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// X.690, 8.3: an INTEGER is signed, so −128 and 128 are different serials.
fn serial_hex(octets: &[u8]) -> Result<String, Broken> {
    let part = "serial number";
    if octets.is_empty() {
        return Err(broken(part)("is empty"));
    }
    let text = BigInt::from_signed_bytes_be(octets).to_str_radix(16);
    if text.trim_start_matches('-').len() > LONGEST_SERIAL_DIGITS {
        let text = format!("has more than {LONGEST_SERIAL_DIGITS} hexadecimal digits");
        return Err(broken(part)(text));
    }
    Ok(text)
}

/// The SANs of the types that count (SL-1), from a SEQUENCE of extensions. Names that are not well
/// formed count as well.
fn sans(extensions: Option<&[u8]>) -> Result<BTreeSet<San>, Broken> {
    let mut sans = BTreeSet::new();
    let Some(extensions) = extensions else {
        return Ok(sans);
    };
    let each = within(SEQUENCE, extensions).and_then(Elements::rest);
    for extension in each.map_err(broken("extensions"))? {
        let content = value_of(extension, SAN_EXTENSION).map_err(broken("extensions"))?;
        if let Some(content) = content {
            let names = within(SEQUENCE, content).and_then(Elements::rest);
            let names = names.map_err(broken("subject alternative names"))?;
            sans.extend(names.into_iter().filter_map(san));
        }
    }
    Ok(sans)
}

/// Whether a SEQUENCE of extensions marks a certificate authority. Unreadable basicConstraints do not,
/// and never make a certificate unreadable (SL-21).
fn is_authority(extensions: Option<&[u8]>) -> Result<bool, String> {
    let Some(extensions) = extensions else {
        return Ok(false);
    };
    for extension in within(SEQUENCE, extensions)?.rest()? {
        if let Some(content) = value_of(extension, BASIC_CONSTRAINTS)? {
            let flag = within(SEQUENCE, content).and_then(|mut parts| parts.take(BOOLEAN));
            return Ok(flag.is_ok_and(|flag| flag.content.iter().any(|octet| *octet != 0)));
        }
    }
    Ok(false)
}

/// The value of an extension, if it is of the wanted type.
fn value_of(extension: Element<'_>, wanted: ObjectIdentifier) -> Result<Option<&[u8]>, String> {
    let mut parts = within(SEQUENCE, extension.whole)?;
    let kind = parts.take(OBJECT_IDENTIFIER)?;
    if kind.content != wanted.as_bytes() {
        return Ok(None);
    }
    // The critical flag may come before the value.
    let parts = parts.rest()?;
    let value = parts.iter().find(|part| part.tag == OCTET_STRING);
    let value = value.ok_or("an extension has no value")?;
    Ok(Some(value.content))
}

/// One GeneralName (RFC 5280, 4.2.1.6); `None` for a type that does not count.
fn san(name: Element<'_>) -> Option<San> {
    let octets = name.content;
    // Ignore the bit for constructed encoding.
    match name.tag & !0x20 {
        0x80 => upn(octets),
        0x81 => Some(San::recorded(SanType::Rfc822Name, &octets_text(octets))),
        0x82 => Some(San::recorded(SanType::DnsName, &octets_text(octets))),
        0x87 => Some(San::ip_octets(octets).unwrap_or_else(|| {
            // No address has this length, but the certificate contains the name, so it counts as its hex.
            San::recorded(SanType::IpAddress, &hex::encode(octets))
        })),
        _ => None,
    }
}

/// An otherName, if it is a UPN. Its text may be inside an explicit tag. Content that is no element counts as
/// its hex.
fn upn(octets: &[u8]) -> Option<San> {
    let octets = octets.strip_prefix(UPN)?;
    let value = match Elements::of(octets).next() {
        Ok(Some(tagged)) if tagged.tag == CONTEXT_0 => match Elements::of(tagged.content).next() {
            Ok(Some(string)) => text(string),
            Ok(None) | Err(_) => hex::encode(tagged.content),
        },
        Ok(Some(string)) => text(string),
        Ok(None) | Err(_) => hex::encode(octets),
    };
    Some(San::recorded(SanType::Upn, &value))
}

/// Kind and strength of a key. An unreadable key never makes a certificate unreadable (SL-21).
fn parse_public_key(public_key: &[u8]) -> PublicKey {
    let Ok(key) = SubjectPublicKeyInfoRef::from_der(public_key) else {
        return PublicKey {
            kind: KeyKind::Other,
            bits: 0,
        };
    };
    let (kind, bits) = match key.algorithm.oid {
        RSA | RSA_PSS => (
            KeyKind::Rsa,
            modulus_bits(key.subject_public_key.raw_bytes()),
        ),
        EC => {
            let curve = key.algorithm.parameters;
            let curve = curve.map(AnyRef::decode_as::<ObjectIdentifier>);
            (KeyKind::Ec, curve_bits(curve.and_then(Result::ok)))
        }
        ED25519 => (KeyKind::Ed25519, 256),
        ED448 => (KeyKind::Ed448, 456),
        _ => (KeyKind::Other, 0),
    };
    PublicKey { kind, bits }
}

/// Bits of an RSA modulus (RFC 8017, A.1.1); 0 if it is unreadable.
fn modulus_bits(public_key: &[u8]) -> u32 {
    let modulus = within(SEQUENCE, public_key).and_then(|mut parts| parts.take(INTEGER));
    let Ok(modulus) = modulus else { return 0 };
    let number = BigInt::from_signed_bytes_be(modulus.content);
    u32::try_from(number.bits()).unwrap_or(u32::MAX)
}

fn curve_bits(curve: Option<ObjectIdentifier>) -> u32 {
    match curve {
        Some(P_256) => 256,
        Some(P_384) => 384,
        Some(P_521) => 521,
        Some(_) | None => 0,
    }
}
