//! SanLicensing loses its last commits, as when a standby takes over without them or a backup is restored.
//! Its event log gives out positions again that Orders has passed; what happens there still reaches Orders.

use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use licet_contracts::{
    events::v1::{StreamEventsRequest, StreamEventsResponse},
    orders::v1::{Certificate, CertificateState},
    sanlicensing::v1::{Certificate as SanCertificate, License},
};
use licet_runtime::peer::{CallFuture, FaultPlan, Forwarder};
use prost::Message as _;
use tonic::{body::Body, codegen::http};

use super::following::{active, followed, get, issued, revocations, revoked, started};
use crate::{
    contracts::events::log,
    harness::{
        Backend,
        books::BackDoor,
        eventually, on_both_databases,
        san::{figures, text},
        world::World,
    },
};

on_both_databases![
    x_1_a_revocation_at_a_position_given_out_again_reaches_orders,
    x_1_orders_goes_back_no_further_than_the_logs_differ,
    x_1_orders_moves_past_events_that_it_does_not_need,
];

/// Notes from where Orders reads SanLicensing's events.
#[derive(Default)]
struct Reads(Mutex<Vec<StreamEventsRequest>>);

impl FaultPlan for Reads {
    fn carry(self: Arc<Self>, call: http::Request<Body>, forwarder: Forwarder) -> CallFuture {
        Box::pin(async move {
            if !call.uri().path().ends_with("/StreamEvents") {
                return forwarder.send(call).await;
            }
            let (parts, body) = call.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            // After the five bytes before each message.
            let ask = StreamEventsRequest::decode(&bytes[5..]).unwrap();
            self.0.lock().unwrap().push(ask);
            let body = Body::new(Full::new(bytes));
            forwarder.send(http::Request::from_parts(parts, body)).await
        })
    }
}

impl Reads {
    /// The reads since the last call of this method.
    fn take(&self) -> Vec<StreamEventsRequest> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// The licence's certificate for a name.
async fn certificate_of(world: &World, license: &License, name: &str) -> SanCertificate {
    let all = active(world, license).await;
    let found = all
        .into_iter()
        .find(|found| found.sans.iter().any(|san| text(san) == name));
    found.unwrap()
}

async fn revoke(world: &World, license: &License, name: &str) {
    let certificate = certificate_of(world, license, name).await;
    world.revoke(license, &[&certificate]).await;
}

/// SanLicensing's log, once nothing waits for its position.
async fn settled_log(world: &World, door: &BackDoor) -> Vec<StreamEventsResponse> {
    eventually("all events are in the log", || async {
        let waiting = door.run("UPDATE outbox SET why = why").await;
        let log = log(world.san_events()).await;
        (waiting == 0).then_some(log)
    })
    .await
}

async fn agrees(world: &World) {
    let bookmarks = licet_orders::list_bookmarks(&world.orders_location()).await;
    let bookmarks = bookmarks.unwrap();
    assert!(!bookmarks.is_empty());
    let location = world.san_licensing_location();
    let verified = licet_san_licensing::verify_bookmarks(&location, &bookmarks).await;
    let verified = verified.unwrap();
    assert_eq!(verified.differences(), 0, "{verified}");
}

async fn stays(world: &World, certificate: &Certificate) {
    assert_eq!(get(world, certificate).await, *certificate);
}

async fn x_1_a_revocation_at_a_position_given_out_again_reaches_orders(backend: Backend) {
    let (world, license) = started(backend).await;
    let (door, orders) = (
        BackDoor::open(&world.san_licensing_location()).await,
        BackDoor::open(&world.orders_location()).await,
    );
    let (lost_order, lost) = issued(&world, &license, &["lost.example"]).await;
    let (order, certificate) = issued(&world, &license, &["a.example"]).await;
    let (_, other) = issued(&world, &license, &["b.example"]).await;
    settled_log(&world, &door).await;
    door.save_all().await;
    revoke(&world, &license, "lost.example").await;
    let lost = revoked(&world, &lost).await;
    let before = settled_log(&world, &door).await;
    followed(&world, &orders).await;

    // The revocation is lost, and another one gets its position.
    door.restore_all().await;
    assert_eq!(figures(&world.usage(&license).await), (3, 0, 97));
    revoke(&world, &license, "a.example").await;
    revoked(&world, &certificate).await;
    let now = settled_log(&world, &door).await;
    let (was, is) = (before.last().unwrap(), now.last().unwrap());
    assert_eq!(
        was.position, is.position,
        "the position was not given out again"
    );
    assert_ne!(was.chain_hash, is.chain_hash);
    assert_eq!(revocations(&world, &order).await.len(), 1);
    stays(&world, &other).await;
    followed(&world, &orders).await;
    agrees(&world).await;

    // The lost one is made again; Orders has it already.
    revoke(&world, &license, "lost.example").await;
    followed(&world, &orders).await;
    stays(&world, &lost).await;
    assert_eq!(lost.state(), CertificateState::Revoked);
    assert_eq!(revocations(&world, &lost_order).await.len(), 1);
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 99));
}

