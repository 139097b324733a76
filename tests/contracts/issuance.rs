//! What the certificate authority has to sign, and which certificates are recorded (MD-9, X-8).

use chrono::TimeDelta;
use licet_contracts::orders::v1::{
    Certificate, CertificateState, GetCertificateRequest, ListCertificatesRequest,
    ListPendingIssuanceRequest, Order, OrderState, PendingIssuanceReason, PlaceOrderRequest,
    RecordIssuanceRequest, record_issuance_request::Certificate as Given,
};
use licet_domain::clock::Instant;
use tonic::Code;

use crate::harness::{
    Backend,
    certificates::{self, Wanted},
    clock::instant,
    errors::{Refused, refused},
    on_both_databases, request_id,
    samples::{issuance_of, multi_domain_request, names},
    world::World,
};

on_both_databases![
    what_waits_for_a_signature_is_listed,
    a_recorded_certificate_is_answered_with_its_facts,
    what_does_not_parse_says_what_broke,
    another_orders_certificate_is_refused_with_the_differing_names,
    md_9_the_limit_at_not_before_decides,
    md_9_a_certificate_outlives_its_order_by_a_day_at_most,
    another_key_than_the_requests_is_refused,
    a_second_certificate_is_recorded_only_when_one_is_awaited,
    x_8_a_certificate_for_a_deleted_order_is_kept_to_be_revoked,
];

async fn placed(backend: Backend, months: i32, list: &[&str]) -> (World, Order) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let mut request = multi_domain_request(&account_id, list);
    request.term_months = months;
    let order = world.place(request).await;
    (world, order)
}

async fn what_waits_for_a_signature_is_listed(backend: Backend) {
    let (world, order) = placed(backend, 12, &["www.example.com", "a.example"]).await;
    let pending = || async {
        let ask = ListPendingIssuanceRequest::default();
        let answer = world
            .certificates()
            .list_pending_issuance(ask)
            .await
            .unwrap();
        answer.into_inner().pending_issuances
    };
    let first = pending().await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].order_id, order.order_id);
    assert_eq!(first[0].names, names(&["a.example", "www.example.com"]));
    assert_eq!(first[0].reason(), PendingIssuanceReason::First);
    // The order ends after 365 days, the limit before 2026-03-15 is 398: the order's end decides.
    let latest = instant(first[0].latest_not_after_time);
    let end = instant(order.end_time);
    assert!(latest > world.now() && latest.as_micros() <= end.as_micros() + 86_400_000_000);

    world.record(&order.order_id).await;
    assert_eq!(pending().await, []);
    world
        .update_domains(&order.order_id, &["b.example"], &["a.example"])
        .await;
    let change = pending().await;
    assert_eq!(change[0].reason(), PendingIssuanceReason::DomainChange);
    assert_eq!(change[0].names, names(&["b.example", "www.example.com"]));
    world.record(&order.order_id).await;
    assert_eq!(pending().await, []);
}

async fn a_recorded_certificate_is_answered_with_its_facts(backend: Backend) {
    let (world, order) = placed(backend, 12, &["www.example.com", "a.example"]).await;
    let recorded = world.record(&order.order_id).await;
    assert_eq!(recorded.names, names(&["a.example", "www.example.com"]));
    assert_eq!(
        (recorded.common_name.as_str(), recorded.key_type.as_str()),
        ("www.example.com", "EC 256")
    );
    assert_eq!(recorded.state(), CertificateState::Active);
    assert_eq!(instant(recorded.record_time), world.now());
    assert_eq!(recorded.chain_pem.matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(recorded.fingerprint_sha256.len(), 64);
    assert!(
        recorded.issuer.contains("Licet Test Authority"),
        "{}",
        recorded.issuer
    );
    let order = world.get_order(&order.order_id).await;
    assert_eq!(
        (order.state(), &order.certificate_id),
        (OrderState::Issued, &recorded.certificate_id)
    );

    let ask = GetCertificateRequest {
        certificate_id: recorded.certificate_id.clone(),
    };
    let again = world
        .certificates()
        .get_certificate(ask)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.certificate.as_ref(), Some(&recorded));
    world.time.advance_days(91);
    let list = ListCertificatesRequest {
        order_id: order.order_id,
        ..ListCertificatesRequest::default()
    };
    let list = world
        .certificates()
        .list_certificates(list)
        .await
        .unwrap()
        .into_inner();
    let states: Vec<_> = list.certificates.iter().map(Certificate::state).collect();
    assert_eq!(states, [CertificateState::Expired]);
}

/// Tries to record `given`; the order must stay as it is.
async fn refuse(world: &World, order: &Order, given: Option<Given>) -> Refused {
    let before = world.get_order(&order.order_id).await;
    let request = RecordIssuanceRequest {
        order_id: order.order_id.clone(),
        certificate: given,
        request_id: request_id(),
    };
    let refusal = refused(world.certificates().record_issuance(request).await);
    assert_eq!(
        world.get_order(&order.order_id).await,
        before,
        "a refused call changes nothing"
    );
    let list = ListCertificatesRequest {
        order_id: order.order_id.clone(),
        ..ListCertificatesRequest::default()
    };
    let list = world
        .certificates()
        .list_certificates(list)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(list.certificates, []);
    refusal
}

