//! An order's life with certificates that the OpenSSL command line made: RSA and EC keys, a chain of three,
//! PEM and DER, Unicode names. Our own test library signs none of them.

use chrono::TimeDelta;
use licet_contracts::orders::v1::{
    Certificate, CertificateState, DeleteOrderRequest, GetCertificateRequest,
    ListCertificatesRequest, ListPendingIssuanceRequest, Order, OrderState, PendingIssuance,
    PendingIssuanceReason, PlaceOrderRequest, RecordIssuanceRequest, RequestReissueRequest,
    record_issuance_request::Certificate as Given,
};
use licet_domain::clock::Instant;
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::{Refused, refused},
    on_both_databases,
    openssl::{Authority, Chain, Key, dns},
    request_id,
    samples::{multi_domain_request, names},
    world::World,
};

on_both_databases![
    a_chain_from_openssl_goes_through_the_life_of_an_order,
    what_openssl_signed_otherwise_than_ordered_is_refused,
    a_weak_key_from_openssl_is_refused,
];

const COMMON_NAME: &str = "bücher.example";
/// A-labels, ascending.
const PLACED: [&str; 3] = [
    "*.example.com",
    "www.xn--mller-kva.example",
    "xn--bcher-kva.example",
];

/// An order placed with a request that OpenSSL made.
struct Signed {
    world: World,
    authority: Authority,
    account_id: String,
    order: Order,
}

impl Signed {
    async fn place(backend: Backend, key: Key) -> Self {
        let world = World::start(backend).await;
        world.stock().await;
        let account_id = world.account_with("1000.00").await;
        let authority = Authority::new();
        let request = PlaceOrderRequest {
            csr: authority.request(key, COMMON_NAME, &names(&PLACED)),
            ..multi_domain_request(
                &account_id,
                &["BÜCHER.example", "www.müller.example.", "*.Example.com"],
            )
        };
        let order = world.place(request).await;
        assert_eq!(order.domains, names(&PLACED));
        Self {
            world,
            authority,
            account_id,
            order,
        }
    }

    /// The pending issuance.
    async fn pending(&self) -> PendingIssuance {
        let ask = ListPendingIssuanceRequest {
            account_id: self.account_id.clone(),
            ..ListPendingIssuanceRequest::default()
        };
        let answer = self.world.certificates().list_pending_issuance(ask).await;
        let [pending] = <[_; 1]>::try_from(answer.unwrap().into_inner().pending_issuances).unwrap();
        pending
    }

    /// Signs the pending certificate exactly, with the longest permitted validity.
    fn sign(&self, pending: &PendingIssuance) -> Chain {
        let last = instant(pending.latest_not_after_time);
        let validity = (self.world.now(), last);
        self.authority
            .sign(&pending.csr, &dns(&pending.names), validity)
    }

    async fn record(&self, given: Given) -> Certificate {
        let mut certificates = self.world.certificates();
        let answer = certificates.record_issuance(self.report(given)).await;
        answer.unwrap().into_inner().certificate.unwrap()
    }

    async fn refuse(&self, given: Given) -> Refused {
        let mut certificates = self.world.certificates();
        refused(certificates.record_issuance(self.report(given)).await)
    }

    fn report(&self, given: Given) -> RecordIssuanceRequest {
        RecordIssuanceRequest {
            order_id: self.order.order_id.clone(),
            certificate: Some(given),
            request_id: request_id(),
        }
    }

    async fn certificate(&self, certificate_id: &str) -> Certificate {
        let ask = GetCertificateRequest {
            certificate_id: certificate_id.to_owned(),
        };
        let answer = self.world.certificates().get_certificate(ask).await;
        answer.unwrap().into_inner().certificate.unwrap()
    }

