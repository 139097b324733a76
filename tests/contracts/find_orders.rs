//! FindOrders finds an order by anything a support ticket may quote, and only for callers who may see it.

use licet_contracts::{
    billing::v1::ListInvoicesRequest,
    orders::v1::{FindOrdersRequest, UpdateDomainsRequest},
};
use tonic::Code;

use crate::harness::{
    Backend, errors::refused, on_both_databases, request_id, samples::change_request, world::World,
};

on_both_databases![
    an_order_is_found_by_all_that_is_known_of_it,
    found_orders_are_paged_and_of_the_callers_accounts,
    a_clue_that_is_none_is_refused,
];

fn known(clue: &str) -> FindOrdersRequest {
    FindOrdersRequest {
        clue: clue.to_owned(),
        ..FindOrdersRequest::default()
    }
}

async fn find(world: &World, clue: &str) -> Vec<String> {
    let answer = world.orders().find_orders(known(clue)).await;
    let orders = answer.unwrap().into_inner().orders;
    orders.into_iter().map(|order| order.order_id).collect()
}

async fn an_order_is_found_by_all_that_is_known_of_it(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com", "shop.example.com"])
        .await;
    let other = world
        .multi_domain_order(&account_id, &["www.example.org"])
        .await;
    let certificate = world.record(&order.order_id).await;
    world.record(&other.order_id).await;
    let change = UpdateDomainsRequest {
        request_id: request_id().to_uppercase(),
        ..change_request(&order.order_id, &["new.example.com"], &[])
    };
    world.orders().update_domains(change.clone()).await.unwrap();
    let invoices = world.invoices_of(&order.order_id).await;
    let mut colons = certificate.serial.clone();
    if colons.len() % 2 == 1 {
        colons.insert(0, '0');
    }
    let pairs: Vec<_> = (0..colons.len())
        .step_by(2)
        .map(|at| &colons[at..at + 2])
        .collect();
    let clues = [
        order.order_id.clone(),
        certificate.serial.to_uppercase(),
        pairs.join(":"),
        certificate.fingerprint_sha256.clone(),
        format!(" {}\n", certificate.fingerprint_sha256.to_uppercase()),
        "Shop.Example.COM.".to_owned(),
        invoices[0].invoice_id.clone(),
        invoices[0].number.clone(),
        invoices[0].number.to_lowercase(),
        change.request_id.clone(),
        change.request_id.to_lowercase(),
    ];
    for clue in clues {
        assert_eq!(
            find(&world, &clue).await,
            [order.order_id.as_str()],
            "{clue}"
        );
    }
    for clue in ["INV-999999", "abcdef0123", "nowhere.example", &request_id()] {
        assert!(find(&world, clue).await.is_empty(), "{clue}");
    }
    // The invoice with a number, as Orders asks Billing for it.
    let by_number = ListInvoicesRequest {
        number: invoices[0].number.clone(),
        ..ListInvoicesRequest::default()
    };
    let found = world.invoices().list_invoices(by_number).await.unwrap();
    assert_eq!(found.into_inner().invoices, invoices[..1]);
    let wrong = ListInvoicesRequest {
        number: "INV-1".to_owned(),
        ..ListInvoicesRequest::default()
    };
    let wrong = refused(world.invoices().list_invoices(wrong).await);
    wrong.expect(Code::InvalidArgument, "INVALID_FIELDS");
}

async fn found_orders_are_paged_and_of_the_callers_accounts(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let other = world.account_with("1000.00").await;
    let mut expected = Vec::new();
    for owner in [&account_id, &account_id, &other] {
        let order = world.multi_domain_order(owner, &["www.example.com"]).await;
        expected.insert(0, order.order_id);
    }
    assert_eq!(find(&world, "www.example.com").await, expected);
    let mut request = FindOrdersRequest {
        page_size: 2,
        ..known("www.example.com")
    };
    let first = world.orders().find_orders(request.clone()).await.unwrap();
    let first = first.into_inner();
    request.page_token = first.next_page_token;
    let second = world.orders().find_orders(request.clone()).await.unwrap();
    let second = second.into_inner();
    let paged = first.orders.iter().chain(&second.orders);
    assert_eq!(
        paged.map(|it| it.order_id.clone()).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(second.next_page_token, "");
    let as_customer = |clue: &str, account: &str| {
        let mut request = tonic::Request::new(known(clue));
        let metadata = request.metadata_mut();
        metadata.insert("licet-roles", "customer".parse().unwrap());
        metadata.insert("licet-accounts", account.parse().unwrap());
        request
    };
    let own = as_customer("www.example.com", &other);
    let own = world.orders().find_orders(own).await.unwrap().into_inner();
    assert_eq!(own.orders.len(), 1);
    assert_eq!(own.orders[0].order_id, expected[0]);
    // An invoice's number finds nothing either, though Billing returns invoices of every account to Orders.
    let number = world.invoices_of(&expected[0]).await[0].number.clone();
    let foreign = as_customer(&number, &account_id);
    let foreign = world.orders().find_orders(foreign).await.unwrap();
    assert!(foreign.into_inner().orders.is_empty());
}

async fn a_clue_that_is_none_is_refused(backend: Backend) {
    let world = World::start(backend).await;
    for clue in ["", "  ", "what is this?", &"a".repeat(301)] {
        let wrong = refused(world.orders().find_orders(known(clue)).await)
            .expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(wrong.fields[0].0, "clue");
    }
}
