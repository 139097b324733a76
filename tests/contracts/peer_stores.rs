//! Services refuse a peer whose store was replaced after they worked with the old one. Nothing is charged or
//! counted twice, whichever store was lost, until an operator accepts the new one.

use licet_contracts::{
    operations::v1::{ListOperationsRequest, OperationState},
    orders::v1::{Order, OrderState, PlaceOrderRequest},
    sanlicensing::v1::License,
};
use licet_runtime::database::{Database, Location};
use tonic::Code;

use crate::harness::{
    Backend,
    errors::refused,
    eventually, on_both_databases,
    process::{database_option, licet},
    samples::multi_domain_request,
    san::quote_request,
    world::World,
};

on_both_databases![
    x_2_an_order_is_not_charged_again_by_a_new_store_of_orders,
    x_2_a_new_store_of_billing_charges_nothing,
    x_2_a_new_store_of_san_licensing_is_not_taken_for_the_old_one,
    x_2_a_new_store_of_san_licensing_is_charged_nothing,
    stores_of_one_start_stay_together,
];

const NAMES: [&str; 3] = ["www.example.com", "a.example", "b.example"];

/// A world with an order that uses a licence, so that every pair of services has met.
async fn met(backend: Backend) -> (World, License, PlaceOrderRequest) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    world.start_orders().await;
    world.stock().await;
    let request = PlaceOrderRequest {
        san_license_id: license.license_id.clone(),
        ..multi_domain_request(&license.account_id, &NAMES)
    };
    let order = world.place(request.clone()).await;
    assert_eq!(order.state(), OrderState::Paid);
    (world, license, request)
}

pub(crate) async fn store_id(location: &Location) -> String {
    let store = Database::open_existing(location).await.unwrap();
    store.store_id().to_string()
}

/// The error of the only pending operation after an attempt.
async fn obstacle(world: &World) -> String {
    eventually("the operation was tried", || async {
        let request = ListOperationsRequest {
            state: OperationState::Running.into(),
            ..ListOperationsRequest::default()
        };
        let listed = world.operations().list_operations(request).await.unwrap();
        let operations = listed.into_inner().operations;
        operations
            .into_iter()
            .map(|operation| operation.last_error)
            .find(|error| !error.is_empty())
    })
    .await
}

fn says(text: &str, each: &[&str]) {
    for word in each {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
}

/// Accepts a peer's new store with the command that the refusal names.
pub(crate) fn accept(location: &Location, peer: &str, store_id: &str) {
    let database = database_option(location);
    let accepted = format!("{peer}={store_id}");
    let output = licet(&["accept-peer-store", "--database", &database, &accepted]);
    assert!(output.status.success(), "{output:?}");
}

async fn paid(world: &World, order: &Order) {
    eventually("the order is paid", || async {
        let found = world.get_order(&order.order_id).await;
        (found.state() == OrderState::Paid).then_some(())
    })
    .await;
}

async fn x_2_an_order_is_not_charged_again_by_a_new_store_of_orders(backend: Backend) {
    let (mut world, license, request) = met(backend).await;
    let old = store_id(&world.orders_location()).await;
    let balance = world.balance(&license.account_id).await;
    world.stop_orders().await;
    world.lose_store("orders");
    world.start_orders().await;
    let new = store_id(&world.orders_location()).await;
    assert_ne!(old, new);

    // The caller repeats a request that was done before.
    let order = world.orders().place_order(request.clone()).await.unwrap();
    let order = order.into_inner().order.unwrap();
    assert_eq!(order.state(), OrderState::Pending);
    let error = obstacle(&world).await;
    says(&error, &["orders", &old, &new, "accept-peer-store"]);
    assert_eq!(world.balance(&license.account_id).await, balance);

    // Only an operator can accept the new store.
    accept(&world.billing_location(), "orders", &new);
    accept(&world.san_licensing_location(), "orders", &new);
    paid(&world, &order).await;
    assert_ne!(world.balance(&license.account_id).await, balance);
}

async fn x_2_a_new_store_of_billing_charges_nothing(backend: Backend) {
    let (mut world, license, _) = met(backend).await;
    let old = store_id(&world.billing_location()).await;
    world.stop_billing().await;
    world.lose_store("billing");
    world.start_billing().await;
    let new = store_id(&world.billing_location()).await;

    // "Unknown account" would be a definite refusal, so the operation stays pending instead.
    let asked = multi_domain_request(&license.account_id, &NAMES);
    let order = world.orders().place_order(asked).await.unwrap();
    let order = order.into_inner().order.unwrap();
    assert_eq!(order.state(), OrderState::Pending);
    says(
        &obstacle(&world).await,
        &["billing", &old, &new, "accept-peer-store"],
    );

    let mut licenses = world.san_licenses();
    let asked = quote_request(&license.account_id, 5);
    let refusal = refused(licenses.quote_license(asked).await);
    let refusal = refusal.expect(Code::FailedPrecondition, "PEER_STORE_CHANGED");
    assert_eq!(refusal.value("kept_store_id"), old);
    assert_eq!(refusal.value("found_store_id"), new);
}

async fn x_2_a_new_store_of_san_licensing_is_not_taken_for_the_old_one(backend: Backend) {
    let (mut world, license, request) = met(backend).await;
    let old = store_id(&world.san_licensing_location()).await;
    world.stop_san_licensing(0).await;
    world.lose_store("san_licensing");
    world.start_san_licensing().await;
    let new = store_id(&world.san_licensing_location()).await;

    let again = PlaceOrderRequest {
        request_id: crate::harness::request_id(),
        ..request
    };
    let balance = world.balance(&license.account_id).await;
    let order = world.orders().place_order(again).await.unwrap();
    let order = order.into_inner().order.unwrap();
    assert_eq!(order.state(), OrderState::Pending);
    says(&obstacle(&world).await, &["san-licensing", &old, &new]);
    assert_eq!(world.balance(&license.account_id).await, balance);
}

async fn x_2_a_new_store_of_san_licensing_is_charged_nothing(backend: Backend) {
    let (mut world, license, _) = met(backend).await;
    let old = store_id(&world.san_licensing_location()).await;
    world.stop_san_licensing(0).await;
    world.lose_store("san_licensing");
    world.start_san_licensing().await;
    let new = store_id(&world.san_licensing_location()).await;

    let balance = world.balance(&license.account_id).await;
    let asked = quote_request(&license.account_id, 5);
    let refusal = refused(world.san_licenses().quote_license(asked.clone()).await);
    let refusal = refusal.expect(Code::FailedPrecondition, "PEER_STORE_CHANGED");
    says(&refusal.message, &["billing", "san-licensing", &old, &new]);
    assert_eq!(world.balance(&license.account_id).await, balance);

    accept(&world.billing_location(), "san-licensing", &new);
    world.san_licenses().quote_license(asked).await.unwrap();
}

async fn stores_of_one_start_stay_together(backend: Backend) {
    let (mut world, license, request) = met(backend).await;
    let before = store_id(&world.billing_location()).await;
    world.stop_orders().await;
    world.stop_billing().await;
    world.start_billing().await;
    world.start_orders().await;
    assert_eq!(store_id(&world.billing_location()).await, before);
    let balance = world.balance(&license.account_id).await;
    // A repeat gets its earlier response, and a new request is carried out.
    world.place(request).await;
    assert_eq!(world.balance(&license.account_id).await, balance);
    world
        .place(multi_domain_request(&license.account_id, &NAMES))
        .await;
    assert_ne!(world.balance(&license.account_id).await, balance);
}
