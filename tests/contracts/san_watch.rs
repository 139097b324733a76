//! SL-17: watchers see usage change, by a decision on any instance or by time alone, and see the licence end.

use std::time::Duration;

use licet_contracts::sanlicensing::v1::{
    License, Usage, WatchUsageRequest, WatchUsageResponse,
    issuance_service_client::IssuanceServiceClient, usage_service_client::UsageServiceClient,
};
use licet_domain::ids::LicenseId;
use tonic::{Code, Request, Streaming};

use crate::harness::{
    Backend,
    channel::Channel,
    clock::{instant, shifted},
    errors::{refused, take_apart},
    on_both_databases,
    san::figures,
    world::World,
};

on_both_databases![
    sl_17_a_watcher_is_told_of_every_change,
    sl_17_a_watcher_sees_what_another_instance_decides,
    sl_17_a_watcher_hears_nothing_while_nothing_changes,
    sl_17_a_watch_ends_when_the_service_stops,
    sl_17_whoever_may_not_see_a_license_may_not_watch_it,
];

type Watched = Streaming<WatchUsageResponse>;

async fn watch(channel: Channel, license: &License) -> Watched {
    let request = WatchUsageRequest {
        license_id: license.license_id.clone(),
    };
    let answer = UsageServiceClient::new(channel).watch_usage(request).await;
    answer.unwrap().into_inner()
}

async fn next(watched: &mut Watched) -> Usage {
    let next = tokio::time::timeout(Duration::from_secs(20), watched.message());
    next.await.unwrap().unwrap().unwrap().usage.unwrap()
}

async fn sl_17_a_watcher_is_told_of_every_change(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 9).await;
    let mut watched = watch(world.san_channel(0), &license).await;
    let first = next(&mut watched).await;
    assert_eq!(first, world.usage(&license).await);

    let held = world.granted(&license, &["a.example"]).await;
    assert_eq!(figures(&next(&mut watched).await), (0, 1, 8));
    let soon = shifted(world.now(), 59_000_000);
    let short = world.recorded_until(&license, &["*.b.example"], soon).await;
    let third = next(&mut watched).await;
    assert_eq!(figures(&third), (5, 1, 3));
    assert_eq!(third.next_returns[0].return_time, short.until_time);
    // Time alone ends a certificate and a reservation.
    world.time.move_to(instant(short.until_time));
    let fourth = next(&mut watched).await;
    assert_eq!(figures(&fourth), (0, 1, 8));
    assert_eq!(fourth.as_of_time, short.until_time);
    world.time.move_to(instant(held.expire_time));
    assert_eq!(figures(&next(&mut watched).await), (0, 0, 9));
    world.increase(&license, 12).await;
    assert_eq!(figures(&next(&mut watched).await), (0, 0, 12));
}

async fn sl_17_a_watcher_sees_what_another_instance_decides(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 9).await;
    if backend == Backend::Postgres {
        world.start_san_licensing().await;
    }
    let other = world.san_instances() - 1;
    let mut watched = watch(world.san_channel(0), &license).await;
    assert_eq!(figures(&next(&mut watched).await), (0, 0, 9));
    let report = world.report(&license, &["a.example"]);
    let mut issuance = IssuanceServiceClient::new(world.san_channel(other));
    issuance.record_certificate(report).await.unwrap();
    assert_eq!(figures(&next(&mut watched).await), (1, 0, 8));
}

async fn sl_17_a_watcher_hears_nothing_while_nothing_changes(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 1).await;
    world.recorded(&license, &["a.example"]).await;
    let mut watched = watch(world.san_channel(0), &license).await;
    assert_eq!(figures(&next(&mut watched).await), (1, 0, 0));
    // A denial does not change usage.
    world.denied(&license, &["b.example"]).await;
    let silence = tokio::time::timeout(Duration::from_millis(900), watched.message());
    assert!(silence.await.is_err());
    world.recorded(&license, &["c.example"]).await;
    assert_eq!(figures(&next(&mut watched).await), (2, 0, -1));
}

async fn sl_17_a_watch_ends_when_the_service_stops(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 1).await;
    let mut watched = watch(world.san_channel(0), &license).await;
    next(&mut watched).await;
    let (ended, ()) = tokio::join!(watched.message(), world.stop_san_licensing(0));
    take_apart(&ended.unwrap_err()).expect(Code::Unavailable, "SERVICE_STOPPING");
}

async fn sl_17_whoever_may_not_see_a_license_may_not_watch_it(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 1).await;
    let unknown = WatchUsageRequest {
        license_id: LicenseId::generate().to_string(),
    };
    let refusal = refused(world.san_usage().watch_usage(unknown).await);
    refusal.expect(Code::NotFound, "NOT_FOUND");
    let other = world.account_with("1.00").await;
    let mut request = Request::new(WatchUsageRequest {
        license_id: license.license_id.clone(),
    });
    let accounts = other.parse().unwrap();
    request.metadata_mut().insert("licet-accounts", accounts);
    let refusal = refused(world.san_usage().watch_usage(request).await);
    refusal.expect(Code::NotFound, "NOT_FOUND");
}
