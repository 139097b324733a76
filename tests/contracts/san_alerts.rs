//! SL-17: one alert each time usage reaches 80, 90 or 100 % of the quota, on whichever instance and however
//! often its cause is repeated.

use licet_contracts::sanlicensing::v1::{
    License, RenewLicenseRequest, issuance_service_client::IssuanceServiceClient,
};
use licet_domain::clock::Instant;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    events::{check_chain, log},
    san_upgrade::undo_tenant_key,
};
use crate::harness::{
    Backend,
    books::BackDoor,
    clock::{instant, shifted},
    eventually, on_both_databases,
    san_life::{end, renew_request, span, wildcards_of},
    world::World,
};

on_both_databases![
    sl_17_each_part_of_the_quota_is_told_once_and_again_after_a_fall,
    sl_17_usage_that_falls_by_time_alone_is_told_of_again,
    sl_17_a_raised_quota_is_told_of_anew,
    sl_17_a_repeat_tells_nothing_and_a_reservation_is_no_usage,
    sl_17_two_instances_tell_each_crossing_once,
    sl_17_an_instance_that_forgot_everything_tells_nothing_twice,
    sl_17_a_term_that_starts_with_a_lower_quota_is_told_of,
    sl_17_dearer_wildcards_and_the_end_are_told_of,
    sl_17_a_cancellation_is_told_of,
    sl_17_a_store_of_before_goes_on_telling,
];

/// The alerts so far, as (percent, used, quota). Waits until the event of the last change is in the log, and
/// so every earlier one.
async fn alerts(world: &World, license: &License) -> Vec<(i64, i64, i64)> {
    let version = world.usage(license).await.version;
    let log = eventually("the last change is in the log", || async {
        let log = log(world.san_events()).await;
        let changed = log
            .iter()
            .filter_map(|entry| entry.event.as_ref())
            .any(|event| {
                let data: Value = serde_json::from_str(&event.text_data).unwrap();
                event.r#type == "licet.sanlicensing.usage.changed.v1" && data["version"] == version
            });
        changed.then_some(log)
    })
    .await;
    check_chain(&log);
    let events = log.into_iter().filter_map(|entry| entry.event);
    events
        .filter(|event| event.r#type == "licet.sanlicensing.usage.alert.v1")
        .map(|event| {
            assert_eq!(event.subject, license.license_id);
            assert_eq!(event.account_id, license.account_id);
            assert_eq!(event.why, "SL-17");
            let data: Value = serde_json::from_str(&event.text_data).unwrap();
            assert_eq!(data["direction"], "UPWARDS");
            let number = |key: &str| data[key].as_i64().unwrap();
            let percent = number("threshold_percent");
            assert_eq!(event.outcome, format!("REACHED_{percent}_PERCENT"));
            (percent, number("used"), number("quota"))
        })
        .collect()
}

type Told = (Instant, i64, i64, i64);

/// The alerts so far, as (time, percent, used, quota).
async fn told(world: &World, license: &License) -> Vec<Told> {
    let events = log(world.san_events()).await.into_iter();
    let events = events.filter_map(|entry| entry.event).filter(|event| {
        event.r#type == "licet.sanlicensing.usage.alert.v1" && event.subject == license.license_id
    });
    let alerts = events.map(|event| {
        let data: Value = serde_json::from_str(&event.text_data).unwrap();
        let number = |key: &str| data[key].as_i64().unwrap();
        let (percent, used) = (number("threshold_percent"), number("used"));
        (instant(event.time), percent, used, number("quota"))
    });
    alerts.collect()
}

async fn told_in_the_end(world: &World, license: &License, expected: &[Told]) {
    eventually("the expected alerts are in the log", || async {
        let told = told(world, license).await;
        assert!(expected.starts_with(&told), "{told:?}, not {expected:?}");
        (told == expected).then_some(())
    })
    .await;
}

async fn six(world: &World, license: &License) {
    let names: Vec<_> = (0..6).map(|number| format!("n{number}.example")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    world.recorded(license, &names).await;
}

async fn sl_17_a_term_that_starts_with_a_lower_quota_is_told_of(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 14).await;
    if backend == Backend::Postgres {
        world.start_san_licensing().await;
    }
    world.move_before_end(&license, 10);
    six(&world, &license).await;
    world.renewed(renew_request(&license, 6)).await;
    let start = end(&license);
    world.time.move_to(shifted(start, -1));
    assert_eq!(told(&world, &license).await, []);
    world.time.move_to(start);
    let mut expected = [80, 90, 100].map(|percent| (start, percent, 6, 6)).to_vec();
    told_in_the_end(&world, &license, &expected).await;
    // 117 % now, 100 % before. A larger quota lowers the share, and the next record crosses again.
    world.recorded(&license, &["seventh.example"]).await;
    assert_eq!(told(&world, &license).await, expected);
    world.increase(&license, 8).await;
    world.recorded(&license, &["eighth.example"]).await;
    let now = world.now();
    expected.extend([(now, 90, 8, 8), (now, 100, 8, 8)]);
    told_in_the_end(&world, &license, &expected).await;
}

async fn sl_17_dearer_wildcards_and_the_end_are_told_of(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 14).await;
    world.move_before_end(&license, 10);
    world
        .recorded(&license, &["*.a.example", "*.b.example"])
        .await;
    let dearer = RenewLicenseRequest {
        options: Some(wildcards_of(7)),
        term_months: 1,
        ..renew_request(&license, 16)
    };
    let answer = world.renewed(dearer).await;
    let (start, over) = span(answer.term.as_ref());
    world.time.move_to(over);
    // No read in between: each alert still has its own time.
    let mut expected = vec![(start, 80, 14, 16)];
    expected.extend([(over, 90, 14, 0), (over, 100, 14, 0)]);
    told_in_the_end(&world, &license, &expected).await;
}

