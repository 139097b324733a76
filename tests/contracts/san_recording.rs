//! SL-14, SL-16, SL-19, SL-20: in which licence a reported certificate counts, how a second report is
//! recognised, and how certificates end.

use licet_contracts::{
    sanlicensing::v1::{
        CertificateFacts, CertificateState, License, RecordCertificateRequest, RevocationReason,
        RevokeCertificatesRequest, record_certificate_request,
    },
    types::v1::KeyType,
};
use licet_domain::ids::{AccountId, CertificateId, ReservationId};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    errors::refused,
    eventually,
    ingest::{counts, revoked, signed},
    on_both_databases, request_id,
    san::{
        OTHER, accept_request, facts, figures, issuer_der, quote_request, report_of,
        revoke_request, sans,
    },
    world::World,
};

on_both_databases![
    sl_20_account_and_product_decide_where_a_certificate_counts,
    sl_16_a_certificate_that_no_license_covers_is_kept,
    sl_14_a_certificate_is_known_again_however_it_is_written,
    sl_14_another_certificate_under_the_same_key_is_a_conflict,
    sl_14_a_report_may_leave_the_key_type_out,
    sl_14_the_same_serial_of_another_account_or_issuer_is_another_certificate,
    sl_1_a_certificate_reported_after_its_end_never_counts,
    sl_19_revoked_are_all_or_none,
    sl_16_a_report_before_the_first_license_is_kept,
    what_a_report_names_must_be_there,
    a_reservation_of_another_license_is_not_used,
];

async fn sl_20_account_and_product_decide_where_a_certificate_counts(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let mut second = quote_request(&license.account_id, 5);
    second.product_ids = vec![OTHER.to_owned()];
    let second = world.license_with(second).await;
    let theirs = world.account_with("1000.00").await;
    let theirs = world.license(&theirs, 5).await;
    for (mine, name) in [
        (&license, "a.example"),
        (&second, "b.example"),
        (&theirs, "a.example"),
    ] {
        let certificate = world.recorded(mine, &[name]).await;
        assert_eq!(certificate.license_id, mine.license_id);
        assert_eq!(certificate.account_id, mine.account_id);
        assert_eq!(certificate.product_id, mine.product_ids[0]);
        assert_eq!(certificate.state(), CertificateState::Active);
        assert_eq!(figures(&world.usage(mine).await), (1, 0, 4));
    }
}

async fn sl_16_a_certificate_that_no_license_covers_is_kept(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let mut report = world.report(&license, &["a.example"]);
    report.product_id = OTHER.to_owned();
    let first = world.record_san(report.clone()).await;
    let certificate = first.certificate.clone().unwrap();
    assert_eq!(certificate.license_id, "");
    assert!(!first.over_quota);
    report.request_id = request_id();
    let again = world.record_san(report).await;
    assert!(again.already_known);
    assert_eq!(again.certificate.unwrap(), certificate);
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 5));
}

fn facts_of(request: &RecordCertificateRequest) -> CertificateFacts {
    match request.certificate.clone() {
        Some(record_certificate_request::Certificate::Facts(facts)) => facts,
        other => panic!("the report has no facts: {other:?}"),
    }
}

/// The report with changed facts and a new request_id.
fn altered(
    license: &License,
    report: &RecordCertificateRequest,
    alter: impl FnOnce(&mut CertificateFacts),
) -> RecordCertificateRequest {
    let mut facts = facts_of(report);
    alter(&mut facts);
    report_of(license, facts)
}

async fn sl_14_a_certificate_is_known_again_however_it_is_written(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let names = ["a.example", "b.example"];
    let report = world.report(&license, &names);
    let first = world.record_san(report.clone()).await;
    let certificate = first.certificate.unwrap();
    world.time.advance_days(1);
    let again = altered(&license, &report, |facts| {
        facts.serial = format!("000{}", facts.serial.to_uppercase());
        facts.sans = sans(&["B.EXAMPLE", "a.example.", "b.example"]);
    });
    let known = world.record_san(again).await;
    assert!(known.already_known);
    assert_eq!(known.certificate.unwrap(), certificate);
    assert!(!certificate.serial.starts_with('0'));
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 3));
}

async fn sl_14_a_report_may_leave_the_key_type_out(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let full = facts(&["a.example"], world.now(), world.usual_end());
    let bare = CertificateFacts {
        serial: uuid::Uuid::new_v4().simple().to_string(),
        key_type: KeyType::Unspecified.into(),
        ..full.clone()
    };
    for first in [full, bare] {
        let recorded = world.record_san(report_of(&license, first.clone())).await;
        assert!(!recorded.already_known);
        for key_type in [KeyType::Unspecified, KeyType::Rsa] {
            let again = CertificateFacts {
                key_type: key_type.into(),
                ..first.clone()
            };
            let known = world.record_san(report_of(&license, again.clone())).await;
            assert!(known.already_known);
            assert_eq!(known.certificate, recorded.certificate);
            let sequence = world.feed().await.map_or(1, |feed| feed.sequence + 1);
            let answer = world.ingest(sequence, vec![signed(&license, &again)]).await;
            assert_eq!(counts(&answer), [0, 0, 0, 0, 1, 0]);
        }
    }
    // Another key type means another certificate.
    let full = facts(&["b.example"], world.now(), world.usual_end());
    world.record_san(report_of(&license, full.clone())).await;
    let other = CertificateFacts {
        key_type: KeyType::Ecc.into(),
        ..full
    };
    let other = report_of(&license, other);
    refused(world.san_issuance().record_certificate(other).await)
        .expect(Code::AlreadyExists, "CERTIFICATE_CONFLICT");
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 3));
}

