//! BL-2: each request_id is decided once; repeats get that decision, whatever has changed since.

use licet_contracts::sanlicensing::v1::{
    AuthorizeIssuanceRequest, QuoteLicenseRequest, RecordCertificateRequest,
};
use licet_domain::ids::LicenseId;
use prost::Message as _;
use tonic::{Code, Request};

use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::refused,
    on_both_databases,
    san::{OTHER, figures, increase_request, quote_request, release_request, sans},
    world::World,
};

on_both_databases![
    bl_2_a_grant_repeated_is_the_same_grant,
    bl_2_a_denial_repeated_is_the_same_denial,
    bl_2_a_request_id_is_for_one_body,
    bl_2_a_request_id_is_scoped_by_its_caller,
    bl_2_a_decision_is_scoped_by_its_account,
    bl_2_many_at_once_are_decided_once,
    bl_2_every_other_change_is_made_once,
    bl_2_a_malformed_request_leaves_no_record,
];

async fn again(world: &World, request: &AuthorizeIssuanceRequest) -> Vec<u8> {
    world.authorize(request.clone()).await.encode_to_vec()
}

async fn bl_2_a_grant_repeated_is_the_same_grant(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 3).await;
    world.recorded(&license, &["a.example"]).await;
    let request = world.question(&license, &["a.example", "b.example"]);
    let first = world.authorize(request.clone()).await;
    let bytes = first.encode_to_vec();
    assert_eq!(again(&world, &request).await, bytes);
    // Others use up the quota, the reservation is used and lapses, the licence ends.
    world.granted(&license, &["c.example"]).await;
    assert_eq!(again(&world, &request).await, bytes);
    let mut report = world.report(&license, &["b.example"]);
    report.reservation_id = first.reservation_id;
    world.record_san(report).await;
    assert_eq!(again(&world, &request).await, bytes);
    world.time.move_to(instant(first.expire_time));
    assert_eq!(again(&world, &request).await, bytes);
    // An instance without memory returns the same.
    world.stop_san_licensing(0).await;
    world.start_san_licensing().await;
    assert_eq!(again(&world, &request).await, bytes);
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 1));
    assert!(world.reservations(&license).await.is_empty());
    let end = instant(license.term.clone().unwrap().period.unwrap().end_time);
    world.time.move_to(end);
    assert_eq!(again(&world, &request).await, bytes);
}

async fn bl_2_a_denial_repeated_is_the_same_denial(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 1).await;
    let held = world.granted(&license, &["a.example"]).await;
    let request = world.question(&license, &["b.example"]);
    let first = world.authorize(request.clone()).await;
    assert_eq!((first.short_by, first.fits_time), (1, held.expire_time));
    world.release(&license, &held.reservation_id).await;
    assert_eq!(again(&world, &request).await, first.encode_to_vec());
    world.increase(&license, 10).await;
    world.time.advance_days(1);
    assert_eq!(again(&world, &request).await, first.encode_to_vec());
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 10));
    world.granted(&license, &["b.example"]).await;
}

async fn bl_2_a_request_id_is_for_one_body(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let request = world.question(&license, &["a.example"]);
    world.authorize(request.clone()).await;
    let second = QuoteLicenseRequest {
        product_ids: vec![OTHER.to_owned()],
        ..quote_request(&license.account_id, 5)
    };
    let second = world.license_with(second).await;
    let later = shifted(instant(request.not_after_time), 1_000_000);
    for other in [
        AuthorizeIssuanceRequest {
            sans: sans(&["a.example", "b.example"]),
            ..request.clone()
        },
        AuthorizeIssuanceRequest {
            license_id: second.license_id.clone(),
            ..request.clone()
        },
        AuthorizeIssuanceRequest {
            not_after_time: Some(crate::harness::clock::timestamp(later)),
            ..request.clone()
        },
        AuthorizeIssuanceRequest {
            hold_for: Some(prost_types::Duration {
                seconds: 60,
                nanos: 0,
            }),
            ..request.clone()
        },
    ] {
        let refusal = refused(world.san_issuance().authorize_issuance(other).await)
            .expect(Code::AlreadyExists, "REQUEST_ID_REUSED");
        assert_eq!(refusal.value("request_id"), request.request_id);
    }
    assert_eq!(figures(&world.usage(&license).await), (0, 1, 4));
    assert_eq!(figures(&world.usage(&second).await), (0, 0, 5));
    let report = world.report(&license, &["a.example"]);
    world.record_san(report.clone()).await;
    let other = RecordCertificateRequest {
        request_id: report.request_id,
        ..world.report(&license, &["a.example"])
    };
    refused(world.san_issuance().record_certificate(other).await)
        .expect(Code::AlreadyExists, "REQUEST_ID_REUSED");
}

