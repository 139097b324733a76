//! What every service owes to the runtime, shown on services that exist for it: a panic is an
//! incident, a deadline is kept, what is not served says so, health answers.

use std::{sync::Arc, time::Duration};

use licet_contracts::{
    billing::v1::{GetAccountRequest, account_service_client::AccountServiceClient},
    clock::v1::{
        AdvanceTimeRequest, AdvanceTimeResponse, GetTimeRequest, GetTimeResponse,
        clock_service_client::ClockServiceClient,
        clock_service_server::{ClockService, ClockServiceServer},
    },
};
use licet_runtime::{
    config::Limits,
    database::Database,
    server::{self, Running, Service, Suite},
};
use tokio::net::TcpListener;
use tonic::{Code, Request, Response, Status, service::RoutesBuilder, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

use crate::harness::{
    Backend, clock::StandingClock, errors::refused, on_both_databases, world::Storage,
};

on_both_databases![
    a_panic_is_an_incident_to_look_up,
    a_call_ends_at_the_servers_own_deadline,
    more_calls_than_the_limit_are_turned_away_and_health_answers,
    a_method_that_is_not_served_says_so,
];

/// A clock whose time is never told: asking panics, moving takes a minute.
struct BrokenClock;

#[tonic::async_trait]
impl ClockService for BrokenClock {
    async fn get_time(
        &self,
        _: Request<GetTimeRequest>,
    ) -> Result<Response<GetTimeResponse>, Status> {
        panic!("the spring is broken: secret detail");
    }

    async fn advance_time(
        &self,
        _: Request<AdvanceTimeRequest>,
    ) -> Result<Response<AdvanceTimeResponse>, Status> {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(Response::new(AdvanceTimeResponse::default()))
    }
}

async fn serve(service: Service) -> (Running, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = Limits {
        max_calls: 2,
        call_seconds: 1,
        drain_seconds: 1,
    };
    let mut suite = Suite::on_system_clock();
    suite.clock = Arc::new(StandingClock::new());
    let running = server::start(service, listener, &limits, &suite)
        .await
        .unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{}", running.address())).unwrap();
    (running, endpoint)
}

async fn broken_clock(
    backend: Backend,
) -> (
    Storage,
    Running,
    ClockServiceClient<tonic::transport::Channel>,
) {
    let storage = Storage::create(backend).await;
    let database = Database::open(&storage.location("billing"), &[])
        .await
        .unwrap();
    let mut routes = RoutesBuilder::default();
    routes.add_service(ClockServiceServer::new(BrokenClock));
    let service = Service {
        name: "billing",
        routes,
        database,
        due: vec![],
    };
    let (running, endpoint) = serve(service).await;
    (
        storage,
        running,
        ClockServiceClient::new(endpoint.connect_lazy()),
    )
}

async fn a_panic_is_an_incident_to_look_up(backend: Backend) {
    let (_storage, _running, mut client) = broken_clock(backend).await;
    let mut incidents = Vec::new();
    for _ in 0..2 {
        let refusal = refused(client.get_time(GetTimeRequest {}).await);
        let refusal = refusal.expect(Code::Internal, "INTERNAL");
        let incident: uuid::Uuid = refusal.value("incident_id").parse().unwrap();
        assert!(
            refusal.message.contains(&incident.to_string()),
            "{}",
            refusal.message
        );
        assert!(
            !refusal.message.contains("secret"),
            "internal text left the service"
        );
        incidents.push(incident);
    }
    assert_ne!(incidents[0], incidents[1]);
}

async fn a_call_ends_at_the_servers_own_deadline(backend: Backend) {
    let (_storage, _running, mut client) = broken_clock(backend).await;
    let asked = tokio::time::Instant::now();
    let refusal = refused(client.advance_time(AdvanceTimeRequest::default()).await);
    refusal.expect(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(asked.elapsed() < Duration::from_secs(20));
}

async fn more_calls_than_the_limit_are_turned_away_and_health_answers(backend: Backend) {
    let (_storage, running, client) = broken_clock(backend).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let mut client = client.clone();
        calls.spawn(async move { client.advance_time(AdvanceTimeRequest::default()).await });
    }
    let turned_away = calls.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(
        turned_away.get_details_retry_info().is_some(),
        "it says when to ask again"
    );
    refused::<()>(Err(turned_away)).expect(Code::Unavailable, "OVERLOADED");
    let endpoint = Endpoint::from_shared(format!("http://{}", running.address())).unwrap();
    let mut health = HealthClient::new(endpoint.connect_lazy());
    let service = "licet.billing.v1.AccountService".to_owned();
    let answer = health
        .check(HealthCheckRequest { service })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let mut reasons = Vec::new();
    while let Some(answer) = calls.join_next().await {
        reasons.push(refused(answer.unwrap()).reason);
    }
    reasons.sort();
    assert_eq!(
        reasons,
        [
            "DEADLINE_EXCEEDED",
            "DEADLINE_EXCEEDED",
            "OVERLOADED",
            "OVERLOADED"
        ]
    );
}

async fn a_method_that_is_not_served_says_so(backend: Backend) {
    let (_storage, running, _) = broken_clock(backend).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", running.address())).unwrap();
    let mut accounts = AccountServiceClient::new(endpoint.connect_lazy());
    let refusal = refused(accounts.get_account(GetAccountRequest::default()).await)
        .expect(Code::Unimplemented, "METHOD_NOT_SERVED");
    assert_eq!(refusal.domain, "licet.billing");
}
