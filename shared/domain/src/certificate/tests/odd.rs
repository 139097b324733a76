//! Unusual certificates and requests that the standards permit or that exist anyway: each is parsed,
//! and nothing in it is dropped (SL-1, SL-14).

use super::*;

/// Replaces octets that occur exactly once in a document.
#[track_caller]
fn patched(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(
        from.len(),
        to.len(),
        "the replacement must have the same length"
    );
    let at: Vec<usize> = (0..=der.len() - from.len())
        .filter(|start| der[*start..].starts_with(from))
        .collect();
    assert_eq!(at.len(), 1, "{from:02x?} must occur exactly once");
    let mut patched = der.to_vec();
    patched[at[0]..at[0] + from.len()].copy_from_slice(to);
    patched
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut octets = vec![tag];
    match length {
        0..=0x7f => octets.push(u8::try_from(length).unwrap()),
        0x80..=0xff => octets.extend([0x81, u8::try_from(length).unwrap()]),
        _ => {
            octets.push(0x82);
            octets.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    octets.extend(content);
    octets
}

fn with_names(names: &[u8]) -> ParsedCertificate {
    let mut params = params("a");
    let extension = element(0x30, names);
    params.custom_extensions = vec![CustomExtension::from_oid_content(
        &[2, 5, 29, 17],
        extension,
    )];
    only(self_signed(&params).der())
}

/// RFC 5280, 4.1.2.5.1: a YY of 50 or more means 19YY; GeneralizedTime goes back further.
#[test]
fn a_validity_may_begin_before_1970() {
    for (year, text) in [
        (1950, "1950-01-01T00:00:00Z"),
        (1969, "1969-01-01T00:00:00Z"),
        (1900, "1900-01-01T00:00:00Z"),
    ] {
        let mut params = params("a");
        params.not_before = date_time_ymd(year, 1, 1);
        let parsed = only(self_signed(&params).der());
        assert_eq!(parsed.not_before, at(text));
    }
}

/// Old software wrote times without seconds or with an offset; OpenSSL accepts both.
#[test]
fn times_of_old_software_are_read() {
    let made = self_signed(&params("a"));
    for (text, expected) in [
        (&b"\x17\x0d260101000000Z"[..], "2026-01-01T00:00:00Z"),
        (b"\x18\x0d202601010000Z", "2026-01-01T00:00:00Z"),
        (b"\x18\x0f20260101000000Z", "2026-01-01T00:00:00Z"),
    ] {
        let not_before = b"\x17\x0d260101000000Z";
        if text.len() == not_before.len() {
            let parsed = only(&patched(made.der(), not_before, text));
            assert_eq!(parsed.not_before, at(expected));
        }
    }
    let broken = patched(
        made.der(),
        b"\x17\x0d260101000000Z",
        b"\x17\x0d261301000000Z",
    );
    let error = parse_chain(&broken).unwrap_err().to_string();
    assert!(error.contains("validity"), "{error}");
}

/// X.690, 8.3: an INTEGER is signed, so these are four different serials.
#[test]
fn negative_serials_are_other_serials() {
    let of = |octets: &[u8], patch: Option<(&[u8], &[u8])>| {
        let mut params = params("a");
        params.serial_number = Some(SerialNumber::from(octets.to_vec()));
        let made = self_signed(&params);
        let der = match patch {
            None => made.der().to_vec(),
            Some((from, to)) => patched(
                made.der(),
                &[b"\xa0\x03\x02\x01\x02\x02", from].concat(),
                &[b"\xa0\x03\x02\x01\x02\x02", to].concat(),
            ),
        };
        only(&der).serial_hex
    };
    assert_eq!(of(&[0x80], None), "80");
    assert_eq!(of(&[0xff], None), "ff");
    assert_eq!(of(&[5], Some((b"\x01\x05", b"\x01\x80"))), "-80");
    assert_eq!(of(&[5], Some((b"\x01\x05", b"\x01\xff"))), "-1");
    assert_eq!(of(&[5], Some((b"\x01\x05", b"\x01\x00"))), "0");
    // Longer than necessary, but the same number.
    assert_eq!(
        of(&[0x7f, 1], Some((b"\x02\x7f\x01", b"\x02\xff\x80"))),
        "-80"
    );
    assert_eq!(
        of(&[0x7f, 1], Some((b"\x02\x7f\x01", b"\x02\x00\x80"))),
        "80"
    );
}

/// RFC 5280, 4.1.2.4 lets a name's text be a UniversalString.
#[test]
fn a_universal_string_is_read_in_subject_and_issuer() {
    let mut params = params("a");
    params.distinguished_name = DistinguishedName::new();
    let text = rcgen::string::UniversalString::try_from("Žižkov").unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, rcgen::DnValue::UniversalString(text));
    let parsed = only(self_signed(&params).der());
    assert_eq!(parsed.common_name.as_deref(), Some("Žižkov"));
    assert_eq!(parsed.subject, "CN=Žižkov");
    assert_eq!(parsed.issuer, "CN=Žižkov");
}

/// SL-1: a UPN counts in any type of string, with or without its explicit tag.
#[test]
fn sl1_a_upn_counts_however_it_is_encoded() {
    const UPN: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03";
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
    let utf32 = |text: &str| -> Vec<u8> {
        text.chars()
            .flat_map(|character| u32::from(character).to_be_bytes())
            .collect()
    };
    let string = |tag: u8, content: &[u8]| element(tag, content);
    for (content, expected) in [
        (element(0xa0, &string(0x0c, b"A@b")), "a@b"),
        (element(0xa0, &string(0x16, b"A@b")), "a@b"),
        (element(0xa0, &string(0x1e, &utf16("Ä@b"))), "ä@b"),
        (element(0xa0, &string(0x1c, &utf32("Ä@b"))), "ä@b"),
        (string(0x0c, b"A@b"), "a@b"),
        (string(0x1c, &utf32("A@b")), "a@b"),
        // Not text of that type, or empty, and counted nevertheless.
        (element(0xa0, &string(0x1e, b"odd")), "odd"),
        (element(0xa0, b""), ""),
        (b"".to_vec(), ""),
        (b"\x0c\x7fcut off".to_vec(), "0c7f637574206f6666"),
    ] {
        let name = element(0xa0, &[UPN, content.as_slice()].concat());
        let parsed = with_names(&name);
        assert_eq!(
            values(&parsed.sans),
            [(SanType::Upn, expected)],
            "{content:02x?}"
        );
    }
}

/// SL-1: a name of any length counts, as its own SAN.
#[test]
fn sl1_a_name_of_any_length_counts() {
    let long = |last: u8| [&vec![b'A'; 5000], [last].as_slice()].concat();
    let names = [
        element(0x82, &long(b'x')),
        element(0x82, &long(b'X')),
        element(0x82, &long(b'y')),
    ];
    let parsed = with_names(&names.concat());
    assert_eq!(parsed.sans.len(), 2);
    for san in &parsed.sans {
        assert!(san.value().len() < 300, "{san}");
        let again = San::recorded(san.kind(), san.value());
        assert_eq!(&again, san, "reading it again changes nothing");
    }
}

/// SL-1: an extension, key or signature that cannot be parsed never makes a certificate unreadable.
#[test]
fn what_is_not_needed_is_not_judged() {
    let made = self_signed(&params("a"));
    // Replace the key's algorithm, elliptic curve, by an unknown OID.
    let other = patched(
        made.der(),
        b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01",
        b"\x06\x07\x2a\x86\x48\xce\x3d\x7f\x7f",
    );
    assert_eq!(only(&other).key.kind, KeyKind::Other);
    let rsa = pem::parse(RSA).unwrap().into_contents();
    let modulus = rsa
        .windows(4)
        .position(|octets| octets == b"\x02\x82\x01\x01")
        .unwrap();
    let mut odd = rsa;
    odd[modulus] = 0x04;
    assert_eq!(
        only(&odd).key,
        PublicKey {
            kind: KeyKind::Rsa,
            bits: 0
        }
    );
}

/// Editors and shells leave white space after DER.
#[test]
fn white_space_after_der_is_passed_over() {
    let made = self_signed(&params("a"));
    for tail in [&b"\n"[..], b"\r\n", b"\n\n "] {
        let parsed = only(&[made.der().as_ref(), tail].concat());
        assert_eq!(parsed.der, made.der().to_vec());
    }
    assert!(parse_chain(&[made.der().as_ref(), b"\nx"].concat()).is_err());
}

/// RFC 5280, 7.1: string type, case and amount of white space make no difference between names.
#[test]
fn a_chain_is_compared_name_by_name() {
    use rcgen::DnValue::{PrintableString, TeletexString, Utf8String};
    let root_key = key(&PKCS_ECDSA_P256_SHA256);
    let named = |value: rcgen::DnValue| {
        let mut params = params("a");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, value);
        params
    };
    let printable = |text: &str| PrintableString(text.try_into().unwrap());
    let issuer = CertifiedIssuer::self_signed(named(printable("The Root")), root_key).unwrap();
    let leaf = params("leaf.example")
        .signed_by(&key(&PKCS_ECDSA_P256_SHA256), &issuer)
        .unwrap();
    let chain = |value| {
        let root = self_signed(&named(value));
        parse_chain(&[leaf.der().as_ref(), root.der().as_ref()].concat())
    };
    for same in [
        Utf8String("The Root".to_owned()),
        Utf8String("  the   ROOT ".to_owned()),
        TeletexString("The Root".try_into().unwrap()),
        rcgen::DnValue::BmpString("The Root".try_into().unwrap()),
        rcgen::DnValue::UniversalString("the root".try_into().unwrap()),
    ] {
        assert_eq!(chain(same.clone()).unwrap().len(), 2, "{same:?}");
    }
    for other in [printable("TheRoot"), printable("The Root 2")] {
        assert!(chain(other).is_err());
    }
}