    /// Compares the recorded certificate with what OpenSSL reads, and lets OpenSSL verify the chain that a
    /// further server retrieves (AL-8).
    async fn hold_to_openssl(&self, recorded: &Certificate, key_type: &str) {
        let kept = self.certificate(&recorded.certificate_id).await;
        assert_eq!(&kept, recorded);
        let (pem, fact) = (&kept.chain_pem, |option| {
            self.authority.fact(&kept.chain_pem, option)
        });
        let fingerprint = fact("-fingerprint").replace(':', "").to_lowercase();
        assert_eq!(kept.fingerprint_sha256, fingerprint);
        let serial = fact("-serial").to_lowercase();
        assert_eq!(kept.serial, serial.trim_start_matches('0'));
        assert_eq!(kept.issuer, fact("-issuer"));
        assert_eq!(kept.subject, fact("-subject"));
        assert_eq!(kept.key_type, key_type);
        assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 3);
        self.authority.verify(pem, PLACED[2], self.world.now());
        // In its last second, a certificate has expired for OpenSSL but not for RFC 5280.
        let late = shifted(instant(kept.not_after_time), -1_000_000);
        self.authority.verify(pem, "a.example.com", late);
    }
}

async fn a_chain_from_openssl_goes_through_the_life_of_an_order(backend: Backend) {
    let signed = Signed::place(backend, Key::Rsa(2048)).await;
    let Signed { world, order, .. } = &signed;
    let pending = signed.pending().await;
    assert_eq!(pending.reason(), PendingIssuanceReason::First);
    assert_eq!(pending.common_name, PLACED[2]);
    let first = Given::CertificatePem(signed.sign(&pending).pem());
    let first = signed.record(first).await;
    assert_eq!(first.names, names(&PLACED));
    signed.hold_to_openssl(&first, "RSA 2048").await;
    assert_eq!(first.issuer, "CN=OpenSSL Intermediate,O=Licet & Söhne,C=DE");

    // New domains with the same key, this time as DER.
    world.time.advance_days(20);
    let (add, remove) = (&["neu.BÜCHER.example"], &["www.müller.example"]);
    world.update_domains(&order.order_id, add, remove).await;
    let changed = signed.pending().await;
    assert_eq!(changed.reason(), PendingIssuanceReason::DomainChange);
    assert_eq!(changed.csr, pending.csr);
    let second = Given::CertificateDer(signed.sign(&changed).der());
    let second = signed.record(second).await;
    let now_named = [PLACED[0], "neu.xn--bcher-kva.example", PLACED[2]];
    assert_eq!(second.names, names(&now_named));
    signed.hold_to_openssl(&second, "RSA 2048").await;
    let old = signed.certificate(&first.certificate_id).await;
    assert_eq!(old.state(), CertificateState::Superseded);

    // The same domains with a new elliptic-curve key.
    world.time.advance_days(1);
    let csr = signed
        .authority
        .request(Key::Ec("P-256"), COMMON_NAME, &names(&now_named));
    let ask = RequestReissueRequest {
        order_id: order.order_id.clone(),
        csr: csr.clone(),
        request_id: request_id(),
    };
    world.orders().request_reissue(ask).await.unwrap();
    let reissue = signed.pending().await;
    assert_eq!(reissue.reason(), PendingIssuanceReason::Reissue);
    assert_eq!(reissue.csr.trim(), csr.trim());
    let third = Given::CertificatePem(signed.sign(&reissue).pem());
    let third = signed.record(third).await;
    signed.hold_to_openssl(&third, "EC 256").await;
    let shown = world.get_order(&order.order_id).await;
    assert_eq!(shown.certificate_id, third.certificate_id);
    assert_eq!(
        (shown.state(), shown.pending_change),
        (OrderState::Issued, None)
    );

    delete_and_see_all_fall(&signed).await;
}

async fn delete_and_see_all_fall(signed: &Signed) {
    let Signed { world, order, .. } = signed;
    let delete = DeleteOrderRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(delete).await.unwrap();
    let list = ListCertificatesRequest {
        order_id: order.order_id.clone(),
        ..ListCertificatesRequest::default()
    };
    let answer = world.certificates().list_certificates(list).await.unwrap();
    let states: Vec<_> = answer.into_inner().certificates;
    let states: Vec<_> = states.iter().map(Certificate::state).collect();
    assert_eq!(states, [CertificateState::ToRevoke; 3]);
    // All within 25 days of the first issuance.
    assert_eq!(world.balance(&signed.account_id).await, "1000.00 USD");
}