/// A world in which the reads of Orders are noted.
async fn noted(backend: Backend) -> (World, License, Arc<Reads>, BackDoor) {
    let (mut world, license) = World::start_licensed(backend, 100).await;
    let reads = Arc::new(Reads::default());
    world.interfere(reads.clone());
    world.start_orders().await;
    world.stock().await;
    let door = BackDoor::open(&world.san_licensing_location()).await;
    (world, license, reads, door)
}

/// Waits until Orders has read to the end of SanLicensing's log, whatever is there.
async fn at_end(world: &World, reads: &Reads, door: &BackDoor) -> StreamEventsResponse {
    let end = settled_log(world, door).await.pop().unwrap();
    reads.take();
    eventually("Orders reads on from the end", || async {
        let is_end = |ask: &StreamEventsRequest| {
            (ask.after_position, &ask.after_chain_hash) == (end.position, &end.chain_hash)
        };
        reads.take().iter().any(is_end).then_some(())
    })
    .await;
    end
}

async fn x_1_orders_goes_back_no_further_than_the_logs_differ(backend: Backend) {
    let (world, license, reads, door) = noted(backend).await;
    let names = [
        "a.example",
        "b.example",
        "c.example",
        "d.example",
        "e.example",
    ];
    for name in names {
        issued(&world, &license, &[name]).await;
        at_end(&world, &reads, &door).await;
    }
    let (_, certificate) = issued(&world, &license, &["f.example"]).await;
    let agreed = at_end(&world, &reads, &door).await;
    door.save_all().await;
    for name in &names[..2] {
        revoke(&world, &license, name).await;
        at_end(&world, &reads, &door).await;
    }
    door.restore_all().await;
    reads.take();
    revoke(&world, &license, "f.example").await;
    revoked(&world, &certificate).await;
    let asked = reads.take();
    let back = asked.iter().map(|ask| ask.after_position).min().unwrap();
    let agreed = agreed.position;
    assert!(
        back <= agreed && back > agreed / 2,
        "back to {back}, agreed to {agreed}"
    );
    at_end(&world, &reads, &door).await;
    agrees(&world).await;
}

async fn x_1_orders_moves_past_events_that_it_does_not_need(backend: Backend) {
    let (world, _, reads, door) = noted(backend).await;
    // A draft leaves an event, and no usage changes.
    let account_id = world.account_with("1.00").await;
    for _ in 0..3 {
        let draft = crate::harness::san::quote_request(&account_id, 5);
        world.san_licenses().quote_license(draft).await.unwrap();
    }
    let end = at_end(&world, &reads, &door).await;
    for _ in 0..3 {
        world.catch_up().await;
    }
    let asked = reads.take();
    assert!(asked.len() >= 3);
    for ask in asked {
        assert_eq!(
            (ask.after_position, ask.after_chain_hash),
            (end.position, end.chain_hash.clone())
        );
    }
}
