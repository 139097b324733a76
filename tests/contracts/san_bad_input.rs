//! Bad input at SanLicensing: the response lists every violation with its path, or NOT_FOUND with the id,
//! also for another account's resources; a refused request holds nothing.

use licet_contracts::{
    sanlicensing::v1::{
        AuthorizeIssuanceRequest, CertificateFacts, GetLicenseRequest, GetUsageRequest,
        LicenseOptions, ListCertificatesRequest, ListReservationsRequest, ListUniqueSansRequest,
        QuoteLicenseRequest, RecordCertificateRequest, RevokeCertificatesRequest, San, SanType,
        record_certificate_request::Certificate,
    },
    types::v1::KeyType,
};
use licet_domain::ids::{LicenseId, ReservationId};
use prost_types::{Duration, Timestamp};
use tonic::{Code, Request};

use crate::harness::{
    Backend,
    clock::{shifted, timestamp},
    errors::{Refused, refused},
    on_both_databases,
    samples::{money, names},
    san::{BUNDLE, figures, preview_request, quote_request, release_request, revoke_request},
    world::World,
};

on_both_databases![
    every_violation_of_a_question_at_once,
    each_bad_name_is_reported_with_its_place,
    times_that_cannot_be_are_named,
    every_violation_of_a_report_at_once,
    what_does_not_parse_says_so,
    every_violation_of_a_draft_at_once,
    lists_of_certificates_to_revoke_have_limits,
    unknown_ids_are_not_found_by_that_id,
    another_accounts_license_is_not_found,
    a_role_too_small_is_denied,
];

/// Fails unless exactly these fields are violated, each with a description.
#[track_caller]
fn wrong_fields(refusal: Refused, paths: &[&str]) -> Refused {
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(refusal.paths(), paths, "{refusal:?}");
    assert!(refusal.fields.iter().all(|(_, text)| !text.is_empty()));
    refusal
}

async fn every_violation_of_a_question_at_once(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let request = AuthorizeIssuanceRequest {
        license_id: "lic".to_owned(),
        product_id: "Not An Id".to_owned(),
        sans: vec![],
        key_type: KeyType::Unspecified.into(),
        not_before_time: None,
        not_after_time: None,
        hold_for: Some(Duration::default()),
        request_id: "7".to_owned(),
    };
    let refusal = refused(world.san_issuance().authorize_issuance(request).await);
    let expected = [
        "hold_for",
        "key_type",
        "license_id",
        "not_after_time",
        "product_id",
        "request_id",
        "sans",
    ];
    let refusal = wrong_fields(refusal, &expected);
    assert_eq!(refusal.value("violations"), "7");
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 5));
}

async fn each_bad_name_is_reported_with_its_place(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let bad = [
        "good.example",
        "under_score.example",
        "a.*.example",
        "*",
        "f*.example",
        "192.0.2.1",
        "ip:192.0.2.256",
        "mail:nobody",
        "upn:nobody",
        "",
        "a..b",
        "also-good.example",
    ];
    let mut request = world.question(&license, &bad);
    request.not_after_time = Some(timestamp(world.now()));
    request.sans.push(San {
        r#type: SanType::Unspecified.into(),
        value: "good.example".to_owned(),
    });
    request.sans.push(San {
        r#type: 99,
        value: "good.example".to_owned(),
    });
    let refusal = refused(world.san_issuance().authorize_issuance(request).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    let places: Vec<_> = refusal
        .fields
        .iter()
        .map(|(path, _)| path.split('.').next().unwrap().to_owned())
        .collect();
    let mut expected: Vec<_> = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13]
        .map(|place| format!("sans[{place}]"))
        .into();
    // Violations that depend on the present time are listed with the others.
    expected.push("not_after_time".to_owned());
    assert_eq!(places, expected, "{refusal:?}");

    // One SAN more than the limit.
    let many: Vec<_> = (0..201)
        .map(|number| format!("n{number}.example"))
        .collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let too_many = world.question(&license, &many);
    let refusal = refused(world.san_issuance().authorize_issuance(too_many).await);
    wrong_fields(refusal, &["sans"]);
    let denied = world.denied(&license, &many[..200]).await;
    assert_eq!((denied.needed, denied.short_by), (200, 195));
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 5));
}