async fn bl_2_a_request_id_is_scoped_by_its_caller(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let request = world.question(&license, &["a.example"]);
    let mut ids = Vec::new();
    for caller in ["authority-one", "authority-two"] {
        let mut request = Request::new(request.clone());
        let name = caller.parse().unwrap();
        request.metadata_mut().insert("licet-caller", name);
        let answer = world.san_issuance().authorize_issuance(request).await;
        ids.push(answer.unwrap().into_inner().reservation_id);
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(world.reservations(&license).await.len(), 2);
    assert_eq!(figures(&world.usage(&license).await), (0, 1, 4));
}

async fn bl_2_a_decision_is_scoped_by_its_account(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let other = world.account_with("1000.00").await;
    let other = world.license(&other, 1).await;
    let request = world.question(&license, &["a.example"]);
    let theirs = AuthorizeIssuanceRequest {
        license_id: other.license_id.clone(),
        ..request.clone()
    };
    // At once, so that one round may decide both.
    let (mut one, mut two) = (world.san_issuance(), world.san_issuance());
    let (mine, their) = tokio::join!(
        one.authorize_issuance(request.clone()),
        two.authorize_issuance(theirs.clone())
    );
    let (mine, their) = (mine.unwrap().into_inner(), their.unwrap().into_inner());
    assert_eq!((mine.quota, their.quota), (5, 1));
    // Each is repeated, used and released by itself.
    assert_eq!(again(&world, &request).await, mine.encode_to_vec());
    assert_eq!(again(&world, &theirs).await, their.encode_to_vec());
    world.release(&other, &their.reservation_id).await;
    let mut report = world.report(&license, &["a.example"]);
    report.reservation_id = mine.reservation_id;
    world.record_san(report).await;
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 4));
    assert_eq!(figures(&world.usage(&other).await), (0, 0, 1));
}

async fn bl_2_many_at_once_are_decided_once(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let request = world.question(&license, &["a.example"]);
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (mut issuance, request) = (world.san_issuance(), request.clone());
        asked.spawn(async move { issuance.authorize_issuance(request).await });
    }
    let answers = asked.join_all().await;
    let first = answers[0].as_ref().unwrap().get_ref().encode_to_vec();
    for answer in answers {
        assert_eq!(answer.unwrap().into_inner().encode_to_vec(), first);
    }
    assert_eq!(world.reservations(&license).await.len(), 1);
}

async fn bl_2_every_other_change_is_made_once(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let held = world.granted(&license, &["a.example"]).await;
    let mut report = world.report(&license, &["a.example"]);
    report.reservation_id.clone_from(&held.reservation_id);
    let recorded = world.record_san(report.clone()).await;
    assert!(!recorded.already_known);
    let certificate = recorded.certificate.clone().unwrap();
    let revoke = world.revocation(&license, &[&certificate]).await;
    let revoked = world
        .san_issuance()
        .revoke_certificates(revoke.clone())
        .await;
    let revoked = revoked.unwrap().into_inner();
    let other = world.granted(&license, &["b.example"]).await;
    let release = release_request(&license, &other.reservation_id);
    let released = world
        .san_issuance()
        .release_reservation(release.clone())
        .await;
    let released = released.unwrap().into_inner();
    let increase = increase_request(&license, 7);
    let increased = world.san_licenses().increase_quota(increase.clone()).await;
    let increased = increased.unwrap().into_inner();
    let balance = world.balance(&license.account_id).await;

    world.time.advance_days(3);
    assert_eq!(world.record_san(report).await, recorded);
    let again = world.san_issuance().revoke_certificates(revoke).await;
    assert_eq!(again.unwrap().into_inner(), revoked);
    let again = world.san_issuance().release_reservation(release).await;
    assert_eq!(again.unwrap().into_inner(), released);
    let again = world.san_licenses().increase_quota(increase).await;
    assert_eq!(again.unwrap().into_inner(), increased);
    assert_eq!(world.balance(&license.account_id).await, balance);
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 7));
}

async fn bl_2_a_malformed_request_leaves_no_record(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let good = world.question(&license, &["a.example"]);
    let bad = AuthorizeIssuanceRequest {
        sans: sans(&["not a name"]),
        ..good.clone()
    };
    refused(world.san_issuance().authorize_issuance(bad).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    // A licence that does not exist; nothing is stored under the request_id.
    let missing = AuthorizeIssuanceRequest {
        license_id: LicenseId::generate().to_string(),
        request_id: crate::harness::request_id(),
        ..good.clone()
    };
    refused(world.san_issuance().authorize_issuance(missing).await)
        .expect(Code::NotFound, "NOT_FOUND");
    let answer = world.authorize(good).await;
    assert!(!answer.reservation_id.is_empty());
}
