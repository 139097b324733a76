//! an operation can be cancelled until something irreversible is done. Once its request has gone
//! through, it cannot, even if the answer was lost.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use licet_contracts::{
    operations::v1::{CancelOperationRequest, Operation, OperationKind, OperationState},
    orders::v1::{DeleteOrderRequest, GetOrderRequest, UpdateDomainsRequest},
    types::v1::RefusalReason,
};
use licet_runtime::peer::{FaultPlan, Interference};
use tonic::{Code, Response, Status};

use super::domains::Issued;
use crate::harness::{
    Backend,
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::{change_request, multi_domain_request},
    san::{accept_request, increase_request, quote_request},
    san_life::{end, late_request},
    world::World,
};

on_both_databases![
    x_2_a_placing_is_given_up_and_leaves_no_order,
    x_2_a_charge_under_way_never_comes_once_it_is_given_up,
    x_2_a_charge_whose_answer_was_lost_is_not_given_up,
    x_3_a_deletion_is_not_given_up,
    x_2_a_raised_quota_is_given_up,
    x_2_a_renewal_is_given_up_and_its_products_are_free,
];

fn cancel_request(operation_id: &str) -> CancelOperationRequest {
    CancelOperationRequest {
        operation_id: operation_id.to_owned(),
        request_id: request_id(),
    }
}

fn operation(
    answer: Result<Response<licet_contracts::operations::v1::CancelOperationResponse>, Status>,
) -> Operation {
    answer.unwrap().into_inner().operation.unwrap()
}

async fn x_2_a_placing_is_given_up_and_leaves_no_order(backend: Backend) {
    let mut world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    world.stop_billing().await;
    let place = multi_domain_request(&account_id, &["www.example.com"]);
    let answer = world.orders().place_order(place.clone()).await.unwrap();
    let order = answer.into_inner().order.unwrap();
    let pending = order.pending_change.unwrap();
    let cancel = cancel_request(&pending.operation_id);
    let ended = operation(world.operations().cancel_operation(cancel.clone()).await);
    assert_eq!(ended.state(), OperationState::Refused);
    assert_eq!(ended.refusal_reason(), RefusalReason::OperationCancelled);
    let again = operation(world.operations().cancel_operation(cancel).await);
    assert_eq!(again, ended, "BL-2");
    let ask = GetOrderRequest {
        order_id: order.order_id.clone(),
    };
    refused(world.orders().get_order(ask).await).expect(Code::NotFound, "NOT_FOUND");
    world.start_billing().await;
    let repeated = refused(world.orders().place_order(place).await);
    let repeated = repeated.expect(Code::FailedPrecondition, "OPERATION_CANCELLED");
    assert_eq!(repeated.value("step"), "price");
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
    let nowhere = licet_domain::ids::OperationId::generate().to_string();
    refused(
        world
            .operations()
            .cancel_operation(cancel_request(&nowhere))
            .await,
    )
    .expect(Code::NotFound, "NOT_FOUND");
}

async fn x_2_a_charge_under_way_never_comes_once_it_is_given_up(backend: Backend) {
    let Issued {
        mut world,
        account_id,
        order,
    } = Issued::new(backend, &["www.example.com"]).await;
    let order_id = order.order_id.as_str();
    let preview = world.preview_domains(order_id, &["b.example"], &[]).await;
    let quote_id = preview.quote.unwrap().quote_id;
    let change = || UpdateDomainsRequest {
        quote_id: quote_id.clone(),
        ..change_request(order_id, &["b.example"], &[])
    };
    world.stop_billing().await;
    let request = change();
    let answer = world
        .orders()
        .update_domains(request.clone())
        .await
        .unwrap();
    let pending = answer.into_inner().order.unwrap().pending_change.unwrap();
    assert!(pending.step.starts_with("charge"), "{}", pending.step);
    let cancel = cancel_request(&pending.operation_id);
    let waiting = operation(world.operations().cancel_operation(cancel.clone()).await);
    assert_eq!(
        (waiting.state(), waiting.step.as_str()),
        (OperationState::Running, "cancel")
    );
    world.start_billing().await;
    let ended = eventually("the operation is cancelled", || async {
        let ended = operation(world.operations().cancel_operation(cancel.clone()).await);
        (ended.state() == OperationState::Refused).then_some(ended)
    })
    .await;
    assert_eq!(ended.refusal_reason(), RefusalReason::OperationCancelled);
    refused(world.orders().update_domains(request).await)
        .expect(Code::FailedPrecondition, "OPERATION_CANCELLED");
    let after = world.get_order(order_id).await;
    assert_eq!(
        (after.pending_change, after.revision),
        (None, order.revision + 1)
    );
    assert_eq!(world.balance(&account_id).await, "902.00 USD");
    assert_eq!(world.invoices_of(order_id).await.len(), 1);
    // The cancelled operation left the quote unspent.
    world.orders().update_domains(change()).await.unwrap();
    assert_eq!(world.balance(&account_id).await, "853.00 USD");
}

/// Loses the answer of every charge while switched on.
struct LosingCharges(AtomicBool);

