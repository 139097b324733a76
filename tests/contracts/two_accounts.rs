//! A caller who may see several accounts names an order, a certificate or a server by its id alone: Orders
//! finds the account by itself, and only among the caller's.

use licet_contracts::orders::v1::{
    CertificateState, GetCertificateRequest, ListCertificatesRequest, ListOrdersRequest,
    ListPendingIssuanceRequest, RevokeCertificateRequest, SetServerSoftwareRequest,
    UnregisterServerRequest,
};
use licet_contracts::sanlicensing::v1::RevocationReason;
use tonic::{Code, Request};

use crate::harness::{
    Backend, errors::refused, on_both_databases, request_id, samples::multi_domain_request,
    world::World,
};

on_both_databases![a_caller_of_two_accounts_reaches_what_both_have];

/// One account's order with a certificate and a server.
struct Owned {
    account_id: String,
    order_id: String,
    certificate_id: String,
    server_id: String,
}

async fn owned(world: &World, name: &str) -> Owned {
    let account_id = world.account_with("1000.00").await;
    let mut request = multi_domain_request(&account_id, &[name]);
    request.additional_licenses = 1;
    let order = world.place(request).await;
    let certificate = world.record(&order.order_id).await;
    let server = world.server(&order, "one");
    let server = world.servers().register_server(server).await.unwrap();
    let server = server.into_inner().server.unwrap();
    Owned {
        account_id,
        order_id: order.order_id,
        certificate_id: certificate.certificate_id,
        server_id: server.server_id,
    }
}

async fn a_caller_of_two_accounts_reaches_what_both_have(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let mut all = Vec::new();
    for name in ["a.example", "b.example", "c.example"] {
        all.push(owned(&world, name).await);
    }
    let accounts = [&all[0], &all[1]].map(|one| one.account_id.as_str());
    let accounts = accounts.join(",");
    macro_rules! called {
        ($client:ident, $method:ident, $message:expr) => {{
            let mut request = Request::new($message);
            let metadata = request.metadata_mut();
            metadata.insert("licet-accounts", accounts.parse().unwrap());
            world.$client().$method(request).await
        }};
    }
    for (number, one) in all.iter().enumerate() {
        let software = SetServerSoftwareRequest {
            order_id: one.order_id.clone(),
            server_software: "nginx".to_owned(),
            request_id: request_id(),
        };
        let software = called!(orders, set_server_software, software);
        let unregister = UnregisterServerRequest {
            server_id: one.server_id.clone(),
            request_id: request_id(),
        };
        let unregistered = called!(servers, unregister_server, unregister);
        let revoke = RevokeCertificateRequest {
            certificate_id: one.certificate_id.clone(),
            reason: RevocationReason::KeyCompromise.into(),
            request_id: request_id(),
            request_reissue: true,
            ..RevokeCertificateRequest::default()
        };
        let revoked = called!(certificates, revoke_certificate, revoke);
        let ask = GetCertificateRequest {
            certificate_id: one.certificate_id.clone(),
        };
        let found = called!(certificates, get_certificate, ask);
        if number == 2 {
            refused(software).expect(Code::NotFound, "NOT_FOUND");
            refused(unregistered).expect(Code::NotFound, "NOT_FOUND");
            refused(revoked).expect(Code::NotFound, "NOT_FOUND");
            refused(found).expect(Code::NotFound, "NOT_FOUND");
            continue;
        }
        software.unwrap();
        assert_eq!(unregistered.unwrap().into_inner().registered_servers, 0);
        revoked.unwrap();
        let found = found.unwrap().into_inner().certificate.unwrap();
        assert_eq!(found.state(), CertificateState::Revoked);
    }
    let theirs = [&all[1], &all[0]];
    let listed = called!(orders, list_orders, ListOrdersRequest::default());
    let listed = listed.unwrap().into_inner().orders;
    let of_listed: Vec<_> = listed.iter().map(|order| &order.order_id).collect();
    assert_eq!(of_listed, theirs.map(|one| &one.order_id));
    let listed = called!(
        certificates,
        list_certificates,
        ListCertificatesRequest::default()
    );
    let listed = listed.unwrap().into_inner().certificates;
    let of_listed: Vec<_> = listed.iter().map(|found| &found.certificate_id).collect();
    assert_eq!(of_listed, theirs.map(|one| &one.certificate_id));
    let pending = ListPendingIssuanceRequest::default();
    let pending = called!(certificates, list_pending_issuance, pending);
    let pending = pending.unwrap().into_inner().pending_issuances;
    let of_listed: Vec<_> = pending.iter().map(|one| &one.order_id).collect();
    assert_eq!(of_listed, [&all[0].order_id, &all[1].order_id]);
    for order in &world
        .orders()
        .list_orders(ListOrdersRequest::default())
        .await
        .unwrap()
        .into_inner()
        .orders
    {
        let has = order.order_id == all[2].order_id;
        assert_eq!(order.certificate_id.is_empty(), !has, "{order:?}");
    }
}
