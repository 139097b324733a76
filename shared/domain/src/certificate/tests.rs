//! Certificates and requests made by rcgen, intact and damaged (SL-1, SL-14, MD-9).

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    sync::LazyLock,
};

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName,
    DnType, IsCa, KeyPair, OtherNameValue, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, SanType as Asked, SerialNumber, SignatureAlgorithm, date_time_ymd,
};

use super::{parsed::sha256, *};
use crate::{
    clock::Instant,
    san::{San, SanType},
};

mod odd;
mod proof;

/// A certificate with a 2048-bit RSA key, made by OpenSSL: rcgen signs with ring, which generates no
/// RSA keys.
const RSA: &str = include_str!("tests/rsa-2048.pem");

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 7, 1);
    params
}

fn ca(common_name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, key(&PKCS_ECDSA_P256_SHA256)).unwrap()
}

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

fn self_signed(params: &CertificateParams) -> rcgen::Certificate {
    params.self_signed(&key(&PKCS_ECDSA_P256_SHA256)).unwrap()
}

fn only(bytes: &[u8]) -> ParsedCertificate {
    let [certificate] = <[_; 1]>::try_from(parse_chain(bytes).unwrap()).unwrap();
    certificate
}

fn values(sans: &BTreeSet<San>) -> Vec<(SanType, &str)> {
    sans.iter().map(|san| (san.kind(), san.value())).collect()
}

fn all_types() -> Vec<Asked> {
    vec![
        Asked::DnsName("WWW.Example.com".try_into().unwrap()),
        Asked::DnsName("www.example.com".try_into().unwrap()),
        Asked::DnsName("*.example.com".try_into().unwrap()),
        Asked::DnsName("a_b.Example.com".try_into().unwrap()),
        Asked::IpAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        Asked::IpAddress("::ffff:192.0.2.1".parse().unwrap()),
        Asked::Rfc822Name("Jo@Example.com".try_into().unwrap()),
        Asked::URI("https://example.com/".try_into().unwrap()),
        Asked::OtherName((
            vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3],
            OtherNameValue::Utf8String("JÖ@corp".into()),
        )),
        Asked::OtherName((
            vec![1, 2, 3],
            OtherNameValue::Utf8String("not counted".into()),
        )),
    ]
}

const EXPECTED: [(SanType, &str); 7] = [
    (SanType::DnsName, "*.example.com"),
    (SanType::DnsName, "a_b.example.com"),
    (SanType::DnsName, "www.example.com"),
    (SanType::IpAddress, "192.0.2.1"),
    (SanType::IpAddress, "::ffff:192.0.2.1"),
    (SanType::Rfc822Name, "jo@example.com"),
    (SanType::Upn, "jö@corp"),
];

/// SL-1, SL-14: all fields of a certificate, from PEM and DER.
#[test]
fn reads_the_facts_from_pem_and_der() {
    let mut params = params("www.example.com");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Example, Inc.");
    params.subject_alt_names = all_types();
    params.serial_number = Some(SerialNumber::from(vec![0x00, 0x0a, 0xbc]));
    let made = self_signed(&params);
    let parsed = only(made.pem().as_bytes());
    assert_eq!(only(made.der()), parsed);
    assert_eq!(parsed.der, made.der().to_vec());
    assert_eq!(parsed.fingerprint_sha256, sha256(made.der()));
    assert_eq!(parsed.common_name.as_deref(), Some("www.example.com"));
    assert_eq!(parsed.subject, "O=Example\\, Inc.,CN=www.example.com");
    assert_eq!(parsed.issuer, parsed.subject);
    assert_eq!(parsed.serial_hex, "abc");
    assert_eq!(values(&parsed.sans), EXPECTED);
    assert_eq!(
        parsed.key,
        PublicKey {
            kind: KeyKind::Ec,
            bits: 256
        }
    );
    assert_eq!(parsed.not_before, at("2026-01-01T00:00:00Z"));
    assert_eq!(parsed.not_after, at("2026-07-01T00:00:00Z"));
}

/// A subject may be empty, or contain strings of an old type.
#[test]
fn reads_odd_subjects() {
    let mut params = params("a");
    params.distinguished_name = DistinguishedName::new();
    let parsed = only(self_signed(&params).der());
    assert_eq!((parsed.subject.as_str(), parsed.common_name), ("", None));
    assert!(parsed.sans.is_empty());
    let name = rcgen::string::BmpString::try_from("Žižkov").unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, rcgen::DnValue::BmpString(name));
    let parsed = only(self_signed(&params).der());
    assert_eq!(parsed.common_name.as_deref(), Some("Žižkov"));
}

