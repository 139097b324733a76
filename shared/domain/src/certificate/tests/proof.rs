//! The proof of possession in a request (RFC 2986): valid ones made by OpenSSL and rcgen, and each with
//! one bit flipped.

use super::*;

const OF_OPENSSL: [&str; 6] = [
    include_str!("requests/rsa-sha256.pem"),
    include_str!("requests/rsa-pss-sha512.pem"),
    include_str!("requests/p521-sha256.pem"),
    include_str!("requests/p521-sha512.pem"),
    include_str!("requests/p256-sha512.pem"),
    include_str!("requests/p256-sha224.pem"),
];

#[test]
fn a_request_is_signed_by_its_own_key() {
    let keys = [
        &PKCS_ECDSA_P256_SHA256,
        &PKCS_ECDSA_P384_SHA384,
        &PKCS_ED25519,
    ];
    let of_rcgen = keys.map(|algorithm| {
        let request = params("www.example.com").serialize_request(&key(algorithm));
        request.unwrap().pem().unwrap()
    });
    let all = OF_OPENSSL.map(str::to_owned).into_iter().chain(of_rcgen);
    for text in all {
        let request = parse_request(text.as_bytes()).unwrap();
        assert_eq!(request.verify_signature(), Ok(()), "{text}");
        let name = b"www.example.com";
        let name = request.der.windows(name.len()).position(|at| at == name);
        for place in [name.unwrap(), request.der.len() - 1] {
            let mut der = request.der.clone();
            der[place] ^= 1;
            let broken = parse_request(&der).unwrap().verify_signature();
            assert_eq!(broken, Err(SignatureError::NotByItsKey), "{text}");
        }
    }
}

#[test]
fn what_cannot_be_verified_is_told_apart() {
    let old = parse_request(include_bytes!("requests/rsa-sha1.pem")).unwrap();
    assert_eq!(
        old.verify_signature(),
        Err(SignatureError::UnknownAlgorithm)
    );
}

#[test]
fn an_authority_says_so() {
    let authority = ca("Root");
    assert!(only(authority.der()).is_authority);
    for mark in [IsCa::NoCa, IsCa::ExplicitNoCa] {
        let mut leaf = params("leaf.example");
        leaf.is_ca = mark;
        assert!(!only(self_signed(&leaf).der()).is_authority);
    }
}
