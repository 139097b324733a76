//! SL-1 to SL-5: what one SAN is, its weight, that it counts once, and until exactly when.

use licet_contracts::{
    sanlicensing::v1::{DenialReason, ListUniqueSansRequest, SanCounts},
    types::v1::KeyType,
};

use crate::harness::{
    Backend, certificates,
    clock::{instant, shifted},
    on_both_databases, request_id,
    san::{figures, texts},
    world::World,
};

on_both_databases![
    sl_3_case_makes_no_san_and_a_wildcard_weighs_five,
    sl_2_the_type_is_part_of_a_san,
    sl_1_canonical_forms_are_compared,
    sl_1_names_on_a_certificate_count_even_when_they_are_not_well_formed,
    sl_1_a_real_certificate_counts_by_its_sans,
    sl_4_a_san_on_two_certificates_counts_once_and_stays_while_one_holds_it,
    sl_4_a_reissue_passes_at_a_full_quota,
    sl_5_room_returns_exactly_at_the_expiry,
    sl_5_room_returns_at_the_instant_of_a_revocation,
];

async fn sl_3_case_makes_no_san_and_a_wildcard_weighs_five(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 6).await;
    let names = ["Example.com", "example.com", "*.example.com"];
    let answer = world.granted(&license, &names).await;
    assert_eq!((answer.used, answer.reserved, answer.needed), (0, 0, 6));
    assert_eq!(figures(&world.usage(&license).await), (0, 6, 0));
    let held = world.reservations(&license).await;
    assert_eq!(texts(&held[0].sans), ["*.example.com", "example.com"]);
    let mut report = world.report(&license, &names);
    report.reservation_id = answer.reservation_id;
    let certificate = world.record_san(report).await.certificate.unwrap();
    assert_eq!(texts(&certificate.sans), ["*.example.com", "example.com"]);
    let usage = world.usage(&license).await;
    assert_eq!(figures(&usage), (6, 0, 0));
    assert_eq!((usage.distinct_sans, usage.wildcards), (2, 1));
}

async fn sl_2_the_type_is_part_of_a_san(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let names = [
        "mail:Ann@Example.com",
        "mail:ann@example.com",
        "upn:Ann@Example.com",
        "upn:ann@example.COM",
        "ip:192.0.2.1",
        "192-0-2-1.example",
    ];
    let certificate = world.recorded(&license, &names).await;
    assert_eq!(
        texts(&certificate.sans),
        [
            "192-0-2-1.example",
            "ip:192.0.2.1",
            "mail:ann@example.com",
            "upn:ann@example.com",
        ]
    );
    let usage = world.usage(&license).await;
    assert_eq!(figures(&usage), (4, 0, 6));
    let each = SanCounts {
        dns: 1,
        ip: 1,
        email: 1,
        upn: 1,
    };
    assert_eq!(usage.by_type, Some(each));
}

async fn sl_1_canonical_forms_are_compared(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let first = [
        "bücher.example",
        "host.example.",
        "ip:2001:0DB8:0:0:0:0:0:1",
        "ip:1.2.3.4",
        "intranet",
    ];
    world.recorded(&license, &first).await;
    let again = [
        "XN--BCHER-KVA.Example",
        "HOST.example",
        "ip:2001:db8::1",
        "INTRANET.",
    ];
    assert_eq!(world.granted(&license, &again).await.needed, 0);
    // An IPv6 address that embeds an IPv4 address is another SAN.
    let mapped = world.granted(&license, &["ip:::ffff:1.2.3.4"]).await;
    assert_eq!(mapped.needed, 1);
}

async fn sl_1_names_on_a_certificate_count_even_when_they_are_not_well_formed(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let names = [
        "Under_Score.example",
        "under_score.EXAMPLE",
        "a..b",
        "mail:nobody",
    ];
    let certificate = world.recorded(&license, &names).await;
    assert_eq!(
        texts(&certificate.sans),
        ["a..b", "under_score.example", "mail:nobody"]
    );
    assert_eq!(world.usage(&license).await.used, 3);
}

