//! MD-9, X-8: which certificates the certificate authority has to sign, and which can be recorded.

use chrono::TimeDelta;
use licet_contracts::orders::v1::{
    Certificate, CertificateState, DeleteOrderRequest, GetCertificateRequest,
    ListCertificatesRequest, ListPendingIssuanceRequest, Order, OrderState, PendingIssuanceReason,
    PlaceOrderRequest, RecordIssuanceRequest, RequestReissueRequest,
    record_issuance_request::Certificate as Given,
};
use licet_domain::clock::Instant;
use tonic::Code;

use crate::harness::{
    Backend,
    books::BackDoor,
    certificates::{self, Authority, Wanted},
    clock::{instant, shifted},
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
    an_authoritys_certificate_is_none_for_an_order,
    another_key_than_the_requests_is_refused,
    a_second_certificate_is_recorded_only_when_one_is_awaited,
    x_8_a_certificate_for_a_deleted_order_is_kept_to_be_revoked,
    sl_14_an_issuer_gives_a_serial_to_one_certificate,
    sl_14_two_of_one_serial_are_recorded_at_once,
    sl_14_a_store_that_holds_two_of_one_serial_goes_on,
    md_7_a_certificate_that_is_not_valid_yet_takes_nothing_away,
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
    // The order ends after 365 days, before the limit of 398 days that holds until 2026-03-15.
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

/// Fails unless recording `given` is refused; the order must not change.
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
            "the text says what is wrong: {:?}",
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
    for name in ["a.example", "c.example"] {
        assert!(refusal.message.contains(name), "{}", refusal.message);
    }
    // However many names differ, the response stays below the size limit.
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
        // Both ends are inclusive: a certificate whose ends are equal is valid for one second.
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

async fn an_authoritys_certificate_is_none_for_an_order(backend: Backend) {
    let (world, order) = placed(backend, 12, &["www.example.com"]).await;
    let chain = |is_authority| {
        let not_after = world.now().checked_add(TimeDelta::days(90)).unwrap();
        let wanted = Wanted {
            names: &order.domains,
            not_before: world.now(),
            not_after,
        };
        certificates::chain_marked(&wanted, is_authority)
    };
    let given = Given::CertificatePem(chain(true));
    let refusal = refuse(&world, &order, Some(given)).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    assert_eq!(refusal.subjects(), ["basic_constraints"]);
    assert!(refusal.message.contains("CA:TRUE"), "{}", refusal.message);
    // cA FALSE may be present or left out.
    let said = issuance_of(&order.order_id, chain(false));
    world.certificates().record_issuance(said).await.unwrap();
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

const SERIAL: [u8; 16] = [0x5a; 16];

/// A certificate that this authority always signs with the same serial, for a single-domain order.
fn one_serial(world: &World, authority: &Authority, order: &Order) -> RecordIssuanceRequest {
    let end = world.now().checked_add(TimeDelta::days(30)).unwrap();
    let wanted = Wanted {
        names: std::slice::from_ref(&order.common_name),
        not_before: world.now(),
        not_after: end,
    };
    issuance_of(&order.order_id, authority.sign_as(SERIAL, &wanted))
}

async fn another(world: &World, account_id: &str, name: &str) -> Order {
    world.multi_domain_order(account_id, &[name]).await
}

async fn sl_14_an_issuer_gives_a_serial_to_one_certificate(backend: Backend) {
    let (world, first) = placed(backend, 12, &["a.example"]).await;
    let second = another(&world, &first.account_id, "b.example").await;
    let authority = Authority::new("Licet Test Authority");
    let record = async |request| world.certificates().record_issuance(request).await;
    let recorded = record(one_serial(&world, &authority, &first))
        .await
        .unwrap();
    let recorded = recorded.into_inner().certificate.unwrap();
    let conflict = |answer| {
        let refusal = refused(answer).expect(Code::AlreadyExists, "CERTIFICATE_CONFLICT");
        assert_eq!(refusal.value("certificate_id"), recorded.certificate_id);
        assert_eq!(refusal.value("serial"), recorded.serial);
    };
    let rival = one_serial(&world, &authority, &second);
    conflict(record(rival.clone()).await);
    conflict(record(rival).await);
    // The serial conflicts in the same order, too, and in a deleted one.
    let reissue = RequestReissueRequest {
        order_id: first.order_id.clone(),
        request_id: request_id(),
        ..RequestReissueRequest::default()
    };
    world.orders().request_reissue(reissue).await.unwrap();
    conflict(record(one_serial(&world, &authority, &first)).await);
    let delete = DeleteOrderRequest {
        order_id: second.order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(delete).await.unwrap();
    conflict(record(one_serial(&world, &authority, &second)).await);
    // The same serial of another issuer or in another account is another certificate.
    let third = another(&world, &first.account_id, "c.example").await;
    let other = Authority::new("Licet Other Authority");
    record(one_serial(&world, &other, &third)).await.unwrap();
    let theirs = world.account_with("1000.00").await;
    let theirs = another(&world, &theirs, "d.example").await;
    record(one_serial(&world, &authority, &theirs))
        .await
        .unwrap();
}

async fn sl_14_two_of_one_serial_are_recorded_at_once(backend: Backend) {
    let (world, first) = placed(backend, 12, &["a.example"]).await;
    let mut orders = vec![first];
    for name in ["b.example", "c.example", "d.example"] {
        let account_id = orders[0].account_id.clone();
        orders.push(another(&world, &account_id, name).await);
    }
    let authority = Authority::new("Licet Test Authority");
    let mut recording = tokio::task::JoinSet::new();
    for order in &orders {
        let (mut client, request) = (world.certificates(), one_serial(&world, &authority, order));
        recording.spawn(async move { client.record_issuance(request).await });
    }
    let answers = recording.join_all().await;
    let (recorded, conflicts): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((recorded.len(), conflicts.len()), (1, 3));
    for conflict in conflicts {
        refused(conflict).expect(Code::AlreadyExists, "CERTIFICATE_CONFLICT");
    }
}

async fn sl_14_a_store_that_holds_two_of_one_serial_goes_on(backend: Backend) {
    let (mut world, first) = placed(backend, 12, &["a.example"]).await;
    let second = another(&world, &first.account_id, "b.example").await;
    let third = another(&world, &first.account_id, "c.example").await;
    let authority = Authority::new("Licet Test Authority");
    let record = one_serial(&world, &authority, &first);
    let answer = world.certificates().record_issuance(record).await.unwrap();
    let recorded = answer.into_inner().certificate.unwrap();
    world.record(&second.order_id).await;

    // The earlier schema did not distinguish the two.
    world.stop_orders().await;
    let door = BackDoor::open(&world.orders_location()).await;
    door.run("DROP INDEX certificate_by_key").await;
    door.run("ALTER TABLE certificate DROP COLUMN issuer_sha256")
        .await;
    let serial = &recorded.serial;
    door.run(&format!("UPDATE certificate SET serial_hex = '{serial}'"))
        .await;
    door.run("DELETE FROM seaql_migrations WHERE version = 'orders_0006_issuers'")
        .await;
    drop(door);
    world.start_orders().await;

    for order in [&first, &second] {
        let listed = certificates_of(&world, &order.order_id).await;
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].state(), CertificateState::Active);
    }
    // A new certificate is compared with both.
    let rival = one_serial(&world, &authority, &third);
    let refusal = refused(world.certificates().record_issuance(rival).await);
    let refusal = refusal.expect(Code::AlreadyExists, "CERTIFICATE_CONFLICT");
    assert_eq!(refusal.value("certificate_id"), recorded.certificate_id);
    world.record(&third.order_id).await;
}

pub(super) async fn certificates_of(world: &World, order_id: &str) -> Vec<Certificate> {
    let ask = ListCertificatesRequest {
        order_id: order_id.to_owned(),
        ..ListCertificatesRequest::default()
    };
    let answer = world.certificates().list_certificates(ask).await;
    answer.unwrap().into_inner().certificates
}

async fn md_7_a_certificate_that_is_not_valid_yet_takes_nothing_away(backend: Backend) {
    let (world, order) = placed(backend, 12, &["a.example"]).await;
    let start = world.now();
    let day = |days: i64| start.checked_add(TimeDelta::days(days)).unwrap();
    let record = async |from: i64, to: i64| {
        let wanted = Wanted {
            names: std::slice::from_ref(&order.common_name),
            not_before: day(from),
            not_after: day(to),
        };
        let request = issuance_of(&order.order_id, certificates::chain(&wanted));
        let answer = world.certificates().record_issuance(request).await;
        answer.unwrap().into_inner().certificate.unwrap()
    };
    let reissue = async || {
        let request = RequestReissueRequest {
            order_id: order.order_id.clone(),
            request_id: request_id(),
            ..RequestReissueRequest::default()
        };
        world.orders().request_reissue(request).await.unwrap();
    };
    let first = record(0, 150).await;
    reissue().await;
    let second = record(100, 190).await;
    let standing = async |id: &str| {
        let all = certificates_of(&world, &order.order_id).await;
        let found = all.into_iter().find(|it| it.certificate_id == id).unwrap();
        (
            found.state(),
            found.revoke_time.map(|time| instant(Some(time))),
        )
    };
    let id = &*first.certificate_id;
    let until = day(103);
    let superseded = CertificateState::Superseded;
    assert_eq!(standing(id).await, (superseded, Some(until)));
    world.time.move_to(shifted(until, -1));
    assert_eq!(standing(id).await, (superseded, Some(until)));
    world.time.move_to(until);
    let revoked = CertificateState::Revoked;
    assert_eq!(standing(id).await, (revoked, Some(until)));
    let active = CertificateState::Active;
    assert_eq!(standing(&second.certificate_id).await, (active, None));

    // A certificate that is valid at once brings the revocation of the earlier ones forward.
    reissue().await;
    let third = record(130, 220).await;
    let id = &*second.certificate_id;
    assert_eq!(standing(id).await, (superseded, Some(day(133))));
    reissue().await;
    record(103, 190).await;
    assert_eq!(standing(id).await, (superseded, Some(day(106))));
    let id = &*third.certificate_id;
    assert_eq!(standing(id).await, (superseded, Some(day(106))));
}