async fn times_that_cannot_be_are_named(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let ask = || world.question(&license, &["a.example"]);
    let now = world.now();
    let day = Duration {
        seconds: 86_400,
        nanos: 0,
    };
    let authorize = async |request| refused(world.san_issuance().authorize_issuance(request).await);
    for (request, path) in [
        (
            AuthorizeIssuanceRequest {
                not_after_time: Some(timestamp(now)),
                ..ask()
            },
            "not_after_time",
        ),
        (
            AuthorizeIssuanceRequest {
                not_after_time: Some(timestamp(shifted(now, -1_000_000))),
                ..ask()
            },
            "not_after_time",
        ),
        (
            AuthorizeIssuanceRequest {
                not_after_time: Some(Timestamp {
                    seconds: i64::MAX,
                    nanos: 0,
                }),
                ..ask()
            },
            "not_after_time",
        ),
        (
            AuthorizeIssuanceRequest {
                not_before_time: Some(timestamp(shifted(world.usual_end(), 1_000_000))),
                ..ask()
            },
            "not_after_time",
        ),
        (
            AuthorizeIssuanceRequest {
                hold_for: Some(Duration { nanos: 1000, ..day }),
                ..ask()
            },
            "hold_for",
        ),
        (
            AuthorizeIssuanceRequest {
                hold_for: Some(Duration {
                    seconds: -1,
                    nanos: 0,
                }),
                ..ask()
            },
            "hold_for",
        ),
    ] {
        wrong_fields(authorize(request).await, &[path]);
    }
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 5));
    let longest = AuthorizeIssuanceRequest {
        hold_for: Some(day),
        not_before_time: Some(timestamp(world.usual_end())),
        ..ask()
    };
    let granted = world.authorize(longest).await;
    assert!(!granted.reservation_id.is_empty(), "{granted:?}");
}

async fn every_violation_of_a_report_at_once(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let record = async |request| refused(world.san_issuance().record_certificate(request).await);
    let request = RecordCertificateRequest {
        account_id: "nobody".to_owned(),
        product_id: String::new(),
        certificate: Some(Certificate::Facts(CertificateFacts {
            issuer_der: vec![],
            serial: "not hexadecimal".to_owned(),
            sans: vec![],
            not_before_time: None,
            not_after_time: None,
            key_type: 99,
        })),
        reservation_id: ReservationId::generate().to_string() + "x",
        request_id: String::new(),
    };
    let expected = [
        "account_id",
        "facts.issuer_der",
        "facts.key_type",
        "facts.not_after_time",
        "facts.not_before_time",
        "facts.serial",
        "product_id",
        "request_id",
        "reservation_id",
    ];
    wrong_fields(record(request).await, &expected);
    let mut none = world.report(&license, &[]);
    none.certificate = None;
    wrong_fields(record(none).await, &["certificate_pem"]);
    let now = world.now();
    let reversed = crate::harness::san::facts(&["a.example"], now, shifted(now, -1_000_000));
    let reversed = crate::harness::san::report_of(&license, reversed);
    wrong_fields(record(reversed).await, &["facts.not_after_time"]);
}

async fn what_does_not_parse_says_so(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    for (certificate, path) in [
        (
            Certificate::CertificatePem("no certificate".to_owned()),
            "certificate_pem",
        ),
        (
            Certificate::CertificatePem(String::new()),
            "certificate_pem",
        ),
        (
            Certificate::CertificateDer(vec![0x30, 0x03, 1, 2]),
            "certificate_der",
        ),
    ] {
        let mut report = world.report(&license, &[]);
        report.certificate = Some(certificate);
        let refusal = refused(world.san_issuance().record_certificate(report).await);
        wrong_fields(refusal, &[path]);
    }
}

