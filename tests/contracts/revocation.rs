//! T-6, X-4, X-8: a certificate of an order is revoked: from when, for which reason, and who may report it.

use licet_contracts::{
    operations::v1::OperationKind,
    orders::v1::{
        BeginIssuanceRequest, CertificateState, DeleteOrderRequest, ListPendingIssuanceRequest,
        OrderState, PlaceOrderRequest, RevokeCertificateRequest, RevokeCertificateResponse,
    },
    sanlicensing::v1::RevocationReason,
    types::v1::KeyType,
};
use tonic::{Code, Request};

use super::domains::Issued;
use crate::harness::{
    Backend,
    clock::{instant, timestamp},
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::multi_domain_request,
    san::figures,
    world::World,
};

on_both_databases![
    t_6_a_revoked_certificate_counts_from_our_record_time_on,
    a_revocation_may_ask_for_a_reissue,
    x_8_the_authority_reports_what_was_to_be_revoked,
    x_4_a_revoked_certificate_gives_its_sans_back,
    another_accounts_certificate_is_not_found,
];

fn revoke_request(certificate_id: &str) -> RevokeCertificateRequest {
    RevokeCertificateRequest {
        certificate_id: certificate_id.to_owned(),
        reason: RevocationReason::KeyCompromise.into(),
        request_id: request_id(),
        ..RevokeCertificateRequest::default()
    }
}

async fn revoked(world: &World, request: RevokeCertificateRequest) -> RevokeCertificateResponse {
    let answer = world.certificates().revoke_certificate(request).await;
    answer.unwrap().into_inner()
}

async fn t_6_a_revoked_certificate_counts_from_our_record_time_on(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    let before = world.get_order(&order.order_id).await;
    let id = before.certificate_id.as_str();
    world.time.advance_days(3);
    let request = revoke_request(id);
    let preview = RevokeCertificateRequest {
        validate_only: true,
        ..request.clone()
    };
    let preview = revoked(&world, preview).await;
    assert_eq!(world.get_order(&order.order_id).await, before);

    let answer = revoked(&world, request.clone()).await;
    let certificate = answer.certificate.clone().unwrap();
    assert_eq!(certificate.state(), CertificateState::Revoked);
    assert_eq!(
        certificate.revocation_reason(),
        RevocationReason::KeyCompromise
    );
    assert_eq!(instant(certificate.revoke_time), world.now());
    assert_eq!(preview.certificate, answer.certificate);
    let after = answer.order.clone().unwrap();
    assert_eq!(
        (after.state(), after.certificate_id.as_str()),
        (OrderState::Issued, "")
    );
    assert_eq!(after.pending_change, None, "no reissue was asked for");
    assert_eq!(revoked(&world, request).await, answer, "BL-2");

    let again = refused(
        world
            .certificates()
            .revoke_certificate(revoke_request(id))
            .await,
    );
    let again = again.expect(Code::FailedPrecondition, "CERTIFICATE_NOT_REVOCABLE");
    assert_eq!(
        (again.value("state"), again.subjects()),
        ("REVOKED", vec![id])
    );
    let nothing = RevokeCertificateRequest {
        reason: 6,
        ..revoke_request("")
    };
    let nothing = refused(world.certificates().revoke_certificate(nothing).await);
    let nothing = nothing.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(nothing.paths(), ["certificate_id", "reason"]);
}

