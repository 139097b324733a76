//! A standby takes over under load, with two instances of each service. Before the primary is killed the
//! standby is cut off from it, which is when a failover loses most: nothing that was acknowledged if the standby is
//! synchronous, else at most what came after the cut. LICET_TEST_FAILOVERS sets how many rounds are played.

use std::{collections::BTreeSet, fmt::Display, time::Duration};

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::ListEntriesRequest,
    orders::v1::{CertificateState, GetOrderRequest, OrderState},
    sanlicensing::v1::{AuthorizationDecision, License, ListReservationsRequest},
};
use licet_runtime::verification::Verification;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};
use tokio::time::Instant;
use tonic::Code;

use super::{
    following::{begun, revoke_all, revoked},
    random::from_variable,
};
use crate::{
    contracts::events::{check_chain, log},
    harness::{
        eventually,
        load::{Done, Kind, Load},
        process::{database_option, licet},
        run_within,
        san::text,
        standby::{Server::First, Servers},
        world::World,
    },
};

const KINDS: [Kind; 3] = [Kind::Deposit, Kind::Authorisation, Kind::Order];
/// More than the load reserves.
const QUOTA: usize = 900;
const ROUND: Duration = Duration::from_secs(60);

/// an acknowledged call is a call whose changes the standby has.
#[test]
fn x_2_a_synchronous_standby_takes_over_without_a_loss() {
    rounds(true);
}

/// SL-13, BL-5, BL-8: what is lost is lost everywhere.
#[test]
fn sl_13_an_asynchronous_standby_takes_over_and_all_agree_with_it() {
    rounds(false);
}

fn rounds(is_synchronous: bool) {
    let count = from_variable("LICET_TEST_FAILOVERS").unwrap_or(1_u32);
    run_within(ROUND * (count + 1), async move {
        for number in 1..=count {
            let figures = failover(is_synchronous).await;
            println!("synchronous {is_synchronous}, round {number}: {figures}");
        }
    });
}

struct Figures {
    acknowledged: usize,
    after_the_cut: usize,
    lost: usize,
    away: Duration,
}

impl Display for Figures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            acknowledged,
            after_the_cut,
            lost,
            away,
        } = self;
        write!(
            formatter,
            "{acknowledged} calls acknowledged, {after_the_cut} of them between cut and kill, {lost} lost; \
             all calls went on {away:?} after the kill"
        )
    }
}

async fn failover(is_synchronous: bool) -> Figures {
    let mut servers = Servers::start_pair(is_synchronous).await;
    let world = World::start_whole_at(&servers).await;
    let twin = world.twin_ahead(TimeDelta::zero()).await;
    world.stock().await;
    world.stock_sans().await;
    let account_id = world.account_with("1000000.00").await;
    let license = world
        .license(&account_id, i64::try_from(QUOTA).unwrap())
        .await;
    let order = begun(&world, &license, &["www.example.com"]).await;
    let report = world.issuance(&order.order_id, &order.domains);
    // On a busy machine, the services need a moment for one another.
    let certificate = eventually("the certificate is recorded", || async {
        let answer = world.certificates().record_issuance(report.clone()).await;
        answer.ok()?.into_inner().certificate
    })
    .await;
    let mut load = Load::default();
    for (instance, prefix) in [(&world, "a"), (&twin, "b")] {
        load.deposits(instance.billing_channel(), &account_id);
        load.orders(instance.orders_channel(), &account_id);
        load.authorisations(instance.san_channel(0), &world, &license, prefix);
    }
    all_go_on(&load).await;

    // What is acknowledged while the standby catches up may be behind what it catches up with.
    let replicated = Instant::now();
    servers.caught_up().await;
    servers.detach().await;
    let cut = Instant::now();
    if is_synchronous {
        no_timeout_ends_a_commit(&servers).await;
    } else {
        all_go_on(&load).await;
    }
    servers.kill(First);
    let killed = Instant::now();
    servers.promote();
    all_go_on(&load).await;
    let away = killed.elapsed();
    all_go_on(&load).await;
    load.stop().await;
    for status in load.errors() {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    }

    // Orders follows SanLicensing.
    revoke_all(&twin, &license).await;
    assert_eq!(
        revoked(&world, &certificate).await.state(),
        CertificateState::Revoked
    );

    let mut figures = Figures {
        acknowledged: 0,
        after_the_cut: 0,
        lost: 0,
        away,
    };
    for kind in KINDS {
        let done = load.done(kind);
        let known = stored(&twin, kind, &account_id, &license, &done).await;
        let lost: Vec<_> = done
            .iter()
            .filter(|one| !known.contains(&one.what))
            .collect();
        figures.acknowledged += done.len();
        let between = done
            .iter()
            .filter(|one| one.time >= cut && one.time < killed);
        figures.after_the_cut += between.count();
        figures.lost += lost.len();
        // What was acknowledged before this was on the standby, or was lost by nobody's right.
        let allowed = |one: &Done| !is_synchronous && one.time >= replicated && one.time < killed;
        assert!(lost.iter().all(|one| allowed(one)), "{lost:?}");
    }
    fill(&[&world, &twin], &license).await;
    consistent(&world).await;
    figures
}

