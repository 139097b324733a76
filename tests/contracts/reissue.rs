//! MD-7: a reissue is a new certificate with the same domains, for the same key or a new one.

use chrono::TimeDelta;
use licet_contracts::{
    operations::v1::OperationKind,
    orders::v1::{
        Certificate, CertificateState, GetCertificateRequest, ListPendingIssuanceRequest,
        PendingIssuance, PendingIssuanceReason, RequestReissueRequest,
    },
};
use tonic::Code;

use super::domains::Issued;
use crate::harness::{
    Backend,
    certificates::{Wanted, chain_of_key, new_key, signing_request, signing_request_of_key},
    clock::instant,
    errors::refused,
    on_both_databases, request_id,
    samples::{issuance_of, multi_domain_request, names},
    world::World,
};

on_both_databases![
    md_7_a_reissue_is_free_and_supersedes_by_policy,
    md_7_asked_again_it_is_the_same_wait_with_the_new_key,
    md_7_before_the_first_certificate_only_the_key_is_new,
    md_7_the_certificate_of_a_reissue_has_its_new_key_and_no_other,
    md_7_a_reissue_waits_for_a_domain_change,
    a_csr_for_other_names_asks_for_nothing,
    md_10_an_ended_order_is_not_reissued,
];

pub(super) fn reissue_request(order_id: &str, csr: &str) -> RequestReissueRequest {
    RequestReissueRequest {
        order_id: order_id.to_owned(),
        csr: csr.to_owned(),
        request_id: request_id(),
    }
}

async fn awaited(world: &World) -> Vec<PendingIssuance> {
    let ask = ListPendingIssuanceRequest::default();
    let answer = world.certificates().list_pending_issuance(ask).await;
    answer.unwrap().into_inner().pending_issuances
}

async fn certificate(world: &World, id: &str) -> Certificate {
    let ask = GetCertificateRequest {
        certificate_id: id.to_owned(),
    };
    let answer = world.certificates().get_certificate(ask).await;
    answer.unwrap().into_inner().certificate.unwrap()
}

const NAMES: [&str; 2] = ["www.example.com", "a.example"];

async fn md_7_a_reissue_is_free_and_supersedes_by_policy(backend: Backend) {
    let Issued {
        world,
        account_id,
        order,
    } = Issued::new(backend, &NAMES).await;
    let old = world.get_order(&order.order_id).await.certificate_id;
    world.time.advance_days(80);
    let request = reissue_request(&order.order_id, "");
    let answer = world.orders().request_reissue(request.clone()).await;
    let answer = answer.unwrap().into_inner();
    let asked = answer.order.clone().unwrap();
    let pending = asked.pending_change.unwrap();
    assert_eq!(
        (pending.kind(), pending.step.as_str()),
        (OperationKind::RequestReissue, "await-certificate")
    );
    assert_eq!(instant(asked.issuance_pending_time), world.now());
    assert_eq!(asked.certificate_id, old, "unchanged so far");
    let list = awaited(&world).await;
    assert_eq!(list[0].reason(), PendingIssuanceReason::Reissue);
    assert_eq!(list[0].names, names(&["a.example", "www.example.com"]));

    let new = world.record(&order.order_id).await;
    let done = world.get_order(&order.order_id).await;
    assert_eq!(done.certificate_id, new.certificate_id);
    assert_eq!(
        (done.pending_change, awaited(&world).await.len()),
        (None, 0)
    );
    let superseded = certificate(&world, &old).await;
    assert_eq!(superseded.state(), CertificateState::Superseded);
    let revoke_time = world.now().checked_add(TimeDelta::hours(72));
    assert_eq!(Some(instant(superseded.revoke_time)), revoke_time);
    assert_eq!(world.balance(&account_id).await, "853.00 USD");
    // AL-4: the days of the refund still count from the first certificate.
    let first = done.current_term.unwrap().first_issuance_time;
    assert_eq!(first, order.create_time);
    // BL-2: a repeat gets the first response and asks for no further certificate.
    let again = world.orders().request_reissue(request).await.unwrap();
    assert_eq!(again.into_inner(), answer);
    assert_eq!(awaited(&world).await.len(), 0);
}