/// MD-9, SL-1: both ends of the validity are included, so it lasts and counts one second more.
#[test]
fn md9_validity_is_inclusive() {
    let parsed = only(self_signed(&params("a")).der());
    assert_eq!(parsed.validity_seconds(), 181 * 86_400 + 1);
    assert_eq!(parsed.active_until(), at("2026-07-01T00:00:01Z"));
    let mut endless = params("a");
    endless.not_after = date_time_ymd(9999, 12, 31) + std::time::Duration::from_secs(86_399);
    let parsed = only(self_signed(&endless).der());
    assert_eq!(parsed.not_after, at("9999-12-31T23:59:59Z"));
    assert_eq!(parsed.active_until(), Instant::MAX);
    let mut moment = params("a");
    moment.not_after = moment.not_before;
    assert_eq!(only(self_signed(&moment).der()).validity_seconds(), 1);
    let mut backward = params("a");
    backward.not_after = date_time_ymd(2025, 1, 1);
    let error = parse_chain(self_signed(&backward).der()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot parse certificate 1: validity: ends before it starts"
    );
}

#[test]
fn reads_the_key() {
    for (key, kind, bits) in [
        (key(&PKCS_ECDSA_P256_SHA256), KeyKind::Ec, 256),
        (key(&PKCS_ECDSA_P384_SHA384), KeyKind::Ec, 384),
        (key(&PKCS_ED25519), KeyKind::Ed25519, 256),
    ] {
        let parsed = only(params("a").self_signed(&key).unwrap().der());
        assert_eq!(parsed.key, PublicKey { kind, bits });
        let request = params("a").serialize_request(&key).unwrap();
        let request = parse_request(request.der()).unwrap();
        assert_eq!(
            (request.key, request.spki_sha256),
            (parsed.key, parsed.spki_sha256)
        );
    }
    let rsa = only(RSA.as_bytes());
    assert_eq!(
        rsa.key,
        PublicKey {
            kind: KeyKind::Rsa,
            bits: 2048
        }
    );
    assert_eq!(
        values(&rsa.sans),
        [
            (SanType::DnsName, "rsa.example"),
            (SanType::IpAddress, "2001:db8::1")
        ]
    );
}

#[test]
fn reads_a_chain_in_order_only() {
    let (root, other) = (ca("Root"), ca("Other"));
    let leaf = params("leaf.example")
        .signed_by(&key(&PKCS_ECDSA_P256_SHA256), &root)
        .unwrap();
    let pem = format!("Subject: leaf\r\n{}\n\n{}", leaf.pem(), root.pem());
    let chain = parse_chain(pem.as_bytes()).unwrap();
    assert_eq!(chain.len(), 2);
    assert_eq!(chain[0].common_name.as_deref(), Some("leaf.example"));
    assert_eq!(chain[0].issuer, "CN=Root");
    assert_eq!(chain[0].issuer_der, chain[1].issuer_der);
    let der = [leaf.der().as_ref(), root.der().as_ref()].concat();
    assert_eq!(parse_chain(&der).unwrap(), chain);

    for (first, second, position) in [(root.der(), leaf.der(), 1), (leaf.der(), other.der(), 1)] {
        let error = parse_chain(&[first.as_ref(), second.as_ref()].concat()).unwrap_err();
        assert!(
            matches!(&error, CertificateError::BrokenChain { position: p, .. } if *p == position),
            "{error}"
        );
    }
}

#[test]
fn reads_a_request() {
    let mut params = params("www.example.com");
    params.subject_alt_names = all_types();
    let key = key(&PKCS_ECDSA_P256_SHA256);
    let made = params.serialize_request(&key).unwrap();
    let pem = made.pem().unwrap();
    let parsed = parse_request(pem.as_bytes()).unwrap();
    assert_eq!(parse_request(made.der()).unwrap(), parsed);
    let renamed = pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    assert_eq!(parse_request(renamed.as_bytes()).unwrap(), parsed);
    assert_eq!(parsed.common_name.as_deref(), Some("www.example.com"));
    assert_eq!(parsed.subject, "CN=www.example.com");
    assert_eq!(values(&parsed.sans), EXPECTED);
    assert_eq!(
        parse_request(format!("{pem}{pem}").as_bytes()),
        Err(CertificateError::SeveralRequests(2))
    );
    assert!(parse_chain(pem.as_bytes()).is_err() && parse_request(RSA.as_bytes()).is_err());
}