async fn sl_1_a_real_certificate_counts_by_its_sans(backend: Backend) {
    use licet_contracts::sanlicensing::v1::{
        RecordCertificateRequest, record_certificate_request::Certificate,
    };
    let (world, license) = World::start_licensed(backend, 10).await;
    let names = ["WWW.example.com", "*.example.com", "192.0.2.7"].map(str::to_owned);
    let pem = certificates::chain(&certificates::Wanted {
        names: &names,
        not_before: world.now(),
        not_after: world.usual_end(),
    });
    let report = RecordCertificateRequest {
        account_id: license.account_id.clone(),
        product_id: license.product_ids[0].clone(),
        certificate: Some(Certificate::CertificatePem(pem)),
        reservation_id: String::new(),
        request_id: request_id(),
    };
    let certificate = world.record_san(report).await.certificate.unwrap();
    assert_eq!(
        texts(&certificate.sans),
        ["*.example.com", "www.example.com", "ip:192.0.2.7"]
    );
    assert_eq!(certificate.key_type(), KeyType::Ecc);
    assert_eq!(certificate.issuer_sha256.len(), 64);
    assert_eq!(instant(certificate.not_after_time), world.usual_end());
    assert_eq!(
        instant(certificate.until_time),
        shifted(world.usual_end(), 1_000_000)
    );
    assert_eq!(world.usage(&license).await.used, 7);
}

async fn sl_4_a_san_on_two_certificates_counts_once_and_stays_while_one_holds_it(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let first = world.recorded(&license, &["a.example", "b.example"]).await;
    let second = world.recorded(&license, &["A.example", "c.example"]).await;
    assert_eq!(world.usage(&license).await.used, 3);
    world.revoke(&license, &[&first]).await;
    assert_eq!(world.usage(&license).await.used, 2);
    let list = ListUniqueSansRequest {
        license_id: license.license_id.clone(),
        ..ListUniqueSansRequest::default()
    };
    let answer = world.san_usage().list_unique_sans(list).await.unwrap();
    let held = answer.into_inner().unique_sans;
    assert_eq!(held.len(), 2);
    assert_eq!(held[0].san.as_ref().unwrap().value, "a.example");
    assert_eq!((held[0].weight, held[0].certificate_count), (1, 1));
    world.revoke(&license, &[&second]).await;
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 10));
}

async fn sl_4_a_reissue_passes_at_a_full_quota(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 2).await;
    world.recorded(&license, &["a.example", "b.example"]).await;
    let answer = world.granted(&license, &["B.example", "a.example"]).await;
    assert_eq!((answer.used, answer.reserved, answer.needed), (2, 0, 0));
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 0));
    world.denied(&license, &["a.example", "c.example"]).await;
    // Beyond the quota, SANs in use are still granted (SL-11).
    world.recorded(&license, &["c.example"]).await;
    assert_eq!(figures(&world.usage(&license).await), (3, 0, -1));
    world.granted(&license, &["c.example", "a.example"]).await;
}

async fn sl_5_room_returns_exactly_at_the_expiry(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 1).await;
    let first = world.recorded(&license, &["a.example"]).await;
    let until = instant(first.until_time);
    assert_eq!(until, shifted(world.usual_end(), 1_000_000));

    world.time.move_to(shifted(until, -1));
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 0));
    let denied = world.denied(&license, &["b.example"]).await;
    assert_eq!(denied.reasons, [i32::from(DenialReason::QuotaExceeded)]);
    assert_eq!(instant(denied.fits_time), until);

    world.time.move_to(until);
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 1));
    let granted = world.granted(&license, &["b.example"]).await;
    assert_eq!(instant(granted.decision_time), until);
}

async fn sl_5_room_returns_at_the_instant_of_a_revocation(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 1).await;
    let first = world.recorded(&license, &["a.example"]).await;
    world.time.advance_days(1);
    world.denied(&license, &["b.example"]).await;
    let revoked = world.revoke(&license, &[&first]).await;
    assert_eq!(instant(revoked[0].revoke_time), world.now());
    assert_eq!(instant(revoked[0].until_time), world.now());
    world.granted(&license, &["b.example"]).await;
}