async fn every_violation_of_a_draft_at_once(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    let request = QuoteLicenseRequest {
        account_id: String::new(),
        product_ids: vec![],
        quota: 0,
        term_months: 0,
        options: Some(LicenseOptions {
            wildcards_allowed: true,
            wildcard_multiplier: 1001,
            key_types: vec![KeyType::Rsa.into(), KeyType::Rsa.into()],
            max_validity_days: -1,
            certificates_may_outlive: None,
            max_term_months: 121,
        }),
        start_time: Some(timestamp(shifted(world.now(), -1))),
        valid_until_time: Some(timestamp(world.now())),
        hand_price: money("USD", "-1.00"),
        validate_only: false,
        request_id: String::new(),
    };
    let refusal = refused(world.san_licenses().quote_license(request).await);
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    let top: std::collections::BTreeSet<_> = refusal
        .paths()
        .iter()
        .map(|path| path.split('[').next().unwrap().to_owned())
        .collect();
    let expected = [
        "account_id",
        "hand_price",
        "options.key_types",
        "options.max_term_months",
        "options.max_validity_days",
        "options.wildcard_multiplier",
        "product_ids",
        "quota",
        "request_id",
        "start_time",
        "term_months",
        "valid_until_time",
    ];
    assert!(top.iter().eq(expected), "{top:?}");
    let account_id = licet_domain::ids::AccountId::generate().to_string();
    let twice = QuoteLicenseRequest {
        product_ids: names(&[BUNDLE, BUNDLE]),
        options: Some(LicenseOptions {
            max_term_months: 6,
            ..LicenseOptions::default()
        }),
        quota: 1_000_000_001,
        ..quote_request(&account_id, 1)
    };
    let refusal = refused(world.san_licenses().quote_license(twice).await);
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(refusal.fields.len(), 3, "{refusal:?}");
}

async fn lists_of_certificates_to_revoke_have_limits(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let certificate = world.recorded(&license, &["a.example"]).await;
    let seen = world.revocation(&license, &[&certificate]).await;
    let revoke = async |request| {
        let request = RevokeCertificatesRequest {
            preview_token: seen.preview_token.clone(),
            ..request
        };
        refused(world.san_issuance().revoke_certificates(request).await)
    };
    wrong_fields(
        revoke(revoke_request(&license, &[])).await,
        &["certificate_ids"],
    );
    let twice = revoke_request(&license, &[&certificate, &certificate]);
    let refusal = revoke(twice).await;
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert!(refusal.fields[0].0.starts_with("certificate_ids"));
    // Reasons that can be undone are not accepted.
    for reason in [6, 8, 99] {
        let request = RevokeCertificatesRequest {
            reason,
            ..revoke_request(&license, &[&certificate])
        };
        wrong_fields(revoke(request).await, &["reason"]);
    }
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 4));
}

async fn unknown_ids_are_not_found_by_that_id(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let mut unknown = license.clone();
    unknown.license_id = LicenseId::generate().to_string();
    let reservation_id = ReservationId::generate().to_string();
    let question = world.question(&unknown, &["a.example"]);
    let usage = GetUsageRequest {
        license_id: unknown.license_id.clone(),
        as_of_time: None,
    };
    let license_id = unknown.license_id.clone();
    for (refusal, id) in [
        (
            refused(world.san_issuance().authorize_issuance(question).await),
            &unknown.license_id,
        ),
        (
            refused(world.san_usage().get_usage(usage).await),
            &unknown.license_id,
        ),
        (
            refused(
                world
                    .san_licenses()
                    .get_license(GetLicenseRequest { license_id })
                    .await,
            ),
            &unknown.license_id,
        ),
        (
            refused(
                world
                    .san_issuance()
                    .release_reservation(release_request(&license, &reservation_id))
                    .await,
            ),
            &reservation_id,
        ),
    ] {
        let refusal = refusal.expect(Code::NotFound, "NOT_FOUND");
        assert_eq!(refusal.value("id"), id);
    }
    // A denied request made no reservation, and another licence's reservation is not found here.
    let theirs = world.account_with("1000.00").await;
    let theirs = world.license(&theirs, 5).await;
    let foreign = world.granted(&theirs, &["a.example"]).await;
    let release = release_request(&license, &foreign.reservation_id);
    refused(world.san_issuance().release_reservation(release).await)
        .expect(Code::NotFound, "NOT_FOUND");
}

