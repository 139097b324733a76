//! Orders and SanLicensing lose contact during an issuance. Afterwards the licence has at
//! most one reservation, and counts only certificates that an order has.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use chrono::TimeDelta;
use licet_contracts::{
    operations::v1::OperationKind,
    orders::v1::{
        BeginIssuanceRequest, CertificateState, DeleteOrderRequest, ListOrderHistoryRequest, Order,
        OrderState, PlaceOrderRequest, RecordIssuanceRequest,
    },
    sanlicensing::v1::{CertificateState as SanState, License, ListCertificatesRequest},
    types::v1::KeyType,
};
use licet_domain::clock::Instant;
use licet_runtime::peer::{FaultPlan, Interference};
use tonic::Code;

use crate::harness::{
    Backend,
    certificates::{Authority, Wanted},
    clock::timestamp,
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::{issuance_of, multi_domain_request, names},
    san::figures,
    world::World,
};

on_both_databases![
    x_4_an_order_cut_off_between_two_reservations_ends_with_one,
    x_3_a_certificate_that_no_order_keeps_does_not_stay_counted,
    x_3_a_certificate_that_the_license_takes_for_the_kept_one_stays_counted,
    x_3_a_certificate_of_another_order_is_revoked_with_that_one,
];

/// Loses a number of calls of one method.
#[derive(Default)]
struct Cutting {
    method: Mutex<&'static str>,
    loses_answers: AtomicBool,
    left: AtomicU32,
}

impl Cutting {
    fn lose_requests(&self, method: &'static str, calls: u32) {
        *self.method.lock().unwrap() = method;
        self.loses_answers.store(false, Ordering::SeqCst);
        self.left.store(calls, Ordering::SeqCst);
    }

    fn lose_answers(&self, method: &'static str, calls: u32) {
        self.lose_requests(method, calls);
        self.loses_answers.store(true, Ordering::SeqCst);
    }

    fn stop(&self) {
        self.left.store(0, Ordering::SeqCst);
    }
}

impl FaultPlan for Cutting {
    fn next(&self, path: &str) -> Interference {
        let method = *self.method.lock().unwrap();
        if method.is_empty() || !path.ends_with(method) {
            return Interference::None;
        }
        let one_less = |left: u32| left.checked_sub(1);
        let cut = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        match cut {
            Ok(_) if self.loses_answers.load(Ordering::SeqCst) => Interference::LoseResponse,
            Ok(_) => Interference::LoseRequest,
            Err(_) => Interference::None,
        }
    }
}

const ALL: u32 = u32::MAX;

async fn started(backend: Backend) -> (World, License, Arc<Cutting>) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    let cutting = Arc::new(Cutting::default());
    world.interfere(cutting.clone());
    world.start_orders().await;
    world.stock().await;
    (world, license, cutting)
}

/// An order under the licence.
async fn drawn(world: &World, license: &License, list: &[&str]) -> Order {
    let request = PlaceOrderRequest {
        san_license_id: license.license_id.clone(),
        ..multi_domain_request(&license.account_id, list)
    };
    world.place(request).await
}

/// An authority that signs every certificate with the same serial.
struct OneSerial {
    authority: Authority,
    not_after: Instant,
}

impl OneSerial {
    fn new(world: &World) -> Self {
        Self {
            authority: Authority::new("Licet Test Authority"),
            not_after: world.now().checked_add(TimeDelta::days(30)).unwrap(),
        }
    }

    fn signed(&self, world: &World, list: &[&str]) -> String {
        let wanted = Wanted {
            names: &names(list),
            not_before: world.now(),
            not_after: self.not_after,
        };
        self.authority.sign_as([0x5a; 16], &wanted)
    }
}

/// Reports a certificate while SanLicensing is unreachable; the report is accepted and waits.
async fn accepted(world: &World, request: RecordIssuanceRequest) {
    let answer = world.certificates().record_issuance(request).await;
    let order = answer.unwrap().into_inner().order.unwrap();
    let pending = order.pending_change.unwrap();
    assert_eq!(
        (pending.kind(), pending.step.as_str()),
        (OperationKind::RecordIssuance, "record")
    );
}

async fn delete(world: &World, order: &Order) {
    let request = DeleteOrderRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(request).await.unwrap();
}

async fn uses(world: &World, license: &License, expected: (i64, i64, i64)) {
    eventually("the usage is as expected", || async {
        (figures(&world.usage(license).await) == expected).then_some(())
    })
    .await;
}

async fn x_4_an_order_cut_off_between_two_reservations_ends_with_one(backend: Backend) {
    const NAMES: [&str; 2] = ["www.example.com", "a.example"];
    let (world, license, cutting) = started(backend).await;
    let order = drawn(&world, &license, &NAMES).await;
    let begin = || BeginIssuanceRequest {
        order_id: order.order_id.clone(),
        key_type: KeyType::Ecc.into(),
        not_after_time: Some(timestamp(world.usual_end())),
        request_id: request_id(),
    };
    let held = async || {
        let held = world.reservations(&license).await;
        let ids = held.into_iter().map(|it| it.reservation_id);
        ids.collect::<Vec<_>>()
    };
    let first = world.certificates().begin_issuance(begin()).await.unwrap();
    let first = first.into_inner().authorization.unwrap().reservation_id;
    assert_eq!(held().await, [first.as_str()]);

    // SanLicensing grants the new reservation and is then unreachable for the release of the old one.
    cutting.lose_requests("/ReleaseReservation", ALL);
    let again = begin();
    let waiting = refused(world.certificates().begin_issuance(again.clone()).await);
    waiting.expect(Code::Aborted, "OPERATION_IN_PROGRESS");
    let pending = world.get_order(&order.order_id).await.pending_change;
    assert_eq!(pending.unwrap().step, "release-replaced");
    assert_eq!(held().await.len(), 2);
    // SANs that both reservations hold count once.
    assert_eq!(figures(&world.usage(&license).await), (0, 2, 8));

    // SanLicensing then releases the old one, and its response is lost.
    cutting.lose_answers("/ReleaseReservation", 1);
    world.settled(&order.order_id).await;
    let answer = world.certificates().begin_issuance(again).await.unwrap();
    let second = answer.into_inner().authorization.unwrap().reservation_id;
    assert_ne!(first, second);
    assert_eq!(held().await, [second]);
    assert_eq!(figures(&world.usage(&license).await), (0, 2, 8));
    world.record(&order.order_id).await;
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 8));
    assert!(held().await.is_empty());
}

