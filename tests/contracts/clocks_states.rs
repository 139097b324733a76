//! T-5: an instance whose clock is behind shows the states that time or another instance's decision led to.
//! No resource is read as of a time before its last decision.

use chrono::TimeDelta;
use licet_contracts::{
    operations::v1::ListOperationsRequest,
    orders::v1::{
        Certificate, CertificateState, DeleteOrderRequest, GetCertificateRequest,
        ListCertificatesRequest, ListPendingIssuanceRequest, RevokeCertificateRequest,
    },
    sanlicensing::v1::{
        Certificate as SanCertificate, CertificateState as SanState, LicenseState,
        ListLicensesRequest, RevocationReason,
    },
};

use super::clocks_apart::worlds;
use crate::harness::{
    Backend,
    certificates::{Wanted, chain},
    clock::instant,
    ingest::{counts, revoked, signed},
    on_both_databases, request_id,
    samples::issuance_of,
    san::{accept_request, facts, quote_request},
    san_life::end,
    world::World,
};

on_both_databases![
    t_5_a_certificate_counts_as_its_orders_last_decision_has_it,
    t_5_what_waits_for_a_certificate_is_seen_at_the_last_decision,
    t_5_a_certificate_without_a_license_shows_its_revocation,
    t_5_a_license_sold_by_a_clock_ahead_takes_certificates_at_once,
    t_5_a_license_is_listed_in_the_state_that_it_shows,
    t_5_an_operation_was_accepted_when_it_was_decided,
];

const APART: TimeDelta = TimeDelta::minutes(5);

async fn certificate(world: &World, certificate_id: &str) -> Certificate {
    let request = GetCertificateRequest {
        certificate_id: certificate_id.to_owned(),
    };
    let answer = world.certificates().get_certificate(request).await;
    answer.unwrap().into_inner().certificate.unwrap()
}

/// The ids of an account's certificates in a state.
async fn listed(world: &World, account_id: &str, state: CertificateState) -> Vec<String> {
    let request = ListCertificatesRequest {
        account_id: account_id.to_owned(),
        state: state.into(),
        ..ListCertificatesRequest::default()
    };
    let answer = world.certificates().list_certificates(request).await;
    let found = answer.unwrap().into_inner().certificates;
    assert!(found.iter().all(|one| one.state() == state), "{found:?}");
    found.into_iter().map(|one| one.certificate_id).collect()
}

/// A certificate of the order whose last second is `minutes` from now.
async fn recorded_for(world: &World, order_id: &str, minutes: i64) -> Certificate {
    let order = world.get_order(order_id).await;
    let not_after = world.now().checked_add(TimeDelta::minutes(minutes));
    let pem = chain(&Wanted {
        names: &order.domains,
        not_before: world.now(),
        not_after: not_after.unwrap(),
    });
    let report = issuance_of(order_id, pem);
    let answer = world.certificates().record_issuance(report).await;
    answer.unwrap().into_inner().certificate.unwrap()
}