async fn sl_14_another_certificate_under_the_same_key_is_a_conflict(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let report = world.report(&license, &["a.example"]);
    let first = world.record_san(report.clone()).await.certificate.unwrap();
    let mut other_product = altered(&license, &report, |_| {});
    other_product.product_id = OTHER.to_owned();
    let later = Some(timestamp(shifted(world.usual_end(), 1_000_000)));
    for other in [
        altered(&license, &report, |facts| facts.sans = sans(&["b.example"])),
        altered(&license, &report, |facts| facts.sans.clear()),
        altered(&license, &report, |facts| facts.not_after_time = later),
        other_product,
    ] {
        let refusal = refused(world.san_issuance().record_certificate(other).await)
            .expect(Code::AlreadyExists, "CERTIFICATE_CONFLICT");
        assert_eq!(refusal.value("certificate_id"), first.certificate_id);
        assert_eq!(refusal.value("serial"), first.serial);
    }
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 4));
}

async fn sl_14_the_same_serial_of_another_account_or_issuer_is_another_certificate(
    backend: Backend,
) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let report = world.report(&license, &["a.example"]);
    let first = world.record_san(report.clone()).await.certificate.unwrap();
    let other_issuer = altered(&license, &report, |facts| {
        facts.issuer_der = issuer_der("Another Authority");
        facts.sans = sans(&["b.example"]);
    });
    let second = world.record_san(other_issuer).await;
    assert!(!second.already_known);
    assert_ne!(
        second.certificate.unwrap().issuer_sha256,
        first.issuer_sha256
    );
    let theirs = world.account_with("1000.00").await;
    let theirs = world.license(&theirs, 5).await;
    let third = world.record_san(altered(&theirs, &report, |_| {})).await;
    assert!(!third.already_known);
    assert_eq!(third.certificate.unwrap().license_id, theirs.license_id);
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 3));
}

async fn sl_1_a_certificate_reported_after_its_end_never_counts(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let now = world.now();
    let over = facts(
        &["a.example"],
        shifted(now, -9_000_000),
        shifted(now, -1_000_000),
    );
    let certificate = world.record_san(report_of(&license, over)).await;
    let certificate = certificate.certificate.unwrap();
    assert_eq!(certificate.state(), CertificateState::Expired);
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 5));
    assert_eq!(
        figures(&world.usage_at(&license, shifted(now, -1)).await).0,
        0
    );
    // A certificate is valid until its last second is over.
    let last = facts(&["b.example"], shifted(now, -9_000_000), now);
    world.record_san(report_of(&license, last)).await;
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 4));
    world.time.move_to(shifted(now, 1_000_000));
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 5));
}

async fn sl_19_revoked_are_all_or_none(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 9).await;
    let first = world.recorded(&license, &["a.example"]).await;
    let second = world.recorded(&license, &["b.example"]).await;
    let third = world
        .recorded_until(&license, &["c.example"], world.now())
        .await;
    let theirs = world.account_with("1000.00").await;
    let theirs = world.license(&theirs, 5).await;
    let foreign = world.recorded(&theirs, &["a.example"]).await;
    // A valid preview does not prevent these refusals.
    let seen = world.preview(&license, &[&first]).await;
    let revoke = async |request| {
        let request = RevokeCertificatesRequest {
            preview_token: seen.preview_token.clone(),
            ..request
        };
        world.san_issuance().revoke_certificates(request).await
    };

    let with_foreign = revoke_request(&license, &[&first, &foreign]);
    let refusal = refused(revoke(with_foreign).await).expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(refusal.value("id"), foreign.certificate_id);
    world.time.move_to(instant(third.until_time));
    let only_asked = RevokeCertificatesRequest {
        validate_only: true,
        ..revoke_request(&license, &[&first])
    };
    let seen = revoke(only_asked).await.unwrap().into_inner().certificates;
    assert_eq!(seen, std::slice::from_ref(&first));
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 7));

    let reasoned = RevokeCertificatesRequest {
        reason: RevocationReason::KeyCompromise.into(),
        ..world.revocation(&license, &[&first]).await
    };
    let revoked = world
        .san_issuance()
        .revoke_certificates(reasoned)
        .await
        .unwrap()
        .into_inner()
        .certificates;
    assert_eq!(revoked[0].state(), CertificateState::Revoked);
    assert_eq!(revoked[0].revoke_reason(), RevocationReason::KeyCompromise);
    // One is revoked and one expired, so nothing is revoked, not even the third.
    let mixed = revoke_request(&license, &[&first, &second, &third]);
    let refusal =
        refused(revoke(mixed).await).expect(Code::FailedPrecondition, "CERTIFICATE_NOT_REVOCABLE");
    let mut expected = [&*first.certificate_id, &*third.certificate_id];
    expected.sort_unstable();
    assert_eq!(refusal.subjects(), expected);
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 8));
    // Certificates are returned in the order of the request.
    let fourth = world.recorded(&license, &["d.example"]).await;
    let revoked = world.revoke(&license, &[&fourth, &second]).await;
    assert_eq!(
        [&revoked[0].certificate_id, &revoked[1].certificate_id],
        [&fourth.certificate_id, &second.certificate_id]
    );
}