/// SL-1: malformed names count all the same.
#[test]
fn sl1_malformed_names_count() {
    // GeneralNames: an iPAddress of eight octets, a dNSName in Latin-1, one with a NUL, an x400Address
    // and a registeredID.
    let names: &[&[u8]] = &[
        &[0x87, 8, 10, 0, 0, 0, 255, 0, 0, 0],
        &[0x82, 4, b'B', 0xfc, b'.', b'x'],
        &[0x82, 3, b'a', 0, b'b'],
        &[0xa3, 2, 0x05, 0],
        &[0x88, 1, 0x2a],
    ];
    let names = names.concat();
    let extension = [
        &[0x30, u8::try_from(names.len()).unwrap()],
        names.as_slice(),
    ]
    .concat();
    let mut params = params("a");
    params.custom_extensions = vec![CustomExtension::from_oid_content(
        &[2, 5, 29, 17],
        extension,
    )];
    let parsed = only(self_signed(&params).der());
    assert_eq!(
        values(&parsed.sans),
        [
            (SanType::DnsName, "a\\u{0}b"),
            (SanType::DnsName, "xn--b-eha.x"),
            (SanType::IpAddress, "0a000000ff000000"),
        ]
    );
}

#[test]
fn says_what_broke() {
    let made = self_signed(&params("a"));
    let pem = made.pem();
    let cut_off = &pem[..pem.len() - 40];
    let whole_and_cut_off = format!("{pem}{cut_off}");
    let private_key = key(&PKCS_ECDSA_P256_SHA256).serialize_pem();
    let not_base64 = pem.replacen("MII", "M*I", 1);
    let other_der = [0x30, 0x81, 0x80]
        .into_iter()
        .chain([0; 128])
        .collect::<Vec<u8>>();
    let half_der = &made.der()[..made.der().len() / 2];
    for (bytes, expected) in [
        (&b""[..], "must not be empty"),
        (b" \n", "must not be empty"),
        (b"hello", "is neither PEM"),
        (b"\x00\xff\xfe", "is neither PEM"),
        (b"\x30", "is neither PEM"),
        (cut_off.as_bytes(), "contains malformed PEM"),
        (
            whole_and_cut_off.as_bytes(),
            "contains malformed PEM: a block is truncated",
        ),
        (not_base64.as_bytes(), "contains malformed PEM"),
        (
            private_key.as_bytes(),
            "contains a private key, which must not leave its owner",
        ),
        (&other_der, "cannot parse certificate 1: structure: "),
        (half_der, "cannot parse document 1: outermost structure: "),
    ] {
        let error = parse_chain(bytes).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(error.len() < 500, "{error}");
    }
    let request = parse_request(made.der()).unwrap_err().to_string();
    assert!(
        request.starts_with("cannot parse the request: structure: "),
        "{request}"
    );
}

/// Documents to damage: a chain of two with every type of name, and a request.
static WHOLE: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let root = ca("Root");
    let mut leaf = params("www.example.com");
    leaf.subject_alt_names = all_types();
    let leaf = leaf
        .signed_by(&key(&PKCS_ECDSA_P256_SHA256), &root)
        .unwrap();
    let mut asked = CertificateParams::default();
    asked.subject_alt_names = all_types();
    let request = asked
        .serialize_request(&key(&PKCS_ECDSA_P256_SHA256))
        .unwrap();
    let chain = [leaf.der().as_ref(), root.der().as_ref()].concat();
    (chain, request.der().to_vec())
});

/// Parses in every way, and checks the invariants of whatever parses.
fn read(bytes: &[u8]) {
    for certificate in parse_chain(bytes).unwrap_or_default() {
        assert!(certificate.validity_seconds() >= 1);
        assert!(certificate.not_after < certificate.active_until());
        assert!(!certificate.serial_hex.is_empty());
    }
    drop(parse_request(bytes));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Hostile bytes never cause a panic.
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
        read(&[&[0x30, 0x82], bytes.as_slice()].concat());
        read(pem::encode(&pem::Pem::new("CERTIFICATE", bytes.clone())).as_bytes());
        read(&[b"-----BEGIN ", bytes.as_slice(), b"-----END "].concat());
    }

    /// Nor do real documents with some octets changed, cut or duplicated.
    #[test]
    fn damaged_documents_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>())),
    ) {
        for whole in [&WHOLE.0, &WHOLE.1] {
            let mut bytes = whole.clone();
            for (index, octet) in &changes {
                let position = index.index(bytes.len());
                bytes[position] = *octet;
            }
            if let Some((from, to)) = &cut {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                bytes.drain(from.min(to)..from.max(to));
            }
            read(&bytes);
            read(pem::encode(&pem::Pem::new("CERTIFICATE", bytes)).as_bytes());
        }
    }
}
