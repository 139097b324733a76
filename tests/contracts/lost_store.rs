//! A PostgreSQL server that stops, crashes, hangs or accepts no changes: calls fail as UNAVAILABLE and may
//! be repeated, the service's health follows, and everything goes on without a restart.

use std::time::Duration;

use licet_contracts::billing::v1::DepositRequest;
use tokio::time::Instant;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

use crate::harness::{
    channel::Channel,
    errors::{refused, take_apart},
    eventually,
    load::{Kind, Load},
    request_id, run,
    samples::usd,
    san::figures,
    standby::{Server::First, Servers},
    world::World,
};

const KINDS: [Kind; 3] = [Kind::Deposit, Kind::Authorisation, Kind::Read];

async fn health(channel: Channel) -> ServingStatus {
    let mut health = HealthClient::new(channel);
    let answer = health.check(HealthCheckRequest::default()).await;
    answer.unwrap().into_inner().status()
}

/// Waits until all three services report this health.
async fn all_report(world: &World, expected: ServingStatus) {
    changed_report(world, expected).await;
    report(&[world.orders_channel()], expected).await;
}

/// Waits until the two services that the load changes report this health.
async fn changed_report(world: &World, expected: ServingStatus) {
    report(&[world.billing_channel(), world.san_channel(0)], expected).await;
}

async fn report(channels: &[Channel], expected: ServingStatus) {
    for channel in channels {
        eventually("the health follows the database", || async {
            (health(channel.clone()).await == expected).then_some(())
        })
        .await;
    }
}

/// Waits until further calls of every kind are acknowledged.
async fn all_go_on(load: &Load) {
    let before = KINDS.map(|kind| load.done(kind).len());
    eventually("all calls go on", || async {
        let now = KINDS.map(|kind| load.done(kind).len());
        (0..KINDS.len())
            .all(|kind| now[kind] > before[kind] + 2)
            .then_some(())
    })
    .await;
}

/// Waits until calls have failed.
async fn some_fail(load: &Load) {
    let before = load.errors().len();
    eventually("calls fail", || async {
        (load.errors().len() > before + 5).then_some(())
    })
    .await;
}

#[test]
fn x_2_a_store_that_is_lost_under_load_is_unavailable_until_it_is_back() {
    run(async {
        let mut servers = Servers::start().await;
        let world = World::start_whole_at(&servers).await;
        world.stock_sans().await;
        let account_id = world.account_with("100000.00").await;
        let license = world.license(&account_id, 10_000).await;
        let saver = world.empty_account().await;
        let mut load = Load::default();
        for prefix in ["a", "b"] {
            load.deposits(world.billing_channel(), &saver);
            load.reads(world.billing_channel(), &saver);
            load.authorisations(world.san_channel(0), &world, &license, prefix);
        }
        all_go_on(&load).await;

        for stop in [Servers::stop, Servers::kill] {
            stop(&mut servers, First);
            all_report(&world, ServingStatus::NotServing).await;
            some_fail(&load).await;
            servers.start_again(First);
            all_report(&world, ServingStatus::Serving).await;
            all_go_on(&load).await;
        }

        // Nothing tells the service that the server is gone: its connections stay open.
        servers.freeze(First);
        let asked = Instant::now();
        let deposit = DepositRequest {
            account_id: saver.clone(),
            amount: usd("1.00"),
            reference: String::new(),
            request_id: request_id(),
        };
        let answer = world.accounts().deposit(deposit.clone()).await;
        refused(answer).expect(Code::Unavailable, "STORE_UNAVAILABLE");
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(10), "it took {took:?}");
        all_report(&world, ServingStatus::NotServing).await;
        servers.thaw(First);
        all_report(&world, ServingStatus::Serving).await;
        all_go_on(&load).await;
        eventually("the deposit is made", || async {
            world.accounts().deposit(deposit.clone()).await.ok()
        })
        .await;

        // As a primary that was demoted, without an end of its connections. Who only reads need not notice.
        servers
            .run(First, "ALTER SYSTEM SET default_transaction_read_only = on")
            .await;
        servers.run(First, "SELECT pg_reload_conf()").await;
        changed_report(&world, ServingStatus::NotServing).await;
        some_fail(&load).await;
        servers
            .run(First, "ALTER SYSTEM RESET default_transaction_read_only")
            .await;
        servers.run(First, "SELECT pg_reload_conf()").await;
        all_report(&world, ServingStatus::Serving).await;
        all_go_on(&load).await;

        load.stop().await;
        for status in load.errors() {
            take_apart(&status).expect(Code::Unavailable, "STORE_UNAVAILABLE");
            assert!(
                status.get_error_details().retry_info().is_some(),
                "{status:?}"
            );
        }
        // Every call was made once, whatever its first attempts came to.
        let deposits = load.done(Kind::Deposit).len() + 1;
        assert_eq!(world.balance(&saver).await, format!("{deposits}.00 USD"));
        let granted = i64::try_from(load.done(Kind::Authorisation).len()).unwrap();
        assert_eq!(
            figures(&world.usage(&license).await),
            (0, granted, 10_000 - granted)
        );
    });
}