/// The extension requests of PKCS#9 and of Microsoft have the same content.
const PKCS_9: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";
const MICROSOFT: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x0e";

/// A request with these attributes instead of its own. Its signature becomes invalid, which parsing
/// ignores.
fn request_with(attributes: &[u8]) -> Vec<u8> {
    let mut params = params("www.example.com");
    params.subject_alt_names = Vec::new();
    let made = params
        .serialize_request(&key(&PKCS_ECDSA_P256_SHA256))
        .unwrap();
    let der = made.der().as_ref();
    // SEQUENCE { SEQUENCE { version … [0] attributes } algorithm signature }, of short lengths.
    let content = |der: &[u8]| match der[1] {
        0x81 => der[3..3 + usize::from(der[2])].to_vec(),
        0x82 => der[4..].to_vec(),
        short => der[2..2 + usize::from(short)].to_vec(),
    };
    let all = content(der);
    let info = content(&all);
    let header = if all[1] == 0x81 { 3 } else { 2 };
    let tail = &all[header + info.len()..];
    let at = info
        .iter()
        .rposition(|octet| *octet == 0xa0)
        .expect("attributes, empty or not");
    let info = element(0x30, &[&info[..at], attributes].concat());
    element(0x30, &[info.as_slice(), tail].concat())
}