async fn t_5_a_certificate_counts_as_its_orders_last_decision_has_it(backend: Backend) {
    let (behind, ahead) = worlds(backend, APART).await;
    behind.stock().await;
    let account_id = behind.account_with("1000.00").await;
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(behind.single_domain_order(&account_id, 2).await);
    }
    let to_be_revoked = behind.record(&orders[0].order_id).await.certificate_id;
    let to_be_deleted = behind.record(&orders[1].order_id).await.certificate_id;
    let short = recorded_for(&behind, &orders[2].order_id, 3).await;
    assert_eq!(short.state(), CertificateState::Active);
    // Nothing has been decided at the later time yet.
    let still = certificate(&behind, &short.certificate_id).await;
    assert_eq!(still.state(), CertificateState::Active);

    let revoke = RevokeCertificateRequest {
        certificate_id: to_be_revoked.clone(),
        reason: RevocationReason::KeyCompromise.into(),
        request_id: request_id(),
        ..RevokeCertificateRequest::default()
    };
    ahead
        .certificates()
        .revoke_certificate(revoke)
        .await
        .unwrap();
    let delete = DeleteOrderRequest {
        order_id: orders[1].order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    ahead.orders().delete_order(delete).await.unwrap();
    let server = ahead.server(&orders[2], "one");
    ahead.servers().register_server(server).await.unwrap();

    let expected = [
        (to_be_revoked, CertificateState::Revoked),
        (to_be_deleted, CertificateState::ToRevoke),
        (short.certificate_id, CertificateState::Expired),
    ];
    for (id, state) in &expected {
        let there = certificate(&ahead, id).await;
        assert_eq!(there.state(), *state);
        assert_eq!(certificate(&behind, id).await, there);
        for world in [&ahead, &behind] {
            assert_eq!(listed(world, &account_id, *state).await, [id.as_str()]);
        }
    }
    for state in [CertificateState::Active, CertificateState::Superseded] {
        for world in [&ahead, &behind] {
            assert!(listed(world, &account_id, state).await.is_empty());
        }
    }
}

async fn t_5_what_waits_for_a_certificate_is_seen_at_the_last_decision(backend: Backend) {
    let (behind, ahead) = worlds(backend, APART).await;
    ahead.stock().await;
    let account_id = ahead.account_with("1000.00").await;
    ahead.multi_domain_order(&account_id, &["a.example"]).await;
    let mut answers = Vec::new();
    for world in [&ahead, &behind] {
        let request = ListPendingIssuanceRequest::default();
        let answer = world.certificates().list_pending_issuance(request).await;
        answers.push(answer.unwrap().into_inner().pending_issuances);
    }
    assert_eq!(answers[0].len(), 1);
    assert_eq!(answers[0], answers[1]);
}

async fn t_5_a_certificate_without_a_license_shows_its_revocation(backend: Backend) {
    let (behind, ahead) = worlds(backend, APART).await;
    ahead.stock_sans().await;
    let account_id = ahead.account_with("1000.00").await;
    let draft = ahead.quoted(quote_request(&account_id, 10)).await;
    let told =
        ["a.example", "b.example"].map(|name| facts(&[name], ahead.now(), ahead.usual_end()));
    let records = vec![
        signed(&draft, &told[0]),
        revoked(&draft, &told[0]),
        signed(&draft, &told[1]),
    ];
    ahead.ingest(1, records).await;
    let there = ahead.unallocated(&account_id, 1).await;
    let mut states: Vec<_> = there.iter().map(SanCertificate::state).collect();
    states.sort_unstable();
    assert_eq!(states, [SanState::Active, SanState::Revoked]);
    assert_eq!(behind.unallocated(&account_id, 1).await, there);

    // A revocation that the instance behind reports is dated no earlier than the certificate's record.
    behind.ingest(2, vec![revoked(&draft, &told[1])]).await;
    for world in [&behind, &ahead] {
        for found in world.unallocated(&account_id, 1).await {
            assert_eq!(found.state(), SanState::Revoked);
            assert_eq!(instant(found.revoke_time), instant(found.record_time));
            assert_eq!(instant(found.record_time), ahead.now());
        }
    }
}

async fn t_5_a_license_sold_by_a_clock_ahead_takes_certificates_at_once(backend: Backend) {
    let (behind, ahead) = worlds(backend, APART).await;
    ahead.stock_sans().await;
    let account_id = ahead.account_with("1000.00").await;
    let license = ahead.license(&account_id, 10).await;
    let recorded = behind.recorded(&license, &["a.example"]).await;
    assert_eq!(recorded.license_id, license.license_id);
    let fed = facts(&["b.example"], behind.now(), behind.usual_end());
    let answer = behind.ingest(1, vec![signed(&license, &fed)]).await;
    assert_eq!(counts(&answer), [1, 0, 0, 0, 0, 0]);
    assert_eq!(behind.usage(&license).await.used, 2);
}

