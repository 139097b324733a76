//! A pooler that ignores the settings of connections: a service that would work in a wrong schema, or without its
//! settings, does not start, and `licet database prepare` mends it.

use licet_contracts::billing::v1::{
    CreateAccountRequest, account_service_client::AccountServiceClient,
};
use licet_runtime::{
    config::Limits,
    database::Location,
    server::{self, Suite},
};
use tokio::net::TcpListener;

use super::stops::connect;
use crate::harness::{
    Backend, pooler::Pooler, process::database_command, request_id, run, world::Storage,
};

#[test]
fn a_service_behind_a_pooler_starts_once_its_role_is_prepared_postgres() {
    run(prepare_makes_a_pooler_work());
}

/// Runs `licet database prepare` and returns what it prints.
async fn prepare(location: &Location, more: &'static [&'static str]) -> Result<String, String> {
    database_command("prepare", location, more).await
}

async fn start(location: &Location) -> Result<server::Service, String> {
    let deps = licet_billing::Deps {
        location: location.clone(),
        seller: None,
    };
    licet_billing::build(deps)
        .await
        .map_err(|fault| fault.to_string())
}

#[track_caller]
fn refused(built: Result<server::Service, String>, why: &str) {
    let refused = built.err().expect("the service must not start");
    assert!(refused.contains(why), "{refused}");
    assert!(refused.contains("licet database prepare"), "{refused}");
}

async fn prepare_makes_a_pooler_work() {
    let storage = Storage::create(Backend::Postgres).await;
    let store = storage.location("billing");
    let mut pooler = Pooler::start(&store).await;
    let wrong_schema = "current_schema = public instead of billing";
    refused(start(&pooler.location).await, wrong_schema);

    // Printing changes nothing; running twice changes nothing more.
    let printed = prepare(&store, &[]).await.unwrap();
    assert!(
        printed.contains("SET search_path TO \"billing\""),
        "{printed}"
    );
    pooler.connect_again().await;
    refused(start(&pooler.location).await, wrong_schema);
    for _ in 0..2 {
        assert_eq!(prepare(&store, &["--apply"]).await.unwrap(), printed);
    }
    pooler.connect_again().await;
    let service = start(&pooler.location).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let suite = Suite::on_system_clock();
    let running = server::start(service, listener, &Limits::default(), &suite).await;
    let running = running.unwrap();
    let mut accounts = AccountServiceClient::new(connect(&running));
    let request = CreateAccountRequest {
        display_name: "Example".to_owned(),
        currency_code: "USD".to_owned(),
        request_id: request_id(),
        ..CreateAccountRequest::default()
    };
    let answer = accounts.create_account(request.clone()).await.unwrap();
    let again = accounts.create_account(request).await.unwrap();
    assert_eq!(answer.into_inner(), again.into_inner());
    drop(accounts);
    running.shutdown().await;

    // Another service cannot share the role.
    let Location::Postgres { url, .. } = &store else {
        panic!("{store} is not on PostgreSQL");
    };
    let other = Location::Postgres {
        url: url.clone(),
        schema: "orders".to_owned(),
    };
    let why = prepare(&other, &["--apply"]).await.unwrap_err();
    assert!(why.contains("give each service a role of its own"), "{why}");

    // A role that lost one of the settings is noticed.
    let reset = format!(
        "ALTER ROLE billing IN DATABASE {} RESET statement_timeout",
        url.rsplit('/').next().unwrap()
    );
    let server = sea_orm::Database::connect(url.as_str()).await.unwrap();
    sea_orm::ConnectionTrait::execute_unprepared(&server, &reset)
        .await
        .unwrap();
    server.close().await.unwrap();
    pooler.connect_again().await;
    refused(
        start(&pooler.location).await,
        "statement_timeout = 0 instead of 30000",
    );
}
