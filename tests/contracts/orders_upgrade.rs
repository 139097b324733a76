//! Upgrades a store of Orders from before next terms existed. Sold, waiting and ended orders are read and
//! continue.

use chrono::TimeDelta;
use licet_contracts::orders::v1::{
    DeleteOrderRequest, ListCertificatesRequest, ListPendingIssuanceRequest, Order, OrderState,
    PendingIssuance, RecordIssuanceRequest, RenewOrderRequest,
};
use tonic::Code;

use super::renewal::{move_to_days_before_end, renew, renewal};
use crate::harness::{
    Backend,
    books::BackDoor,
    clock::instant,
    encoding::{Odd, UTF8, dns, name, pem},
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::{issuance_of, names, shown},
    world::World,
};

on_both_databases![
    md_10_a_store_of_before_next_terms_comes_out_right,
    sl_14_a_negative_serial_kept_without_its_sign_is_spelled_with_it,
    md_5_a_term_stored_with_a_cancelled_move_is_without_it,
];

const INDEXES: [&str; 2] = ["certificate_order_to_turn", "certificate_order_in_review"];

/// The columns that the third schema added, by table.
const COLUMNS: [(&str, &[&str]); 5] = [
    (
        "certificate_order",
        &["reissue_us", "turn_us", "next_refund", "refund_in_review"],
    ),
    ("order_term", &["names_json", "kept_servers_json"]),
    (
        "domain_change",
        &[
            "term_index",
            "next_standard",
            "next_wildcard",
            "next_invoice_id",
            "next_minor",
        ],
    ),
    ("domain_quote", &["next_quote", "sold_json"]),
    ("certificate", &["revoke_reason"]),
];

/// Rewrites every row of a store as the second schema stored it.
async fn undo_third_schema(door: &BackDoor) {
    for index in INDEXES {
        door.run(&format!("DROP INDEX {index}")).await;
    }
    for (table, columns) in COLUMNS {
        for column in columns {
            door.run(&format!("ALTER TABLE {table} DROP COLUMN {column}"))
                .await;
        }
    }
    for since in [
        ",\"renewal_open_days\":90",
        ",\"renewal_grace_days\":30",
        ",\"wildcard_replacement\":\"Difference\"",
    ] {
        door.run(&format!(
            "UPDATE order_term SET sold_json = replace(sold_json, '{since}', '')"
        ))
        .await;
    }
    door.run("DELETE FROM seaql_migrations WHERE version = 'orders_0003_terms'")
        .await;
}

async fn pending(world: &World) -> Vec<PendingIssuance> {
    let ask = ListPendingIssuanceRequest::default();
    let answer = world.certificates().list_pending_issuance(ask).await;
    answer.unwrap().into_inner().pending_issuances
}

