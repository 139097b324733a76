//! A customer sees the accounts its caller names, and none if it names none, in every method a customer
//! may call. Methods and fields are read from the contract, so a new one cannot be forgotten.

use licet_contracts::{
    FILE_DESCRIPTOR_SET, METHODS, Method,
    billing::v1::{CreateQuoteRequest, GetStatementRequest, LineKind, RenderStatementRequest},
    operations::v1::ListOperationsRequest,
    orders::v1::{
        FindOrdersRequest, ListAdditionalLicenseOptionsRequest, RenewOrderRequest,
        SetServerSoftwareRequest,
    },
    types::v1::Role,
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MethodDescriptor, Value};
use tonic::{Code, Request, Status};

use crate::harness::{
    Backend,
    channel::Channel,
    clock::shifted,
    errors::take_apart,
    on_both_databases, raw, request_id,
    samples::{MULTI, change_request, multi_domain_request},
    san::{OTHER, preview_request, revoke_request},
    selling::{ask, item},
    terms::period,
    world::World,
};

on_both_databases![
    a_customer_without_accounts_sees_nothing,
    a_customer_with_a_further_role_sees_what_that_one_sees,
];

/// The catalogue's methods, which belong to no account.
const OPEN: [&str; 3] = ["GetProduct", "ListProducts", "ListPrices"];

