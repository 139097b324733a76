//! Filters of ListOrders, alone and together: account, current state, domain, end of the last term.

use std::slice::from_ref;

use licet_contracts::orders::v1::{DeleteOrderRequest, ListOrdersRequest, OrderState};
use licet_domain::clock::Instant;
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    errors::refused,
    on_both_databases, request_id,
    samples::multi_domain_request,
    world::World,
};

on_both_databases![
    orders_are_listed_by_the_state_that_time_gives_them,
    orders_are_listed_by_the_end_of_their_last_term,
    a_range_that_holds_nothing_is_refused,
];

async fn ids(world: &World, ask: ListOrdersRequest) -> Vec<String> {
    let answer = world.orders().list_orders(ask).await.unwrap();
    let orders = answer.into_inner().orders;
    orders.into_iter().map(|order| order.order_id).collect()
}

/// Places an order for `months`; returns its end and its id.
async fn order(world: &World, account_id: &str, months: i32, name: &str) -> (Instant, String) {
    let mut request = multi_domain_request(account_id, &[name]);
    request.term_months = months;
    let order = world.place(request).await;
    world.time.advance_days(1);
    (instant(order.end_time), order.order_id)
}

async fn orders_are_listed_by_the_state_that_time_gives_them(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let other = world.account_with("1000.00").await;
    let (end, short) = order(&world, &account_id, 1, "a.example").await;
    let (_, long) = order(&world, &account_id, 12, "a.example").await;
    let (_, gone) = order(&world, &account_id, 12, "c.example").await;
    let (_, foreign) = order(&world, &other, 12, "a.example").await;
    world.record(&long).await;
    let delete = DeleteOrderRequest {
        order_id: gone.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(delete).await.unwrap();
    let listed = |state: OrderState| {
        let ask = ListOrdersRequest {
            account_id: account_id.clone(),
            state: state.into(),
            ..ListOrdersRequest::default()
        };
        ids(&world, ask)
    };
    assert_eq!(listed(OrderState::Paid).await, from_ref(&short));
    assert_eq!(listed(OrderState::Issued).await, from_ref(&long));
    assert_eq!(listed(OrderState::Deleted).await, [gone]);
    assert_eq!(listed(OrderState::Ended).await, [] as [String; 0]);
    // At the very end, even if no timer has run.
    world.time.move_to(end);
    assert_eq!(listed(OrderState::Paid).await, [] as [String; 0]);
    assert_eq!(listed(OrderState::Ended).await, from_ref(&short));

    let by_name = ListOrdersRequest {
        domain: "A.Example.".to_owned(),
        ..ListOrdersRequest::default()
    };
    assert_eq!(
        ids(&world, by_name.clone()).await,
        [foreign, long.clone(), short]
    );
    let together = ListOrdersRequest {
        account_id: account_id.clone(),
        state: OrderState::Issued.into(),
        end_after_time: Some(timestamp(end)),
        ..by_name
    };
    assert_eq!(ids(&world, together).await, [long]);
}

async fn orders_are_listed_by_the_end_of_their_last_term(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let mut placed = Vec::new();
    for (months, name) in [(12, "a.example"), (1, "b.example"), (24, "c.example")] {
        placed.push(order(&world, &account_id, months, name).await);
    }
    let [(year, a), (month, b), (two_years, c)] = <[_; 3]>::try_from(placed).unwrap();
    let between = |after: Option<Instant>, before: Option<Instant>| {
        let ask = ListOrdersRequest {
            account_id: account_id.clone(),
            end_after_time: after.map(timestamp),
            end_before_time: before.map(timestamp),
            ..ListOrdersRequest::default()
        };
        ids(&world, ask)
    };
    // Ranges of end times are half-open (T-1).
    assert_eq!(between(Some(year), None).await, [c.clone(), a.clone()]);
    assert_eq!(between(Some(shifted(year, 1)), None).await, from_ref(&c));
    assert_eq!(between(None, Some(year)).await, from_ref(&b));
    assert_eq!(
        between(None, Some(shifted(year, 1))).await,
        [b.clone(), a.clone()]
    );
    assert_eq!(between(Some(month), Some(two_years)).await, [b, a.clone()]);

    // A page token is valid for its own range only.
    let ask = ListOrdersRequest {
        account_id: account_id.clone(),
        end_after_time: Some(timestamp(year)),
        page_size: 1,
        ..ListOrdersRequest::default()
    };
    let first = world.orders().list_orders(ask.clone()).await.unwrap();
    let page_token = first.into_inner().next_page_token;
    let next = ListOrdersRequest {
        page_token: page_token.clone(),
        ..ask.clone()
    };
    assert_eq!(ids(&world, next).await, [a]);
    let other = ListOrdersRequest {
        page_token,
        end_after_time: Some(timestamp(month)),
        ..ask
    };
    let other = refused(world.orders().list_orders(other).await);
    let other = other.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(other.paths(), ["page_token"]);
}

async fn a_range_that_holds_nothing_is_refused(backend: Backend) {
    let world = World::start(backend).await;
    let now = world.now();
    let ask = |after: Instant, before: Instant| {
        let ask = ListOrdersRequest {
            end_after_time: Some(timestamp(after)),
            end_before_time: Some(timestamp(before)),
            ..ListOrdersRequest::default()
        };
        let mut orders = world.orders();
        async move { orders.list_orders(ask).await }
    };
    for before in [now, shifted(now, -1)] {
        let empty = refused(ask(now, before).await);
        let empty = empty.expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(empty.paths(), ["end_before_time"]);
    }
    ask(now, shifted(now, 1)).await.unwrap();
}
