//! Checks a signing request (PKCS#10) against its order (MD-5).

use std::collections::BTreeSet;

use licet_domain::{
    certificate::{KeyKind, ParsedRequest, PublicKey},
    refusal::{Reason, Refusal},
    san::San,
};

use super::objections::Objections;

/// The shortest RSA key accepted, in bits.
const LEAST_RSA_BITS: u32 = 2048;
/// The smallest field of an accepted curve, in bits.
const LEAST_EC_BITS: u32 = 256;

/// Checks a signing request (PKCS#10): its common name is the order's, its domains, if any, are
/// exactly the order's, and its key is strong enough.
pub(crate) fn check_signing_request(
    common_name: &San,
    names: &BTreeSet<San>,
    request: &ParsedRequest,
) -> Result<(), Refusal> {
    let mut objections = Objections::default();
    if let Some(text) = &request.common_name
        && San::dns(text).ok().as_ref() != Some(common_name)
    {
        objections.add(
            Reason::CsrMismatch,
            text,
            format!(
                "the CSR's common name is {text}; the order's is {}",
                common_name.value()
            ),
        );
    }
    let asks = !request.sans.is_empty();
    for name in names.difference(&request.sans).filter(|_| asks) {
        objections.add(
            Reason::CsrMismatch,
            name.value(),
            format!("{name} is one of the order's domains and missing from the CSR"),
        );
    }
    for name in request.sans.difference(names) {
        objections.add(
            Reason::CsrMismatch,
            name.value(),
            format!("the CSR asks for {name}, which is not one of the order's domains"),
        );
    }
    object_to_key(request.key, &mut objections);
    objections.refuse_if_any()
}

/// Objects to keys that the CA would refuse, before the order is paid for *(ours)*.
fn object_to_key(key: PublicKey, objections: &mut Objections) {
    let mut weak = |kind: &str, description: String| {
        objections
            .add(Reason::CsrKeyWeak, "csr", description)
            .with("key_type", kind);
    };
    match key.kind {
        KeyKind::Ed25519 | KeyKind::Ed448 => {}
        KeyKind::Rsa if key.bits >= LEAST_RSA_BITS => {}
        KeyKind::Rsa => {
            let description = format!(
                "the CSR's RSA key has {} bits; at least {LEAST_RSA_BITS} are required. Generate a new key",
                key.bits
            );
            objections
                .add(Reason::CsrKeyWeak, "csr", description)
                .with("key_type", "RSA")
                .with("bits", key.bits)
                .with("minimum_bits", LEAST_RSA_BITS);
        }
        // The size is known for accepted curves only.
        KeyKind::Ec if key.bits >= LEAST_EC_BITS => {}
        KeyKind::Ec => weak(
            "EC",
            "the CSR's key is on an unsupported curve: generate a new key on P-256, P-384 or P-521"
                .to_owned(),
        ),
        KeyKind::Other => weak(
            "OTHER",
            "the CSR's key is of an unsupported type: generate an RSA, EC, Ed25519 or Ed448 key"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::samples, *};

    #[test]
    fn a_signing_request_asks_for_exactly_the_domains_of_the_order_or_for_none() {
        let common_name = samples::dns("a.test");
        let names = samples::names(&["a.test", "b.test"]);
        let request = |common_name: Option<&str>, sans: &[&str]| ParsedRequest {
            der: Vec::new(),
            subject: String::new(),
            common_name: common_name.map(String::from),
            sans: samples::names(sans),
            key: PublicKey {
                kind: KeyKind::Ec,
                bits: 256,
            },
            spki_sha256: [7; 32],
        };
        let check = |request| check_signing_request(&common_name, &names, &request);
        assert!(check(request(Some("A.test"), &["b.test", "a.test"])).is_ok());
        assert!(check(request(None, &[])).is_ok());
        let refusal = check(request(Some("b.test"), &["a.test", "c.test"])).unwrap_err();
        assert_eq!(refusal.reason, Reason::CsrMismatch);
        let subjects: Vec<_> = refusal
            .violations
            .iter()
            .map(|v| v.subject.as_str())
            .collect();
        assert_eq!(subjects, ["b.test", "b.test", "c.test"]);
    }

    #[test]
    fn a_weak_key_is_refused_with_the_least_that_would_do() {
        let key = |kind, bits| {
            let mut objections = Objections::default();
            object_to_key(PublicKey { kind, bits }, &mut objections);
            objections.refuse_if_any().err()
        };
        for (kind, bits) in [
            (KeyKind::Rsa, 2048),
            (KeyKind::Rsa, 4096),
            (KeyKind::Ec, 256),
            (KeyKind::Ec, 521),
            (KeyKind::Ed25519, 256),
            (KeyKind::Ed448, 456),
        ] {
            assert_eq!(key(kind, bits), None, "{kind:?} {bits}");
        }
        let short = key(KeyKind::Rsa, 2047).unwrap();
        assert_eq!(short.reason, Reason::CsrKeyWeak);
        assert_eq!(short.metadata["minimum_bits"], "2048");
        // An unknown curve has no size, and the refusal names the accepted ones.
        let other_curve = key(KeyKind::Ec, 0).unwrap();
        assert!(other_curve.message.contains("P-256, P-384 or P-521"));
        assert!(!other_curve.metadata.contains_key("bits"));
        assert_eq!(
            key(KeyKind::Other, 4096).unwrap().metadata["key_type"],
            "OTHER"
        );
    }
}