fn asks_for(name: &str) -> Vec<u8> {
    let names = element(0x30, &element(0x82, name.as_bytes()));
    let extension = [b"\x06\x03\x55\x1d\x11", element(0x04, &names).as_slice()].concat();
    element(0x30, &element(0x30, &extension))
}

/// Every value of every attribute that asks for extensions is read, PKCS#9's and Microsoft's.
#[test]
fn a_request_is_read_in_all_its_attributes() {
    let attribute = |kind: &[u8], values: &[Vec<u8>]| {
        element(
            0x30,
            &[kind, element(0x31, &values.concat()).as_slice()].concat(),
        )
    };
    let asked = |attributes: &[Vec<u8>]| {
        let der = request_with(&element(0xa0, &attributes.concat()));
        let parsed = parse_request(&der).unwrap();
        let values: Vec<String> = parsed.sans.iter().map(|san| san.value().into()).collect();
        values.join(" ")
    };
    assert_eq!(asked(&[attribute(PKCS_9, &[asks_for("a.test")])]), "a.test");
    assert_eq!(
        asked(&[attribute(MICROSOFT, &[asks_for("a.test")])]),
        "a.test"
    );
    let several = attribute(MICROSOFT, &[asks_for("a.test"), asks_for("b.test")]);
    assert_eq!(
        asked(&[
            attribute(PKCS_9, &[asks_for("c.test")]),
            attribute(b"\x06\x02\x2a\x03", &[b"\x05\x00".to_vec()]),
            several,
            attribute(PKCS_9, &[asks_for("d.test")]),
        ]),
        "a.test b.test c.test d.test"
    );
}

/// RFC 2986 requires the attributes; OpenSSL accepts a request without them, and so do we.
#[test]
fn a_request_may_have_no_attributes() {
    for attributes in [&b""[..], b"\xa0\x00"] {
        let parsed = parse_request(&request_with(attributes)).unwrap();
        assert_eq!(parsed.common_name.as_deref(), Some("www.example.com"));
        assert!(parsed.sans.is_empty());
    }
}