/// The ids of an account's licences in a state.
async fn licenses(world: &World, account_id: &str, state: LicenseState) -> Vec<String> {
    let request = ListLicensesRequest {
        account_id: account_id.to_owned(),
        state: state.into(),
        ..ListLicensesRequest::default()
    };
    let answer = world.san_licenses().list_licenses(request).await;
    let found = answer.unwrap().into_inner().licenses;
    assert!(found.iter().all(|one| one.state() == state), "{found:?}");
    found.into_iter().map(|one| one.license_id).collect()
}

async fn t_5_a_license_is_listed_in_the_state_that_it_shows(backend: Backend) {
    let (behind, ahead) = worlds(backend, APART).await;
    behind.stock_sans().await;
    let account_id = behind.account_with("100000.00").await;
    let license = behind.license(&account_id, 10).await;
    let end = end(&license);
    let after = end.checked_add(TimeDelta::days(1)).unwrap();
    let list = ["a.example"];
    let certificate = behind.recorded_until(&license, &list, after).await;
    behind
        .time
        .move_to(end.checked_add(-TimeDelta::minutes(1)).unwrap());
    ahead
        .time
        .move_to(end.checked_add(TimeDelta::minutes(4)).unwrap());
    // The instance ahead decided nothing, so the licence still runs at the instance behind.
    assert_eq!(
        licenses(&behind, &account_id, LicenseState::Active).await,
        [license.license_id.as_str()]
    );
    ahead.revoke(&license, &[&certificate]).await;
    for world in [&ahead, &behind] {
        let found = world.get_license(&license.license_id).await;
        assert_eq!(found.state(), LicenseState::Ended);
        let ended = licenses(world, &account_id, LicenseState::Ended).await;
        assert_eq!(ended, [license.license_id.as_str()]);
        let active = licenses(world, &account_id, LicenseState::Active).await;
        assert!(active.is_empty());
    }
    // Its product can be sold again by the instance behind (SL-20).
    let draft = behind.quoted(quote_request(&account_id, 10)).await;
    let accept = accept_request(&draft.license_id);
    let answer = behind.san_licenses().accept_license(accept).await;
    let next = answer.unwrap().into_inner().license.unwrap();
    assert_eq!(next.state(), LicenseState::Active);
}

/// T-3: an operation is decided as of its acceptance time, whichever instance accepted it.
async fn t_5_an_operation_was_accepted_when_it_was_decided(backend: Backend) {
    let (behind, ahead) = worlds(backend, APART).await;
    behind.stock().await;
    behind.stock_sans().await;
    let account_id = behind.account_with("100000.00").await;
    let order = behind
        .multi_domain_order(&account_id, &["cn.example"])
        .await;
    behind.record(&order.order_id).await;
    let server = ahead.server(&order, "one");
    ahead.servers().register_server(server).await.unwrap();
    let order_id = &order.order_id;
    behind.update_domains(order_id, &["a.example"], &[]).await;
    let ask = ListOperationsRequest {
        resource_id: order_id.clone(),
        ..ListOperationsRequest::default()
    };
    let listed = behind.operations().list_operations(ask).await.unwrap();
    let change = &listed.into_inner().operations[0];
    assert_eq!(instant(change.accept_time), ahead.now());
    let waiting = behind.get_order(order_id).await.pending_change.unwrap();
    assert_eq!(waiting.accept_time, change.accept_time);

    let license = behind.license(&account_id, 100).await;
    let license = ahead.increase(&license, 200).await;
    behind.increase(&license, 300).await;
    let ask = ListOperationsRequest {
        resource_id: license.license_id.clone(),
        ..ListOperationsRequest::default()
    };
    let listed = behind.san_operations().list_operations(ask).await.unwrap();
    let accepted = listed.into_inner().operations;
    let accepted: Vec<_> = accepted.iter().map(|it| instant(it.accept_time)).collect();
    assert_eq!(accepted, [ahead.now(), ahead.now(), behind.now()]);
}
