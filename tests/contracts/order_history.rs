//! one call lists what happened to an order, its certificates and its servers, and who did it.

use licet_contracts::orders::v1::{DeleteOrderRequest, HistoryEntry, ListOrderHistoryRequest};
use licet_domain::ids::OrderId;
use tonic::{Code, Request};

use super::events::log;
use crate::harness::{
    Backend,
    clock::instant,
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::{change_request, multi_domain_request},
    world::World,
};

on_both_databases![
    x_5_a_history_says_who_did_what_when_and_why,
    x_5_a_history_is_paged_while_it_grows,
    x_5_time_stands_in_the_history_of_what_it_ends,
    x_5_a_history_is_its_accounts_alone,
];

async fn page(
    world: &World,
    order_id: &str,
    size: i32,
    token: &str,
) -> (Vec<HistoryEntry>, String) {
    let ask = ListOrderHistoryRequest {
        order_id: order_id.to_owned(),
        page_size: size,
        page_token: token.to_owned(),
    };
    let answer = world.orders().list_order_history(ask).await.unwrap();
    let answer = answer.into_inner();
    (answer.entries, answer.next_page_token)
}

async fn history(world: &World, order_id: &str) -> Vec<HistoryEntry> {
    page(world, order_id, 0, "").await.0
}

/// The types of the entries' events: `order.paid` for `licet.orders.order.paid.v1`.
fn kinds(entries: &[HistoryEntry]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| {
            let kind = entry.r#type.strip_prefix("licet.orders.").unwrap();
            kind.strip_suffix(".v1").unwrap()
        })
        .collect()
}

