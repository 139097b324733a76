//! SL-6: an authorised certificate must also fit a next term that is already bought, by what will be held at
//! its start. Every instance's memory follows the term in force.

use chrono::TimeDelta;
use licet_contracts::sanlicensing::v1::{
    AuthorizationDecision, AuthorizeIssuanceRequest, AuthorizeIssuanceResponse, DenialReason,
    License, RenewLicenseRequest, issuance_service_client::IssuanceServiceClient,
    license_service_client::LicenseServiceClient, usage_service_client::UsageServiceClient,
};
use licet_domain::clock::Instant;

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    on_both_databases, request_id,
    san::figures,
    san_life::{cancel_request, end, late_request, renew_request, wildcards_of},
    world::World,
};

on_both_databases![
    sl_6_what_lasts_into_the_next_term_fits_it,
    sl_6_reservations_count_by_the_certificate_asked_for,
    sl_6_it_fits_when_room_returns_or_the_next_term_starts,
    sl_4_what_lasts_already_needs_no_room_in_the_next_term,
    sl_6_a_wildcard_weighs_what_its_term_says_on_every_instance,
    sl_9_memory_from_before_a_late_renewal_learns_of_it_and_of_the_next,
    sl_11_every_instance_sees_a_renewal_and_a_cancellation_at_once,
    sl_7_memory_from_before_a_cancellation_goes_by_the_term_that_began_with_it,
];

/// A licence of 20, ten days before its end, renewed with this quota and wildcard weight.
async fn renewed(backend: Backend, quota: i64, multiplier: i32) -> (World, License) {
    let (world, license) = World::start_licensed(backend, 20).await;
    world.move_before_end(&license, 10);
    let request = RenewLicenseRequest {
        options: Some(wildcards_of(multiplier)),
        accept_over_quota: true,
        ..renew_request(&license, quota)
    };
    world.renewed(request).await;
    (world, license)
}

/// A request for a certificate whose last second is `not_after`.
fn until(
    world: &World,
    license: &License,
    list: &[&str],
    not_after: Instant,
) -> AuthorizeIssuanceRequest {
    AuthorizeIssuanceRequest {
        not_after_time: Some(timestamp(not_after)),
        ..world.question(license, list)
    }
}

fn reasons(answer: &AuthorizeIssuanceResponse) -> Vec<DenialReason> {
    answer.reasons().collect()
}

/// Next term: SANs held at its start, SANs needed, and how many are short.
fn shortage(answer: &AuthorizeIssuanceResponse) -> (i64, i64, i64) {
    let next = answer.next_term.unwrap();
    (next.held, next.needed, next.short_by)
}

async fn sl_6_what_lasts_into_the_next_term_fits_it(backend: Backend) {
    let (world, license) = renewed(backend, 4, 2).await;
    let start = end(&license);
    // The next term ignores a certificate that ends before it, to the last second.
    let last = shifted(start, -1_000_000);
    let names = ["a.example", "b.example", "*.a.example"];
    let short = world.authorize(until(&world, &license, &names, last)).await;
    assert_eq!(short.decision(), AuthorizationDecision::Granted);
    world.release(&license, &short.reservation_id).await;
    let lasting = world.recorded(&license, &["a.example"]).await;
    world.recorded_until(&license, &["b.example"], last).await;
    let denied = world
        .denied(&license, &["c.example", "*.c.example", "d.example"])
        .await;
    assert_eq!(reasons(&denied), [DenialReason::NextTermQuotaExceeded]);
    assert_eq!(
        (denied.quota, denied.used, denied.needed, denied.short_by),
        (20, 2, 7, 0)
    );
    assert_eq!(shortage(&denied), (1, 4, 1));
    let next = denied.next_term.unwrap();
    assert_eq!((instant(next.start_time), next.quota), (start, 4));
    assert_eq!(denied.rule_id, "SL-6");
    assert!(
        denied.explanation.contains("exceed the quota of 4 by 1"),
        "{denied:?}"
    );
    // Room returns only with the lasting certificate's end, so only a certificate that ends later has a time
    // at which it fits.
    assert_eq!(denied.fits_time, None);
    let later = shifted(world.usual_end(), 86_400_000_000);
    let names = ["c.example", "*.c.example", "d.example"];
    let longer = world
        .authorize(until(&world, &license, &names, later))
        .await;
    assert_eq!(longer.fits_time, lasting.until_time);
    let fits = world.granted(&license, &["c.example", "*.c.example"]).await;
    assert_eq!(fits.needed, 6);
    // Both quotas can be exceeded.
    let many: Vec<_> = (0..13).map(|number| format!("n{number}.example")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let denied = world.denied(&license, &many).await;
    let both = [
        DenialReason::QuotaExceeded,
        DenialReason::NextTermQuotaExceeded,
    ];
    assert_eq!(reasons(&denied), both);
    world.time.move_to(start);
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 3));
}

