//! The ASN.1 of certificates and requests. Only what is needed is interpreted; everything else is
//! kept as it stands, so that an odd extension or name type never costs a certificate its reading.

use std::collections::BTreeSet;

use der::{
    Decode, DecodeValue, Encode, Sequence, SliceReader, Tag, Tagged,
    asn1::{AnyRef, BitStringRef, BmpString, ObjectIdentifier, UintRef},
};
use x509_cert::{
    ext::{Extension, pkix::name::OtherName},
    name::Name,
    request::CertReq,
    spki::SubjectPublicKeyInfoRef,
    time::{Time, Validity},
};

use super::{CertificateError, KeyFacts, KeyKind, ParsedCertificate, ParsedRequest, sha256};
use crate::{
    clock::Instant,
    san::{San, SanType},
    text::printable,
};

const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const UPN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.20.2.3");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P_521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Which part of a document broke, and how.
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

/// The certificate of RFC 5280, 4.1. The names and the key stay encoded, because their exact octets
/// are digested and compared.
#[derive(Sequence)]
struct Certificate<'a> {
    body: Body<'a>,
    signature_algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}

#[derive(Sequence)]
struct Body<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    version: Option<u8>,
    serial_number: AnyRef<'a>,
    signature_algorithm: AnyRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    public_key: AnyRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    issuer_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    subject_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

/// RFC 8017, A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

/// A certificate's facts, and its subject's name in DER.
pub(super) fn certificate(document: Vec<u8>) -> Result<(ParsedCertificate, Vec<u8>), Broken> {
    let parsed = Certificate::from_der(&document).map_err(broken("its structure"))?;
    let body = parsed.body;
    let issuer_der = body.issuer.to_der().map_err(broken("its issuer"))?;
    let subject_der = body.subject.to_der().map_err(broken("its subject"))?;
    let public_key = body.public_key.to_der().map_err(broken("its public key"))?;
    let issuer = Name::from_der(&issuer_der).map_err(broken("its issuer"))?;
    let subject = Name::from_der(&subject_der).map_err(broken("its subject"))?;
    let (not_before, not_after) = (
        instant(body.validity.not_before)?,
        instant(body.validity.not_after)?,
    );
    if not_after < not_before {
        return Err(broken("its validity")("it ends before it begins"));
    }
    let facts = ParsedCertificate {
        fingerprint_sha256: sha256(&document),
        issuer: printable(&issuer.to_string()),
        subject: printable(&subject.to_string()),
        common_name: common_name(&subject),
        serial_hex: serial_hex(body.serial_number)?,
        sans: sans(&body.extensions.unwrap_or_default())?,
        not_before,
        not_after,
        key: key_facts(&public_key)?,
        spki_sha256: sha256(&public_key),
        issuer_der,
        der: document,
    };
    Ok((facts, subject_der))
}

/// A request's facts (RFC 2986).
pub(super) fn request(document: Vec<u8>) -> Result<ParsedRequest, Broken> {
    let info = CertReq::from_der(&document)
        .map_err(broken("its structure"))?
        .info;
    let public_key = info.public_key.to_der().map_err(broken("its public key"))?;
    let mut extensions = Vec::new();
    for attribute in info
        .attributes
        .iter()
        .filter(|attribute| attribute.oid == EXTENSION_REQUEST)
    {
        for value in attribute.values.iter() {
            let requested: Vec<Extension> =
                value.decode_as().map_err(broken("its extension request"))?;
            extensions.extend(requested);
        }
    }
    Ok(ParsedRequest {
        subject: printable(&info.subject.to_string()),
        common_name: common_name(&info.subject),
        sans: sans(&extensions)?,
        key: key_facts(&public_key)?,
        spki_sha256: sha256(&public_key),
        der: document,
    })
}

fn instant(time: Time) -> Result<Instant, Broken> {
    i64::try_from(time.to_unix_duration().as_micros())
        .ok()
        .and_then(Instant::from_micros)
        .ok_or_else(|| broken("its validity")("a time is beyond the calendar"))
}

