//! What the runtime does for every service, tested with services made for this: a panic becomes an incident,
//! deadlines hold, unknown methods are refused, health responds.

use std::sync::Arc;

use licet_contracts::{
    billing::v1::{
        DepositRequest, DepositResponse, GetAccountRequest, GetAccountResponse,
        ListAccountsRequest, ListAccountsResponse,
        account_service_client::AccountServiceClient,
        account_service_server::{AccountService, AccountServiceServer},
    },
    orders::v1::{ListOrdersRequest, order_service_client::OrderServiceClient},
};
use licet_runtime::{
    config::Limits,
    database::Database,
    server::{self, RunningServer, Service, Suite},
};
use tokio::{net::TcpListener, sync::watch};
use tonic::{Code, Request, Response, Status, service::RoutesBuilder};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

use crate::harness::{
    Backend, channel::Channel, clock::StandingClock, errors::refused, on_both_databases,
    world::Storage,
};

on_both_databases![
    a_panic_is_an_incident_to_look_up,
    a_call_ends_at_the_servers_own_deadline,
    more_calls_than_the_limit_are_turned_away_and_health_answers,
    a_method_that_is_not_served_says_so,
];

/// Reading an account panics; a deposit and a listing wait until `is_open` is true.
struct BrokenAccounts {
    is_open: watch::Receiver<bool>,
}

#[tonic::async_trait]
impl AccountService for BrokenAccounts {
    async fn get_account(
        &self,
        _: Request<GetAccountRequest>,
    ) -> Result<Response<GetAccountResponse>, Status> {
        panic!("the books are lost: secret detail");
    }

    async fn deposit(
        &self,
        _: Request<DepositRequest>,
    ) -> Result<Response<DepositResponse>, Status> {
        // An `Err` means that it never becomes true.
        let _ = self.is_open.clone().wait_for(|open| *open).await;
        Ok(Response::new(DepositResponse::default()))
    }

    async fn list_accounts(
        &self,
        _: Request<ListAccountsRequest>,
    ) -> Result<Response<ListAccountsResponse>, Status> {
        let _ = self.is_open.clone().wait_for(|open| *open).await;
        Ok(Response::new(ListAccountsResponse::default()))
    }
}

async fn serve(service: Service, limits: &Limits) -> (RunningServer, Channel) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut suite = Suite::on_system_clock();
    suite.clock = Arc::new(StandingClock::new());
    let running = server::start(service, listener, limits, &suite)
        .await
        .unwrap();
    let channel = Channel::to(&format!("http://{}", running.address()));
    (running, channel)
}

/// A server of [`BrokenAccounts`] that are closed.
pub(super) struct Broken {
    _storage: Storage,
    running: RunningServer,
    pub(super) client: AccountServiceClient<Channel>,
    pub(super) bank: watch::Sender<bool>,
}

/// Two calls at once, which may take longer than any does.
fn two_long_calls() -> Limits {
    Limits {
        max_calls: 2,
        call_seconds: 600,
        drain_seconds: 1,
        ..Limits::default()
    }
}

pub(super) async fn broken_accounts(backend: Backend, limits: &Limits) -> Broken {
    let storage = Storage::create(backend).await;
    let database = Database::open(&storage.location("billing"), &[])
        .await
        .unwrap();
    let mut routes = RoutesBuilder::default();
    let (bank, is_open) = watch::channel(false);
    routes.add_service(AccountServiceServer::new(BrokenAccounts { is_open }));
    let service = Service {
        name: "billing",
        routes,
        database,
        operations: None,
        due: vec![],
        retentions: &[],
    };
    let (running, channel) = serve(service, limits).await;
    Broken {
        _storage: storage,
        running,
        client: AccountServiceClient::new(channel),
        bank,
    }
}

async fn a_panic_is_an_incident_to_look_up(backend: Backend) {
    let mut broken = broken_accounts(backend, &two_long_calls()).await;
    let mut incidents = Vec::new();
    for _ in 0..2 {
        let refusal = refused(
            broken
                .client
                .get_account(GetAccountRequest::default())
                .await,
        );
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
    let limits = Limits {
        call_seconds: 1,
        ..two_long_calls()
    };
    let mut broken = broken_accounts(backend, &limits).await;
    let refusal = refused(broken.client.deposit(DepositRequest::default()).await);
    // Only the deadline ends the call.
    refusal.expect(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}

async fn more_calls_than_the_limit_are_turned_away_and_health_answers(backend: Backend) {
    let broken = broken_accounts(backend, &two_long_calls()).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let mut client = broken.client.clone();
        calls.spawn(async move { client.deposit(DepositRequest::default()).await });
    }
    // Two calls wait in their places; the other three are refused.
    for _ in 0..3 {
        let turned_away = calls.join_next().await.unwrap().unwrap().unwrap_err();
        assert!(
            turned_away.get_details_retry_info().is_some(),
            "the refusal says when to try again"
        );
        refused::<()>(Err(turned_away)).expect(Code::Unavailable, "OVERLOADED");
    }
    let channel = Channel::to(&format!("http://{}", broken.running.address()));
    let mut health = HealthClient::new(channel);
    let service = "licet.billing.v1.AccountService".to_owned();
    let answer = health
        .check(HealthCheckRequest { service })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    broken.bank.send(true).unwrap();
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
}

async fn a_method_that_is_not_served_says_so(backend: Backend) {
    let broken = broken_accounts(backend, &two_long_calls()).await;
    let channel = Channel::to(&format!("http://{}", broken.running.address()));
    let mut orders = OrderServiceClient::new(channel);
    let refusal = refused(orders.list_orders(ListOrdersRequest::default()).await)
        .expect(Code::Unimplemented, "METHOD_NOT_SERVED");
    assert_eq!(refusal.domain, "licet.orders");
}