async fn sl_16_a_report_before_the_first_license_is_kept(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("100000.00").await;
    let draft = world.quoted(quote_request(&account_id, 10)).await;
    // An account with only a draft, and an unknown account, as a feed may name one.
    let stranger = License {
        account_id: AccountId::generate().to_string(),
        ..draft.clone()
    };
    let reports = [&draft, &stranger].map(|whose| world.report(whose, &["a.example"]));
    let mut firsts = Vec::new();
    for report in &reports {
        let first = world.record_san(report.clone()).await;
        let certificate = first.certificate.as_ref().unwrap();
        assert_eq!(certificate.license_id, "");
        assert_eq!(certificate.state(), CertificateState::Active);
        assert!(!first.already_known && !first.over_quota);
        let listed = world.unallocated(&report.account_id, 0).await;
        assert_eq!(listed, std::slice::from_ref(certificate));
        firsts.push(first);
    }
    // An unknown reservation is refused, also in a repeat.
    let mut unreserved = world.report(&draft, &["b.example"]);
    unreserved.reservation_id = ReservationId::generate().to_string();
    let refuse = async || {
        let answer = world
            .san_issuance()
            .record_certificate(unreserved.clone())
            .await;
        let refusal = refused(answer).expect(Code::NotFound, "NOT_FOUND");
        assert_eq!(refusal.value("id"), unreserved.reservation_id);
    };
    refuse().await;
    // Its revocation arrived first (SL-15).
    let early = facts(&["c.example"], world.now(), world.usual_end());
    world.ingest(1, vec![revoked(&draft, &early)]).await;
    let early = world.record_san(report_of(&draft, early)).await;
    assert_eq!(
        early.certificate.unwrap().state(),
        CertificateState::Revoked
    );

    let accept = accept_request(&draft.license_id);
    world.san_licenses().accept_license(accept).await.unwrap();
    let license = world.get_license(&draft.license_id).await;
    eventually("the licence counts what waited for it", || async {
        (world.usage(&license).await.used == 1).then_some(())
    })
    .await;
    for (report, first) in reports.into_iter().zip(firsts) {
        assert_eq!(world.record_san(report.clone()).await, first);
        let again = RecordCertificateRequest {
            request_id: request_id(),
            ..report
        };
        assert!(world.record_san(again).await.already_known);
    }
    refuse().await;
}

async fn what_a_report_names_must_be_there(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let record = async |request| world.san_issuance().record_certificate(request).await;
    let reservation_id = ReservationId::generate().to_string();
    let mut unreserved = world.report(&license, &["a.example"]);
    unreserved.reservation_id.clone_from(&reservation_id);
    let refusal = refused(record(unreserved).await).expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(refusal.value("id"), reservation_id);
    let mut unknown = world.recorded(&license, &["b.example"]).await;
    let seen = world.preview(&license, &[&unknown]).await;
    unknown.certificate_id = CertificateId::generate().to_string();
    let revoke = RevokeCertificatesRequest {
        preview_token: seen.preview_token,
        ..revoke_request(&license, &[&unknown])
    };
    let refusal = refused(world.san_issuance().revoke_certificates(revoke).await)
        .expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(refusal.value("id"), unknown.certificate_id);
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 4));
}

async fn a_reservation_of_another_license_is_not_used(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let mut second = quote_request(&license.account_id, 5);
    second.product_ids = vec![OTHER.to_owned()];
    let second = world.license_with(second).await;
    let granted = world.granted(&second, &["a.example"]).await;
    let mut report = world.report(&license, &["a.example"]);
    report.reservation_id = granted.reservation_id;
    refused(world.san_issuance().record_certificate(report).await)
        .expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 5));
    assert_eq!(figures(&world.usage(&second).await), (0, 1, 4));
    // Another account's reservation is not found.
    let theirs = world.account_with("1000.00").await;
    let theirs = world.license(&theirs, 5).await;
    let foreign = world.granted(&theirs, &["b.example"]).await;
    let mut report = world.report(&license, &["b.example"]);
    report.reservation_id = foreign.reservation_id;
    refused(world.san_issuance().record_certificate(report).await)
        .expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(figures(&world.usage(&theirs).await), (0, 1, 4));
}
