//! Signing requests are read in all encodings and with all attributes, by every method that takes one. Names
//! in chains are compared as RFC 5280, 7.1 says.

use licet_contracts::orders::v1::{
    PlaceOrderRequest, record_issuance_request::Certificate as Given,
};
use licet_domain::clock::Instant;
use tonic::Code;

use super::reissue::reissue_request;
use crate::harness::{
    Backend,
    certificates::signing_request,
    encoding::{
        Attribute, MICROSOFT, Odd, PKCS_9, PRINTABLE, UNIVERSAL, UTF8, dns, name, pem, request,
        sequence,
    },
    errors::refused,
    on_both_databases, request_id,
    samples::{issuance_of, multi_domain_request, names},
    world::World,
};

on_both_databases![
    a_foreign_name_is_found_in_every_attribute_of_a_request,
    a_request_without_attributes_is_taken,
    a_chain_is_compared_as_names_are,
    a_request_that_its_key_did_not_sign_is_refused,
];

const NAMES: [&str; 2] = ["www.example.com", "a.example"];
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

async fn a_foreign_name_is_found_in_every_attribute_of_a_request(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world.multi_domain_order(&account_id, &NAMES).await;
    world.record(&order.order_id).await;
    let balance = world.balance(&account_id).await;
    let foreign: &[&str] = &["www.example.com", "a.example", "foreign.example"];
    let own: &[&str] = &NAMES;
    let cases: [&[Attribute<'_>]; 5] = [
        &[(PKCS_9, &[foreign])],
        &[(MICROSOFT, &[foreign])],
        &[(PKCS_9, &[own]), (MICROSOFT, &[foreign])],
        &[(MICROSOFT, &[own, foreign])],
        &[(PKCS_9, &[own]), (PKCS_9, &[foreign])],
    ];
    for (attributes, label) in cases.into_iter().zip(LABELS.into_iter().cycle()) {
        let csr = request(label, &sequence(&[]), Some(attributes));
        for validate_only in [true, false] {
            let request = PlaceOrderRequest {
                csr: csr.clone(),
                validate_only,
                ..multi_domain_request(&account_id, &NAMES)
            };
            let refusal = refused(world.orders().place_order(request).await);
            let refusal = refusal.expect(Code::FailedPrecondition, "CSR_MISMATCH");
            assert_eq!(refusal.subjects(), ["foreign.example"]);
        }
        let request = reissue_request(&order.order_id, &csr);
        let refusal = refused(world.orders().request_reissue(request).await);
        let refusal = refusal.expect(Code::FailedPrecondition, "CSR_MISMATCH");
        assert_eq!(refusal.subjects(), ["foreign.example"]);
    }
    assert_eq!(world.balance(&account_id).await, balance);
    let csr = request(LABELS[0], &sequence(&[]), Some(&[(MICROSOFT, &[own])]));
    let request = PlaceOrderRequest {
        csr,
        ..multi_domain_request(&account_id, &NAMES)
    };
    world.place(request).await;
}

async fn a_request_without_attributes_is_taken(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    for (attributes, label) in [(None, LABELS[0]), (Some(&[][..]), LABELS[1])] {
        let csr = request(label, &name(UNIVERSAL, "www.example.com"), attributes);
        let wanted = PlaceOrderRequest {
            csr,
            ..multi_domain_request(&account_id, &NAMES)
        };
        world.place(wanted).await;
    }
    let csr = request(LABELS[0], &name(UNIVERSAL, "foreign.example"), None);
    let wanted = PlaceOrderRequest {
        csr,
        ..multi_domain_request(&account_id, &NAMES)
    };
    let refusal = refused(world.orders().place_order(wanted).await);
    refusal.expect(Code::FailedPrecondition, "CSR_MISMATCH");
}

/// An instant as UTCTime, to the second.
fn utc_time(instant: Instant) -> String {
    instant.to_utc().format("%y%m%d%H%M%SZ").to_string()
}

async fn a_chain_is_compared_as_names_are(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world.multi_domain_order(&account_id, &NAMES).await;
    let listed = NAMES.map(|name| dns(name.as_bytes())).to_vec();
    let authority = |subject: Vec<u8>| Odd {
        subject,
        ..Odd::new(&[2], vec![])
    };
    let end = utc_time(world.usual_end());
    let leaf = Odd {
        issuer: name(PRINTABLE, "Licet Test Authority"),
        not_before: utc_time(world.now()),
        not_after: format!("20{end}"),
        ..Odd::new(&[1], listed)
    };
    let issuance = |subject: Vec<u8>| {
        let mut issuance = issuance_of(&order.order_id, String::new());
        let chain = [leaf.der(), authority(subject).der(), b"\n".to_vec()].concat();
        issuance.certificate = Some(Given::CertificateDer(chain));
        issuance.request_id = request_id();
        issuance
    };
    let other = issuance(name(UTF8, "Another Authority"));
    let refusal = refused(world.certificates().record_issuance(other).await);
    refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    let same = issuance(name(UTF8, " licet  TEST Authority"));
    let recorded = world.certificates().record_issuance(same).await.unwrap();
    let certificate = recorded.into_inner().certificate.unwrap();
    assert_eq!(certificate.key_type, "Ed25519");
    assert_eq!(certificate.issuer, "CN=Licet Test Authority");
    assert_eq!(
        certificate.chain_pem.matches("BEGIN CERTIFICATE").count(),
        2
    );
}

/// RFC 2986: the signature proves that the requester holds the private key.
async fn a_request_that_its_key_did_not_sign_is_refused(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world.multi_domain_order(&account_id, &NAMES).await;
    world.record(&order.order_id).await;
    let balance = world.balance(&account_id).await;
    let own: &[&str] = &NAMES;
    let broken = [
        broken(&signing_request(&names(&NAMES)), |_, last| last),
        // A name changed after it was signed.
        broken(
            &request(LABELS[0], &sequence(&[]), Some(&[(PKCS_9, &[own])])),
            |der, _| {
                der.windows(9)
                    .position(|text| text == b"a.example")
                    .unwrap()
            },
        ),
    ];
    for csr in broken {
        for validate_only in [true, false] {
            let request = PlaceOrderRequest {
                csr: csr.clone(),
                validate_only,
                ..multi_domain_request(&account_id, &NAMES)
            };
            let refusal = refused(world.orders().place_order(request).await);
            let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
            assert_eq!(refusal.paths(), ["csr"]);
            assert!(refusal.message.contains("RFC 2986"), "{}", refusal.message);
        }
        let request = reissue_request(&order.order_id, &csr);
        let refusal = refused(world.orders().request_reissue(request).await);
        let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(refusal.paths(), ["csr"]);
    }
    let after = world.get_order(&order.order_id).await;
    assert_eq!(after.pending_change, None);
    assert_eq!(world.balance(&account_id).await, balance);
    let good = reissue_request(&order.order_id, &signing_request(&names(&NAMES)));
    world.orders().request_reissue(good).await.unwrap();
}

/// The request with one bit flipped, at the octet that `place` chooses by the DER and its last position.
fn broken(text: &str, place: impl Fn(&[u8], usize) -> usize) -> String {
    let block = pem::parse(text).unwrap();
    let mut der = block.contents().to_vec();
    let place = place(&der, der.len() - 1);
    der[place] ^= 1;
    pem(block.tag(), &der)
}
