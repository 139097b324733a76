//! X-7, MD-10, AL-7: the refusal of every method of an order in every state: being charged, with another
//! operation running, ended, deleted.

use licet_contracts::{
    orders::v1::{
        BeginIssuanceRequest, CancelDomainChangeRequest, DeleteOrderRequest, Order, OrderState,
        RenewOrderRequest, RequestReissueRequest, RevokeCertificateRequest,
        SetServerSoftwareRequest, UnregisterServerRequest,
    },
    types::v1::KeyType,
};
use licet_domain::ids::ServerId;

use super::{domains::Issued, issuance::certificates_of};
use crate::harness::{
    Backend, certificates,
    clock::{instant, shifted, timestamp},
    errors::reason,
    on_both_databases, request_id,
    samples::{change_request, issuance_of, multi_domain_request},
    world::World,
};

on_both_databases![
    x_7_an_order_that_is_being_charged_is_changed_by_nothing_else,
    x_7_while_an_operation_runs_no_other_change_is_taken,
    md_10_an_ended_order_says_so_to_every_change,
    al_7_a_deleted_order_says_so_to_every_change,
];

/// An order and, if it has them, its certificate and server.
struct Subject {
    order: Order,
    certificate_id: Option<String>,
    server_id: String,
}

/// Asks for every change of the order and returns how each ended. Changes that an ended order permits come
/// last.
async fn asked(world: &World, subject: &Subject) -> Vec<(&'static str, String)> {
    let order_id = subject.order.order_id.clone();
    let mut orders = world.orders();
    let mut certificates = world.certificates();
    let mut servers = world.servers();
    let mut ends = Vec::new();

    let change = change_request(&order_id, &["further.example"], &[]);
    let end = reason(orders.update_domains(change).await);
    ends.push(("UpdateDomains", end));
    let cancel = CancelDomainChangeRequest {
        order_id: order_id.clone(),
        request_id: request_id(),
        ..CancelDomainChangeRequest::default()
    };
    let end = reason(orders.cancel_domain_change(cancel).await);
    ends.push(("CancelDomainChange", end));
    let reissue = RequestReissueRequest {
        order_id: order_id.clone(),
        request_id: request_id(),
        ..RequestReissueRequest::default()
    };
    let end = reason(orders.request_reissue(reissue).await);
    ends.push(("RequestReissue", end));
    let begin = BeginIssuanceRequest {
        order_id: order_id.clone(),
        key_type: KeyType::Ecc.into(),
        not_after_time: Some(timestamp(world.usual_end())),
        request_id: request_id(),
    };
    let end = reason(certificates.begin_issuance(begin).await);
    ends.push(("BeginIssuance", end));
    let end = reason(
        servers
            .register_server(world.server(&subject.order, "late"))
            .await,
    );
    ends.push(("RegisterServer", end));
    let software = SetServerSoftwareRequest {
        order_id: order_id.clone(),
        server_software: "apache".to_owned(),
        request_id: request_id(),
    };
    let end = reason(orders.set_server_software(software).await);
    ends.push(("SetServerSoftware", end));
    let renew = RenewOrderRequest {
        order_id: order_id.clone(),
        term_months: 12,
        request_id: request_id(),
        ..RenewOrderRequest::default()
    };
    let end = reason(orders.renew_order(renew).await);
    ends.push(("RenewOrder", end));
    let delete = DeleteOrderRequest {
        order_id: order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    let end = reason(orders.delete_order(delete).await);
    ends.push(("DeleteOrder", end));
    let unregister = UnregisterServerRequest {
        server_id: subject.server_id.clone(),
        request_id: request_id(),
    };
    let end = reason(servers.unregister_server(unregister).await);
    ends.push(("UnregisterServer", end));
    if let Some(certificate_id) = &subject.certificate_id {
        for (name, request_reissue) in [("Revoke and reissue", true), ("Revoke", false)] {
            let revoke = RevokeCertificateRequest {
                certificate_id: certificate_id.clone(),
                request_reissue,
                request_id: request_id(),
                ..RevokeCertificateRequest::default()
            };
            let end = reason(certificates.revoke_certificate(revoke).await);
            ends.push((name, end));
        }
    }
    let names = [subject.order.common_name.clone()];
    let report = world.issuance(&order_id, &names);
    let end = reason(certificates.record_issuance(report).await);
    ends.push(("RecordIssuance", end));
    ends
}

/// Expects that every method ends with `usual`, except those in `others`.
#[track_caller]
fn expect(ends: &[(&'static str, String)], usual: &str, others: &[(&str, &str)]) {
    let right = |name: &str| {
        let other = others.iter().find(|(other, _)| *other == name);
        other.map_or(usual, |(_, right)| right).to_owned()
    };
    let expected: Vec<_> = ends.iter().map(|(name, _)| (*name, right(name))).collect();
    assert_eq!(ends, expected);
}

/// An issued order with a certificate and a server.
async fn issued(backend: Backend) -> (World, Subject) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    let server = world.server(&order, "www1");
    let server = world.servers().register_server(server).await.unwrap();
    let certificates = certificates_of(&world, &order.order_id).await;
    let subject = Subject {
        order: world.get_order(&order.order_id).await,
        certificate_id: Some(certificates[0].certificate_id.clone()),
        server_id: server.into_inner().server.unwrap().server_id,
    };
    (world, subject)
}

async fn x_7_an_order_that_is_being_charged_is_changed_by_nothing_else(backend: Backend) {
    let mut world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    world.stop_billing().await;
    let place = multi_domain_request(&account_id, &["www.example.com"]);
    let answer = world.orders().place_order(place).await.unwrap();
    let order = answer.into_inner().order.unwrap();
    assert_eq!(order.state(), OrderState::Pending);
    let subject = Subject {
        order,
        certificate_id: None,
        server_id: ServerId::generate().to_string(),
    };
    let ends = asked(&world, &subject).await;
    let others = [
        ("RegisterServer", "ORDER_NOT_ISSUED"),
        ("UnregisterServer", "NOT_FOUND"),
    ];
    expect(&ends, "ORDER_NOT_PAID", &others);
}

/// The end of the term waits for the operation as well, and other changes are refused.
async fn x_7_while_an_operation_runs_no_other_change_is_taken(backend: Backend) {
    let (mut world, subject) = issued(backend).await;
    world.stop_billing().await;
    let change = change_request(&subject.order.order_id, &["a.example"], &[]);
    world.orders().update_domains(change).await.unwrap();
    world.time.move_to(instant(subject.order.end_time));
    let ends = asked(&world, &subject).await;
    // The certificate has expired by then.
    let others = [("Revoke", "CERTIFICATE_NOT_REVOCABLE")];
    expect(&ends, "OPERATION_IN_PROGRESS", &others);
}

async fn md_10_an_ended_order_says_so_to_every_change(backend: Backend) {
    let (world, mut subject) = issued(backend).await;
    // The certificate outlives the order by half a day, which the tolerance permits.
    let end = instant(subject.order.end_time);
    let day = 86_400_000_000;
    world.time.move_to(shifted(end, -9 * day - day / 2));
    let reissue = RequestReissueRequest {
        order_id: subject.order.order_id.clone(),
        request_id: request_id(),
        ..RequestReissueRequest::default()
    };
    world.orders().request_reissue(reissue).await.unwrap();
    let names = [subject.order.common_name.clone()];
    let chain = certificates::chain_for(&names, world.now(), 10);
    let report = issuance_of(&subject.order.order_id, chain);
    let answer = world.certificates().record_issuance(report).await.unwrap();
    let recorded = answer.into_inner().certificate.unwrap();
    subject.certificate_id = Some(recorded.certificate_id);
    let account_id = &subject.order.account_id;
    world.withdraw(account_id, "900.00").await.unwrap();

    world.time.move_to(end);
    let ends = asked(&world, &subject).await;
    let others = [
        ("RenewOrder", "INSUFFICIENT_FUNDS"),
        ("UnregisterServer", "done"),
        ("Revoke", "done"),
    ];
    expect(&ends, "ORDER_ENDED", &others);
}

async fn al_7_a_deleted_order_says_so_to_every_change(backend: Backend) {
    let (world, subject) = issued(backend).await;
    let delete = DeleteOrderRequest {
        order_id: subject.order.order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(delete).await.unwrap();
    let ends = asked(&world, &subject).await;
    let others = [("Revoke", "done"), ("RecordIssuance", "done")];
    expect(&ends, "ORDER_DELETED", &others);
}
