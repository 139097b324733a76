//! Bad input: the response lists every field violation with its path, or NOT_FOUND with the id, and the
//! store is unchanged.

use licet_contracts::{
    billing::v1::{
        GetAccountRequest, GetInvoiceRequest, GetProductRequest, GetQuoteRequest, GetRefundRequest,
    },
    operations::v1::GetOperationRequest,
    orders::v1::{
        DeleteOrderRequest, GetCertificateRequest, GetOrderRequest, PlaceOrderRequest,
        RegisterServerRequest, UnregisterServerRequest, UpdateDomainsRequest,
    },
};
use licet_domain::ids::{
    AccountId, CertificateId, InvoiceId, OperationId, OrderId, QuoteId, RefundId, ServerId,
};
use tonic::Code;

use crate::harness::{
    Backend,
    errors::{Refused, refused},
    on_both_databases, request_id,
    samples::{change_request, multi_domain_request, names},
    world::World,
};

on_both_databases![
    every_violation_of_an_order_at_once,
    a_bad_name_is_reported_with_its_place_in_the_list,
    ten_thousand_bad_names_fit_into_the_answer,
    an_unknown_id_is_not_found_by_that_id,
    an_id_of_another_kind_is_malformed,
    what_was_refused_changed_nothing,
];

async fn every_violation_of_an_order_at_once(backend: Backend) {
    let world = World::start(backend).await;
    let request = PlaceOrderRequest {
        account_id: "nobody".to_owned(),
        product_id: "Not An Id".to_owned(),
        term_months: 0,
        common_name: String::new(),
        domains: names(&[
            "good.example",
            "under_score.example",
            "good2.example",
            "a..b",
        ]),
        server_software: String::new(),
        additional_licenses: -1,
        csr: "no request".to_owned(),
        validate_only: false,
        request_id: "7".to_owned(),
        ..PlaceOrderRequest::default()
    };
    let refusal = refused(world.orders().place_order(request).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    let expected = [
        "account_id",
        "additional_licenses",
        "common_name",
        "csr",
        "domains[1]",
        "domains[3]",
        "product_id",
        "request_id",
        "server_software",
        "term_months",
    ];
    assert_eq!(refusal.paths(), expected);
    assert!(
        refusal.fields.iter().all(|(_, text)| !text.is_empty()),
        "{refusal:?}"
    );
    assert_eq!(refusal.value("violations"), "10");
    // Many tools show only an error's message.
    assert!(refusal.message.starts_with("10 field violations: "));
    for (path, description) in &refusal.fields {
        let said = format!("{path} {description}");
        assert!(
            refusal.message.contains(&said),
            "{said}: {}",
            refusal.message
        );
    }
    assert_eq!(refusal.domain, "licet.orders");
}

async fn a_bad_name_is_reported_with_its_place_in_the_list(backend: Backend) {
    let world = World::start(backend).await;
    let request = UpdateDomainsRequest {
        order_id: OrderId::generate().to_string(),
        add_domains: names(&[
            "a.example",
            "b.example",
            "c.example",
            "-bad.example",
            "*.*.example",
        ]),
        remove_domains: names(&["a b"]),
        request_id: request_id(),
        ..UpdateDomainsRequest::default()
    };
    let refusal = refused(world.orders().update_domains(request).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(
        refusal.paths(),
        ["add_domains[3]", "add_domains[4]", "remove_domains[0]"]
    );
}

async fn ten_thousand_bad_names_fit_into_the_answer(backend: Backend) {
    let world = World::start(backend).await;
    let request = UpdateDomainsRequest {
        order_id: OrderId::generate().to_string(),
        add_domains: (0..10_000)
            .map(|number| format!("bad name {number}"))
            .collect(),
        request_id: request_id(),
        ..UpdateDomainsRequest::default()
    };
    let refusal = refused(world.orders().update_domains(request).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert!(
        refusal.detail_bytes < 8192,
        "{} bytes",
        refusal.detail_bytes
    );
    assert_eq!(refusal.value("violations"), "10000");
    assert_eq!(
        refusal.value("violations_shown"),
        refusal.fields.len().to_string()
    );
    assert_eq!(refusal.fields[1].0, "add_domains[1]");
    let text = &refusal.message;
    assert!(
        text.contains("add_domains[10] ") && text.ends_with(" more"),
        "{text}"
    );
    assert!(text.len() <= 2048, "{} bytes", text.len());
}

#[track_caller]
fn not_found(refusal: Refused, id: &impl ToString) {
    let refusal = refusal.expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(refusal.value("id"), id.to_string());
    assert!(!refusal.value("resource").is_empty());
    assert!(
        refusal.message.contains(&id.to_string()),
        "{}",
        refusal.message
    );
}

async fn an_unknown_id_is_not_found_by_that_id(backend: Backend) {
    let world = World::start(backend).await;
    let id = AccountId::generate();
    let ask = GetAccountRequest {
        account_id: id.to_string(),
    };
    not_found(refused(world.accounts().get_account(ask).await), &id);
    let id = InvoiceId::generate();
    let ask = GetInvoiceRequest {
        invoice_id: id.to_string(),
    };
    not_found(refused(world.invoices().get_invoice(ask).await), &id);
    let id = QuoteId::generate();
    let ask = GetQuoteRequest {
        quote_id: id.to_string(),
    };
    not_found(refused(world.quotes().get_quote(ask).await), &id);
    let id = RefundId::generate();
    let ask = GetRefundRequest {
        refund_id: id.to_string(),
    };
    not_found(refused(world.refunds().get_refund(ask).await), &id);
    let ask = GetProductRequest {
        product_id: "unheard-of".to_owned(),
        selection: None,
    };
    not_found(
        refused(world.catalog().get_product(ask).await),
        &"unheard-of",
    );

    let id = OrderId::generate();
    let ask = GetOrderRequest {
        order_id: id.to_string(),
    };
    not_found(refused(world.orders().get_order(ask).await), &id);
    let change = change_request(&id.to_string(), &["a.example"], &[]);
    not_found(refused(world.orders().update_domains(change).await), &id);
    let delete = DeleteOrderRequest {
        order_id: id.to_string(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    not_found(refused(world.orders().delete_order(delete).await), &id);
    let record = world.issuance(&id.to_string(), &names(&["www.example.com"]));
    not_found(
        refused(world.certificates().record_issuance(record).await),
        &id,
    );
    let register = RegisterServerRequest {
        order_id: id.to_string(),
        host_name: "one".to_owned(),
        server_software: "nginx".to_owned(),
        common_name: "www.example.com".to_owned(),
        request_id: request_id(),
    };
    not_found(
        refused(world.servers().register_server(register).await),
        &id,
    );
    let id = CertificateId::generate();
    let ask = GetCertificateRequest {
        certificate_id: id.to_string(),
    };
    not_found(
        refused(world.certificates().get_certificate(ask).await),
        &id,
    );
    let id = ServerId::generate();
    let leave = UnregisterServerRequest {
        server_id: id.to_string(),
        request_id: request_id(),
    };
    not_found(refused(world.servers().unregister_server(leave).await), &id);
    let id = OperationId::generate();
    let ask = GetOperationRequest {
        operation_id: id.to_string(),
    };
    not_found(refused(world.operations().get_operation(ask).await), &id);
}

async fn an_id_of_another_kind_is_malformed(backend: Backend) {
    let world = World::start(backend).await;
    for id in [
        AccountId::generate().to_string(),
        "ord_".to_owned(),
        "'; DROP".to_owned(),
    ] {
        let ask = GetOrderRequest { order_id: id };
        let refusal = refused(world.orders().get_order(ask).await);
        let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(refusal.paths(), ["order_id"]);
        assert!(refusal.fields[0].1.contains("ord"), "{refusal:?}");
    }
}

async fn what_was_refused_changed_nothing(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("200.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com", "a.example"])
        .await;
    world.record(&order.order_id).await;
    let before = (
        world.get_order(&order.order_id).await,
        world.get_account(&account_id).await,
    );
    let order_id = order.order_id.as_str();
    for request in [
        change_request(order_id, &["b.example", "not a name"], &[]),
        change_request(order_id, &["a.example"], &[]),
        change_request(order_id, &[], &["www.example.com"]),
        change_request(order_id, &["b.example", "c.example"], &[]),
        UpdateDomainsRequest {
            quote_id: QuoteId::generate().to_string(),
            ..change_request(order_id, &["b.example"], &[])
        },
    ] {
        refused(world.orders().update_domains(request).await);
        let after = (
            world.get_order(order_id).await,
            world.get_account(&account_id).await,
        );
        assert_eq!(after, before);
    }
    let dear = multi_domain_request(&account_id, &["www.example.org", "a.example"]);
    refused(world.orders().place_order(dear).await)
        .expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    let after = (
        world.get_order(order_id).await,
        world.get_account(&account_id).await,
    );
    assert_eq!(after, before);
    assert_eq!(world.invoices_of_account(&account_id).await.len(), 1);
}