async fn what_does_not_parse_says_what_broke(backend: Backend) {
    let (world, order) = placed(backend, 12, &["www.example.com"]).await;
    let good = certificates::chain_for(&order.domains, world.now(), 90);
    let body = good.lines().nth(3).unwrap();
    let broken = good.replacen(body, &"A".repeat(body.len()), 1);
    let cut = good[..good.len() / 3].to_owned();
    let der = vec![0x30, 0x82, 0x01, 0x00, 0x02];
    for (path, given) in [
        (
            "certificate_pem",
            Given::CertificatePem("no certificate at all".to_owned()),
        ),
        ("certificate_pem", Given::CertificatePem(broken)),
        ("certificate_pem", Given::CertificatePem(cut)),
        ("certificate_der", Given::CertificateDer(der)),
        ("certificate_der", Given::CertificateDer(vec![])),
    ] {
        let refusal = refuse(&world, &order, Some(given.clone())).await;
        let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(refusal.paths(), [path], "{given:?}");
        assert!(
            refusal.fields[0].1.len() > 10,
            "it says what broke: {:?}",
            refusal.fields
        );
    }
    refuse(&world, &order, None)
        .await
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    world.record(&order.order_id).await;
}

async fn another_orders_certificate_is_refused_with_the_differing_names(backend: Backend) {
    let (world, order) = placed(backend, 12, &["www.example.com", "a.example", "b.example"]).await;
    let other = names(&["www.example.com", "b.example", "c.example"]);
    let given = certificates::chain_for(&other, world.now(), 90);
    let refusal = refuse(&world, &order, Some(Given::CertificatePem(given))).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    assert_eq!(refusal.subjects(), ["a.example", "c.example"]);
    // However many names differ, the answer stays small enough to arrive.
    let many: Vec<_> = (0..2000)
        .map(|number| format!("name-{number}.example"))
        .collect();
    let given = certificates::chain_for(&many, world.now(), 90);
    let refusal = refuse(&world, &order, Some(Given::CertificatePem(given))).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    assert!(
        refusal.detail_bytes < 8192 && refusal.preconditions.len() > 10,
        "{refusal:?}"
    );
}

async fn md_9_the_limit_at_not_before_decides(backend: Backend) {
    let (world, order) = placed(backend, 24, &["www.example.com"]).await;
    let at = |text: &str| text.parse::<Instant>().unwrap();
    let valid = |from: &str, days: i64, more: i64| {
        let not_before = at(from);
        // Both ends are inclusive: a validity of one second ends where it begins.
        let length = TimeDelta::days(days) - TimeDelta::seconds(1) + TimeDelta::seconds(more);
        let not_after = not_before.checked_add(length).unwrap();
        certificates::chain(&Wanted {
            names: &order.domains,
            not_before,
            not_after,
        })
    };
    world.time.advance_months(3);
    for (from, days) in [("2026-03-14T23:59:59Z", 398), ("2026-03-15T00:00:00Z", 200)] {
        let given = Given::CertificatePem(valid(from, days, 1));
        let refusal = refuse(&world, &order, Some(given)).await;
        refusal.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    }
    let longest = issuance_of(&order.order_id, valid("2026-03-15T00:00:00Z", 200, 0));
    world.certificates().record_issuance(longest).await.unwrap();
}

async fn md_9_a_certificate_outlives_its_order_by_a_day_at_most(backend: Backend) {
    let (world, order) = placed(backend, 1, &["www.example.com"]).await;
    let limit = instant(order.end_time)
        .checked_add(TimeDelta::hours(24))
        .unwrap();
    let until = |active_until: Instant| {
        let not_after = active_until.checked_add(-TimeDelta::seconds(1)).unwrap();
        certificates::chain(&Wanted {
            names: &order.domains,
            not_before: world.now(),
            not_after,
        })
    };
    let late = until(limit.checked_add(TimeDelta::seconds(1)).unwrap());
    refuse(&world, &order, Some(Given::CertificatePem(late)))
        .await
        .expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    let fits = issuance_of(&order.order_id, until(limit));
    world.certificates().record_issuance(fits).await.unwrap();
}

async fn another_key_than_the_requests_is_refused(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let list = ["www.example.com", "a.example"];
    let other = PlaceOrderRequest {
        csr: certificates::signing_request(&names(&["www.example.com", "b.example"])),
        ..multi_domain_request(&account_id, &list)
    };
    let other = refused(world.orders().place_order(other).await)
        .expect(Code::FailedPrecondition, "CSR_MISMATCH");
    assert_eq!(other.subjects(), ["a.example", "b.example"]);
    let request = PlaceOrderRequest {
        csr: certificates::signing_request(&names(&list)),
        ..multi_domain_request(&account_id, &list)
    };
    let order = world.place(request).await;
    let given = certificates::chain_for(&order.domains, world.now(), 90);
    refuse(&world, &order, Some(Given::CertificatePem(given)))
        .await
        .expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
}

async fn a_second_certificate_is_recorded_only_when_one_is_awaited(backend: Backend) {
    let (world, order) = placed(backend, 12, &["www.example.com"]).await;
    world.record(&order.order_id).await;
    let more = world.issuance(&order.order_id, &order.domains);
    refused(world.certificates().record_issuance(more).await)
        .expect(Code::FailedPrecondition, "ISSUANCE_NOT_PENDING");
}

async fn x_8_a_certificate_for_a_deleted_order_is_kept_to_be_revoked(backend: Backend) {
    let (world, order) = placed(backend, 12, &["www.example.com"]).await;
    let delete = licet_contracts::orders::v1::DeleteOrderRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..Default::default()
    };
    world.orders().delete_order(delete).await.unwrap();
    let late = world.issuance(&order.order_id, &order.domains);
    let answer = world
        .certificates()
        .record_issuance(late)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        answer.certificate.unwrap().state(),
        CertificateState::ToRevoke
    );
    assert_eq!(answer.order.unwrap().state(), OrderState::Deleted);
}
