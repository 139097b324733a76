//! every change leaves an event; the log has no gap, keeps each resource's order, and shows by
//! its chain of hashes that nobody altered it.

use std::{collections::BTreeSet, time::Duration};

use licet_contracts::{
    events::v1::{
        StreamEventsRequest, StreamEventsResponse, event_service_client::EventServiceClient,
    },
    orders::v1::DeleteOrderRequest,
};
use sha2::{Digest, Sha256};
use tokio_stream::StreamExt as _;
use tonic::{Code, transport::Channel};

use crate::harness::{
    Backend,
    clock::instant,
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::{change_request, multi_domain_request},
    world::World,
};

on_both_databases![
    every_change_leaves_an_event_in_one_gapless_chain,
    a_stream_follows_what_comes_and_filters,
];

pub(crate) async fn log(mut events: EventServiceClient<Channel>) -> Vec<StreamEventsResponse> {
    let ask = StreamEventsRequest {
        follow: Some(false),
        ..StreamEventsRequest::default()
    };
    let stream = events.stream_events(ask).await.unwrap().into_inner();
    stream.map(Result::unwrap).collect().await
}

/// Holds positions and hashes against what the contract says of them.
pub(crate) fn check_chain(log: &[StreamEventsResponse]) {
    let mut previous: Vec<u8> = Vec::new();
    for (expected, entry) in (1..).zip(log) {
        assert_eq!(
            entry.position, expected,
            "positions run from 1 without a gap"
        );
        let event = entry.event.as_ref().unwrap();
        let facts = serde_json::json!([
            entry.position,
            event.id,
            event.r#type,
            event.subject,
            event.account_id,
            instant(event.time).as_micros(),
            event.caller,
            event.request_id,
            event.method,
            event.why,
            event.outcome,
            event.text_data,
        ]);
        let mut hash = Sha256::new();
        hash.update(&previous);
        hash.update(facts.to_string().as_bytes());
        let hash = hash.finalize().to_vec();
        assert_eq!(entry.chain_hash, hash, "position {}", entry.position);
        previous = hash;
    }
}

fn check_fields(log: &[StreamEventsResponse], area: &str) {
    for entry in log {
        let event = entry.event.as_ref().unwrap();
        assert_eq!(
            (
                event.spec_version.as_str(),
                event.data_content_type.as_str()
            ),
            ("1.0", "application/json")
        );
        assert!(event.source.ends_with(area), "{}", event.source);
        assert!(
            event.r#type.starts_with(&format!("licet.{area}.")),
            "{}",
            event.r#type
        );
        assert!(event.r#type.ends_with(".v1"), "{}", event.r#type);
        assert!(
            !event.subject.is_empty() && !event.caller.is_empty(),
            "{event:?}"
        );
        let data: serde_json::Value = serde_json::from_str(&event.text_data).unwrap();
        assert!(data.is_object(), "{data}");
    }
    let ids: BTreeSet<_> = log
        .iter()
        .map(|entry| &entry.event.as_ref().unwrap().id)
        .collect();
    assert_eq!(ids.len(), log.len());
}

async fn every_change_leaves_an_event_in_one_gapless_chain(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let placed = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
    let order = world.place(placed.clone()).await;
    world.record(&order.order_id).await;
    let registered = world.server(&order, "one");
    world
        .servers()
        .register_server(registered.clone())
        .await
        .unwrap();
    let changed = change_request(&order.order_id, &["b.example"], &[]);
    world
        .orders()
        .update_domains(changed.clone())
        .await
        .unwrap();
    world.record(&order.order_id).await;
    let deleted = DeleteOrderRequest {
        order_id: order.order_id.clone(),
        reason: "moved elsewhere".to_owned(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(deleted.clone()).await.unwrap();

    let asked = [
        &placed.request_id,
        &registered.request_id,
        &changed.request_id,
        &deleted.request_id,
    ];
    let orders = eventually("the last change is in the log", || async {
        let log = log(world.orders_events()).await;
        let known: BTreeSet<_> = log
            .iter()
            .map(|entry| entry.event.clone().unwrap().request_id)
            .collect();
        asked.iter().all(|id| known.contains(*id)).then_some(log)
    })
    .await;
    check_chain(&orders);
    check_fields(&orders, "orders");
    let of_order: Vec<_> = orders
        .iter()
        .filter_map(|entry| entry.event.as_ref())
        .filter(|event| event.subject == order.order_id)
        .collect();
    let first_of = |id: &str| of_order.iter().position(|event| event.request_id == id);
    let places = [
        first_of(&placed.request_id),
        first_of(&changed.request_id),
        first_of(&deleted.request_id),
    ];
    assert!(
        places.is_sorted() && places[0] == Some(0),
        "{places:?}: {of_order:?}"
    );
    assert!(of_order.iter().all(|event| event.account_id == account_id));

    let billing = eventually("Billing's last change is in the log", || async {
        let log = log(world.billing_events()).await;
        let refunds = log
            .iter()
            .any(|entry| entry.event.as_ref().unwrap().r#type.contains("refund"));
        refunds.then_some(log)
    })
    .await;
    check_chain(&billing);
    check_fields(&billing, "billing");
    let methods: BTreeSet<_> = billing
        .iter()
        .map(|entry| entry.event.clone().unwrap().method)
        .filter_map(|method| method.rsplit('/').next().map(str::to_owned))
        .collect();
    for method in [
        "CreateProduct",
        "SetPrices",
        "CreateAccount",
        "Deposit",
        "ChargeQuote",
        "RequestRefund",
    ] {
        assert!(
            methods.contains(method),
            "no event of {method}: {methods:?}"
        );
    }
    let charged = billing.iter().filter_map(|entry| entry.event.as_ref());
    let callers: BTreeSet<_> = charged
        .filter(|event| event.method.ends_with("ChargeQuote"))
        .map(|event| event.caller.as_str())
        .collect();
    assert_eq!(
        callers,
        BTreeSet::from(["orders"]),
        "who asked Billing is on record"
    );
}

async fn a_stream_follows_what_comes_and_filters(backend: Backend) {
    let world = World::start(backend).await;
    let (one, two) = (
        world.account_with("1.00").await,
        world.account_with("2.00").await,
    );
    eventually("all are in the log", || async {
        (log(world.billing_events()).await.len() >= 4).then_some(())
    })
    .await;
    let ask = StreamEventsRequest {
        resource_ids: vec![one.clone()],
        ..Default::default()
    };
    let mut live = world
        .billing_events()
        .stream_events(ask)
        .await
        .unwrap()
        .into_inner();
    let mut next = async || {
        let entry = tokio::time::timeout(Duration::from_secs(20), live.next()).await;
        entry.expect("an event comes").unwrap().unwrap()
    };
    let first = next().await;
    next().await;
    world.deposit(&two, "3.00").await;
    world.deposit(&one, "4.00").await;
    let last = next().await;
    assert_eq!(last.event.unwrap().subject, one);
    assert!(last.position > first.position);

    let ask = StreamEventsRequest {
        after_position: first.position,
        types: vec![first.event.unwrap().r#type],
        follow: Some(false),
        ..StreamEventsRequest::default()
    };
    let stream = world
        .billing_events()
        .stream_events(ask)
        .await
        .unwrap()
        .into_inner();
    let rest: Vec<_> = stream.map(Result::unwrap).collect().await;
    assert!(!rest.is_empty() && rest.iter().all(|entry| entry.position > first.position));
    let ask = StreamEventsRequest {
        after_position: -1,
        ..StreamEventsRequest::default()
    };
    refused(world.billing_events().stream_events(ask).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
}