async fn what_openssl_signed_otherwise_than_ordered_is_refused(backend: Backend) {
    let signed = Signed::place(backend, Key::Ec("P-384")).await;
    let before = signed.world.get_order(&signed.order.order_id).await;
    let pending = signed.pending().await;
    let good = signed.sign(&pending);
    let sans = dns(&pending.names);
    let validity = (signed.world.now(), instant(pending.latest_not_after_time));
    let sign = |csr: &str, sans: &str, last: Instant| {
        let chain = signed.authority.sign(csr, sans, (validity.0, last));
        Given::CertificatePem(chain.pem())
    };

    let mut turned = good.blocks.clone();
    turned.reverse();
    let turned = signed.refuse(Given::CertificatePem(turned.concat())).await;
    let turned = turned.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(turned.paths(), ["certificate_pem"]);
    let mut gapped = good.ders.clone();
    gapped.remove(1);
    let gapped = signed.refuse(Given::CertificateDer(gapped.concat())).await;
    gapped.expect(Code::InvalidArgument, "INVALID_FIELDS");

    let more = format!("{sans},IP:192.0.2.1,IP:2001:db8::1,email:Admin@Example.com");
    let more = format!("{more},otherName:msUPN;UTF8:Admin@Example.com");
    let more = signed.refuse(sign(&pending.csr, &more, validity.1)).await;
    let more = more.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    let found: [&str; 4] = more.subjects().try_into().unwrap();
    let expected = [
        "192.0.2.1",
        "2001:db8::1",
        "admin@example.com",
        "admin@example.com",
    ];
    assert_eq!(found, expected, "one SAN of each type that counts (SL-2)");

    let too_late = shifted(validity.1, 1_000_000);
    let too_late = signed.refuse(sign(&pending.csr, &sans, too_late)).await;
    let too_late = too_late.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    assert_eq!(too_late.subjects(), ["not_after"]);

    let other_key = signed
        .authority
        .request(Key::Ec("P-384"), COMMON_NAME, &pending.names);
    let other_key = signed.refuse(sign(&other_key, &sans, validity.1)).await;
    let other_key = other_key.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    assert_eq!(other_key.subjects(), ["public_key"]);
    let other_name = names(&["other.example"]);
    let of_another = signed
        .authority
        .request(Key::Rsa(2048), "other.example", &other_name);
    let of_another = sign(&of_another, "DNS:other.example", validity.1);
    let of_another = signed.refuse(of_another).await;
    let of_another = of_another.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    assert_eq!(of_another.subjects().len(), 6, "{of_another:?}");

    let after = signed.world.get_order(&signed.order.order_id).await;
    assert_eq!(after, before, "a refused report changed the order");
    signed.world.time.advance(TimeDelta::hours(1));
    let recorded = signed.record(Given::CertificateDer(good.der())).await;
    signed.hold_to_openssl(&recorded, "EC 384").await;
}

async fn a_weak_key_from_openssl_is_refused(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let authority = Authority::new();
    let list = ["www.example.com"];
    for (key, kind, text) in [
        (Key::Rsa(1024), "RSA", "has 1024 bits; at least 2048 are"),
        (Key::Ec("secp224r1"), "EC", "P-256, P-384 or P-521"),
        (Key::Ec("secp256k1"), "EC", "P-256, P-384 or P-521"),
        (Key::Ec("brainpoolP384r1"), "EC", "P-256, P-384 or P-521"),
    ] {
        let request = PlaceOrderRequest {
            csr: authority.request(key, list[0], &names(&list)),
            ..multi_domain_request(&account_id, &list)
        };
        let weak = refused(world.orders().place_order(request).await);
        let weak = weak.expect(Code::FailedPrecondition, "CSR_KEY_WEAK");
        assert_eq!(weak.value("key_type"), kind);
        assert!(weak.message.contains(text), "{}", weak.message);
    }
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
}