async fn md_7_the_certificate_of_a_reissue_has_its_new_key_and_no_other(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &NAMES).await;
    let order_id = order.order_id.as_str();
    let old = world.get_order(order_id).await.certificate_id;
    let list = names(&NAMES);
    let key = new_key();
    let csr = signing_request_of_key(&list, &key);
    let rekeyed = reissue_request(order_id, &csr);
    world.orders().request_reissue(rekeyed).await.unwrap();
    let wanted = Wanted {
        names: &list,
        not_before: world.now(),
        not_after: world.usual_end(),
    };
    let other = issuance_of(order_id, chain_of_key(&wanted, &new_key()));
    let mismatch = refused(world.certificates().record_issuance(other).await);
    let mismatch = mismatch.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    assert_eq!(mismatch.subjects(), ["public_key"]);
    let waits = world.get_order(order_id).await;
    assert_eq!(waits.certificate_id, old, "nothing is recorded");
    assert!(waits.pending_change.is_some());

    let report = issuance_of(order_id, chain_of_key(&wanted, &key));
    let recorded = world.certificates().record_issuance(report.clone()).await;
    let recorded = recorded.unwrap().into_inner();
    let done = world.get_order(order_id).await;
    let new = recorded.certificate.as_ref().unwrap();
    assert_eq!(done.certificate_id, new.certificate_id);
    assert_eq!(done.pending_change, None);
    let old = certificate(&world, &old).await;
    assert_eq!(old.state(), CertificateState::Superseded);
    let again = world.certificates().record_issuance(report).await.unwrap();
    assert_eq!(again.into_inner(), recorded, "BL-2");
    // The next certificate is for the order's key unless another one is asked for.
    let same_key = reissue_request(order_id, "");
    world.orders().request_reissue(same_key).await.unwrap();
    let other = issuance_of(order_id, chain_of_key(&wanted, &new_key()));
    let mismatch = refused(world.certificates().record_issuance(other).await);
    assert_eq!(mismatch.subjects(), ["public_key"]);
    let next = issuance_of(order_id, chain_of_key(&wanted, &key));
    world.certificates().record_issuance(next).await.unwrap();
}

async fn md_7_asked_again_it_is_the_same_wait_with_the_new_key(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &NAMES).await;
    let order_id = order.order_id.as_str();
    let csr = signing_request(&names(&NAMES));
    let first = reissue_request(order_id, &csr);
    world.orders().request_reissue(first).await.unwrap();
    let since = awaited(&world).await[0].since_time;
    world.time.advance_days(1);
    let same = reissue_request(order_id, "");
    world.orders().request_reissue(same).await.unwrap();
    let list = awaited(&world).await;
    assert_eq!((list.len(), list[0].since_time), (1, since));
    assert_eq!(
        list[0].csr.trim(),
        csr.replace("\r\n", "\n").trim(),
        "the awaited key stays"
    );
    let other = signing_request(&names(&NAMES));
    let rekeyed = reissue_request(order_id, &other);
    world.orders().request_reissue(rekeyed).await.unwrap();
    let list = awaited(&world).await;
    assert_eq!((list.len(), list[0].since_time), (1, since));
    assert_eq!(list[0].csr.trim(), other.replace("\r\n", "\n").trim());
    // A certificate for another key is refused.
    let report = world.issuance(order_id, &names(&NAMES));
    let mismatch = refused(world.certificates().record_issuance(report).await);
    let mismatch = mismatch.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    assert_eq!(mismatch.subjects(), ["public_key"]);
}

async fn md_7_before_the_first_certificate_only_the_key_is_new(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world.place(multi_domain_request(&account_id, &NAMES)).await;
    let csr = signing_request(&names(&NAMES));
    world.time.advance_days(1);
    let request = reissue_request(&order.order_id, &csr);
    let answer = world.orders().request_reissue(request).await.unwrap();
    assert_eq!(answer.into_inner().order.unwrap().pending_change, None);
    let list = awaited(&world).await;
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].reason(), PendingIssuanceReason::First);
    assert_eq!(
        (list[0].since_time, list[0].csr.is_empty()),
        (order.create_time, false)
    );
}

async fn md_7_a_reissue_waits_for_a_domain_change(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &NAMES).await;
    world
        .update_domains(&order.order_id, &["b.example"], &["a.example"])
        .await;
    let request = reissue_request(&order.order_id, "");
    let refusal = refused(world.orders().request_reissue(request).await);
    let refusal = refusal.expect(Code::FailedPrecondition, "CHANGE_IN_PROGRESS");
    assert_eq!(refusal.value("order_id"), order.order_id);
    world.record(&order.order_id).await;
    let request = reissue_request(&order.order_id, "");
    world.orders().request_reissue(request).await.unwrap();
    // A domain change may join the wait; one certificate ends both.
    world
        .update_domains(&order.order_id, &["c.example"], &["b.example"])
        .await;
    assert_eq!(awaited(&world).await.len(), 1);
    world.record(&order.order_id).await;
    assert_eq!(awaited(&world).await.len(), 0);
}

async fn a_csr_for_other_names_asks_for_nothing(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &NAMES).await;
    let before = world.get_order(&order.order_id).await;
    let csr = signing_request(&names(&["www.example.com", "b.example"]));
    let request = reissue_request(&order.order_id, &csr);
    let refusal = refused(world.orders().request_reissue(request).await);
    let refusal = refusal.expect(Code::FailedPrecondition, "CSR_MISMATCH");
    assert_eq!(refusal.subjects(), ["a.example", "b.example"]);
    let broken = RequestReissueRequest {
        request_id: String::new(),
        ..reissue_request("", "no CSR")
    };
    let refusal = refused(world.orders().request_reissue(broken).await);
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(refusal.paths(), ["csr", "order_id", "request_id"]);
    assert_eq!(world.get_order(&order.order_id).await, before);
}

async fn md_10_an_ended_order_is_not_reissued(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &NAMES).await;
    world.time.advance_months(12);
    let request = reissue_request(&order.order_id, "");
    let ended = refused(world.orders().request_reissue(request).await);
    let ended = ended.expect(Code::FailedPrecondition, "ORDER_ENDED");
    assert!(
        ended.message.contains("renew it before"),
        "{}",
        ended.message
    );
}