async fn md_10_a_store_of_before_next_terms_comes_out_right(backend: Backend) {
    let mut world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("2000.00").await;
    let issued = world.multi_domain_order(&account_id, &["a.example"]).await;
    world.record(&issued.order_id).await;
    let changing = world.multi_domain_order(&account_id, &["b.example"]).await;
    world.record(&changing.order_id).await;
    world
        .update_domains(&changing.order_id, &["c.example"], &[])
        .await;
    let paid = world.multi_domain_order(&account_id, &["d.example"]).await;
    let deleted = world.multi_domain_order(&account_id, &["e.example"]).await;
    let request = DeleteOrderRequest {
        order_id: deleted.order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(request).await.unwrap();
    let all = [&issued, &changing, &paid, &deleted];
    let mut before: Vec<Order> = Vec::new();
    for order in all {
        before.push(world.get_order(&order.order_id).await);
    }
    let waiting = pending(&world).await;
    assert_eq!(waiting.len(), 2);

    world.stop_orders().await;
    let door = BackDoor::open(&world.orders_location()).await;
    undo_third_schema(&door).await;
    drop(door);
    world.start_orders().await;

    for (order, before) in all.into_iter().zip(before) {
        assert_eq!(world.get_order(&order.order_id).await, before);
    }
    assert_eq!(pending(&world).await, waiting);
    // The orders continue: a certificate completes the change, one order is renewed, and one ends.
    world.record(&changing.order_id).await;
    let changed = world.get_order(&changing.order_id).await;
    assert_eq!(changed.domains, names(&["b.example", "c.example"]));
    // MD-4: the order was sold before the policy existed, so a wildcard in a standard slot is free.
    let swap = world
        .update_domains(&changing.order_id, &["*.c.example"], &["c.example"])
        .await;
    assert_eq!(shown(swap.quote.unwrap().total.as_ref()), "0.00 USD");
    let slots = swap.order.unwrap().current_term.unwrap();
    assert_eq!(
        (slots.paid_standard_domains, slots.paid_wildcard_domains),
        (2, 0)
    );
    move_to_days_before_end(&world, &issued, 10);
    renew(&world, renewal(&issued, 12)).await;
    move_to_days_before_end(&world, &issued, 0);
    let renewed = world.get_order(&issued.order_id).await;
    assert_eq!(renewed.current_term.unwrap().term_index, 1);
    for (order, kind) in [(&issued, "term_started"), (&paid, "ended")] {
        let wanted = format!("licet.orders.order.{kind}.v1");
        eventually("time's event is written", || async {
            let log = super::events::log(world.orders_events()).await;
            let mut events = log.into_iter().filter_map(|entry| entry.event);
            events
                .any(|event| event.subject == order.order_id && event.r#type == wanted)
                .then_some(())
        })
        .await;
    }
    let over = world.get_order(&paid.order_id).await;
    assert_eq!(over.state(), OrderState::Ended);
}

/// A certificate for the order under a serial, valid for 30 days.
fn signed(world: &World, order: &Order, serial: &[u8]) -> RecordIssuanceRequest {
    let names = order.domains.iter().map(|name| dns(name.as_bytes()));
    let stamp = |days: i64| {
        let at = world.now().checked_add(TimeDelta::days(days)).unwrap();
        at.to_utc().format("%Y%m%d%H%M%SZ").to_string()
    };
    let odd = Odd {
        subject: name(UTF8, &order.common_name),
        not_before: stamp(0)[2..].to_owned(),
        not_after: stamp(30),
        ..Odd::new(serial, names.collect())
    };
    issuance_of(&order.order_id, pem("CERTIFICATE", &odd.der()))
}

async fn sl_14_a_negative_serial_kept_without_its_sign_is_spelled_with_it(backend: Backend) {
    let mut world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("2000.00").await;
    let mut orders = Vec::new();
    // -128, 0x80ff, -1, 0x7f: with and without the highest bit set, in one or two octets.
    let serials: [(&[u8], &str, &str); 4] = [
        (&[0x80], "-80", "80"),
        (&[0x00, 0x80, 0xff], "80ff", "80ff"),
        (&[0xff], "-1", "ff"),
        (&[0x7f], "7f", "7f"),
    ];
    for (number, (serial, _, _)) in serials.iter().enumerate() {
        let name = format!("n{number}.example");
        let order = world.multi_domain_order(&account_id, &[&name]).await;
        let report = signed(&world, &order, serial);
        world.certificates().record_issuance(report).await.unwrap();
        orders.push(order);
    }
    let waiting = world.multi_domain_order(&account_id, &["w.example"]).await;

    world.stop_orders().await;
    let door = BackDoor::open(&world.orders_location()).await;
    for (_, present, earlier) in serials {
        door.run(&format!(
            "UPDATE certificate SET serial_hex = '{earlier}' WHERE serial_hex = '{present}'"
        ))
        .await;
    }
    door.run("DELETE FROM seaql_migrations WHERE version = 'orders_0009_serials'")
        .await;
    drop(door);
    world.start_orders().await;

    for (order, (_, present, _)) in orders.iter().zip(serials) {
        let request = ListCertificatesRequest {
            order_id: order.order_id.clone(),
            ..ListCertificatesRequest::default()
        };
        let answer = world.certificates().list_certificates(request).await;
        let found = answer.unwrap().into_inner().certificates;
        assert_eq!(found[0].serial, present);
    }
    // An issuer uses −128 once; 128 is another serial.
    let again = signed(&world, &waiting, &[0x80]);
    refused(world.certificates().record_issuance(again).await)
        .expect(Code::AlreadyExists, "CERTIFICATE_CONFLICT");
    let other = signed(&world, &waiting, &[0x00, 0x80]);
    world.certificates().record_issuance(other).await.unwrap();
}

/// Rewrites the order's next term as an earlier version stored it when a move was waiting: with the new
/// common name instead of the old.
async fn undo_without_move(door: &BackDoor, order: &Order, moved: &str) {
    let (id, old) = (&order.order_id, &order.common_name);
    door.run(&format!(
        "UPDATE order_term SET common_name = '{moved}', \
         names_json = replace(names_json, '{old}', '{moved}') \
         WHERE order_id = '{id}' AND term_index = 1"
    ))
    .await;
    door.run(&format!(
        "UPDATE certificate_order SET issuance_pending_us = turn_us WHERE order_id = '{id}'"
    ))
    .await;
}

async fn md_5_a_term_stored_with_a_cancelled_move_is_without_it(backend: Backend) {
    let mut world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("2000.00").await;
    let one = world
        .multi_domain_order(&account_id, &["one.example"])
        .await;
    let two = ["two.example", "b.example"];
    let two = world.multi_domain_order(&account_id, &two).await;
    for order in [&one, &two] {
        world.record(&order.order_id).await;
    }
    move_to_days_before_end(&world, &one, 60);
    let other_names = RenewOrderRequest {
        domains: names(&["c.example"]),
        ..renewal(&two, 12)
    };
    let mut before = Vec::new();
    for request in [renewal(&one, 12), other_names] {
        before.push(renew(&world, request).await.order.unwrap());
    }
    world.stop_orders().await;
    let door = BackDoor::open(&world.orders_location()).await;
    for order in &before {
        undo_without_move(&door, order, "a.example").await;
    }
    door.run("DELETE FROM seaql_migrations WHERE version = 'orders_0014_moved_terms'")
        .await;
    drop(door);
    world.start_orders().await;

    for order in &before {
        assert_eq!(world.get_order(&order.order_id).await, *order);
    }
    let last = before[1].current_term.as_ref().unwrap().period.unwrap();
    world.time.move_to(instant(last.end_time));
    let waiting = pending(&world).await;
    let waits: Vec<_> = waiting.iter().map(|it| it.order_id.as_str()).collect();
    assert_eq!(waits, [&before[1].order_id]);
    assert_eq!(waiting[0].names, names(&["c.example", "two.example"]));
    assert_eq!(waiting[0].common_name, "two.example");
}
