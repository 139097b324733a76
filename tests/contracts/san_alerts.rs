//! SL-17: an alert as usage reaches 80, 90 and 100 % of the quota, one for each crossing, whoever made
//! it and however often it is repeated.

use licet_contracts::sanlicensing::v1::{License, issuance_service_client::IssuanceServiceClient};
use serde_json::Value;
use tokio::task::JoinSet;

use super::events::{check_chain, log};
use crate::harness::{
    Backend,
    clock::{instant, shifted},
    eventually, on_both_databases,
    world::World,
};

on_both_databases![
    sl_17_each_part_of_the_quota_is_told_once_and_again_after_a_fall,
    sl_17_usage_that_falls_by_time_alone_is_told_of_again,
    sl_17_a_raised_quota_is_told_of_anew,
    sl_17_a_repeat_tells_nothing_and_a_reservation_is_no_usage,
    sl_17_two_instances_tell_each_crossing_once,
    sl_17_an_instance_that_forgot_everything_tells_nothing_twice,
];

/// The alerts so far, each with its part, what was used, and the quota: once the event of the last
/// record or revocation is in the log, and with it all that were written before.
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

async fn sl_17_each_part_of_the_quota_is_told_once_and_again_after_a_fall(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let first = world
        .recorded(&license, &["a.example", "b.example", "*.c.example"])
        .await;
    assert_eq!(alerts(&world, &license).await, []);
    let eighth = world.recorded(&license, &["d.example"]).await;
    let mut expected = vec![(80, 8, 10)];
    assert_eq!(alerts(&world, &license).await, expected);
    // Another certificate for the same SANs changes nothing.
    world.recorded(&license, &["d.example", "a.example"]).await;
    let ninth = world.recorded(&license, &["e.example"]).await;
    expected.push((90, 9, 10));
    assert_eq!(alerts(&world, &license).await, expected);
    world.recorded(&license, &["f.example", "g.example"]).await;
    expected.push((100, 11, 10));
    world.recorded(&license, &["h.example"]).await;
    assert_eq!(alerts(&world, &license).await, expected);

    // Down to 6, and up again: each part once more.
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
    // Nothing looks at the licence while its usage falls.
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
    // The same certificate, reported by another request.
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
