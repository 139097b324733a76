//! SL-21: orders under a SAN licence, over all three services: charged, authorised, recorded and
//! released, also while SanLicensing is unreachable.

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{LineKind, Quote},
    operations::v1::OperationKind,
    orders::v1::{
        BeginIssuanceRequest, BeginIssuanceResponse, CancelDomainChangeRequest, CertificateState,
        DeleteOrderRequest, DeleteOrderResponse, Order, OrderState, PlaceOrderRequest,
        RenewOrderRequest,
    },
    sanlicensing::v1::{AuthorizationDecision, DenialReason, License, QuoteLicenseRequest},
    types::v1::KeyType,
};
use tonic::{Code, Response, Status};

use crate::harness::{
    Backend,
    certificates::{Wanted, chain, chain_for},
    clock::{instant, timestamp},
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::{issuance_of, multi_domain_request, names, shown},
    san::{figures, quote_request},
    world::World,
};

on_both_databases![
    x_4_slots_are_not_charged_and_names_count_in_the_license,
    x_4_a_denial_is_an_answer_and_holds_nothing,
    x_4_an_order_holds_one_reservation,
    md_7_names_return_when_the_certificate_that_replaces_them_works,
    x_4_a_renewal_charges_no_names_and_goes_on_drawing,
    x_4_only_a_running_license_of_the_account_is_drawn_on,
    x_4_without_a_license_there_is_nothing_to_decide,
    x_7_while_san_licensing_is_away_each_change_waits_and_comes_to_its_end,
    x_8_a_late_certificate_counts_no_more_than_a_moment,
];

const NAMES: [&str; 3] = ["www.example.com", "a.example", "b.example"];

async fn started(backend: Backend, quota: i64) -> (World, License) {
    let (mut world, license) = World::start_licensed(backend, quota).await;
    world.start_orders().await;
    world.stock().await;
    (world, license)
}

fn drawing(license: &License, list: &[&str]) -> PlaceOrderRequest {
    PlaceOrderRequest {
        san_license_id: license.license_id.clone(),
        ..multi_domain_request(&license.account_id, list)
    }
}

fn begin_request(world: &World, order: &Order) -> BeginIssuanceRequest {
    BeginIssuanceRequest {
        order_id: order.order_id.clone(),
        key_type: KeyType::Ecc.into(),
        not_after_time: Some(timestamp(world.usual_end())),
        request_id: request_id(),
    }
}

async fn ask(
    world: &World,
    request: BeginIssuanceRequest,
) -> Result<Response<BeginIssuanceResponse>, Status> {
    world.certificates().begin_issuance(request).await
}

async fn begun(world: &World, order: &Order) -> BeginIssuanceResponse {
    let answer = ask(world, begin_request(world, order)).await;
    answer.unwrap().into_inner()
}

async fn delete(world: &World, order: &Order) -> DeleteOrderResponse {
    let request = DeleteOrderRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world
        .orders()
        .delete_order(request)
        .await
        .unwrap()
        .into_inner()
}

fn rules(quote: &Quote) -> Vec<&str> {
    quote
        .lines
        .iter()
        .map(|line| line.rule_id.as_str())
        .collect()
}

async fn uses(world: &World, license: &License, expected: (i64, i64, i64)) {
    eventually("the SANs are free", || async {
        (figures(&world.usage(license).await) == expected).then_some(())
    })
    .await;
}

