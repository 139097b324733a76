//! SL-16, SL-20: certificates that no licence covers are allocated: automatically once a licence runs, by
//! hand, or from an ended licence to its successor.

use licet_contracts::sanlicensing::v1::{
    AllocateCertificateRequest, AllocateCertificateResponse, Certificate, CertificateState,
    License, LicenseState,
};
use licet_domain::clock::Instant;
use tonic::{Code, Response, Status};

use super::events::log;
use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::refused,
    eventually,
    ingest::{counts, revoked, send, signed},
    on_both_databases, request_id,
    san::{OTHER, accept_request, facts, figures, quote_request, report_of},
    world::World,
};

on_both_databases![
    sl_16_what_no_license_covers_waits_for_one,
    sl_16_an_allocation_runs_in_chunks_and_all_of_it,
    sl_16_sales_allocate_by_hand,
    sl_16_what_cannot_be_allocated_by_hand_is_refused,
    sl_16_an_unallocated_certificate_is_revoked,
    sl_20_a_successor_takes_over_what_is_still_active,
    sl_20_two_instances_take_over_once,
];

/// A drafted licence for an account that has none.
async fn draft(world: &World, account_id: &str) -> License {
    world.quoted(quote_request(account_id, 100)).await
}

async fn start(world: &World, draft: &License) -> License {
    let accept = accept_request(&draft.license_id);
    let answer = world.san_licenses().accept_license(accept).await;
    let license = answer.unwrap().into_inner().license.unwrap();
    assert_eq!(license.state(), LicenseState::Active);
    license
}

pub(crate) async fn used_in_the_end(world: &World, license: &License, expected: i64) {
    eventually("the licence counts what it takes over", || async {
        let used = world.usage(license).await.used;
        assert!(used <= expected, "{used}");
        (used == expected).then_some(())
    })
    .await;
}

fn by_hand(license: &License, certificate: &Certificate) -> AllocateCertificateRequest {
    AllocateCertificateRequest {
        certificate_id: certificate.certificate_id.clone(),
        license_id: license.license_id.clone(),
        request_id: request_id(),
    }
}

async fn allocate(
    world: &World,
    request: AllocateCertificateRequest,
) -> Result<Response<AllocateCertificateResponse>, Status> {
    world.san_ingest().allocate_certificate(request).await
}

async fn sl_16_what_no_license_covers_waits_for_one(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("100000.00").await;
    let draft = draft(&world, &account_id).await;
    let (now, end) = (world.now(), world.usual_end());
    let told = [
        facts(&["a.example"], now, end),
        facts(&["b.example"], now, end),
    ];
    let over = facts(&["c.example"], now, now);
    let mut elsewhere = signed(&draft, &facts(&["d.example"], now, end));
    elsewhere.product_id = OTHER.to_owned();
    let records = vec![
        signed(&draft, &told[0]),
        signed(&draft, &told[1]),
        signed(&draft, &over),
        elsewhere,
    ];
    let answer = world.ingest(1, records).await;
    assert_eq!(counts(&answer), [0, 4, 0, 0, 0, 0]);
    let listed = world.unallocated(&account_id, 3).await;
    assert_eq!(listed.len(), 4);
    assert!(listed.iter().all(|found| found.license_id.is_empty()));
    assert!(
        listed
            .windows(2)
            .all(|pair| pair[0].certificate_id > pair[1].certificate_id)
    );
    // Reporting it again, before or after its allocation, returns it as known.
    let answer = world.ingest(2, vec![signed(&draft, &told[0])]).await;
    assert_eq!(counts(&answer), [0, 0, 0, 0, 1, 0]);
    world.time.advance_days(1);
    let license = start(&world, &draft).await;
    used_in_the_end(&world, &license, 2).await;
    let listed = world.unallocated("", 0).await;
    let left: Vec<_> = listed.iter().map(|found| &*found.product_id).collect();
    assert_eq!(left, [OTHER]);
    let known = world.record_san(report_of(&license, told[0].clone())).await;
    assert!(known.already_known);
    let certificate = known.certificate.unwrap();
    assert_eq!(certificate.license_id, license.license_id);
    assert_eq!(instant(certificate.record_time), now);
    assert_eq!(instant(certificate.allocate_time), world.now());
    // It counts from its allocation on, not from its record (T-6).
    assert_eq!(
        world
            .usage_at(&license, shifted(world.now(), -1))
            .await
            .used,
        0
    );
    assert_eq!(world.usage_at(&license, world.now()).await.used, 2);
    eventually("the event is in the log", || async {
        let events = log(world.san_events()).await;
        let mut told = events.iter().filter_map(|entry| entry.event.as_ref());
        told.any(|event| event.subject == account_id && event.outcome == "UNALLOCATED")
            .then_some(())
    })
    .await;
}

