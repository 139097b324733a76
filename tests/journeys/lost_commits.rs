//! PostgreSQL loses the last commits under running instances, as when an asynchronous standby takes over or
//! a backup is restored. What an instance remembers of them must change no decision.

use std::collections::BTreeSet;

use licet_contracts::sanlicensing::v1::{
    AuthorizationDecision, License, ListReservationsRequest, Reservation,
    issuance_service_client::IssuanceServiceClient,
};

use crate::harness::{
    Backend, eventually, run,
    san::{figures, text},
    world::World,
};

const QUOTA: i64 = 50;
/// The SANs of one of the lost requests.
const LOST: [&str; 1] = ["lost.example"];
/// Moves of the licence's fence that are lost.
const LOST_MOVES: usize = 3;

/// Asks an instance for SANs until it answers; says whether they were granted.
async fn authorize(world: &World, instance: usize, license: &License, names: &[&str]) -> bool {
    let request = world.question(license, names);
    let answer = eventually("the instance answers", || {
        let mut issuance = IssuanceServiceClient::new(world.san_channel(instance));
        let request = request.clone();
        async move { issuance.authorize_issuance(request).await.ok() }
    })
    .await;
    answer.into_inner().decision() == AuthorizationDecision::Granted
}

/// The SANs held according to the database.
async fn held(world: &World, license: &License) -> BTreeSet<String> {
    let request = ListReservationsRequest {
        license_id: license.license_id.clone(),
        page_size: 1000,
        page_token: String::new(),
    };
    let page = world.san_issuance().list_reservations(request).await;
    let page = page.unwrap().into_inner();
    assert_eq!(page.next_page_token, "");
    let sans = |one: &Reservation| one.sans.iter().map(text).collect::<Vec<_>>();
    page.reservations.iter().flat_map(sans).collect()
}

/// The first instance's last moves are lost; the second makes `others` instead, each with more SANs. Then
/// the first fills the licence.
async fn quota_holds_after(others: usize) {
    let mut world = World::start_with_san_licensing(Backend::Postgres).await;
    world.start_san_licensing().await;
    world.stock_sans().await;
    let account_id = world.account_with("100000.00").await;
    let license = world.license(&account_id, QUOTA).await;
    assert!(authorize(&world, 0, &license, &["before.example"]).await);
    world.keep_stores().await;
    for _ in 0..LOST_MOVES {
        assert!(authorize(&world, 0, &license, &LOST).await);
    }

    world.put_stores_back().await;
    for number in 0..others {
        let names: Vec<_> = (0..5)
            .map(|san| format!("b{number}-{san}.example"))
            .collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert!(authorize(&world, 1, &license, &names).await);
    }
    let mut granted = i64::try_from(1 + 5 * others).unwrap();
    // A reply without a decision counts the same.
    let usage = async |instance| figures(&world.usage_from(instance, &license).await);
    assert_eq!(usage(0).await, (0, granted, QUOTA - granted));
    let mut number = 0;
    while authorize(&world, 0, &license, &[&format!("a{number}.example")]).await {
        granted += 1;
        number += 1;
        assert!(granted <= QUOTA, "{granted} SANs are held, {QUOTA} may be");
    }
    assert_eq!(granted, QUOTA, "room was left");
    let held = held(&world, &license).await;
    assert_eq!(i64::try_from(held.len()).unwrap(), QUOTA);
    assert!(!held.contains(LOST[0]));
    assert_eq!(usage(1).await, (0, QUOTA, 0));
}

/// SL-13: the fence is behind the version that the first instance remembers.
#[test]
fn sl_13_fewer_moves_than_were_lost_pass_no_quota() {
    run(quota_holds_after(LOST_MOVES - 1));
}

/// SL-13: the fence has the number that the first instance remembers, for another move.
#[test]
fn sl_13_as_many_moves_as_were_lost_pass_no_quota() {
    run(quota_holds_after(LOST_MOVES));
}

/// SL-13: the fence is ahead of the version that the first instance remembers, which did not lead to it.
#[test]
fn sl_13_more_moves_than_were_lost_pass_no_quota() {
    run(quota_holds_after(LOST_MOVES + 2));
}