async fn sl_17_a_cancellation_is_told_of(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 7).await;
    six(&world, &license).await;
    world.cancelled(&license).await;
    let now = world.now();
    let expected = [(now, 80, 6, 7), (now, 90, 6, 0), (now, 100, 6, 0)];
    told_in_the_end(&world, &license, &expected).await;
    // The end of a cancelled licence's term raises no alert.
    world.time.move_to(end(&license));
    let other = world.account_with("1000.00").await;
    let other = world.license(&other, 1).await;
    world.recorded(&other, &["a.example"]).await;
    assert_eq!(alerts_of(&world, &other).await.len(), 3);
    told_in_the_end(&world, &license, &expected).await;
}

/// The licence's alerts, once it has some.
async fn alerts_of(world: &World, license: &License) -> Vec<Told> {
    eventually("an alert is in the log", || async {
        let told = told(world, license).await;
        (!told.is_empty()).then_some(told)
    })
    .await
}

async fn sl_17_a_store_of_before_goes_on_telling(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 14).await;
    world.move_before_end(&license, 10);
    six(&world, &license).await;
    world.renewed(renew_request(&license, 6)).await;
    world.stop_san_licensing(0).await;
    let door = BackDoor::open(&world.san_licensing_location()).await;
    undo_tenant_key(&door).await;
    door.run("DROP TABLE usage_turn").await;
    door.run("DELETE FROM seaql_migrations WHERE version = 'san_licensing_0005_turns'")
        .await;
    drop(door);
    world.start_san_licensing().await;
    let start = end(&license);
    world.time.move_to(start);
    let expected = [80, 90, 100].map(|percent| (start, percent, 6, 6));
    told_in_the_end(&world, &license, &expected).await;
}

async fn sl_17_each_part_of_the_quota_is_told_once_and_again_after_a_fall(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let first = world
        .recorded(&license, &["a.example", "b.example", "*.c.example"])
        .await;
    assert_eq!(alerts(&world, &license).await, []);
    let eighth = world.recorded(&license, &["d.example"]).await;
    let mut expected = vec![(80, 8, 10)];
    assert_eq!(alerts(&world, &license).await, expected);
    // Another certificate for the same SANs raises no alert.
    world.recorded(&license, &["d.example", "a.example"]).await;
    let ninth = world.recorded(&license, &["e.example"]).await;
    expected.push((90, 9, 10));
    assert_eq!(alerts(&world, &license).await, expected);
    world.recorded(&license, &["f.example", "g.example"]).await;
    expected.push((100, 11, 10));
    world.recorded(&license, &["h.example"]).await;
    assert_eq!(alerts(&world, &license).await, expected);

    // Usage falls to 6 and rises again: each threshold alerts once more.
    world.revoke(&license, &[&first, &ninth, &eighth]).await;
    assert_eq!(alerts(&world, &license).await, expected);
    assert_eq!(world.usage(&license).await.used, 5);
    world.recorded(&license, &["*.i.example"]).await;
    expected.extend([(80, 10, 10), (90, 10, 10), (100, 10, 10)]);
    assert_eq!(alerts(&world, &license).await, expected);
}