/// The resources of one account, one of each kind.
struct Things {
    /// Ids by the field that names them, with the service's area where several services use the field.
    ids: Vec<(&'static str, String)>,
    /// Requests that need more than ids.
    requests: Vec<(&'static str, Vec<u8>)>,
}

async fn things(world: &World) -> Things {
    world.stock().await;
    world.stock_sans().await;
    let account_id = world.account_with("100000.00").await;
    let license = world.license(&account_id, 10).await;
    let counted = world.recorded(&license, &["a.example"]).await;
    world.granted(&license, &["reserved.example"]).await;
    let mut elsewhere = world.report(&license, &["unallocated.example"]);
    elsewhere.product_id = OTHER.to_owned();
    world.record_san(elsewhere).await;
    // A customer must have seen what a revocation frees.
    let preview = world.preview(&license, &[&counted]).await;
    let mut revocation = revoke_request(&license, &[&counted]);
    revocation.preview_token = preview.preview_token;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    let certificate = world.record(&order.order_id).await;
    let server = world.server(&order, "one");
    let registered = world.servers().register_server(server.clone()).await;
    let server_id = registered.unwrap().into_inner().server.unwrap().server_id;
    let charged = ListOperationsRequest::default();
    let charged = world.operations().list_operations(charged).await.unwrap();
    let operation = charged.into_inner().operations.remove(0);
    let sold = ListOperationsRequest::default();
    let sold = world.san_operations().list_operations(sold).await.unwrap();
    let sold = sold.into_inner().operations.remove(0);
    let invoice = world.invoices_of(&order.order_id).await.remove(0);
    let deleted = world.multi_domain_order(&account_id, &["b.example"]).await;
    let deletion = licet_contracts::orders::v1::DeleteOrderRequest {
        order_id: deleted.order_id,
        request_id: request_id(),
        ..Default::default()
    };
    let deleted = world.orders().delete_order(deletion).await.unwrap();
    let refund = deleted.into_inner().refund.unwrap();
    let quote: CreateQuoteRequest = ask(&account_id, vec![item(LineKind::Certificate, MULTI, 1)]);
    let span = Some(period(shifted(world.now(), -1_000_000), world.now()));
    let order_id = order.order_id.clone();
    let mut statement = GetStatementRequest::default();
    statement.account_id.clone_from(&account_id);
    statement.period = span;
    let rendered = RenderStatementRequest {
        account_id: account_id.clone(),
        period: span,
    };
    let renewal = RenewOrderRequest {
        order_id: order_id.clone(),
        term_months: 12,
        request_id: request_id(),
        ..RenewOrderRequest::default()
    };
    let options = ListAdditionalLicenseOptionsRequest {
        order_id: order_id.clone(),
        additional_licenses: 3,
    };
    let software = SetServerSoftwareRequest {
        order_id: order_id.clone(),
        server_software: "apache".to_owned(),
        request_id: request_id(),
    };
    let known = FindOrdersRequest {
        clue: order_id.clone(),
        ..FindOrdersRequest::default()
    };
    let requests = vec![
        ("FindOrders", known.encode_to_vec()),
        ("CreateQuote", quote.encode_to_vec()),
        ("GetStatement", statement.encode_to_vec()),
        ("RenderStatement", rendered.encode_to_vec()),
        (
            "PlaceOrder",
            multi_domain_request(&account_id, &["c.example"]).encode_to_vec(),
        ),
        (
            "UpdateDomains",
            change_request(&order_id, &["d.example"], &[]).encode_to_vec(),
        ),
        ("RenewOrder", renewal.encode_to_vec()),
        ("ListAdditionalLicenseOptions", options.encode_to_vec()),
        ("SetServerSoftware", software.encode_to_vec()),
        ("RegisterServer", server.encode_to_vec()),
        (
            "PreviewRevocation",
            preview_request(&license, &[&counted]).encode_to_vec(),
        ),
        ("RevokeCertificates", revocation.encode_to_vec()),
    ];
    let ids = vec![
        ("account_id", account_id),
        ("order_id", order_id),
        ("certificate_id", certificate.certificate_id),
        ("server_id", server_id),
        ("invoice_id", invoice.invoice_id),
        ("quote_id", invoice.quote_id),
        ("refund_id", refund.refund_id),
        ("license_id", license.license_id),
        ("operation_id orders", operation.operation_id),
        ("operation_id sanlicensing", sold.operation_id),
    ];
    Things { ids, requests }
}

impl Things {
    /// A request of the method for these resources.
    fn request(&self, area: &str, method: &MethodDescriptor) -> Vec<u8> {
        let ready = self
            .requests
            .iter()
            .find(|(name, _)| *name == method.name());
        if let Some((_, request)) = ready {
            return request.clone();
        }
        // List methods are called without a filter.
        if method.name().starts_with("List") && !self.is_within_one(method) {
            return Vec::new();
        }
        let mut request = DynamicMessage::new(method.input());
        for field in method.input().fields() {
            let name = field.name();
            let with_area = format!("{name} {area}");
            let found = self
                .ids
                .iter()
                .find(|(known, _)| *known == name || *known == with_area);
            let id = match (found, name) {
                (Some((_, id)), _) => id.clone(),
                (None, "request_id") => request_id(),
                (None, _) => continue,
            };
            assert_eq!(field.kind(), Kind::String);
            request.set_field(&field, Value::String(id));
        }
        request.encode_to_vec()
    }

    /// Whether the list method requires the id of a resource whose parts it lists.
    fn is_within_one(&self, method: &MethodDescriptor) -> bool {
        let within = [
            "ListEntries",
            "ListOrderHistory",
            "ListServers",
            "ListReservations",
        ];
        let counted = ["ListUniqueSans", "ListDailyUsage"];
        let is_counted = method.parent_service().name() == "UsageService";
        within.contains(&method.name())
            || (is_counted
                && (counted.contains(&method.name()) || method.name() == "ListCertificates"))
    }
}

async fn call(
    world: &World,
    area: &str,
    method: &MethodDescriptor,
    path: &'static str,
    request: Vec<u8>,
    roles: &'static str,
) -> Result<Vec<u8>, Status> {
    let channel: Channel = match area {
        "billing" => world.billing_channel(),
        "orders" => world.orders_channel(),
        _ => world.san_channel(0),
    };
    let mut request = Request::new(request);
    let roles = roles.parse().unwrap();
    request.metadata_mut().insert("licet-roles", roles);
    let name = method.full_name();
    let answered = raw::first_answer(channel, path, request).await;
    answered.map(|first| first.unwrap_or_else(|| panic!("{name} gave no answer")))
}

/// The methods that a customer may call and that concern an account.
fn of_customers(pool: &DescriptorPool) -> Vec<(&'static Method, MethodDescriptor)> {
    let open = METHODS
        .iter()
        .filter(|method| method.roles.contains(&Role::Customer));
    let found = open.map(|method| {
        let (service, name) = method.path[1..].split_once('/').unwrap();
        let service = pool.get_service_by_name(service).unwrap();
        let found = service.methods().find(|found| found.name() == name);
        (method, found.unwrap())
    });
    found
        .filter(|(_, method)| !OPEN.contains(&method.name()))
        .collect()
}

/// The areas whose services have this method.
fn areas(path: &str) -> Vec<&str> {
    match path.split('.').nth(1).unwrap() {
        "operations" => vec!["orders", "sanlicensing"],
        area => vec![area],
    }
}

async fn a_customer_without_accounts_sees_nothing(backend: Backend) {
    let world = World::start_whole(backend).await;
    let things = things(&world).await;
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let methods = of_customers(&pool);
    let served = methods.iter().flat_map(|(Method { path, .. }, method)| {
        let areas = areas(path).into_iter();
        areas.map(move |area| (area, *path, method))
    });
    let served: Vec<_> = served.collect();
    assert!(served.len() > 50, "{}", served.len());
    for (area, path, method) in served {
        let request = things.request(area, method);
        let answer = call(&world, area, method, path, request.clone(), "customer").await;
        match answer {
            // An empty list encodes to no bytes.
            Ok(list)
                if ["Find", "List"]
                    .iter()
                    .any(|verb| method.name().starts_with(verb)) =>
            {
                assert!(list.is_empty(), "{path}: {list:?}");
            }
            Ok(answer) => panic!("{path} returned {answer:?}"),
            Err(status) => {
                let refusal = take_apart(&status);
                assert_eq!(refusal.code, Code::NotFound, "{path}: {refusal:?}");
            }
        }
        // Callers who may see them find the resources.
        if !method
            .input()
            .fields()
            .any(|field| field.name() == "request_id")
        {
            let shown = call(&world, area, method, path, request, "operator").await;
            assert!(!shown.unwrap().is_empty(), "{path}");
        }
    }
}

async fn a_customer_with_a_further_role_sees_what_that_one_sees(backend: Backend) {
    let world = World::start_whole(backend).await;
    let things = things(&world).await;
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let service = pool
        .get_service_by_name("licet.orders.v1.OrderService")
        .unwrap();
    let method = service
        .methods()
        .find(|method| method.name() == "DeleteOrder")
        .unwrap();
    let path = "/licet.orders.v1.OrderService/DeleteOrder";
    let request = things.request("orders", &method);
    // Only the customer role may delete, and it is confined to its accounts.
    let answer = call(&world, "orders", &method, path, request, "customer,finance").await;
    take_apart(&answer.unwrap_err()).expect(Code::NotFound, "NOT_FOUND");
    let request = things.request("orders", &method);
    let answer = call(&world, "orders", &method, path, request, "customer,sales").await;
    assert!(!answer.unwrap().is_empty());
}