async fn sl_6_reservations_count_by_the_certificate_asked_for(backend: Backend) {
    let (mut world, license) = renewed(backend, 2, 5).await;
    let start = end(&license);
    world.granted(&license, &["a.example"]).await;
    let brief = until(&world, &license, &["b.example"], shifted(start, -1_000_000));
    world.authorize(brief).await;
    // Another instance, with no memory, counts the same.
    world.stop_san_licensing(0).await;
    world.start_san_licensing().await;
    let denied = world.denied(&license, &["b.example", "c.example"]).await;
    assert_eq!(shortage(&denied), (1, 2, 1));
    // It fits once the reservation lapses.
    assert_eq!(
        instant(denied.fits_time),
        world.now().checked_add(TimeDelta::minutes(15)).unwrap()
    );
    let held = world.granted(&license, &["b.example"]).await;
    world.denied(&license, &["c.example"]).await;
    world.release(&license, &held.reservation_id).await;
    world.granted(&license, &["c.example"]).await;
}

async fn sl_6_it_fits_when_room_returns_or_the_next_term_starts(backend: Backend) {
    // The quota rises, so the request fits from the next term on.
    let (world, license) = renewed(backend, 100, 5).await;
    let start = end(&license);
    let names: Vec<_> = (0..21).map(|number| format!("n{number}.example")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let denied = world.denied(&license, &names).await;
    assert_eq!(reasons(&denied), [DenialReason::QuotaExceeded]);
    assert_eq!(instant(denied.fits_time), start);
    world.time.move_to(shifted(start, -1));
    world.denied(&license, &names).await;
    world.time.move_to(start);
    world.granted(&license, &names).await;
}

async fn sl_4_what_lasts_already_needs_no_room_in_the_next_term(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 20).await;
    world.move_before_end(&license, 10);
    world
        .recorded(&license, &["a.example", "b.example", "c.example"])
        .await;
    let request = RenewLicenseRequest {
        accept_over_quota: true,
        ..renew_request(&license, 2)
    };
    world.renewed(request).await;
    // Reissues are always granted, even beyond the next term's quota.
    world
        .granted(&license, &["a.example", "b.example", "c.example"])
        .await;
    let denied = world.denied(&license, &["d.example"]).await;
    assert_eq!(shortage(&denied), (3, 1, 2));
}

/// Asks an instance.
async fn ask(
    world: &World,
    instance: usize,
    license: &License,
    list: &[&str],
) -> AuthorizeIssuanceResponse {
    let mut issuance = IssuanceServiceClient::new(world.san_channel(instance));
    let request = world.question(license, list);
    let answer = issuance.authorize_issuance(request).await;
    answer.unwrap().into_inner()
}

async fn used(world: &World, instance: usize, license: &License) -> i64 {
    let mut usage = UsageServiceClient::new(world.san_channel(instance));
    let ask = licet_contracts::sanlicensing::v1::GetUsageRequest {
        license_id: license.license_id.clone(),
        as_of_time: None,
    };
    let usage = usage.get_usage(ask).await.unwrap().into_inner().usage;
    usage.unwrap().used
}