async fn x_4_slots_are_not_charged_and_names_count_in_the_license(backend: Backend) {
    let (world, license) = started(backend, 10).await;
    let before = world.balance(&license.account_id).await;
    let request = drawing(&license, &NAMES);
    let preview = PlaceOrderRequest {
        validate_only: true,
        ..request.clone()
    };
    let preview = world
        .orders()
        .place_order(preview)
        .await
        .unwrap()
        .into_inner();
    let placed = world
        .orders()
        .place_order(request)
        .await
        .unwrap()
        .into_inner();
    let (order, quote) = (placed.order.unwrap(), placed.quote.unwrap());
    assert_eq!(order.state(), OrderState::Paid);
    assert_eq!(order.san_license_id, license.license_id);
    assert_eq!(shown(quote.total.as_ref()), "98.00 USD", "after {before}");
    assert!(
        quote
            .lines
            .iter()
            .all(|line| line.kind() != LineKind::Domain || line.quantity == 0)
    );
    assert_eq!(rules(&quote).last(), Some(&"X-4"));
    assert_eq!(rules(&preview.quote.unwrap()), rules(&quote));
    // The licence is asked only when the CA is about to sign.
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 10));

    let request = begin_request(&world, &order);
    let answer = ask(&world, request.clone()).await.unwrap().into_inner();
    assert_eq!(ask(&world, request).await.unwrap().into_inner(), answer);
    assert_eq!(answer.pending_issuance.unwrap().names.len(), 3);
    let decision = answer.authorization.unwrap();
    assert_eq!(
        (decision.decision(), decision.needed),
        (AuthorizationDecision::Granted, 3)
    );
    assert_eq!(figures(&world.usage(&license).await), (0, 3, 7));
    let first = world.record(&order.order_id).await;
    assert_eq!(figures(&world.usage(&license).await), (3, 0, 7));

    let change = world
        .update_domains(&order.order_id, &["c.example"], &["b.example"])
        .await;
    assert_eq!(rules(&change.quote.unwrap()), ["X-4"]);
    let decision = begun(&world, &order).await.authorization.unwrap();
    assert_eq!(
        (decision.decision(), decision.needed),
        (AuthorizationDecision::Granted, 1)
    );
    world.record(&order.order_id).await;
    assert_eq!(figures(&world.usage(&license).await), (4, 0, 6));
    // Revocation frees the SAN that only the superseded certificate has (MD-7).
    world.time.advance(TimeDelta::hours(71));
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(figures(&world.usage(&license).await), (4, 0, 6));
    world.time.advance(TimeDelta::hours(1));
    uses(&world, &license, (3, 0, 7)).await;
    let ask = licet_contracts::orders::v1::GetCertificateRequest {
        certificate_id: first.certificate_id,
    };
    let first = world
        .certificates()
        .get_certificate(ask)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        first.certificate.unwrap().state(),
        CertificateState::Revoked
    );

    // The deletion also releases the reservation for a further certificate.
    world
        .update_domains(&order.order_id, &["d.example"], &[])
        .await;
    begun(&world, &order).await;
    assert_eq!(figures(&world.usage(&license).await), (3, 1, 6));
    let deleted = delete(&world, &order).await;
    assert_eq!(deleted.invalidated.unwrap().certificate_ids.len(), 1);
    assert!(deleted.order.unwrap().pending_change.is_none() && deleted.refund.is_some());
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 10));
    assert_eq!(world.balance(&license.account_id).await, before);
}

