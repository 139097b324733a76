//! How a service starts and stops: it reports SERVING only once it serves, streams take no place of calls,
//! and a stop waits only for calls under way.

use std::time::Duration;

use licet_contracts::{
    billing::v1::{GetAccountRequest, account_service_client::AccountServiceClient},
    events::v1::{StreamEventsRequest, event_service_client::EventServiceClient},
};
use licet_domain::ids::AccountId;
use licet_runtime::{
    config::Limits,
    server::{self, RunningServer, Suite},
};
use tokio::net::{TcpListener, TcpStream};
use tonic::{Code, Request, Streaming};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_types::StatusExt as _;

use crate::harness::{
    Backend,
    channel::Channel,
    errors::{refused, take_apart},
    eventually, on_both_databases,
    process::SuiteProcess,
    world::Storage,
};

on_both_databases![
    streams_take_no_place_of_calls_and_no_caller_takes_all,
    a_service_that_follows_another_one_takes_the_place_of_a_call,
    a_stop_waits_for_no_stream_and_no_idle_connection,
    an_old_stream_is_told_to_come_again,
];

/// Far longer than any test runs.
const ENDLESS_DRAIN: u64 = 600;

pub(super) async fn billing(
    backend: Backend,
    limits: &Limits,
) -> (Storage, RunningServer, Channel) {
    let storage = Storage::create(backend).await;
    let service = licet_billing::build(licet_billing::Deps {
        location: storage.location("billing"),
        seller: None,
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let suite = Suite::on_system_clock();
    let running = server::start(service.await.unwrap(), listener, limits, &suite).await;
    let running = running.unwrap();
    let channel = connect(&running);
    (storage, running, channel)
}

pub(super) fn connect(running: &RunningServer) -> Channel {
    Channel::to(&format!("http://{}", running.address()))
}

fn of<M>(message: M, caller: &str) -> Request<M> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("licet-caller", caller.parse().unwrap());
    request
}

pub(super) async fn stream(
    channel: &Channel,
    caller: &str,
) -> Result<Streaming<licet_contracts::events::v1::StreamEventsResponse>, tonic::Status> {
    let mut events = EventServiceClient::new(channel.clone());
    let ask = of(StreamEventsRequest::default(), caller);
    events
        .stream_events(ask)
        .await
        .map(tonic::Response::into_inner)
}

/// Makes a call, which the service answers with a refusal.
async fn ask(channel: &Channel) {
    let mut accounts = AccountServiceClient::new(channel.clone());
    let request = GetAccountRequest {
        account_id: AccountId::generate().to_string(),
    };
    refused(accounts.get_account(request).await).expect(Code::NotFound, "NOT_FOUND");
}

async fn streams_take_no_place_of_calls_and_no_caller_takes_all(backend: Backend) {
    let limits = Limits {
        max_calls: 1,
        max_streams: 5,
        max_streams_per_caller: 3,
        ..Limits::default()
    };
    let (_storage, _running, channel) = billing(backend, &limits).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(stream(&channel, "watcher").await.unwrap());
    }
    let fourth = stream(&channel, "watcher").await.unwrap_err();
    assert!(fourth.get_details_retry_info().is_some());
    let refusal = take_apart(&fourth).expect(Code::ResourceExhausted, "TOO_MANY_STREAMS");
    assert_eq!(refusal.value("limit"), "3");
    assert!(refusal.message.contains("watcher"), "{}", refusal.message);
    for _ in 0..2 {
        open.push(stream(&channel, "another").await.unwrap());
    }
    let sixth = stream(&channel, "a third").await.unwrap_err();
    let refusal = take_apart(&sixth).expect(Code::ResourceExhausted, "TOO_MANY_STREAMS");
    assert_eq!(refusal.value("limit"), "5");
    // Calls are answered, however many streams are open.
    ask(&channel).await;
    // A stream that ends makes room.
    open.remove(0);
    eventually("a place is free again", || async {
        stream(&channel, "watcher").await.ok().map(|_| ())
    })
    .await;
}

