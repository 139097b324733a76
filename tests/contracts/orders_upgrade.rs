//! A store of Orders that was kept before there were next terms comes out right: what was sold, what
//! waits for a certificate and what has ended, and each goes on from there.

use licet_contracts::orders::v1::{
    DeleteOrderRequest, ListPendingIssuanceRequest, Order, OrderState, PendingIssuance,
};

use super::renewal::{move_to_days_before_end, renew, renewal};
use crate::harness::{
    Backend, books::BackDoor, eventually, on_both_databases, request_id, samples::names,
    world::World,
};

on_both_databases![md_10_a_store_of_before_next_terms_comes_out_right];

const INDEXES: [&str; 2] = ["certificate_order_to_turn", "certificate_order_in_review"];

/// What the third schema added to which table.
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

/// Puts every row of a store back as the second schema kept it.
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
    for days in [",\"renewal_open_days\":90", ",\"renewal_grace_days\":30"] {
        door.run(&format!(
            "UPDATE order_term SET sold_json = replace(sold_json, '{days}', '')"
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
    // And it goes on from there: the change's certificate, the window, and the end.
    world.record(&changing.order_id).await;
    let changed = world.get_order(&changing.order_id).await;
    assert_eq!(changed.domains, names(&["b.example", "c.example"]));
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
