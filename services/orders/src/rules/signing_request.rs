//! Holding a certificate request (PKCS#10) against the order that it came with (MD-5).

use std::collections::BTreeSet;

use licet_domain::{
    certificate::{KeyKind, ParsedRequest, PublicKey},
    refusal::{Reason, Refusal},
    san::San,
};

use super::objections::Objections;
/// The shortest RSA key that is taken, in bits.
const LEAST_RSA_BITS: u32 = 2048;
/// The smallest field of a curve that is taken, in bits.
const LEAST_EC_BITS: u32 = 256;

/// Holds a signing request (PKCS#10) against the order it came with: its common name is the
/// order's, and where it asks for names they are exactly the order's. One that asks for none
/// brings its key alone, which has to be strong enough.
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
                "the CSR's common name is {text}, that of the order {}",
                common_name.value()
            ),
        );
    }
    let asks = !request.sans.is_empty();
    for name in names.difference(&request.sans).filter(|_| asks) {
        objections.add(
            Reason::CsrMismatch,
            name.value(),
            format!("{name} is one of the order's names, and the CSR does not ask for it"),
        );
    }
    for name in request.sans.difference(names) {
        objections.add(
            Reason::CsrMismatch,
            name.value(),
            format!("the CSR asks for {name}, which is not one of the order's names"),
        );
    }
    object_to_key(request.key, &mut objections);
    objections.refuse_if_any()
}

/// The kinds and sizes of keys that certificates are ordered for *(ours)*: what the authority would
/// turn down is better told before it is paid for.
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
                "the CSR's RSA key has {} bits, where {LEAST_RSA_BITS} are the least: make a new key",
                key.bits
            );
            objections
                .add(Reason::CsrKeyWeak, "csr", description)
                .with("key_type", "RSA")
                .with("bits", key.bits)
                .with("minimum_bits", LEAST_RSA_BITS);
        }
        // Only the curves that are taken have a size that is known.
        KeyKind::Ec if key.bits >= LEAST_EC_BITS => {}
        KeyKind::Ec => weak(
            "EC",
            "the CSR's key is on another curve than P-256, P-384 and P-521: make a new key on one \
             of these"
                .to_owned(),
        ),
        KeyKind::Other => weak(
            "OTHER",
            "the CSR's key is neither RSA nor EC nor Ed25519 nor Ed448: make a new key".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::samples, *};

    #[test]
    fn a_signing_request_asks_for_exactly_the_orders_names_or_for_none() {
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
        // A curve whose size is not known is none that is signed, and the taken ones are named.
        let other_curve = key(KeyKind::Ec, 0).unwrap();
        assert!(other_curve.message.contains("P-256, P-384 and P-521"));
        assert!(!other_curve.metadata.contains_key("bits"));
        assert_eq!(
            key(KeyKind::Other, 4096).unwrap().metadata["key_type"],
            "OTHER"
        );
    }
}