fn serial_hex(serial: AnyRef<'_>) -> Result<String, Broken> {
    serial
        .tag()
        .assert_eq(Tag::Integer)
        .map_err(broken("its serial number"))?;
    let hex = hex::encode(serial.value());
    let digits = hex.trim_start_matches('0');
    Ok(if digits.is_empty() {
        "0".to_owned()
    } else {
        digits.to_owned()
    })
}

/// The last common name, because the most specific part of a name stands last.
fn common_name(name: &Name) -> Option<String> {
    let last = name
        .iter()
        .filter(|attribute| attribute.oid == COMMON_NAME)
        .last()?;
    Some(printable(&text(last.value.to_ref())))
}

/// A string of whatever ASN.1 type. Octets that are no UTF-8 are taken one by one as characters, so
/// that different octets stay different text.
fn text(any: AnyRef<'_>) -> String {
    if any.tag() == Tag::BmpString
        && let Ok(text) = any.decode_as::<BmpString>()
    {
        return text.to_string();
    }
    octets_text(any.value())
}

fn octets_text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().copied().map(char::from).collect(),
    }
}

/// The SANs of the types that count (SL-1). One that is not well formed counts all the same.
fn sans(extensions: &[Extension]) -> Result<BTreeSet<San>, Broken> {
    let mut sans = BTreeSet::new();
    for extension in extensions
        .iter()
        .filter(|extension| extension.extn_id == SUBJECT_ALT_NAME)
    {
        let names: Vec<AnyRef<'_>> = Decode::from_der(extension.extn_value.as_bytes())
            .map_err(broken("its subject alternative names"))?;
        sans.extend(names.into_iter().filter_map(san));
    }
    Ok(sans)
}

/// One GeneralName (RFC 5280, 4.2.1.6); `None` for a type that does not count.
fn san(name: AnyRef<'_>) -> Option<San> {
    let Tag::ContextSpecific { number, .. } = name.tag() else {
        return None;
    };
    let octets = name.value();
    match number.value() {
        0 => upn(name),
        1 => Some(San::recorded(SanType::Rfc822Name, &octets_text(octets))),
        2 => Some(San::recorded(SanType::DnsName, &octets_text(octets))),
        7 => Some(San::ip_octets(octets).unwrap_or_else(|| {
            // No address has so many octets, yet the name stands there: it counts as its hex.
            San::recorded(SanType::IpAddress, &hex::encode(octets))
        })),
        _ => None,
    }
}

fn upn(name: AnyRef<'_>) -> Option<San> {
    let mut reader = SliceReader::new(name.value()).ok()?;
    let other = OtherName::decode_value(&mut reader, name.header()).ok()?;
    (other.type_id == UPN).then(|| San::recorded(SanType::Upn, &text(other.value.to_ref())))
}

fn key_facts(public_key: &[u8]) -> Result<KeyFacts, Broken> {
    let part = "its public key";
    let key = SubjectPublicKeyInfoRef::from_der(public_key).map_err(broken(part))?;
    Ok(match key.algorithm.oid {
        RSA | RSA_PSS => {
            let bytes = key.subject_public_key.raw_bytes();
            let rsa = RsaPublicKey::from_der(bytes).map_err(broken(part))?;
            KeyFacts {
                kind: KeyKind::Rsa,
                bits: bit_length(rsa.modulus.as_bytes()),
            }
        }
        EC => KeyFacts {
            kind: KeyKind::Ec,
            bits: curve_bits(key.algorithm.parameters),
        },
        ED25519 => KeyFacts {
            kind: KeyKind::Ed25519,
            bits: 256,
        },
        _ => KeyFacts {
            kind: KeyKind::Other,
            bits: 0,
        },
    })
}

/// Bits of a big-endian number without leading zero octets.
fn bit_length(octets: &[u8]) -> u32 {
    let Some(first) = octets.first() else {
        return 0;
    };
    let all = u32::try_from(octets.len())
        .unwrap_or(u32::MAX)
        .saturating_mul(8);
    all - first.leading_zeros()
}

fn curve_bits(parameters: Option<AnyRef<'_>>) -> u32 {
    match parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok()) {
        Some(P_256) => 256,
        Some(P_384) => 384,
        Some(P_521) => 521,
        Some(_) | None => 0,
    }
}