/// A request of a caller with one role who sees only one account.
fn bound<M>(message: M, role: &str, account_id: &str) -> Request<M> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("licet-roles", role.parse().unwrap());
    metadata.insert("licet-accounts", account_id.parse().unwrap());
    request
}

async fn another_accounts_license_is_not_found(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let certificate = world.recorded(&license, &["a.example"]).await;
    let granted = world.granted(&license, &["b.example"]).await;
    let stranger = world.empty_account().await;
    let before = (
        figures(&world.usage(&license).await),
        world.reservations(&license).await,
    );
    let authority = "certificate_authority";
    let license_id = license.license_id.clone();

    let question = bound(
        world.question(&license, &["c.example"]),
        authority,
        &stranger,
    );
    let release = release_request(&license, &granted.reservation_id);
    let release = bound(release, authority, &stranger);
    let mut report = world.report(&license, &["c.example"]);
    report.reservation_id = granted.reservation_id;
    let report = bound(report, authority, &stranger);
    let revoke = world.revocation(&license, &[&certificate]).await;
    let revoke = bound(revoke, authority, &stranger);
    let look = preview_request(&license, &[&certificate]);
    let look = bound(look, authority, &stranger);
    let list = ListReservationsRequest {
        license_id: license_id.clone(),
        ..ListReservationsRequest::default()
    };
    let list = bound(list, "customer", &stranger);
    let usage = GetUsageRequest {
        license_id: license_id.clone(),
        as_of_time: None,
    };
    let past = GetUsageRequest {
        as_of_time: Some(timestamp(world.now())),
        ..usage.clone()
    };
    let unique = ListUniqueSansRequest {
        license_id: license_id.clone(),
        ..ListUniqueSansRequest::default()
    };
    let certificates = ListCertificatesRequest {
        license_id: license_id.clone(),
        ..ListCertificatesRequest::default()
    };
    let get = GetLicenseRequest { license_id };
    let (mut issuance, mut views) = (world.san_issuance(), world.san_usage());
    for refusal in [
        refused(issuance.authorize_issuance(question).await),
        refused(issuance.release_reservation(release).await),
        refused(issuance.record_certificate(report).await),
        refused(issuance.revoke_certificates(revoke).await),
        refused(issuance.preview_revocation(look).await),
        refused(issuance.list_reservations(list).await),
        refused(views.get_usage(bound(usage, "customer", &stranger)).await),
        refused(views.get_usage(bound(past, "customer", &stranger)).await),
        refused(
            views
                .list_unique_sans(bound(unique, "customer", &stranger))
                .await,
        ),
        refused(
            views
                .list_certificates(bound(certificates, "customer", &stranger))
                .await,
        ),
        refused(
            world
                .san_licenses()
                .get_license(bound(get, "customer", &stranger))
                .await,
        ),
    ] {
        refusal.expect(Code::NotFound, "NOT_FOUND");
    }
    let after = (
        figures(&world.usage(&license).await),
        world.reservations(&license).await,
    );
    assert_eq!(after, before);
}

async fn a_role_too_small_is_denied(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let account_id = license.account_id.as_str();
    for role in ["customer", "sales", "finance", "auditor"] {
        let question = bound(world.question(&license, &["a.example"]), role, account_id);
        refused(world.san_issuance().authorize_issuance(question).await)
            .expect(Code::PermissionDenied, "PERMISSION_DENIED");
    }
    let usage = GetUsageRequest {
        license_id: license.license_id.clone(),
        as_of_time: None,
    };
    let usage = bound(usage, "customer", account_id);
    let usage = world.san_usage().get_usage(usage).await.unwrap();
    assert_eq!(figures(&usage.into_inner().usage.unwrap()), (0, 0, 5));
}
