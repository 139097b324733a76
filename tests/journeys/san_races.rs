//! SL-13: many clients race for the last SANs, on PostgreSQL through two instances, one of which is killed
//! meanwhile. LICET_TEST_ATTEMPTS sets the number of attempts; `tests/run nightly` makes a hundred thousand.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use licet_contracts::sanlicensing::v1::{
    AuthorizationDecision, AuthorizeIssuanceRequest, AuthorizeIssuanceResponse, DenialReason,
    License, ListReservationsRequest, issuance_service_client::IssuanceServiceClient,
};
use prost::Message as _;
use tokio::{task::JoinSet, time::Instant};
use tonic::Code;

use super::random::{Random, from_variable};
use crate::harness::{
    Backend,
    channel::Channel,
    process::SanLicensingProcess,
    run_within,
    san::{figures, release_request, san, text},
    world::World,
};

const CLIENTS: usize = 64;
/// Enough for a hundred thousand attempts on a slow machine.
const LONGEST_RACE: Duration = Duration::from_secs(1800);

fn attempts() -> usize {
    from_variable("LICET_TEST_ATTEMPTS").unwrap_or(25_000)
}

/// An attempt with its response and its times.
struct Attempt {
    request: AuthorizeIssuanceRequest,
    answer: AuthorizeIssuanceResponse,
    asked: Instant,
    answered: Instant,
}

impl Attempt {
    fn is_granted(&self) -> bool {
        self.answer.decision() == AuthorizationDecision::Granted
    }
}

/// A request for the SAN with this number; a grant outlasts the race.
fn question(world: &World, license: &License, number: u64) -> AuthorizeIssuanceRequest {
    AuthorizeIssuanceRequest {
        hold_for: Some(prost_types::Duration {
            seconds: 24 * 3600,
            nanos: 0,
        }),
        ..world.question(license, &[&format!("n{number}.example")])
    }
}