async fn sl_17_usage_that_falls_by_time_alone_is_told_of_again(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let soon = shifted(world.now(), 59_000_000);
    let short = world
        .recorded_until(&license, &["a.example", "b.example", "c.example"], soon)
        .await;
    world.recorded(&license, &["d.example"]).await;
    assert_eq!(alerts(&world, &license).await, [(80, 4, 5)]);
    // No read happens while usage falls.
    world.time.move_to(instant(short.until_time));
    world
        .recorded(&license, &["a.example", "b.example", "c.example"])
        .await;
    assert_eq!(alerts(&world, &license).await, [(80, 4, 5), (80, 4, 5)]);
}

async fn sl_17_a_raised_quota_is_told_of_anew(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    world
        .recorded(
            &license,
            &["a.example", "b.example", "c.example", "d.example"],
        )
        .await;
    world.increase(&license, 10).await;
    world
        .recorded(&license, &["e.example", "f.example", "g.example"])
        .await;
    assert_eq!(alerts(&world, &license).await, [(80, 4, 5)]);
    world.recorded(&license, &["h.example"]).await;
    assert_eq!(alerts(&world, &license).await, [(80, 4, 5), (80, 8, 10)]);
}

async fn sl_17_a_repeat_tells_nothing_and_a_reservation_is_no_usage(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 2).await;
    let held = world.granted(&license, &["a.example", "b.example"]).await;
    assert_eq!(alerts(&world, &license).await, []);
    let mut report = world.report(&license, &["a.example", "b.example"]);
    report.reservation_id = held.reservation_id;
    let first = world.record_san(report.clone()).await;
    let all = [(80, 2, 2), (90, 2, 2), (100, 2, 2)];
    assert_eq!(alerts(&world, &license).await, all);
    assert_eq!(world.record_san(report.clone()).await, first);
    // The same certificate in another request.
    report.request_id = crate::harness::request_id();
    report.reservation_id.clear();
    assert!(world.record_san(report).await.already_known);
    world.recorded(&license, &["a.example"]).await;
    assert_eq!(alerts(&world, &license).await, all);
}

async fn sl_17_two_instances_tell_each_crossing_once(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 20).await;
    if backend == Backend::Postgres {
        world.start_san_licensing().await;
    }
    let reports: Vec<_> = (0..24)
        .map(|number| world.report(&license, &[&format!("n{number}.example")]))
        .collect();
    let mut recording = JoinSet::new();
    for (number, report) in reports.into_iter().enumerate() {
        let channel = world.san_channel(number % world.san_instances());
        recording.spawn(async move {
            let mut issuance = IssuanceServiceClient::new(channel);
            issuance.record_certificate(report).await.unwrap();
        });
    }
    recording.join_all().await;
    world.recorded(&license, &["n0.example"]).await;
    let expected = [(80, 16, 20), (90, 18, 20), (100, 20, 20)];
    assert_eq!(alerts(&world, &license).await, expected);
}

async fn sl_17_an_instance_that_forgot_everything_tells_nothing_twice(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    let names: Vec<_> = (0..8).map(|number| format!("n{number}.example")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    world.recorded(&license, &names).await;
    world.stop_san_licensing(0).await;
    world.start_san_licensing().await;
    world.recorded(&license, &names[..3]).await;
    assert_eq!(alerts(&world, &license).await, [(80, 8, 10)]);
    world.recorded(&license, &["ninth.example"]).await;
    assert_eq!(alerts(&world, &license).await, [(80, 8, 10), (90, 9, 10)]);
}
