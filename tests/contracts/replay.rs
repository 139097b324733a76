//! BL-2: one request_id has one effect and one response, refusals included, for every repeat.

use std::collections::BTreeSet;

use licet_contracts::{
    billing::v1::{DepositRequest, WithdrawRequest},
    orders::v1::{ListOrdersRequest, PlaceOrderRequest, UpdateDomainsRequest},
};
use prost::Message as _;
use tonic::{Code, Request};

use crate::harness::{
    Backend,
    errors::refused,
    on_both_databases, request_id,
    samples::{change_request, multi_domain_request, usd},
    world::World,
};

on_both_databases![
    a_repeated_deposit_is_booked_once_and_answered_alike,
    a_repeated_order_is_charged_once_and_answered_alike,
    a_repeated_change_is_charged_once_and_answered_alike,
    a_refusal_repeated_is_the_same_refusal,
    a_request_id_is_for_one_body,
    a_request_id_is_scoped_by_caller_and_method,
    a_malformed_request_leaves_no_record,
    sixteen_at_once_place_one_order,
    sixteen_at_once_are_answered_alike_while_the_cause_of_a_refusal_goes,
];

fn deposit(account_id: &str, value: &str) -> DepositRequest {
    DepositRequest {
        account_id: account_id.to_owned(),
        amount: usd(value),
        reference: String::new(),
        request_id: request_id(),
    }
}

async fn a_repeated_deposit_is_booked_once_and_answered_alike(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.empty_account().await;
    let request = deposit(&account_id, "10.00");
    let first = world
        .accounts()
        .deposit(request.clone())
        .await
        .unwrap()
        .into_inner();
    world.deposit(&account_id, "5.00").await;
    world.time.advance_days(89);
    let again = world
        .accounts()
        .deposit(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.encode_to_vec(), first.encode_to_vec());
    assert_eq!(world.balance(&account_id).await, "15.00 USD");
}

async fn a_repeated_order_is_charged_once_and_answered_alike(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let request = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
    let first = world
        .orders()
        .place_order(request.clone())
        .await
        .unwrap()
        .into_inner();
    let order_id = first.order.clone().unwrap().order_id;
    world.record(&order_id).await;
    let again = world
        .orders()
        .place_order(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.encode_to_vec(), first.encode_to_vec());
    assert_eq!(world.balance(&account_id).await, "853.00 USD");
    assert_eq!(world.invoices_of_account(&account_id).await.len(), 1);
}

async fn a_repeated_change_is_charged_once_and_answered_alike(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    world.record(&order.order_id).await;
    world.time.advance_months(6);
    let request = change_request(&order.order_id, &["a.example"], &[]);
    let first = world
        .orders()
        .update_domains(request.clone())
        .await
        .unwrap()
        .into_inner();
    world.record(&order.order_id).await;
    let again = world
        .orders()
        .update_domains(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.encode_to_vec(), first.encode_to_vec());
    assert_eq!(world.balance(&account_id).await, "877.50 USD");
}

async fn a_refusal_repeated_is_the_same_refusal(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let request = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
    let first = refused(world.orders().place_order(request.clone()).await)
        .expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    assert_eq!(first.value("missing"), "47.00");
    // The cause has gone; this request keeps its refusal.
    world.deposit(&account_id, "900.00").await;
    let again = refused(world.orders().place_order(request.clone()).await);
    assert_eq!(again, first);
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
    world
        .place(PlaceOrderRequest {
            request_id: request_id(),
            ..request
        })
        .await;

    let order = world
        .multi_domain_order(&account_id, &["www.example.org"])
        .await;
    let request = world.server(&order, "one");
    let first = refused(world.servers().register_server(request.clone()).await)
        .expect(Code::FailedPrecondition, "ORDER_NOT_ISSUED");
    world.record(&order.order_id).await;
    assert_eq!(
        refused(world.servers().register_server(request).await),
        first
    );
}

