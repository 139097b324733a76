//! The operation service: one contract for every service that has operations, each with kinds and ids of its
//! own.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use licet_contracts::operations::v1::{
    CancelOperationRequest, GetOperationRequest, ListOperationsRequest, Operation, OperationKind,
    RetryOperationRequest, operation_service_client::OperationServiceClient,
};
use licet_domain::ids::{AccountId, OrderId};
use serde_json::json;
use tonic::{Code, Request};

use super::{clocks_apart::worlds, events::log};
use crate::harness::{
    Backend,
    channel::Channel,
    clock::instant,
    errors::{refused, take_apart},
    eventually, on_both_databases, raw, request_id,
    samples::change_request,
    san::increase_request,
    world::World,
};

on_both_databases![
    each_service_has_its_own_operations,
    a_malformed_resource_id_says_which_ids_there_are,
    the_former_paths_are_served_no_more,
    x_5_a_cancellation_is_an_event_of_its_resource,
];

/// The services register exactly the kinds that the contract names.
#[test]
fn every_registered_kind_is_in_the_contract() {
    let steps = [
        licet_orders::operation_steps(),
        licet_san_licensing::operation_steps(),
    ];
    let steps = steps.iter().flatten();
    let registered: BTreeSet<_> = steps
        .map(|(kind, _)| format!("OPERATION_KIND_{kind}"))
        .collect();
    let named = (1..).map_while(|number| OperationKind::try_from(number).ok());
    // A reissue waits for a certificate and runs no steps.
    let named = named.filter(|kind| *kind != OperationKind::RequestReissue);
    let named: BTreeSet<_> = named.map(|kind| kind.as_str_name().to_owned()).collect();
    assert_eq!(registered, named);
}

async fn list(client: &mut OperationServiceClient<Channel>, resource_id: &str) -> Vec<Operation> {
    let request = ListOperationsRequest {
        resource_id: resource_id.to_owned(),
        ..ListOperationsRequest::default()
    };
    let answer = client.list_operations(request).await.unwrap();
    answer.into_inner().operations
}

async fn each_service_has_its_own_operations(backend: Backend) {
    let world = World::start_whole(backend).await;
    world.stock().await;
    world.stock_sans().await;
    let account_id = world.account_with("10000.00").await;
    let order = world.multi_domain_order(&account_id, &["a.example"]).await;
    let other = world.multi_domain_order(&account_id, &["b.example"]).await;
    let license = world.license(&account_id, 10).await;
    let (mut orders, mut licenses) = (world.operations(), world.san_operations());

    let of_order = list(&mut orders, &order.order_id).await;
    let kinds: Vec<_> = of_order.iter().map(Operation::kind).collect();
    assert_eq!(kinds, [OperationKind::PlaceOrder]);
    assert_eq!(of_order[0].resource_id, order.order_id);
    assert_eq!(of_order[0].account_id, account_id);
    let all: Vec<_> = list(&mut orders, "").await;
    let all: Vec<_> = all.iter().map(|it| it.resource_id.as_str()).collect();
    assert_eq!(all, [other.order_id.as_str(), order.order_id.as_str()]);
    let of_license = list(&mut licenses, &license.license_id).await;
    assert_eq!(of_license, list(&mut licenses, "").await);
    let kinds: Vec<_> = of_license.iter().map(Operation::kind).collect();
    assert_eq!(kinds, [OperationKind::AcceptLicense]);

    // Neither service finds the other's operations.
    for (client, operation) in [(&mut orders, &of_license[0]), (&mut licenses, &of_order[0])] {
        let operation_id = operation.operation_id.clone();
        let get = GetOperationRequest {
            operation_id: operation_id.clone(),
        };
        let retry = RetryOperationRequest {
            operation_id: operation_id.clone(),
            request_id: request_id(),
        };
        let cancel = CancelOperationRequest {
            operation_id: operation_id.clone(),
            request_id: request_id(),
        };
        for refusal in [
            refused(client.get_operation(get).await),
            refused(client.retry_operation(retry).await),
            refused(client.cancel_operation(cancel).await),
        ] {
            let refusal = refusal.expect(Code::NotFound, "NOT_FOUND");
            assert_eq!(refusal.value("resource"), "operation");
            assert_eq!(refusal.value("id"), operation_id);
        }
    }
    // Billing has no operations.
    let mut billing = OperationServiceClient::new(world.billing_channel());
    let answer = billing
        .list_operations(ListOperationsRequest::default())
        .await;
    refused(answer).expect(Code::Unimplemented, "METHOD_NOT_SERVED");
}