async fn sl_6_a_wildcard_weighs_what_its_term_says_on_every_instance(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 20).await;
    if backend == Backend::Postgres {
        world.start_san_licensing().await;
    }
    let last = world.san_instances() - 1;
    world.move_before_end(&license, 10);
    world
        .recorded(&license, &["a.example", "*.a.example"])
        .await;
    // Both instances have the licence in memory before the term changes.
    assert_eq!(
        (
            used(&world, 0, &license).await,
            used(&world, last, &license).await
        ),
        (6, 6)
    );
    let request = RenewLicenseRequest {
        options: Some(wildcards_of(8)),
        ..renew_request(&license, 10)
    };
    world.renewed(request).await;
    let denied = ask(&world, last, &license, &["*.b.example"]).await;
    assert_eq!(shortage(&denied), (9, 8, 7));
    world.time.move_to(shifted(end(&license), -1));
    assert_eq!(used(&world, last, &license).await, 6);
    world.time.move_to(end(&license));
    assert_eq!(
        (
            used(&world, 0, &license).await,
            used(&world, last, &license).await
        ),
        (9, 9)
    );
    let answer = ask(&world, last, &license, &["b.example", "c.example"]).await;
    assert_eq!((answer.quota, answer.used, answer.short_by), (10, 9, 1));
    let answer = ask(&world, 0, &license, &["b.example"]).await;
    assert_eq!(answer.decision(), AuthorizationDecision::Granted);
    let answer = ask(&world, last, &license, &["c.example"]).await;
    assert_eq!((answer.reserved, answer.short_by), (1, 1));
}

/// A licence of 20, ten days before its end, in the memory of every instance; and the number of an instance
/// that makes no change to it, if there are two.
async fn remembered(backend: Backend) -> (World, License, usize) {
    let (mut world, license) = World::start_licensed(backend, 20).await;
    if backend == Backend::Postgres {
        world.start_san_licensing().await;
    }
    let last = world.san_instances() - 1;
    world.move_before_end(&license, 10);
    let first = ask(&world, last, &license, &["a.example"]).await;
    assert_eq!(first.decision(), AuthorizationDecision::Granted);
    (world, license, last)
}

async fn sl_9_memory_from_before_a_late_renewal_learns_of_it_and_of_the_next(backend: Backend) {
    let (world, license, last) = remembered(backend).await;
    let old_end = end(&license);
    world
        .time
        .move_to(old_end.checked_add(TimeDelta::days(5)).unwrap());
    let late = RenewLicenseRequest {
        term_months: 1,
        ..late_request(&license, 2)
    };
    world.renewed(late).await;
    let next = RenewLicenseRequest {
        term_months: 1,
        ..renew_request(&license, 10)
    };
    world.renewed(next).await;
    let names = ["a.example", "b.example", "c.example"];
    let denied = ask(&world, last, &license, &names).await;
    assert_eq!(reasons(&denied), [DenialReason::QuotaExceeded]);
    let start = old_end.checked_add_months(1).unwrap();
    assert_eq!((denied.quota, instant(denied.fits_time)), (2, start));
    world.time.move_to(start);
    let granted = ask(&world, last, &license, &names).await;
    assert_eq!((granted.quota, granted.needed), (10, 3));
}

async fn sl_7_memory_from_before_a_cancellation_goes_by_the_term_that_began_with_it(
    backend: Backend,
) {
    let (world, license, last) = remembered(backend).await;
    world.renewed(renew_request(&license, 3)).await;
    world.time.move_to(end(&license));
    let mut licenses = LicenseServiceClient::new(world.san_channel(0));
    licenses
        .cancel_license(cancel_request(&license))
        .await
        .unwrap();
    let denied = ask(&world, last, &license, &["b.example"]).await;
    assert_eq!(reasons(&denied), [DenialReason::LicenseNotActive]);
    assert_eq!(denied.quota, 3);
}

async fn sl_11_every_instance_sees_a_renewal_and_a_cancellation_at_once(backend: Backend) {
    let (world, license, last) = remembered(backend).await;
    let mut licenses = LicenseServiceClient::new(world.san_channel(0));
    licenses
        .renew_license(renew_request(&license, 1))
        .await
        .unwrap();
    let answer = ask(&world, last, &license, &["b.example"]).await;
    assert_eq!(reasons(&answer), [DenialReason::NextTermQuotaExceeded]);
    world.time.move_to(end(&license));
    let answer = ask(&world, last, &license, &["b.example"]).await;
    assert_eq!(
        (answer.quota, answer.decision()),
        (1, AuthorizationDecision::Granted)
    );
    let request = cancel_request(&license);
    licenses.cancel_license(request).await.unwrap();
    let answer = ask(&world, last, &license, &["b.example"]).await;
    assert_eq!(reasons(&answer), [DenialReason::LicenseNotActive]);
    let again = licenses.cancel_license(licet_contracts::sanlicensing::v1::CancelLicenseRequest {
        request_id: request_id(),
        ..cancel_request(&license)
    });
    assert!(again.await.is_err());
}