impl FaultPlan for LosingCharges {
    fn next(&self, path: &str) -> Interference {
        if self.0.load(Ordering::Relaxed) && path.ends_with("ChargeQuote") {
            Interference::LoseResponse
        } else {
            Interference::None
        }
    }
}

async fn x_2_a_charge_whose_answer_was_lost_is_not_given_up(backend: Backend) {
    let losing = Arc::new(LosingCharges(AtomicBool::new(false)));
    let world = World::start_with_faults(backend, losing.clone()).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    losing.0.store(true, Ordering::Relaxed);
    let place = multi_domain_request(&account_id, &["www.example.com"]);
    let answer = world.orders().place_order(place.clone()).await.unwrap();
    let order = answer.into_inner().order.unwrap();
    let pending = order.pending_change.unwrap();
    assert_eq!(pending.step, "charge");
    assert_eq!(
        world.balance(&account_id).await,
        "902.00 USD",
        "the charge was made"
    );
    losing.0.store(false, Ordering::Relaxed);
    let cancel = cancel_request(&pending.operation_id);
    let through = refused(world.operations().cancel_operation(cancel).await);
    let through = through.expect(Code::FailedPrecondition, "OPERATION_NOT_CANCELLABLE");
    assert_eq!(through.value("operation_id"), pending.operation_id);
    let done = world
        .orders()
        .place_order(place)
        .await
        .unwrap()
        .into_inner();
    let paid = done.order.unwrap();
    assert_eq!(paid.order_id, order.order_id);
    assert_eq!(paid.pending_change, None);
    assert_eq!(world.balance(&account_id).await, "902.00 USD");
    assert_eq!(world.invoices_of(&order.order_id).await.len(), 1);
}

async fn x_3_a_deletion_is_not_given_up(backend: Backend) {
    let Issued {
        mut world, order, ..
    } = Issued::new(backend, &["www.example.com"]).await;
    world.stop_billing().await;
    let delete = DeleteOrderRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    let answer = world.orders().delete_order(delete).await.unwrap();
    let pending = answer.into_inner().order.unwrap().pending_change.unwrap();
    let cancel = cancel_request(&pending.operation_id);
    let refusal = refused(world.operations().cancel_operation(cancel).await);
    let refusal = refusal.expect(Code::FailedPrecondition, "OPERATION_NOT_CANCELLABLE");
    assert_eq!(
        (refusal.value("state"), refusal.value("step")),
        ("RUNNING", "refund")
    );
    world.start_billing().await;
    let done = world.settled(&order.order_id).await;
    assert!(done.refund.is_some());
}

async fn x_2_a_raised_quota_is_given_up(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    let before = world.balance(&license.account_id).await;
    world.stop_billing().await;
    let request = increase_request(&license, 20);
    let answer = world.san_licenses().increase_quota(request.clone()).await;
    let pending = answer.unwrap().into_inner().license.unwrap();
    let operation_id = pending.pending_change.unwrap().operation_id;
    let cancel = CancelOperationRequest {
        operation_id,
        request_id: request_id(),
    };
    let answer = world.san_operations().cancel_operation(cancel).await;
    let ended = answer.unwrap().into_inner().operation.unwrap();
    assert_eq!(ended.state(), OperationState::Refused);
    assert_eq!(ended.refusal_reason(), RefusalReason::OperationCancelled);
    world.start_billing().await;
    refused(world.san_licenses().increase_quota(request).await)
        .expect(Code::FailedPrecondition, "OPERATION_CANCELLED");
    let after = world.get_license(&license.license_id).await;
    assert_eq!(after.pending_change, None);
    assert_eq!(world.balance(&license.account_id).await, before);
    assert_eq!(
        world.increase(&license, 20).await.license_id,
        license.license_id
    );
}

async fn x_2_a_renewal_is_given_up_and_its_products_are_free(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    world.time.move_to(end(&license));
    let draft = world.quoted(quote_request(&license.account_id, 10)).await;
    let before = world.balance(&license.account_id).await;
    world.stop_billing().await;
    let request = late_request(&license, 20);
    let pending = world.renewed(request.clone()).await.license.unwrap();
    let cancel = CancelOperationRequest {
        operation_id: pending.pending_change.unwrap().operation_id,
        request_id: request_id(),
    };
    let answer = world.san_operations().cancel_operation(cancel).await;
    let ended = answer.unwrap().into_inner().operation.unwrap();
    assert_eq!(ended.kind(), OperationKind::RenewLicense);
    assert_eq!(ended.refusal_reason(), RefusalReason::OperationCancelled);
    world.start_billing().await;
    refused(world.san_licenses().renew_license(request).await)
        .expect(Code::FailedPrecondition, "OPERATION_CANCELLED");
    let after = world.get_license(&license.license_id).await;
    assert_eq!((after.term, after.pending_change), (license.term, None));
    assert_eq!(world.balance(&license.account_id).await, before);
    // The cancelled operation no longer holds the product (SL-20).
    let accept = accept_request(&draft.license_id);
    world.san_licenses().accept_license(accept).await.unwrap();
}