async fn a_service_that_follows_another_one_takes_the_place_of_a_call(backend: Backend) {
    let limits = Limits {
        max_calls: 1,
        max_streams: 1,
        ..Limits::default()
    };
    let (_storage, _running, channel) = billing(backend, &limits).await;
    let _watched = stream(&channel, "watcher").await.unwrap();
    // Another service gets through, however many streams are open.
    let followed = stream(&channel, "orders").await.unwrap();
    let second = stream(&channel, "san-licensing").await.unwrap_err();
    let refusal = take_apart(&second).expect(Code::Unavailable, "OVERLOADED");
    assert_eq!(refusal.value("limit"), "1");
    drop(followed);
    eventually("the place is free again", || async {
        stream(&channel, "san-licensing").await.ok().map(|_| ())
    })
    .await;
}

async fn a_stop_waits_for_no_stream_and_no_idle_connection(backend: Backend) {
    let limits = Limits {
        drain_seconds: ENDLESS_DRAIN,
        ..Limits::default()
    };
    let (_storage, running, channel) = billing(backend, &limits).await;
    let address = running.address();
    ask(&channel).await;
    let mut watched = stream(&channel, "watcher").await.unwrap();
    let mut health = HealthClient::new(connect(&running));
    let check = HealthCheckRequest::default();
    let mut states = health.watch(check).await.unwrap().into_inner();
    let state = states.message().await.unwrap().unwrap();
    assert_eq!(state.status(), ServingStatus::Serving);
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut reflection = ServerReflectionClient::new(connect(&running));
    let reflected = reflection.server_reflection_info(tokio_stream::pending());
    let mut reflected = reflected.await.unwrap().into_inner();

    let stopping = tokio::time::timeout(Duration::from_secs(60), running.shutdown());
    let (watched, reflected, stopped) =
        tokio::join!(watched.message(), reflected.message(), stopping);
    stopped.expect("the stop waits for the drain");
    for status in [watched.unwrap_err(), reflected.unwrap_err()] {
        assert!(status.get_details_retry_info().is_some());
        take_apart(&status).expect(Code::Unavailable, "SERVICE_STOPPING");
    }
    assert!(TcpStream::connect(address).await.is_err());
}

async fn an_old_stream_is_told_to_come_again(backend: Backend) {
    let limits = Limits {
        stream_seconds: 1,
        ..Limits::default()
    };
    let (_storage, _running, channel) = billing(backend, &limits).await;
    let mut watched = stream(&channel, "watcher").await.unwrap();
    let status = watched.message().await.unwrap_err();
    assert!(status.get_details_retry_info().is_some());
    take_apart(&status).expect(Code::Unavailable, "STREAM_EXPIRED");
}

/// Once health says SERVING, the starter account exists.
#[test]
fn the_embedded_suite_serves_once_everything_is_there() {
    crate::harness::run(async {
        let process = SuiteProcess::spawn();
        let channels = [process.orders(), process.billing(), process.san_licensing()];
        for channel in channels {
            eventually("health says SERVING", || async {
                let mut health = HealthClient::new(channel.clone());
                let answer = health.check(HealthCheckRequest::default()).await.ok()?;
                (answer.into_inner().status() == ServingStatus::Serving).then_some(())
            })
            .await;
            let request = GetAccountRequest {
                account_id: process.starter_account(),
            };
            let mut accounts = AccountServiceClient::new(process.billing());
            let account = accounts.get_account(request).await.unwrap().into_inner();
            assert_eq!(account.account.unwrap().balance.unwrap().value, "10000.00");
        }
    });
}

/// With an idle client, a watcher and a long drain, the process still stops at once.
#[test]
fn a_process_that_is_told_to_stop_ends_without_its_drain() {
    crate::harness::run(async {
        let mut process = SuiteProcess::start().await;
        let _silent = TcpStream::connect(process.orders_address()).await.unwrap();
        let mut watched = stream(&process.billing(), "watcher").await.unwrap();
        watched.message().await.unwrap().unwrap();
        assert!(process.terminate().success());
    });
}
