//! A client that does not read its responses takes no place beyond its deadline, none once a call is over,
//! and does not delay a stop.

use std::time::Duration;

use licet_contracts::{
    events::v1::StreamEventsRequest,
    orders::v1::order_service_client::OrderServiceClient,
    sanlicensing::v1::{
        GetUsageRequest, IngestCertificatesRequest, License, WatchUsageRequest,
        ingest_service_client::IngestServiceClient, usage_service_client::UsageServiceClient,
    },
};
use licet_runtime::{
    config::Limits,
    peer::PeerChannel,
    server::{self, RunningServer, Suite},
};
use tokio::net::TcpListener;
use tonic::Code;

use super::stops;
use crate::harness::{
    Backend, eventually,
    ingest::{batch, signed},
    on_both_databases,
    process::SuiteProcess,
    samples::multi_domain_request,
    san::facts,
    unread::{Unread, UnreadCall},
    world::World,
};

on_both_databases![
    a_stop_waits_for_no_stream_that_is_not_read,
    a_stop_waits_for_no_acknowledgement_that_is_not_read,
    a_stop_waits_for_no_answer_that_is_not_read,
    a_stream_that_is_not_read_ends_at_its_deadline,
    sl_14_a_feed_ends_at_its_deadline_though_nothing_is_sent,
];

const STREAM_EVENTS: &str = "/licet.events.v1.EventService/StreamEvents";
const WATCH_USAGE: &str = "/licet.sanlicensing.v1.UsageService/WatchUsage";
const INGEST: &str = "/licet.sanlicensing.v1.IngestService/IngestCertificates";
const GET_USAGE: &str = "/licet.sanlicensing.v1.UsageService/GetUsage";

/// Far longer than any test runs.
fn endless_drain() -> Limits {
    Limits {
        drain_seconds: 600,
        ..Limits::default()
    }
}

/// Billing and SanLicensing, and another instance of SanLicensing with these limits.
async fn san_licensing(backend: Backend, limits: &Limits) -> (World, License, RunningServer) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let service = licet_san_licensing::build(licet_san_licensing::Deps {
        location: world.san_licensing_location(),
        clock: world.time.clone(),
        billing: PeerChannel::new(&world.billing_address(), "san-licensing").unwrap(),
        engine: licet_san_licensing::EngineSettings::default(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut suite = Suite::on_system_clock();
    suite.clock = world.time.clone();
    let running = server::start(service.await.unwrap(), listener, limits, &suite).await;
    (world, license, running.unwrap())
}

async fn connect(running: &RunningServer) -> Unread {
    Unread::connect(&running.address().to_string()).await
}

async fn watch_events(client: &Unread, metadata: &[(&str, &str)]) -> UnreadCall {
    let request = StreamEventsRequest::default();
    client.ask(STREAM_EVENTS, metadata, &request).await
}

/// Stops the service, and fails if the stop waits for the drain.
async fn stop(running: RunningServer) {
    let stopping = tokio::time::timeout(Duration::from_secs(60), running.shutdown());
    stopping.await.expect("the stop waited for the drain");
}

fn code(code: Code) -> String {
    i32::from(code).to_string()
}

async fn a_stop_waits_for_no_stream_that_is_not_read(backend: Backend) {
    let (world, license, running) = san_licensing(backend, &endless_drain()).await;
    world.catch_up().await;
    let client = connect(&running).await;
    let events = watch_events(&client, &[]).await;
    let watched = WatchUsageRequest {
        license_id: license.license_id,
    };
    let _usage = client.ask(WATCH_USAGE, &[], &watched).await;
    stop(running).await;
    assert_eq!(client.read_to_end(events).await, code(Code::Unavailable));
}

async fn a_stop_waits_for_no_acknowledgement_that_is_not_read(backend: Backend) {
    let (world, license, running) = san_licensing(backend, &endless_drain()).await;
    let client = connect(&running).await;
    let one = |sequence| {
        let name = format!("n{sequence}.example");
        let told = facts(&[&name], world.now(), world.usual_end());
        batch(sequence, vec![signed(&license, &told)])
    };
    let batches: Vec<_> = (1..=20).map(one).collect();
    let feed = client.send(INGEST, &[], &batches).await;
    eventually("nothing more is acknowledged", || async {
        let feed = world.feed().await.ok()?;
        (feed.sequence >= 3).then_some(())
    })
    .await;
    stop(running).await;
    assert_eq!(client.read_to_end(feed).await, code(Code::Unavailable));
}

async fn a_stop_waits_for_no_answer_that_is_not_read(backend: Backend) {
    let limits = Limits {
        max_calls: 1,
        ..endless_drain()
    };
    let (_world, license, running) = san_licensing(backend, &limits).await;
    let client = connect(&running).await;
    let request = GetUsageRequest {
        license_id: license.license_id,
        ..GetUsageRequest::default()
    };
    let _usage = client.ask(GET_USAGE, &[], &request).await;
    // It no longer takes the place of a call either.
    let mut usage = UsageServiceClient::new(stops::connect(&running));
    usage.get_usage(request).await.unwrap();
    stop(running).await;
}

async fn a_stream_that_is_not_read_ends_at_its_deadline(backend: Backend) {
    let limits = Limits {
        max_streams: 1,
        ..Limits::default()
    };
    let (world, _license, running) = san_licensing(backend, &limits).await;
    world.catch_up().await;
    let client = connect(&running).await;
    let events = watch_events(&client, &[("grpc-timeout", "1S")]).await;
    let other = stops::connect(&running);
    eventually("another stream has its place", || async {
        stops::stream(&other, "another").await.ok().map(|_| ())
    })
    .await;
    let ended = client.read_to_end(events).await;
    assert_eq!(ended, code(Code::DeadlineExceeded));
}

async fn sl_14_a_feed_ends_at_its_deadline_though_nothing_is_sent(backend: Backend) {
    let (_world, _license, running) = san_licensing(backend, &Limits::default()).await;
    let client = connect(&running).await;
    let nothing: [IngestCertificatesRequest; 0] = [];
    let mut feeds = Vec::new();
    for _ in 0..8 {
        let deadline = [("grpc-timeout", "3S")];
        feeds.push(client.send(INGEST, &deadline, &nothing).await);
    }
    let other = IngestServiceClient::new(stops::connect(&running));
    eventually("the caller may open another feed", || async {
        let mut other = other.clone();
        let feed = other.ingest_certificates(tokio_stream::pending());
        feed.await.ok().map(|_| ())
    })
    .await;
    let ended = client.read_to_end(feeds.remove(0)).await;
    assert_eq!(ended, code(Code::DeadlineExceeded));
}

/// The drain would take ten minutes.
#[test]
fn a_process_that_is_told_to_stop_waits_for_no_client_that_does_not_read() {
    crate::harness::run(async {
        let mut process = SuiteProcess::start().await;
        let order = multi_domain_request(&process.starter_account(), &["www.example.com"]);
        let mut orders = OrderServiceClient::new(process.orders());
        orders.place_order(order).await.unwrap();
        let mut unread = Vec::new();
        for address in process.addresses() {
            let client = Unread::connect(&address).await;
            let events = watch_events(&client, &[]).await;
            unread.push((client, events));
        }
        for channel in [process.orders(), process.billing()] {
            // Events that reach this watcher were sent to the unread one as well.
            let mut shown = stops::stream(&channel, "watcher").await.unwrap();
            for _ in 0..2 {
                shown.message().await.unwrap().unwrap();
            }
        }
        assert!(process.terminate().success());
    });
}