async fn x_3_a_certificate_that_no_order_keeps_does_not_stay_counted(backend: Backend) {
    let (world, license, cutting) = started(backend).await;
    let order = drawn(&world, &license, &["a.example"]).await;
    let free = world
        .multi_domain_order(&license.account_id, &["b.example"])
        .await;
    let serial = OneSerial::new(&world);
    let report = issuance_of(&order.order_id, serial.signed(&world, &["a.example"]));
    cutting.lose_requests("/RecordCertificate", ALL);
    accepted(&world, report.clone()).await;
    // Meanwhile an order without a licence records another certificate with this serial.
    let rival = issuance_of(&free.order_id, serial.signed(&world, &["b.example"]));
    let rival = world.certificates().record_issuance(rival).await.unwrap();
    let rival = rival.into_inner().certificate.unwrap();

    cutting.lose_answers("/RevokeCertificates", 1);
    let settled = world.settled(&order.order_id).await;
    assert_eq!(settled.state(), OrderState::Paid);
    assert_eq!(settled.certificate_id, "");
    let again = refused(world.certificates().record_issuance(report).await);
    let again = again.expect(Code::AlreadyExists, "CERTIFICATE_CONFLICT");
    assert_eq!(again.value("certificate_id"), rival.certificate_id);

    assert_eq!(figures(&world.usage(&license).await), (0, 0, 10));
    let list = ListCertificatesRequest {
        license_id: license.license_id.clone(),
        ..ListCertificatesRequest::default()
    };
    let there = world.san_usage().list_certificates(list).await.unwrap();
    let there = there.into_inner().certificates;
    assert_eq!(there.len(), 1, "the signed certificate stays recorded");
    assert_eq!(there[0].state(), SanState::Revoked);
    let history = ListOrderHistoryRequest {
        order_id: order.order_id.clone(),
        ..ListOrderHistoryRequest::default()
    };
    let history = world.orders().list_order_history(history).await.unwrap();
    let entries = history.into_inner().entries;
    let told = entries
        .iter()
        .find(|entry| entry.r#type == "licet.orders.certificate.refused.v1");
    let told = told.unwrap();
    assert_eq!(told.outcome, "CERTIFICATE_CONFLICT");
    let facts: serde_json::Value = serde_json::from_str(&told.data_json).unwrap();
    let withdrawn = facts["withdrawn_san_certificate_id"].as_str();
    assert_eq!(withdrawn, Some(there[0].certificate_id.as_str()));
    // The order still waits for its certificate and gets another one.
    world.record(&order.order_id).await;
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 9));
}

/// SL-14: the licence identifies a certificate by issuer and serial, which both certificates share.
async fn x_3_a_certificate_that_the_license_takes_for_the_kept_one_stays_counted(backend: Backend) {
    let (world, license, cutting) = started(backend).await;
    let serial = OneSerial::new(&world);
    cutting.lose_requests("/RecordCertificate", ALL);
    let mut orders = Vec::new();
    for _ in 0..2 {
        let order = drawn(&world, &license, &["a.example"]).await;
        let report = issuance_of(&order.order_id, serial.signed(&world, &["a.example"]));
        accepted(&world, report).await;
        orders.push(order);
    }
    cutting.stop();
    let mut issued = Vec::new();
    for order in &orders {
        let order = world.settled(&order.order_id).await;
        if order.state() == OrderState::Issued {
            issued.push(order);
        }
    }
    assert_eq!(
        issued.len(),
        1,
        "exactly one order must have the certificate: {issued:?}"
    );
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 9));
    delete(&world, &issued[0]).await;
    uses(&world, &license, (0, 0, 10)).await;
}

async fn x_3_a_certificate_of_another_order_is_revoked_with_that_one(backend: Backend) {
    let (world, license, cutting) = started(backend).await;
    let order = drawn(&world, &license, &["a.example"]).await;
    let free = world
        .multi_domain_order(&license.account_id, &["a.example"])
        .await;
    let pem = OneSerial::new(&world).signed(&world, &["a.example"]);
    cutting.lose_requests("/RecordCertificate", ALL);
    accepted(&world, issuance_of(&order.order_id, pem.clone())).await;
    let kept = issuance_of(&free.order_id, pem);
    let kept = world.certificates().record_issuance(kept).await.unwrap();
    let kept = kept.into_inner().certificate.unwrap();
    cutting.stop();
    let settled = world.settled(&order.order_id).await;
    assert_eq!(settled.state(), OrderState::Paid);
    assert_eq!(kept.state(), CertificateState::Active);
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 9));
    delete(&world, &free).await;
    uses(&world, &license, (0, 0, 10)).await;
}