async fn a_revocation_may_ask_for_a_reissue(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    let old = world.get_order(&order.order_id).await.certificate_id;
    world
        .update_domains(&order.order_id, &["b.example"], &[])
        .await;
    let request = || RevokeCertificateRequest {
        request_reissue: true,
        ..revoke_request(&old)
    };
    let waiting = refused(world.certificates().revoke_certificate(request()).await);
    waiting.expect(Code::FailedPrecondition, "CHANGE_IN_PROGRESS");
    let current = world.record(&order.order_id).await.certificate_id;
    // The superseded certificate is due for revocation in 72 hours; it can be revoked at once.
    let answer = revoked(&world, request()).await;
    let superseded = answer.certificate.unwrap();
    assert_eq!(instant(superseded.revoke_time), world.now());
    let asked = answer.order.unwrap();
    assert_eq!(asked.certificate_id, current);
    let pending = asked.pending_change.unwrap();
    assert_eq!(pending.kind(), OperationKind::RequestReissue);
    let ask = ListPendingIssuanceRequest::default();
    let list = world.certificates().list_pending_issuance(ask).await;
    assert_eq!(list.unwrap().into_inner().pending_issuances.len(), 1);
    world.record(&order.order_id).await;

    world.time.advance_months(12);
    let ended = RevokeCertificateRequest {
        request_reissue: true,
        ..revoke_request(&current)
    };
    let ended = refused(world.certificates().revoke_certificate(ended).await);
    assert!(
        ["ORDER_ENDED", "CERTIFICATE_NOT_REVOCABLE"].contains(&ended.reason.as_str()),
        "{ended:?}"
    );
}

async fn x_8_the_authority_reports_what_was_to_be_revoked(backend: Backend) {
    let Issued {
        world,
        account_id,
        order,
    } = Issued::new(backend, &["www.example.com"]).await;
    let id = world.get_order(&order.order_id).await.certificate_id;
    let delete = DeleteOrderRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(delete).await.unwrap();
    let deleted = world.now();
    world.time.advance_days(1);
    let as_role = |role: &str| {
        let mut request = Request::new(RevokeCertificateRequest {
            reason: RevocationReason::Unspecified.into(),
            ..revoke_request(&id)
        });
        let metadata = request.metadata_mut();
        metadata.insert("licet-roles", role.parse().unwrap());
        metadata.insert("licet-accounts", account_id.parse().unwrap());
        request
    };
    let by_customer = as_role("customer");
    let by_customer = refused(world.certificates().revoke_certificate(by_customer).await);
    let by_customer = by_customer.expect(Code::FailedPrecondition, "CERTIFICATE_NOT_REVOCABLE");
    assert_eq!(by_customer.value("state"), "TO_REVOKE");
    let by_authority = as_role("certificate_authority");
    let answer = world.certificates().revoke_certificate(by_authority).await;
    let certificate = answer.unwrap().into_inner().certificate.unwrap();
    assert_eq!(certificate.state(), CertificateState::Revoked);
    assert_eq!(
        instant(certificate.revoke_time),
        deleted,
        "revoked since the deletion"
    );
    let reason = certificate.revocation_reason();
    assert_eq!(reason, RevocationReason::CessationOfOperation);
}

async fn x_4_a_revoked_certificate_gives_its_sans_back(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    world.start_orders().await;
    world.stock().await;
    let request = PlaceOrderRequest {
        san_license_id: license.license_id.clone(),
        ..multi_domain_request(&license.account_id, &["www.example.com", "a.example"])
    };
    let order = world.place(request).await;
    let begin = BeginIssuanceRequest {
        order_id: order.order_id.clone(),
        key_type: KeyType::Ecc.into(),
        not_after_time: Some(timestamp(world.usual_end())),
        request_id: request_id(),
    };
    world.certificates().begin_issuance(begin).await.unwrap();
    let certificate = world.record(&order.order_id).await;
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 8));
    world.stop_san_licensing(0).await;
    revoked(&world, revoke_request(&certificate.certificate_id)).await;
    world.start_san_licensing().await;
    eventually("the SANs are free", || async {
        (figures(&world.usage(&license).await) == (0, 0, 10)).then_some(())
    })
    .await;
}

async fn another_accounts_certificate_is_not_found(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    let id = world.get_order(&order.order_id).await.certificate_id;
    let stranger = world.empty_account().await;
    let mut request = Request::new(revoke_request(&id));
    let metadata = request.metadata_mut();
    metadata.insert("licet-roles", "customer".parse().unwrap());
    metadata.insert("licet-accounts", stranger.parse().unwrap());
    refused(world.certificates().revoke_certificate(request).await)
        .expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(world.get_order(&order.order_id).await.certificate_id, id);
}
