//! X-5: every change leaves an event. The log has no gap, keeps the order of each resource, and proves by a
//! chain of hashes that nobody altered it.

use std::{collections::BTreeSet, time::Duration};

use licet_contracts::{
    events::v1::{
        StreamEventsRequest, StreamEventsResponse, event_service_client::EventServiceClient,
    },
    orders::v1::DeleteOrderRequest,
};
use sha2::{Digest, Sha256};
use tokio_stream::StreamExt as _;
use tonic::Code;

use crate::harness::{
    Backend,
    books::BackDoor,
    channel::Channel,
    clock::instant,
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::{change_request, multi_domain_request},
    world::World,
};

on_both_databases![
    every_change_leaves_an_event_in_one_gapless_chain,
    an_altered_log_shows_in_every_service,
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

/// A string as the contract encodes it for hashing.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{8}' => quoted.push_str("\\b"),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\u{c}' => quoted.push_str("\\f"),
            '\r' => quoted.push_str("\\r"),
            low if low < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(low))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The contract's examples: bytes in hexadecimal digits, and their hash.
fn examples() -> Vec<(Vec<u8>, String)> {
    let contract = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../proto/licet/events/v1/event_service.proto"
    );
    let contract = std::fs::read_to_string(contract).unwrap();
    let digits: Vec<_> = contract
        .lines()
        .map(|line| line.trim().trim_start_matches("//").trim())
        .filter(|line| line.len() >= 64 && line.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .collect();
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| (unhex(pair[0]), pair[1].to_owned()))
        .collect()
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The contract's worked examples are right, and the log encodes the same events identically.
#[test]
fn the_examples_of_the_contract_come_out_as_it_says() {
    let examples = examples();
    assert_eq!(examples.len(), 2);
    for (bytes, hash) in &examples {
        assert_eq!(hex(&Sha256::digest(bytes)), *hash);
    }
    let (first, second) = (&examples[0], &examples[1]);
    assert_eq!(second.0[..32], unhex(&first.1), "the chain");
    // Decoding an example and encoding it by the contract's rules gives the same bytes.
    for array in [&first.0[..], &second.0[32..]] {
        let read: Vec<serde_json::Value> = serde_json::from_slice(array).unwrap();
        let written: Vec<_> = read
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), quoted))
            .collect();
        assert_eq!(format!("[{}]", written.join(",")).as_bytes(), array);
    }
}

/// Checks that positions and hashes are as the contract says.
pub(crate) fn check_chain(log: &[StreamEventsResponse]) {
    let mut previous: Vec<u8> = Vec::new();
    for (expected, entry) in (1..).zip(log) {
        assert_eq!(
            entry.position, expected,
            "positions run from 1 without a gap"
        );
        let event = entry.event.as_ref().unwrap();
        let covered = [
            entry.position.to_string(),
            quoted(&event.id),
            quoted(&event.r#type),
            quoted(&event.subject),
            quoted(&event.account_id),
            instant(event.time).as_micros().to_string(),
            quoted(&event.caller),
            quoted(&event.request_id),
            quoted(&event.method),
            quoted(&event.why),
            quoted(&event.outcome),
            quoted(&event.text_data),
        ];
        let mut hash = Sha256::new();
        hash.update(&previous);
        hash.update(format!("[{}]", covered.join(",")).as_bytes());
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
        assert_eq!(event.source, format!("/licet/{area}"));
        assert!(
            event.r#type.starts_with(&format!("licet.{area}.")),
            "{}",
            event.r#type
        );
        assert!(event.r#type.ends_with(".v1"), "{}", event.r#type);
        assert!(
            !event.subject.is_empty() && !event.caller.is_empty() && !event.outcome.is_empty(),
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
        "Billing's event names its caller"
    );
}

/// Ways to alter a log past the services, and the check that finds each.
const ALTERED: [(&str, &str, &str); 6] = [
    (
        "an event was changed",
        "log_chain",
        "UPDATE event SET outcome = outcome || '!' WHERE position = 2",
    ),
    (
        "who asked was changed",
        "log_chain",
        "UPDATE event SET caller = 'nobody' WHERE position = 1",
    ),
    (
        "one was removed",
        "log_positions",
        "DELETE FROM event WHERE position = 2",
    ),
    (
        "one was removed, and the others moved up",
        "log_chain",
        "UPDATE event SET position = -position WHERE position = 2;
         DELETE FROM event WHERE position = -2;
         UPDATE event SET position = -position WHERE position > 2;
         UPDATE event SET position = -position - 1 WHERE position < 0",
    ),
    (
        "one was inserted",
        "log_positions",
        "INSERT INTO event (position, event_id, type, resource_id, account_id, time_us, caller,
            request_id, method, why, outcome, data, chain_hash)
         SELECT 0, 'inserted', type, resource_id, account_id, time_us, caller, request_id, method,
            why, outcome, data, chain_hash FROM event WHERE position = 1",
    ),
    (
        "two changed places",
        "log_chain",
        "UPDATE event SET position = -1 WHERE position = 1;
         UPDATE event SET position = 1 WHERE position = 2;
         UPDATE event SET position = 2 WHERE position = -1",
    ),
];

async fn an_altered_log_shows_in_every_service(backend: Backend) {
    let mut world = World::start(backend).await;
    world.start_san_licensing().await;
    world.stock().await;
    world.stock_sans().await;
    let account_id = world.account_with("100000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    world.record(&order.order_id).await;
    let license = world.license(&account_id, 10).await;
    world.recorded(&license, &["a.example"]).await;
    for events in [
        world.billing_events(),
        world.orders_events(),
        world.san_events(),
    ] {
        eventually("three events have positions", || async {
            (log(events.clone()).await.len() >= 3).then_some(())
        })
        .await;
    }
    let locations = [
        world.billing_location(),
        world.orders_location(),
        world.san_licensing_location(),
    ];
    world.stop_orders().await;
    world.stop_san_licensing(0).await;
    world.stop_billing().await;
    for (service, location) in locations.iter().enumerate() {
        let verify = async || match service {
            0 => licet_billing::verify(location).await.unwrap(),
            1 => licet_orders::verify(location).await.unwrap(),
            _ => licet_san_licensing::verify(location).await.unwrap(),
        };
        let clean = verify().await;
        assert_eq!(clean.differences(), 0, "{clean}");
        let door = BackDoor::open(location).await;
        for (what, check, alter) in ALTERED {
            door.save("event").await;
            for statement in alter.split(';') {
                door.run(statement).await;
            }
            let altered = verify().await;
            let found = altered.checks.iter().find(|it| it.name == check).unwrap();
            assert!(found.differences > 0, "{what}: {altered}");
            door.restore("event").await;
        }
        assert_eq!(verify().await, clean);
    }
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