/// Waits until further calls of every kind are acknowledged.
async fn all_go_on(load: &Load) {
    let before = KINDS.map(|kind| load.done(kind).len());
    eventually("all calls go on", || async {
        let now = KINDS.map(|kind| load.done(kind).len());
        (0..KINDS.len())
            .all(|kind| now[kind] > before[kind] + 5)
            .then_some(())
    })
    .await;
}

/// A commit that waits for the standby must not be acknowledged without it, whatever the session's timeouts.
async fn no_timeout_ends_a_commit(servers: &Servers) {
    let mut options = ConnectOptions::new(servers.url(First));
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|postgres| postgres.options([("statement_timeout", "300")]));
    let connection = Database::connect(options).await.unwrap();
    let change = connection.execute_unprepared("CREATE TABLE unreplicated (number INT)");
    let answer = tokio::time::timeout(Duration::from_millis(1200), change).await;
    assert!(answer.is_err(), "{answer:?}");
}

/// The acknowledged calls of a kind that the services know.
async fn stored(
    world: &World,
    kind: Kind,
    account_id: &str,
    license: &License,
    done: &[Done],
) -> BTreeSet<String> {
    match kind {
        Kind::Deposit => entries(world, account_id).await,
        Kind::Authorisation => held(world, license).await,
        Kind::Order => {
            let mut known = BTreeSet::new();
            for Done { what, .. } in done {
                if is_paid(world, what).await {
                    known.insert(what.clone());
                }
            }
            known
        }
        Kind::Read => BTreeSet::new(),
    }
}

async fn entries(world: &World, account_id: &str) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut request = ListEntriesRequest {
        account_id: account_id.to_owned(),
        page_size: 1000,
        ..ListEntriesRequest::default()
    };
    loop {
        let answer = world.accounts().list_entries(request.clone()).await;
        let page = answer.unwrap().into_inner();
        known.extend(page.entries.into_iter().map(|entry| entry.entry_id));
        if page.next_page_token.is_empty() {
            return known;
        }
        request.page_token = page.next_page_token;
    }
}

/// The SANs that reservations hold.
async fn held(world: &World, license: &License) -> BTreeSet<String> {
    let request = ListReservationsRequest {
        license_id: license.license_id.clone(),
        page_size: 1000,
        page_token: String::new(),
    };
    let page = world.san_issuance().list_reservations(request).await;
    let page = page.unwrap().into_inner();
    assert_eq!(page.next_page_token, "");
    let sans = page.reservations.iter().flat_map(|one| &one.sans);
    sans.map(text).collect()
}

/// Whether an order exists. If it does, it is charged by itself.
async fn is_paid(world: &World, order_id: &str) -> bool {
    let request = GetOrderRequest {
        order_id: order_id.to_owned(),
    };
    match world.orders().get_order(request).await {
        Ok(_) => {}
        Err(status) if status.code() == Code::NotFound => return false,
        Err(status) => panic!("{status:?}"),
    }
    eventually("the order is paid", || async {
        (world.get_order(order_id).await.state() == OrderState::Paid).then_some(true)
    })
    .await
}

/// SL-13: both instances together fill the licence exactly, whatever they remember.
async fn fill(worlds: &[&World; 2], license: &License) {
    let mut number = 0;
    for size in [20, 1] {
        loop {
            let names: Vec<_> = (0..size)
                .map(|san| format!("fill{number}-{san}.example"))
                .collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let world = worlds[number % 2];
            number += 1;
            let answer = world.authorize(world.question(license, &names)).await;
            if answer.decision() == AuthorizationDecision::Denied {
                break;
            }
            assert!(number <= QUOTA);
        }
    }
    assert_eq!(held(worlds[0], license).await.len(), QUOTA);
}

/// Events, numbers and books are whole, as `licet verify` sees them.
async fn consistent(world: &World) {
    for events in [
        world.billing_events(),
        world.orders_events(),
        world.san_events(),
    ] {
        check_chain(&log(events).await);
    }
    let clean = |found: &Verification| (found.differences() == 0).then_some(());
    eventually("the stores are consistent", || async {
        clean(
            &licet_billing::verify(&world.billing_location())
                .await
                .unwrap(),
        )?;
        clean(
            &licet_orders::verify(&world.orders_location())
                .await
                .unwrap(),
        )?;
        clean(
            &licet_san_licensing::verify(&world.san_licensing_location())
                .await
                .unwrap(),
        )
    })
    .await;
    // The command finds the server, too.
    let database = database_option(&world.billing_location());
    let output = licet(&["verify", "--billing-database", &database]);
    assert!(output.status.success(), "{output:?}");
}