async fn sl_16_an_allocation_runs_in_chunks_and_all_of_it(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("100000.00").await;
    let mut request = quote_request(&account_id, 2000);
    request.term_months = 12;
    let draft = world.quoted(request).await;
    for sequence in 1..=3 {
        let records = (0..400).map(|number| {
            let name = format!("n{sequence}-{number}.example");
            signed(&draft, &facts(&[&name], world.now(), world.usual_end()))
        });
        world.ingest(sequence, records.collect()).await;
    }
    let license = start(&world, &draft).await;
    used_in_the_end(&world, &license, 1200).await;
    assert_eq!(world.unallocated(&account_id, 0).await, []);
}

async fn sl_16_sales_allocate_by_hand(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 1).await;
    let mut told = signed(
        &license,
        &facts(&["a.example", "b.example"], world.now(), world.usual_end()),
    );
    told.product_id = OTHER.to_owned();
    world.ingest(1, vec![told]).await;
    let waiting = world.unallocated(&license.account_id, 0).await.remove(0);
    world.time.advance_days(1);
    let request = by_hand(&license, &waiting);
    let answer = allocate(&world, request.clone())
        .await
        .unwrap()
        .into_inner();
    let certificate = answer.certificate.clone().unwrap();
    assert_eq!(certificate.license_id, license.license_id);
    assert_eq!(instant(certificate.allocate_time), world.now());
    assert!(answer.over_quota);
    // A repeat gets the same response; a new request is refused.
    let again = allocate(&world, request).await.unwrap().into_inner();
    assert_eq!(again, answer);
    let refusal = refused(allocate(&world, by_hand(&license, &waiting)).await)
        .expect(Code::FailedPrecondition, "CERTIFICATE_ALREADY_ALLOCATED");
    assert_eq!(refusal.value("license_id"), license.license_id);
    assert_eq!(figures(&world.usage(&license).await), (2, 0, -1));
    assert_eq!(world.unallocated("", 0).await, []);
    // After that the licence treats it like any other.
    world.revoke(&license, &[&certificate]).await;
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 1));
}

async fn sl_16_what_cannot_be_allocated_by_hand_is_refused(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let mut told = signed(
        &license,
        &facts(&["a.example"], world.now(), world.usual_end()),
    );
    told.product_id = OTHER.to_owned();
    world.ingest(1, vec![told]).await;
    let waiting = world.unallocated("", 0).await.remove(0);
    let theirs = world.account_with("1000.00").await;
    let theirs = world.license(&theirs, 5).await;
    refused(allocate(&world, by_hand(&theirs, &waiting)).await).expect(Code::NotFound, "NOT_FOUND");
    let later = draft(&world, &license.account_id).await;
    refused(allocate(&world, by_hand(&later, &waiting)).await)
        .expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
    let nothing = AllocateCertificateRequest::default();
    let wrong = refused(allocate(&world, nothing).await);
    assert_eq!(
        wrong.paths(),
        ["certificate_id", "license_id", "request_id"]
    );
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 5));
    assert_eq!(world.unallocated("", 0).await, [waiting]);
}

async fn sl_16_an_unallocated_certificate_is_revoked(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("100000.00").await;
    let draft = draft(&world, &account_id).await;
    let told = facts(&["a.example"], world.now(), world.usual_end());
    let kept = facts(&["b.example"], world.now(), world.usual_end());
    world
        .ingest(1, vec![signed(&draft, &told), signed(&draft, &kept)])
        .await;
    let twice = vec![revoked(&draft, &told), revoked(&draft, &told)];
    let answer = world.ingest(2, twice).await;
    assert_eq!(counts(&answer), [0, 0, 1, 0, 1, 0]);
    let listed = world.unallocated(&account_id, 0).await;
    let states: Vec<_> = listed.iter().map(Certificate::state).collect();
    assert_eq!(
        states,
        [CertificateState::Active, CertificateState::Revoked]
    );
    let license = start(&world, &draft).await;
    used_in_the_end(&world, &license, 1).await;
}