async fn x_4_an_order_holds_one_reservation(backend: Backend) {
    let (world, license) = started(backend, 4).await;
    let order = world.place(drawing(&license, &NAMES)).await;
    let held = async || {
        let held = world.reservations(&license).await;
        let ids = held.into_iter().map(|it| it.reservation_id);
        ids.collect::<Vec<_>>()
    };
    // A new grant replaces the previous one.
    for _ in 0..3 {
        let decision = begun(&world, &order).await.authorization.unwrap();
        assert_eq!(decision.decision(), AuthorizationDecision::Granted);
        assert_eq!(held().await, [decision.reservation_id]);
        assert_eq!(figures(&world.usage(&license).await), (0, 3, 1));
    }
    world.record(&order.order_id).await;
    assert_eq!(figures(&world.usage(&license).await), (3, 0, 1));

    // Another set of domains replaces it too; a denial keeps the reservation.
    world
        .update_domains(&order.order_id, &["c.example"], &[])
        .await;
    let first = begun(&world, &order).await.authorization.unwrap();
    let late = BeginIssuanceRequest {
        key_type: KeyType::Rsa.into(),
        ..begin_request(&world, &order)
    };
    let second = ask(&world, late).await.unwrap().into_inner();
    let second = second.authorization.unwrap();
    assert_ne!(first.reservation_id, second.reservation_id);
    assert_eq!(held().await, [second.reservation_id]);
    world.recorded(&license, &["other.example"]).await;
    assert_eq!(figures(&world.usage(&license).await), (4, 1, -1));
    let cancel = CancelDomainChangeRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..CancelDomainChangeRequest::default()
    };
    world.orders().cancel_domain_change(cancel).await.unwrap();
    assert_eq!(held().await, Vec::<String>::new());
    assert_eq!(figures(&world.usage(&license).await), (4, 0, 0));
    world
        .update_domains(&order.order_id, &["d.example"], &[])
        .await;
    let denied = begun(&world, &order).await.authorization.unwrap();
    assert_eq!(denied.decision(), AuthorizationDecision::Denied);
    assert_eq!(held().await, Vec::<String>::new());
    delete(&world, &order).await;
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 3));
}

async fn md_7_names_return_when_the_certificate_that_replaces_them_works(backend: Backend) {
    let (world, license) = started(backend, 10).await;
    let order = world.place(drawing(&license, &NAMES)).await;
    record_for(&world, &order, &NAMES, 150).await;
    world
        .update_domains(&order.order_id, &["c.example"], &["b.example"])
        .await;
    let start = world.now();
    let day = |days: i64| start.checked_add(TimeDelta::days(days)).unwrap();
    let wanted = Wanted {
        names: &names(&[NAMES[0], NAMES[1], "c.example"]),
        not_before: day(100),
        not_after: day(190),
    };
    let request = issuance_of(&order.order_id, chain(&wanted));
    world.certificates().record_issuance(request).await.unwrap();
    world.time.move_to(day(102));
    let next = world.place(drawing(&license, &["z.example"])).await;
    world.record(&next.order_id).await;
    assert_eq!(figures(&world.usage(&license).await), (5, 0, 5));
    world.time.move_to(day(103));
    uses(&world, &license, (4, 0, 6)).await;
}

/// A certificate that fits into a term of a month.
async fn record_for(world: &World, order: &Order, list: &[&str], days: i64) {
    let chain = chain_for(&names(list), world.now(), days);
    let request = issuance_of(&order.order_id, chain);
    world.certificates().record_issuance(request).await.unwrap();
}