async fn x_5_a_history_says_who_did_what_when_and_why(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let placed = world.now();
    let mut place = Request::new(multi_domain_request(&account_id, &["www.example.com"]));
    let place_id = place.get_ref().request_id.clone();
    let key = "licet-caller";
    place.metadata_mut().insert(key, "shop".parse().unwrap());
    let order = world.orders().place_order(place).await.unwrap();
    let order_id = order.into_inner().order.unwrap().order_id;
    // The history shows events before they have positions.
    assert_eq!(
        kinds(&history(&world, &order_id).await),
        ["order.accepted", "order.paid"]
    );

    world.time.advance_days(1);
    world.record(&order_id).await;
    let order = world.get_order(&order_id).await;
    let server = world.server(&order, "one");
    world.servers().register_server(server).await.unwrap();
    world.time.advance_days(1);
    let change = change_request(&order_id, &["a.example"], &[]);
    world.orders().update_domains(change.clone()).await.unwrap();
    world.record(&order_id).await;
    world.time.advance_days(1);
    let delete = DeleteOrderRequest {
        order_id: order_id.clone(),
        reason: "moved to another shop".to_owned(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(delete).await.unwrap();

    let entries = history(&world, &order_id).await;
    assert_eq!(
        kinds(&entries),
        [
            "order.accepted",
            "order.paid",
            "certificate.recorded",
            "server.registered",
            "domain_change.accepted",
            "domain_change.charged",
            "certificate.recorded",
            "order.deleted",
            "order.refund_decided",
        ]
    );
    let paid = &entries[1];
    assert_eq!(
        (paid.caller.as_str(), &paid.request_id),
        ("shop", &place_id)
    );
    assert_eq!(paid.method, "/licet.orders.v1.OrderService/PlaceOrder");
    assert_eq!(instant(paid.time), placed);
    let accepted = &entries[4];
    assert_eq!(accepted.request_id, change.request_id);
    assert_eq!(accepted.why, "MD-7");
    assert_eq!(accepted.outcome, "CHARGING");
    let data: serde_json::Value = serde_json::from_str(&accepted.data_json).unwrap();
    assert_eq!(data["added"], serde_json::json!(["a.example"]));
    let deleted = &entries[7];
    assert_eq!(deleted.why, "moved to another shop");
    assert_eq!(instant(deleted.time), world.now());

    agrees_with_the_log(&world, &order_id).await;
}

/// Once every event has a position, the history equals the log's events of the order.
async fn agrees_with_the_log(world: &World, order_id: &str) {
    let entries = eventually("every entry has its position", || async {
        let entries = history(world, order_id).await;
        entries.iter().all(|it| it.position > 0).then_some(entries)
    })
    .await;
    let log = log(world.orders_events()).await;
    let of_order = log.iter().filter(|entry| {
        let event = entry.event.as_ref();
        event.is_some_and(|event| event.subject == order_id)
    });
    let expected: Vec<_> = of_order
        .map(|entry| {
            let event = entry.event.clone().unwrap();
            (entry.position, event.id, event.text_data, event.outcome)
        })
        .collect();
    let found: Vec<_> = entries
        .into_iter()
        .map(|it| (it.position, it.event_id, it.data_json, it.outcome))
        .collect();
    assert_eq!(found, expected);
}

async fn x_5_a_history_is_paged_while_it_grows(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    let order_id = &order.order_id;
    world.record(order_id).await;
    let (mut seen, mut token) = page(&world, order_id, 2, "").await;
    assert_eq!(seen.len(), 2);
    // An event written between two pages comes last.
    let server = world.server(&order, "one");
    world.servers().register_server(server).await.unwrap();
    while !token.is_empty() {
        let (more, next) = page(&world, order_id, 1, &token).await;
        assert_eq!(more.len(), 1);
        seen.extend(more);
        token = next;
    }
    assert_eq!(
        kinds(&seen),
        [
            "order.accepted",
            "order.paid",
            "certificate.recorded",
            "server.registered"
        ]
    );
    let other = world.multi_domain_order(&account_id, &["b.example"]).await;
    let (_, token) = page(&world, order_id, 1, "").await;
    let ask = ListOrderHistoryRequest {
        order_id: other.order_id,
        page_token: token,
        ..ListOrderHistoryRequest::default()
    };
    let foreign = refused(world.orders().list_order_history(ask).await);
    let foreign = foreign.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(foreign.paths(), ["page_token"]);
}

async fn x_5_time_stands_in_the_history_of_what_it_ends(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    world.record(&order.order_id).await;
    let end = instant(order.end_time);
    world.time.move_to(end);
    let ended = eventually("the end is in the history", || async {
        let entries = history(&world, &order.order_id).await;
        let last = entries.into_iter().next_back().unwrap();
        last.r#type.ends_with(".order.ended.v1").then_some(last)
    })
    .await;
    assert_eq!(
        (ended.caller.as_str(), ended.method.as_str()),
        ("orders", "")
    );
    assert_eq!(instant(ended.time), end);
    // The end is recorded once, however often the order is read.
    world.time.advance_days(1);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let all = history(&world, &order.order_id).await;
    let ends = kinds(&all)
        .iter()
        .filter(|kind| **kind == "order.ended")
        .count();
    assert_eq!(ends, 1);
}

async fn x_5_a_history_is_its_accounts_alone(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let other = world.account_with("1.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    let ask = |order_id: String, account_id: &str| {
        let mut ask = Request::new(ListOrderHistoryRequest {
            order_id,
            ..ListOrderHistoryRequest::default()
        });
        let metadata = ask.metadata_mut();
        metadata.insert("licet-roles", "customer".parse().unwrap());
        metadata.insert("licet-accounts", account_id.parse().unwrap());
        ask
    };
    let own = ask(order.order_id.clone(), &account_id);
    let own = world.orders().list_order_history(own).await.unwrap();
    assert_eq!(own.into_inner().entries.len(), 2);
    let foreign = ask(order.order_id.clone(), &other);
    refused(world.orders().list_order_history(foreign).await).expect(Code::NotFound, "NOT_FOUND");
    let nowhere = ask(OrderId::generate().to_string(), &account_id);
    refused(world.orders().list_order_history(nowhere).await).expect(Code::NotFound, "NOT_FOUND");
    let no_id = ask(String::new(), &account_id);
    refused(world.orders().list_order_history(no_id).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
}