/// Repeats a request with the same id until it gets a definite result, as a client would, switching channels
/// after a failure.
async fn insist(channels: &[Channel], request: AuthorizeIssuanceRequest) -> Attempt {
    let asked = Instant::now();
    for round in 0..3000 {
        let mut issuance = IssuanceServiceClient::new(channels[round % channels.len()].clone());
        match issuance.authorize_issuance(request.clone()).await {
            Ok(answer) => {
                return Attempt {
                    request,
                    answer: answer.into_inner(),
                    asked,
                    answered: Instant::now(),
                };
            }
            Err(status) => {
                let passing = [
                    Code::Unavailable,
                    Code::Aborted,
                    Code::DeadlineExceeded,
                    Code::Cancelled,
                    Code::Unknown,
                ];
                assert!(passing.contains(&status.code()), "{status:?}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    panic!("no definite answer: {request:?}");
}

/// Lets 64 clients request SANs from a pool, each on its own channel first.
async fn race(
    world: &Arc<World>,
    license: &License,
    ways: &[Channel],
    attempts: usize,
    pool: u64,
) -> Vec<Attempt> {
    let random = Random::from_variable_or_chance("LICET_TEST_SEED");
    println!("seed {} (set LICET_TEST_SEED to repeat it)", random.seed());
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (world, license, mut ways) = (world.clone(), license.clone(), ways.to_vec());
        let places = ways.len();
        ways.rotate_left(client % places);
        let mut random = Random::from_seed(random.seed().wrapping_add(client as u64));
        let share = attempts / CLIENTS + usize::from(client < attempts % CLIENTS);
        clients.spawn(async move {
            let mut done = Vec::with_capacity(share);
            for _ in 0..share {
                let request = question(&world, &license, random.below(pool));
                done.push(insist(&ways, request).await);
            }
            done
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

/// Since no SAN is freed meanwhile, the quota is full at the end, was never exceeded, and no request was
/// denied while there was room.
async fn check_full(world: &World, license: &License, done: &[Attempt]) {
    let quota = license.quota;
    let granted: BTreeSet<_> = done
        .iter()
        .filter(|attempt| attempt.is_granted())
        .map(|attempt| text(&attempt.request.sans[0]))
        .collect();
    assert_eq!(i64::try_from(granted.len()).unwrap(), quota);
    let mut first_denied = None;
    for attempt in done {
        let answer = &attempt.answer;
        assert!(answer.used + answer.reserved <= quota, "{answer:?}");
        if attempt.is_granted() {
            assert!(
                answer.used + answer.reserved + answer.needed <= quota,
                "{answer:?}"
            );
        } else {
            assert_eq!(answer.reasons, [i32::from(DenialReason::QuotaExceeded)]);
            assert!(
                answer.used + answer.reserved + answer.needed > quota,
                "{answer:?}"
            );
            // Room never returns, so a denied SAN stays denied; a held SAN needs no room.
            assert!(
                !granted.contains(&text(&attempt.request.sans[0])),
                "{answer:?}"
            );
            let earliest = first_denied.get_or_insert(attempt.answered);
            *earliest = attempt.answered.min(*earliest);
        }
    }
    // Granting a new SAN after a denial would prove that there was room.
    let first_denied = first_denied.expect("there are more names than room");
    for attempt in done.iter().filter(|attempt| attempt.is_granted()) {
        let answer = &attempt.answer;
        assert!(
            answer.needed == 0 || attempt.asked <= first_denied,
            "granted although another request was denied before: {answer:?}"
        );
    }
    assert_eq!(figures(&world.usage(license).await), (0, quota, 0));
    let held = reservations(world, license).await;
    let answered = done.iter().filter(|attempt| attempt.is_granted());
    let answered: BTreeMap<_, _> = answered
        .map(|it| (it.answer.reservation_id.clone(), text(&it.request.sans[0])))
        .collect();
    assert_eq!(
        held, answered,
        "the reservations are exactly the granted ones"
    );
}

/// Each reservation with the SAN that it holds.
async fn reservations(world: &World, license: &License) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut request = ListReservationsRequest {
        license_id: license.license_id.clone(),
        page_size: 1000,
        page_token: String::new(),
    };
    loop {
        let page = world
            .san_issuance()
            .list_reservations(request.clone())
            .await;
        let page = page.unwrap().into_inner();
        let each = page.reservations.into_iter();
        all.extend(each.map(|it| (it.reservation_id.clone(), text(&it.sans[0]))));
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

async fn licensed(world: &World, quota: usize) -> License {
    world.stock_sans().await;
    let account_id = world.account_with("10000000.00").await;
    world
        .license(&account_id, i64::try_from(quota).unwrap())
        .await
}

/// Clients reserve and release at random, so that the licence is full about half of the time; usage never
/// exceeds the quota.
async fn churn(world: &Arc<World>, license: &License, ways: &[Channel], attempts: usize) {
    let (running, denied) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let watcher = tokio::spawn({
        let (world, license, running) = (world.clone(), license.clone(), running.clone());
        async move {
            while running.load(Ordering::Relaxed) {
                let usage = world.usage(&license).await;
                assert!(usage.free >= 0, "{usage:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (world, license, denied) = (world.clone(), license.clone(), denied.clone());
        let way = ways[client % ways.len()].clone();
        clients.spawn(async move {
            let mut issuance = IssuanceServiceClient::new(way);
            for number in 0..attempts / CLIENTS {
                let mut request = question(&world, &license, u64::MAX);
                let names = (0..3).map(|place| format!("c{client}-{number}-{place}.example"));
                request.sans = names.map(|name| san(&name)).collect();
                let answer = issuance
                    .authorize_issuance(request)
                    .await
                    .unwrap()
                    .into_inner();
                let sum = answer.used + answer.reserved + answer.needed;
                if answer.reservation_id.is_empty() {
                    assert!(sum > license.quota, "{answer:?}");
                    assert_eq!(answer.short_by, sum - license.quota);
                    denied.fetch_add(1, Ordering::Relaxed);
                } else {
                    assert!(sum <= license.quota, "{answer:?}");
                    let release = release_request(&license, &answer.reservation_id);
                    issuance.release_reservation(release).await.unwrap();
                }
            }
        });
    }
    clients.join_all().await;
    running.store(false, Ordering::Relaxed);
    watcher.await.unwrap();
    println!(
        "denied while others held: {}",
        denied.load(Ordering::Relaxed)
    );
    assert!(denied.load(Ordering::Relaxed) > 0);
    assert_eq!(figures(&world.usage(license).await), (0, 0, license.quota));
}

#[test]
fn sl_13_clients_of_two_instances_race_for_the_last_sans() {
    run_within(LONGEST_RACE, async {
        let mut world = World::start_with_san_licensing(Backend::Postgres).await;
        world.start_san_licensing().await;
        let attempts = attempts();
        // Room for a third of the clients, so that they keep racing for the last SANs.
        let narrow = licensed(&world, CLIENTS).await;
        let world = Arc::new(world);
        let ways = [world.san_channel(0), world.san_channel(1)];
        churn(&world, &narrow, &ways, attempts / 5).await;

        let account_id = world.account_with("10000000.00").await;
        let quota = attempts / 4;
        let license = world
            .license(&account_id, i64::try_from(quota).unwrap())
            .await;
        let pool = attempts as u64 / 2;
        let done = race(&world, &license, &ways, attempts * 4 / 5, pool).await;
        check_full(&world, &license, &done).await;
    });
}

#[test]
fn sl_13_an_instance_killed_in_the_race_changes_nothing() {
    run_within(LONGEST_RACE, async {
        let world = World::start_with_san_licensing_on_real_time(Backend::Postgres).await;
        let attempts = attempts();
        let quota = attempts / 4;
        let license = licensed(&world, quota).await;
        let world = Arc::new(world);
        let location = world.san_licensing_location();
        let mut process = SanLicensingProcess::start(&location, &world.billing_address()).await;
        let ways = [process.channel(), world.san_channel(0)];
        let killer = tokio::spawn({
            let (world, license) = (world.clone(), license.clone());
            async move {
                // Wait until half of the room is taken.
                while figures(&world.usage(&license).await).1 < license.quota / 2 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                process.kill();
            }
        });
        let pool = attempts as u64 / 2;
        let done = race(&world, &license, &ways, attempts, pool).await;
        killer.await.unwrap();
        check_full(&world, &license, &done).await;
        // The other instance repeats the killed one's responses (BL-2).
        for attempt in done.iter().step_by(10) {
            let request = attempt.request.clone();
            let again = world.san_issuance().authorize_issuance(request).await;
            let again = again.unwrap().into_inner();
            assert_eq!(again.encode_to_vec(), attempt.answer.encode_to_vec());
        }
    });
}