async fn x_4_a_renewal_charges_no_names_and_goes_on_drawing(backend: Backend) {
    let (world, license) = started(backend, 10).await;
    let month = PlaceOrderRequest {
        term_months: 1,
        ..drawing(&license, &NAMES[..2])
    };
    let order = world.place(month).await;
    begun(&world, &order).await;
    // Lasts as long as its term permits, so that it is active when the next one starts.
    record_for(&world, &order, &NAMES[..2], 32).await;
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 8));
    let before = world.get_account(&license.account_id).await.balance;
    let renewal = RenewOrderRequest {
        order_id: order.order_id.clone(),
        term_months: 1,
        domains: names(&["a.example", "b.example", "*.c.example"]),
        request_id: request_id(),
        ..RenewOrderRequest::default()
    };
    let preview = RenewOrderRequest {
        validate_only: true,
        ..renewal.clone()
    };
    let preview = world.orders().renew_order(preview).await.unwrap();
    let renewed = world.orders().renew_order(renewal.clone()).await.unwrap();
    let (preview, renewed) = (preview.into_inner(), renewed.into_inner());
    let quote = renewed.quote.as_ref().unwrap();
    // Only the certificate for a month is charged, no domains.
    assert_eq!(shown(quote.total.as_ref()), "12.00 USD", "after {before:?}");
    assert_eq!(rules(quote).last(), Some(&"X-4"));
    assert_eq!(rules(&preview.quote.unwrap()), rules(quote));
    let term = renewed.term.as_ref().unwrap();
    let slots = (term.paid_standard_domains, term.paid_wildcard_domains);
    assert_eq!((slots, term.domains.len()), ((1, 0), 4));
    let again = world.orders().renew_order(renewal).await.unwrap();
    assert_eq!(again.into_inner(), renewed, "BL-2");
    assert_eq!(world.invoices_of(&order.order_id).await.len(), 2);
    // The licence is asked again only before the CA signs the new domains.
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 8));
    world.time.move_to(instant(order.end_time));
    let decision = begun(&world, &order).await.authorization.unwrap();
    // One further name, and a wildcard that counts as five.
    assert_eq!(
        (decision.decision(), decision.needed),
        (AuthorizationDecision::Granted, 6)
    );
    let list = [NAMES[0], NAMES[1], NAMES[2], "*.c.example"];
    record_for(&world, &order, &list, 28).await;
    let started = world.get_order(&order.order_id).await;
    assert_eq!(started.domains.len(), 4);
    assert_eq!(figures(&world.usage(&license).await), (8, 0, 2));

    // A term is sold only while its licence runs.
    let year = world.place(drawing(&license, &NAMES[..1])).await;
    world.time.advance_months(12);
    let late = RenewOrderRequest {
        order_id: year.order_id.clone(),
        term_months: 12,
        request_id: request_id(),
        ..RenewOrderRequest::default()
    };
    refused(world.orders().renew_order(late).await)
        .expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
    assert_eq!(world.invoices_of(&year.order_id).await.len(), 1);
}

async fn x_4_a_denial_is_an_answer_and_holds_nothing(backend: Backend) {
    let (world, license) = started(backend, 2).await;
    let order = world.place(drawing(&license, &NAMES)).await;
    let denied = begun(&world, &order).await.authorization.unwrap();
    assert_eq!(denied.decision(), AuthorizationDecision::Denied);
    assert_eq!(
        denied.reasons().collect::<Vec<_>>(),
        [DenialReason::QuotaExceeded]
    );
    assert_eq!((denied.needed, denied.short_by), (3, 1));
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 2));
    assert!(
        world
            .get_order(&order.order_id)
            .await
            .pending_change
            .is_none()
    );
    // A certificate that was signed nevertheless exists and counts (SL-21).
    world.record(&order.order_id).await;
    assert_eq!(world.usage(&license).await.used, 3);

    let missing = BeginIssuanceRequest {
        order_id: world.place(drawing(&license, &NAMES)).await.order_id,
        request_id: request_id(),
        ..BeginIssuanceRequest::default()
    };
    let refusal = refused(ask(&world, missing).await);
    assert_eq!(refusal.paths(), ["key_type", "not_after_time"]);
}

async fn x_4_only_a_running_license_of_the_account_is_drawn_on(backend: Backend) {
    let (world, license) = started(backend, 10).await;
    let place =
        |request: PlaceOrderRequest| async { refused(world.orders().place_order(request).await) };
    let stranger = PlaceOrderRequest {
        account_id: world.account_with("1000.00").await,
        ..drawing(&license, &NAMES)
    };
    let refusal = place(stranger).await.expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(refusal.value("resource"), "license");

    let draft = world.quoted(quote_request(&license.account_id, 5)).await;
    let refusal = place(drawing(&draft, &NAMES)).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
    assert_eq!(refusal.value("state"), "QUOTED");

    // The licence is charged but starts later; the refusal says so instead of calling it ACTIVE.
    let start = world.now().checked_add(TimeDelta::days(30)).unwrap();
    let later = QuoteLicenseRequest {
        start_time: Some(timestamp(start)),
        ..quote_request(&world.account_with("1000.00").await, 5)
    };
    let later = world.license_with(later).await;
    let refusal = place(drawing(&later, &NAMES)).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
    assert_eq!(refusal.value("start_time"), start.to_string());
    assert!(!refusal.metadata.contains_key("state"), "{refusal:?}");

    let mut unknown = drawing(&license, &NAMES);
    unknown.san_license_id = licet_domain::ids::LicenseId::generate().to_string();
    place(unknown).await.expect(Code::NotFound, "NOT_FOUND");
}