async fn a_request_id_is_for_one_body(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let request = deposit(&account_id, "10.00");
    world.accounts().deposit(request.clone()).await.unwrap();
    let other = DepositRequest {
        amount: usd("20.00"),
        ..request.clone()
    };
    let reused = refused(world.accounts().deposit(other).await)
        .expect(Code::AlreadyExists, "REQUEST_ID_REUSED");
    assert_eq!(reused.value("request_id"), request.request_id);
    assert_eq!(world.balance(&account_id).await, "1010.00 USD");

    let request = multi_domain_request(&account_id, &["www.example.com"]);
    world.place(request.clone()).await;
    let other = PlaceOrderRequest {
        common_name: "www.example.org".to_owned(),
        ..request
    };
    refused(world.orders().place_order(other).await)
        .expect(Code::AlreadyExists, "REQUEST_ID_REUSED");
}

async fn a_request_id_is_scoped_by_caller_and_method(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let message = deposit(&account_id, "10.00");
    for caller in ["shop-a", "shop-b", "shop-a"] {
        let mut request = Request::new(message.clone());
        request
            .metadata_mut()
            .insert("licet-caller", caller.parse().unwrap());
        world.accounts().deposit(request).await.unwrap();
    }
    assert_eq!(
        world.balance(&account_id).await,
        "1020.00 USD",
        "one deposit for each caller"
    );
    let order = PlaceOrderRequest {
        request_id: message.request_id,
        ..multi_domain_request(&account_id, &["www.example.com"])
    };
    world.place(order).await;
}

async fn a_malformed_request_leaves_no_record(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let good = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
    let bad = PlaceOrderRequest {
        term_months: -1,
        ..good.clone()
    };
    refused(world.orders().place_order(bad).await).expect(Code::InvalidArgument, "INVALID_FIELDS");
    let order = world.place(good).await;
    world.record(&order.order_id).await;
    let good = change_request(&order.order_id, &["b.example"], &[]);
    let bad = UpdateDomainsRequest {
        add_domains: vec!["b..example".to_owned()],
        ..good.clone()
    };
    refused(world.orders().update_domains(bad).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    world.orders().update_domains(good).await.unwrap();
}

async fn sixteen_at_once_place_one_order(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let request = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (mut orders, request) = (world.orders(), request.clone());
        calls.spawn(async move { orders.place_order(request).await });
    }
    let mut ids = BTreeSet::new();
    while let Some(answer) = calls.join_next().await {
        ids.insert(
            answer
                .unwrap()
                .unwrap()
                .into_inner()
                .order
                .unwrap()
                .order_id,
        );
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
    let ask = ListOrdersRequest {
        account_id: account_id.clone(),
        ..Default::default()
    };
    let orders = world
        .orders()
        .list_orders(ask)
        .await
        .unwrap()
        .into_inner()
        .orders;
    assert_eq!(orders.len(), 1);
    assert_eq!(world.invoices_of_account(&account_id).await.len(), 1);
    assert_eq!(world.balance(&account_id).await, "853.00 USD");
}

/// A refusal is stored after the transaction that found it. If a rival succeeds in between, it is the first
/// attempt, and all get its response.
async fn sixteen_at_once_are_answered_alike_while_the_cause_of_a_refusal_goes(backend: Backend) {
    let world = World::start(backend).await;
    for round in 0..8 {
        let account_id = world.account_with("10.00").await;
        let request = WithdrawRequest {
            account_id: account_id.clone(),
            amount: usd("15.00"),
            reference: String::new(),
            request_id: request_id(),
            ..Default::default()
        };
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (mut accounts, request) = (world.accounts(), request.clone());
            calls.spawn(async move { accounts.withdraw(request).await });
        }
        world.deposit(&account_id, "10.00").await;
        let mut answers = BTreeSet::new();
        while let Some(answer) = calls.join_next().await {
            answers.insert(match answer.unwrap() {
                Ok(answer) => format!("done: {:?}", answer.into_inner()),
                Err(status) => format!("refused: {}", status.message()),
            });
        }
        assert_eq!(answers.len(), 1, "round {round}: {answers:?}");
        let is_done = answers.iter().all(|answer| answer.starts_with("done"));
        let left = if is_done { "5.00 USD" } else { "20.00 USD" };
        assert_eq!(world.balance(&account_id).await, left, "round {round}");
    }
}
