//! An instance that has just started loads a large licence in pages, while others change it.

use futures::future::{join, join_all};
use licet_contracts::sanlicensing::v1::{
    AuthorizationDecision, IngestRecord, issuance_service_client::IssuanceServiceClient,
};

use crate::harness::{
    Backend,
    ingest::{counts, revoked, signed},
    on_both_databases,
    san::{facts, figures, release_request},
    world::World,
};

on_both_databases![sl_13_a_large_license_that_is_loaded_is_decided_exactly];

/// A page, and the rest of one.
const CERTIFICATES: usize = 6_200;
const BATCH: usize = 1000;
const QUOTA: usize = CERTIFICATES + 10;
const CLIENTS: usize = 40;

async fn sl_13_a_large_license_that_is_loaded_is_decided_exactly(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, QUOTA.try_into().unwrap()).await;
    let small = world
        .license(&world.account_with("1000.00").await, 10)
        .await;
    let (now, end) = (world.now(), world.usual_end());
    let all: Vec<_> = (0..CERTIFICATES)
        .map(|number| facts(&[&format!("n{number}.example")], now, end))
        .collect();
    let mut sequence = 0;
    for batch in all.chunks(BATCH) {
        sequence += 1;
        let records: Vec<IngestRecord> = batch.iter().map(|one| signed(&license, one)).collect();
        let answer = world.ingest(sequence, records).await;
        assert_eq!(counts(&answer)[0], i64::try_from(batch.len()).unwrap());
    }
    // A change moves its certificate behind the page that it was on.
    let ended: Vec<_> = [0, 4_999, 5_000, 6_199].map(|number| &all[number]).into();
    let records = ended.iter().map(|one| revoked(&license, one)).collect();
    world.ingest(sequence + 1, records).await;
    let held = world
        .granted(&license, &["held.example", "given-back.example"])
        .await;
    let used = CERTIFICATES - ended.len();
    assert_eq!(figures(&world.usage(&license).await), shown(used, 2));

    world.start_san_licensing().await;
    // Both instances now race for the last SANs, of which the second still has to load all.
    let first_of_all = world.usage(&small);
    let release = release_request(&license, &held.reservation_id);
    let released = async {
        let mut issuance = IssuanceServiceClient::new(world.san_channel(0));
        issuance.release_reservation(release).await.unwrap();
    };
    let race = join_all((0..CLIENTS).map(|client| {
        let request = world.question(&license, &[&format!("c{client}.example")]);
        let mut issuance = IssuanceServiceClient::new(world.san_channel(1 - client % 2));
        async move {
            issuance
                .authorize_issuance(request)
                .await
                .unwrap()
                .into_inner()
        }
    }));
    let (usage_of_small, ((), answers)) = join(first_of_all, join(released, race)).await;
    assert_eq!(figures(&usage_of_small), (0, 0, 10));
    let is_granted = |decision: AuthorizationDecision| decision == AuthorizationDecision::Granted;
    let granted = answers
        .iter()
        .filter(|one| is_granted(one.decision()))
        .count();
    let room = QUOTA - used;
    assert!((room - 2..=room).contains(&granted), "{granted} of {room}");
    for instance in 0..world.san_instances() {
        let usage = world.usage_from(instance, &license).await;
        assert_eq!(figures(&usage), shown(used, granted), "instance {instance}");
    }
}

/// Used, reserved and free.
fn shown(used: usize, reserved: usize) -> (i64, i64, i64) {
    let free = QUOTA - used - reserved;
    let [used, reserved, free] = [used, reserved, free].map(|count| i64::try_from(count).unwrap());
    (used, reserved, free)
}