/// The instant at which the licence ends.
fn end_of(license: &License) -> Instant {
    let period = license.term.as_ref().unwrap().period.unwrap();
    instant(period.end_time)
}

/// A licence with certificates that then ends, its successor, and the certificates.
pub(crate) async fn succeeded(world: &World, license: &License) -> (License, Vec<Certificate>) {
    let end = end_of(license);
    let long = shifted(end, 90 * 86_400_000_000);
    let mut recorded = Vec::new();
    for names in [
        &["a.example", "b.example"][..],
        &["b.example", "*.c.example"],
    ] {
        recorded.push(world.recorded_until(license, names, long).await);
    }
    recorded.push(
        world
            .recorded_until(license, &["over.example"], shifted(end, -1))
            .await,
    );
    world.time.move_to(end);
    let draft = draft(world, &license.account_id).await;
    (start(world, &draft).await, recorded)
}

async fn sl_20_a_successor_takes_over_what_is_still_active(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let end = end_of(&license);
    let before = shifted(end, -1);
    let (successor, recorded) = succeeded(&world, &license).await;
    used_in_the_end(&world, &successor, 7).await;
    // Past usage stays, and nothing counts twice.
    assert_eq!(world.usage(&license).await.used, 0);
    let past = world.usage_at(&license, before).await;
    assert_eq!((past.used, past.distinct_sans), (8, 4));
    assert_eq!(world.usage_at(&successor, before).await.used, 0);
    // A certificate that moved is revoked in the successor.
    let told = world.revoke(&successor, &[&recorded[0]]).await;
    assert_eq!(told[0].license_id, successor.license_id);
    assert_eq!(figures(&world.usage(&successor).await), (6, 0, 94));
    assert_eq!(world.usage_at(&license, before).await.used, 8);
    world.granted(&successor, &["b.example"]).await;
    // A certificate reported now counts in the successor.
    let late = facts(&["late.example"], world.now(), world.usual_end());
    let answer = world.ingest(1, vec![signed(&license, &late)]).await;
    assert_eq!(counts(&answer), [1, 0, 0, 0, 0, 0]);
    assert_eq!(world.usage(&successor).await.used, 7);
}

async fn sl_20_two_instances_take_over_once(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 100).await;
    if backend == Backend::Postgres {
        world.start_san_licensing().await;
    }
    let ways = world.san_instances();
    let ask = async |license: &License, way: usize| {
        let request = licet_contracts::sanlicensing::v1::GetUsageRequest {
            license_id: license.license_id.clone(),
            as_of_time: None,
        };
        let channel = world.san_channel(way);
        let mut client =
            licet_contracts::sanlicensing::v1::usage_service_client::UsageServiceClient::new(
                channel,
            );
        client
            .get_usage(request)
            .await
            .unwrap()
            .into_inner()
            .usage
            .unwrap()
    };
    // Every instance has the licence in memory before its certificates move.
    let mut records = Vec::new();
    let end = end_of(&license);
    let long = shifted(end, 90 * 86_400_000_000);
    for number in 0..700 {
        let name = format!("n{number}.example");
        records.push(signed(&license, &facts(&[&name], world.now(), long)));
    }
    world.ingest(1, records).await;
    for way in 0..ways {
        assert_eq!(ask(&license, way).await.used, 700);
    }
    world.time.move_to(end);
    let draft = draft(&world, &license.account_id).await;
    let successor = start(&world, &draft).await;
    used_in_the_end(&world, &successor, 700).await;
    for way in 0..ways {
        assert_eq!(ask(&license, way).await.used, 0, "instance {way}");
        assert_eq!(ask(&successor, way).await.used, 700, "instance {way}");
    }
    // The move is final: a revocation frees the SAN on every instance.
    let (answers, ended) = send(
        world.san_channel(ways - 1),
        vec![crate::harness::ingest::batch(
            2,
            vec![signed(&license, &facts(&["x.example"], world.now(), long))],
        )],
    )
    .await;
    ended.unwrap();
    assert_eq!(counts(&answers[0]), [1, 0, 0, 0, 0, 0]);
    for way in 0..ways {
        assert_eq!(ask(&successor, way).await.used, 701, "instance {way}");
        assert_eq!(ask(&license, way).await.used, 0, "instance {way}");
    }
}
