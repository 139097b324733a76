//! Which role may call which method; no caller sees another account's data.

use licet_contracts::{
    billing::v1::{DepositRequest, GetAccountRequest, ListAccountsRequest, ListInvoicesRequest},
    events::v1::StreamEventsRequest,
    orders::v1::{DeleteOrderRequest, GetCertificateRequest, GetOrderRequest, ListOrdersRequest},
};
use tonic::{Code, Request};

use crate::harness::{
    Backend,
    errors::refused,
    on_both_databases, request_id,
    samples::{change_request, multi_domain_request, usd},
    world::World,
};

on_both_databases![
    a_role_too_small_is_denied,
    another_accounts_ids_are_not_found,
    lists_show_the_callers_accounts_alone,
];

/// A request of a caller who has one role and, if given, one account.
fn by<M>(message: M, role: &str, account_id: Option<&str>) -> Request<M> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("licet-roles", role.parse().unwrap());
    if let Some(account_id) = account_id {
        request
            .metadata_mut()
            .insert("licet-accounts", account_id.parse().unwrap());
    }
    request
}

async fn a_role_too_small_is_denied(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.empty_account().await;
    let deposit = DepositRequest {
        account_id: account_id.clone(),
        amount: usd("1.00"),
        reference: String::new(),
        request_id: request_id(),
    };
    for role in ["customer", "sales", "auditor", "certificate_authority"] {
        let refusal = refused(
            world
                .accounts()
                .deposit(by(deposit.clone(), role, None))
                .await,
        )
        .expect(Code::PermissionDenied, "PERMISSION_DENIED");
        assert!(
            refusal.message.contains("ROLE_FINANCE"),
            "{}",
            refusal.message
        );
    }
    assert_eq!(world.balance(&account_id).await, "0.00 USD");
    let both = by(deposit.clone(), "customer, finance", None);
    world.accounts().deposit(both).await.unwrap();
    let events = by(StreamEventsRequest::default(), "customer", None);
    refused(world.billing_events().stream_events(events).await)
        .expect(Code::PermissionDenied, "PERMISSION_DENIED");
    let unheard_of = world.accounts().deposit(by(deposit, "emperor", None)).await;
    assert_ne!(refused(unheard_of).code, Code::Ok);
    assert_eq!(world.balance(&account_id).await, "1.00 USD");
}

async fn another_accounts_ids_are_not_found(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let mine = world.account_with("500.00").await;
    let theirs = world.account_with("500.00").await;
    let order = world
        .multi_domain_order(&theirs, &["www.example.com"])
        .await;
    let certificate = world.record(&order.order_id).await;
    let not_found = |refusal: crate::harness::errors::Refused| {
        refusal.expect(Code::NotFound, "NOT_FOUND");
    };
    let me = Some(mine.as_str());

    let ask = GetAccountRequest {
        account_id: theirs.clone(),
    };
    not_found(refused(
        world.accounts().get_account(by(ask, "customer", me)).await,
    ));
    let ask = GetOrderRequest {
        order_id: order.order_id.clone(),
    };
    not_found(refused(
        world.orders().get_order(by(ask, "customer", me)).await,
    ));
    let ask = GetCertificateRequest {
        certificate_id: certificate.certificate_id,
    };
    not_found(refused(
        world
            .certificates()
            .get_certificate(by(ask, "customer", me))
            .await,
    ));
    let place = multi_domain_request(&theirs, &["www.example.org"]);
    not_found(refused(
        world.orders().place_order(by(place, "customer", me)).await,
    ));
    let change = change_request(&order.order_id, &["a.example"], &[]);
    not_found(refused(
        world
            .orders()
            .update_domains(by(change, "customer", me))
            .await,
    ));
    let delete = DeleteOrderRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    not_found(refused(
        world
            .orders()
            .delete_order(by(delete, "customer", me))
            .await,
    ));
    let server = world.server(&order, "one");
    not_found(refused(
        world
            .servers()
            .register_server(by(server, "customer", me))
            .await,
    ));
    assert_eq!(world.balance(&theirs).await, "402.00 USD");

    let place = multi_domain_request(&mine, &["www.example.org"]);
    world
        .orders()
        .place_order(by(place, "customer", me))
        .await
        .unwrap();
    assert_eq!(world.balance(&mine).await, "402.00 USD");
}

async fn lists_show_the_callers_accounts_alone(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let mine = world.account_with("500.00").await;
    let theirs = world.account_with("500.00").await;
    let order = world.multi_domain_order(&mine, &["www.example.com"]).await;
    world
        .multi_domain_order(&theirs, &["www.example.com"])
        .await;
    let me = Some(mine.as_str());

    let ask = by(ListAccountsRequest::default(), "customer", me);
    let accounts = world
        .accounts()
        .list_accounts(ask)
        .await
        .unwrap()
        .into_inner()
        .accounts;
    let ids: Vec<_> = accounts
        .iter()
        .map(|account| account.account_id.as_str())
        .collect();
    assert_eq!(ids, [mine.as_str()]);
    let ask = by(ListOrdersRequest::default(), "customer", me);
    let orders = world
        .orders()
        .list_orders(ask)
        .await
        .unwrap()
        .into_inner()
        .orders;
    let ids: Vec<_> = orders.iter().map(|order| order.order_id.as_str()).collect();
    assert_eq!(ids, [order.order_id.as_str()]);
    let ask = by(ListInvoicesRequest::default(), "customer", me);
    let invoices = world
        .invoices()
        .list_invoices(ask)
        .await
        .unwrap()
        .into_inner()
        .invoices;
    assert!(invoices.iter().all(|invoice| invoice.account_id == mine) && invoices.len() == 1);
}