async fn x_4_without_a_license_there_is_nothing_to_decide(backend: Backend) {
    let (world, license) = started(backend, 10).await;
    let order = world.multi_domain_order(&license.account_id, &NAMES).await;
    let request = BeginIssuanceRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..BeginIssuanceRequest::default()
    };
    let answer = ask(&world, request).await.unwrap().into_inner();
    assert_eq!(answer.authorization, None);
    assert_eq!(
        answer.pending_issuance.unwrap().names,
        names(&["a.example", "b.example", "www.example.com"])
    );
    world.record(&order.order_id).await;
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 10));
    refused(ask(&world, begin_request(&world, &order)).await)
        .expect(Code::FailedPrecondition, "ISSUANCE_NOT_PENDING");
}

async fn x_7_while_san_licensing_is_away_each_change_waits_and_comes_to_its_end(backend: Backend) {
    let (mut world, license) = started(backend, 10).await;
    let order = world.place(drawing(&license, &NAMES)).await;

    world.stop_san_licensing(0).await;
    let request = begin_request(&world, &order);
    let first = refused(ask(&world, request.clone()).await);
    first.expect(Code::Aborted, "OPERATION_IN_PROGRESS");
    let pending = world
        .get_order(&order.order_id)
        .await
        .pending_change
        .unwrap();
    assert_eq!(
        (pending.kind(), pending.step.as_str()),
        (OperationKind::BeginIssuance, "authorize")
    );
    world.start_san_licensing().await;
    world.settled(&order.order_id).await;
    let answer = ask(&world, request).await.unwrap().into_inner();
    let decision = answer.authorization.unwrap();
    assert_eq!(decision.decision(), AuthorizationDecision::Granted);

    world.stop_san_licensing(0).await;
    let report = world.issuance(&order.order_id, &names(&NAMES));
    let waiting = world
        .certificates()
        .record_issuance(report.clone())
        .await
        .unwrap();
    let waiting = waiting.into_inner();
    assert_eq!(
        (waiting.certificate, waiting.order.unwrap().state()),
        (None, OrderState::Paid)
    );
    world.start_san_licensing().await;
    assert_eq!(
        world.settled(&order.order_id).await.state(),
        OrderState::Issued
    );
    let answer = world
        .certificates()
        .record_issuance(report)
        .await
        .unwrap()
        .into_inner();
    assert!(answer.certificate.is_some());
    assert_eq!(figures(&world.usage(&license).await), (3, 0, 7));

    world.stop_san_licensing(0).await;
    let deleted = delete(&world, &order).await;
    let pending = deleted.order.unwrap().pending_change.unwrap();
    assert_eq!(
        (pending.kind(), pending.step.as_str()),
        (OperationKind::DeleteOrder, "give-back")
    );
    assert!(
        deleted.refund.is_some(),
        "the refund does not wait for SanLicensing"
    );
    world.start_san_licensing().await;
    world.settled(&order.order_id).await;
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 10));
}

async fn x_8_a_late_certificate_counts_no_more_than_a_moment(backend: Backend) {
    let (world, license) = started(backend, 10).await;
    let order = world.place(drawing(&license, &NAMES)).await;
    begun(&world, &order).await;
    delete(&world, &order).await;
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 10));
    let late = world.record(&order.order_id).await;
    assert_eq!(late.state(), CertificateState::ToRevoke);
    uses(&world, &license, (0, 0, 10)).await;
}