async fn a_malformed_resource_id_says_which_ids_there_are(backend: Backend) {
    let world = World::start_whole(backend).await;
    let order_id = OrderId::generate().to_string();
    let account_id = AccountId::generate().to_string();
    for (mut client, texts, prefix) in [
        (
            world.operations(),
            [&account_id, "ord_", "'; DROP"],
            "`ord_`",
        ),
        (
            world.san_operations(),
            [&order_id, "lic_", "'; DROP"],
            "`lic_`",
        ),
    ] {
        for text in texts {
            let request = ListOperationsRequest {
                resource_id: text.to_owned(),
                state: 99,
                ..ListOperationsRequest::default()
            };
            let refusal = refused(client.list_operations(request).await);
            let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
            assert_eq!(refusal.paths(), ["resource_id", "state"]);
            assert!(refusal.fields[0].1.contains(prefix), "{refusal:?}");
        }
    }
}

/// A client of the former contract gets UNIMPLEMENTED, not NOT_FOUND.
async fn the_former_paths_are_served_no_more(backend: Backend) {
    let world = World::start_whole(backend).await;
    for (channel, path) in [
        (
            world.orders_channel(),
            "/licet.orders.v1.OperationService/GetOperation",
        ),
        (
            world.san_channel(0),
            "/licet.sanlicensing.v1.OperationService/GetOperation",
        ),
    ] {
        let answer = raw::first_answer(channel, path, Request::new(Vec::new())).await;
        take_apart(&answer.unwrap_err()).expect(Code::Unimplemented, "METHOD_NOT_SERVED");
    }
}

/// T-5: the event is no earlier than another instance's previous decision.
async fn x_5_a_cancellation_is_an_event_of_its_resource(backend: Backend) {
    let (mut behind, mut ahead) = worlds(backend, TimeDelta::minutes(2)).await;
    behind.stock().await;
    behind.stock_sans().await;
    let account_id = behind.account_with("10000.00").await;
    let order = behind.multi_domain_order(&account_id, &["a.example"]).await;
    behind.record(&order.order_id).await;
    let server = ahead.server(&order, "one");
    ahead.servers().register_server(server).await.unwrap();
    let license = behind.license(&account_id, 10).await;
    let license = ahead.increase(&license, 20).await;
    let decided = ahead.now();
    behind.stop_billing().await;
    // The other instances would complete the operations with theirs, as soon as they see them.
    ahead.stop_billing().await;

    let change = change_request(&order.order_id, &["b.example"], &[]);
    let changed = behind.orders().update_domains(change).await.unwrap();
    let changed = changed.into_inner().order.unwrap().pending_change.unwrap();
    let raise = increase_request(&license, 30);
    let raised = behind.san_licenses().increase_quota(raise).await.unwrap();
    let raised = raised.into_inner().license.unwrap();
    let raised = raised.pending_change.unwrap();
    for (mut client, events, area, resource_id, operation_id, kind, step) in [
        (
            behind.operations(),
            behind.orders_events(),
            "orders",
            &order.order_id,
            changed.operation_id,
            "UPDATE_DOMAINS",
            changed.step,
        ),
        (
            behind.san_operations(),
            behind.san_events(),
            "sanlicensing",
            &license.license_id,
            raised.operation_id,
            "INCREASE_QUOTA",
            raised.step,
        ),
    ] {
        let cancel = CancelOperationRequest {
            operation_id: operation_id.clone(),
            request_id: request_id(),
        };
        for _ in 0..2 {
            client.cancel_operation(cancel.clone()).await.unwrap();
        }
        let found = eventually("the event has its position", || async {
            let all = log(events.clone()).await.into_iter();
            let all = all.filter_map(|entry| entry.event);
            let kind = format!("licet.{area}.operation.cancel_accepted.v1");
            let found: Vec<_> = all.filter(|event| event.r#type == kind).collect();
            (!found.is_empty()).then_some(found)
        })
        .await;
        let [event] = found.as_slice() else {
            panic!("a repeat made a second event: {found:?}");
        };
        assert_eq!(
            (&event.subject, &event.account_id),
            (resource_id, &account_id)
        );
        assert_eq!(event.request_id, cancel.request_id);
        assert_eq!(
            event.method,
            "/licet.operations.v1.OperationService/CancelOperation"
        );
        assert_eq!(
            (event.why.as_str(), event.outcome.as_str()),
            ("X-2", "CANCELLING")
        );
        assert_eq!(instant(event.time), decided, "T-5");
        let data: serde_json::Value = serde_json::from_str(&event.text_data).unwrap();
        let expected = json!({ "operation_id": operation_id, "kind": kind, "step": step });
        assert_eq!(data, expected);
    }
}
