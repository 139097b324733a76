//! a request made while Billing is unreachable is accepted, shows as pending, and completes once Billing
//! is back.

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::RefundState,
    operations::v1::{GetOperationRequest, OperationKind, OperationState, RetryOperationRequest},
    orders::v1::{DeleteOrderRequest, OrderState, UpdateDomainsRequest},
};
use tonic::Code;

use crate::harness::{
    Backend,
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::{change_request, multi_domain_request, names, shown},
    world::World,
};

on_both_databases![
    x_7_an_order_placed_while_billing_is_away_is_pending_and_then_paid_once,
    x_7_orders_that_restarts_meanwhile_goes_on_by_itself,
    md_6_a_quote_is_judged_when_the_change_was_accepted,
    t_3_a_deletion_is_decided_as_of_its_day_however_late,
    x_2_a_placing_that_billing_refuses_late_leaves_no_order,
];

async fn started(backend: Backend, balance: &str) -> (World, String) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with(balance).await;
    (world, account_id)
}

async fn paid(world: &World, order_id: &str) -> licet_contracts::orders::v1::Order {
    eventually("the order is paid", || async {
        let order = world.get_order(order_id).await;
        (order.state() == OrderState::Paid).then_some(order)
    })
    .await
}

async fn x_7_an_order_placed_while_billing_is_away_is_pending_and_then_paid_once(backend: Backend) {
    let (mut world, account_id) = started(backend, "1000.00").await;
    world.stop_billing().await;
    let request = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
    let answer = world
        .orders()
        .place_order(request.clone())
        .await
        .unwrap()
        .into_inner();
    let order = answer.order.unwrap();
    assert_eq!(order.state(), OrderState::Pending);
    let pending = order
        .pending_change
        .expect("the order shows the pending change");
    assert_eq!(pending.kind(), OperationKind::PlaceOrder);
    let ask = GetOperationRequest {
        operation_id: pending.operation_id.clone(),
    };
    let operation = world
        .operations()
        .get_operation(ask.clone())
        .await
        .unwrap()
        .into_inner();
    let operation = operation.operation.unwrap();
    assert_eq!(operation.state(), OperationState::Running);
    assert!(
        operation.attempts >= 1 && !operation.last_error.is_empty(),
        "{operation:?}"
    );
    assert!(operation.next_attempt_time.is_some());

    // A repeat joins the running operation.
    let again = world
        .orders()
        .place_order(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.order.unwrap().order_id, order.order_id);
    world.start_billing().await;
    let retry = RetryOperationRequest {
        operation_id: pending.operation_id,
        request_id: request_id(),
    };
    world.operations().retry_operation(retry).await.unwrap();
    let done = paid(&world, &order.order_id).await;
    assert_eq!(done.pending_change, None);
    // T-4: the term starts at the instant that the order was accepted.
    assert_eq!(
        done.current_term.unwrap().period.unwrap().start_time,
        order.create_time
    );
    assert_eq!(world.invoices_of(&order.order_id).await.len(), 1);
    assert_eq!(world.balance(&account_id).await, "853.00 USD");
    let repeated = world
        .orders()
        .place_order(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(repeated.order.unwrap().state(), OrderState::Paid);
    assert_eq!(world.balance(&account_id).await, "853.00 USD");
    let operation = world
        .operations()
        .get_operation(ask)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(operation.operation.unwrap().state(), OperationState::Done);
}

async fn x_7_orders_that_restarts_meanwhile_goes_on_by_itself(backend: Backend) {
    let (mut world, account_id) = started(backend, "1000.00").await;
    world.stop_billing().await;
    let request = multi_domain_request(&account_id, &["www.example.com"]);
    let order = world
        .orders()
        .place_order(request)
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    world.stop_orders().await;
    world.start_billing().await;
    world.start_orders().await;
    paid(&world, &order.order_id).await;
    assert_eq!(world.balance(&account_id).await, "902.00 USD");
}

async fn md_6_a_quote_is_judged_when_the_change_was_accepted(backend: Backend) {
    let (mut world, account_id) = started(backend, "1000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    world.record(&order.order_id).await;
    world.time.advance_months(6);
    let quote = world
        .preview_domains(&order.order_id, &["a.example"], &[])
        .await
        .quote
        .unwrap();
    world.time.advance(TimeDelta::minutes(14));
    world.stop_billing().await;
    let change = UpdateDomainsRequest {
        quote_id: quote.quote_id,
        ..change_request(&order.order_id, &["a.example"], &[])
    };
    let answer = world
        .orders()
        .update_domains(change)
        .await
        .unwrap()
        .into_inner();
    let pending = answer
        .order
        .unwrap()
        .pending_change
        .expect("the change is under way");
    assert_eq!(
        pending.domain_change.unwrap().names_after,
        names(&["a.example", "www.example.com"])
    );
    assert_eq!(
        world.get_order(&order.order_id).await.domains,
        names(&["www.example.com"])
    );
    world.time.advance_days(1);
    world.start_billing().await;
    let settled = world.settled(&order.order_id).await;
    let change = settled.pending_change.unwrap().domain_change.unwrap();
    assert_eq!(shown(change.charged.as_ref()), "24.50 USD");
    assert_eq!(world.balance(&account_id).await, "877.50 USD");
}

async fn t_3_a_deletion_is_decided_as_of_its_day_however_late(backend: Backend) {
    let (mut world, account_id) = started(backend, "1000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    world.record(&order.order_id).await;
    world.time.advance_days(25);
    world.stop_billing().await;
    let delete = DeleteOrderRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    let answer = world
        .orders()
        .delete_order(delete)
        .await
        .unwrap()
        .into_inner();
    let deleted = answer.order.unwrap();
    assert_eq!(
        deleted.state(),
        OrderState::Deleted,
        "the revocation, which is irreversible, is done at once"
    );
    assert_eq!((answer.refund, deleted.refund), (None, None));
    assert_eq!(
        deleted.pending_change.unwrap().kind(),
        OperationKind::DeleteOrder
    );
    world.time.advance_days(15);
    world.start_billing().await;
    let done = world.settled(&order.order_id).await;
    assert_eq!(done.refund.unwrap().state(), RefundState::Refunded);
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
}

async fn x_2_a_placing_that_billing_refuses_late_leaves_no_order(backend: Backend) {
    let (mut world, account_id) = started(backend, "50.00").await;
    world.stop_billing().await;
    let request = multi_domain_request(&account_id, &["www.example.com"]);
    let answer = world
        .orders()
        .place_order(request.clone())
        .await
        .unwrap()
        .into_inner();
    let order_id = answer.order.unwrap().order_id;
    world.start_billing().await;
    let ask = licet_contracts::orders::v1::GetOrderRequest { order_id };
    eventually("the order is gone", || async {
        world
            .orders()
            .get_order(ask.clone())
            .await
            .is_err()
            .then_some(())
    })
    .await;
    refused(world.orders().get_order(ask.clone()).await).expect(Code::NotFound, "NOT_FOUND");
    let repeated = refused(world.orders().place_order(request).await);
    repeated.expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    assert_eq!(world.balance(&account_id).await, "50.00 USD");
}
