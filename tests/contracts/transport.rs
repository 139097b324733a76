//! Compressed requests and calls that are not gRPC: gzip works both ways, and any other protocol is refused
//! in its own terms.

use licet_contracts::billing::v1::{
    DepositRequest, ListAccountsRequest, account_service_client::AccountServiceClient,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    codec::CompressionEncoding::Gzip,
    codegen::{Service as _, http},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::harness::{
    Backend, channel::Channel, errors::take_apart, on_both_databases, request_id, samples::usd,
    world::World,
};

on_both_databases![
    gzip_is_taken_and_given_by_every_service,
    what_unpacks_beyond_the_largest_message_is_refused,
    what_nobody_unpacks_is_told_what_is,
    what_is_no_grpc_is_answered_as_http,
];

const DEPOSIT: &str = "/licet.billing.v1.AccountService/Deposit";

fn packed<T>(answer: &Response<T>) -> Option<&str> {
    let encoding = answer.metadata().get("grpc-encoding");
    encoding.map(|value| value.to_str().unwrap())
}

async fn gzip_is_taken_and_given_by_every_service(backend: Backend) {
    let mut world = World::start(backend).await;
    world.start_san_licensing().await;
    let account_id = world.empty_account().await;
    let plain = world.accounts();
    let mut gzip = plain.clone().send_compressed(Gzip).accept_compressed(Gzip);
    let deposit = DepositRequest {
        account_id,
        amount: usd("10.00"),
        reference: "a".repeat(200),
        request_id: request_id(),
    };
    let answer = gzip.deposit(deposit.clone()).await.unwrap();
    assert_eq!(packed(&answer), Some("gzip"));
    // A client that does not accept gzip gets a plain response.
    let again = plain.clone().deposit(deposit).await.unwrap();
    assert_eq!(packed(&again), None);
    assert_eq!(again.into_inner(), answer.into_inner(), "BL-2");

    macro_rules! lists {
        ($client:expr, $method:ident) => {{
            let client = $client.send_compressed(Gzip).accept_compressed(Gzip);
            let answer = client
                .clone()
                .$method(Request::new(Default::default()))
                .await;
            assert_eq!(packed(&answer.unwrap()), Some("gzip"));
        }};
    }
    lists!(world.accounts(), list_accounts);
    lists!(world.catalog(), list_products);
    lists!(world.invoices(), list_invoices);
    lists!(world.refunds(), list_refunds);
    lists!(world.orders(), list_orders);
    lists!(world.certificates(), list_certificates);
    lists!(world.operations(), list_operations);
    lists!(world.san_licenses(), list_licenses);
    lists!(world.san_ingest(), list_unallocated);
    let events = world.orders_events().send_compressed(Gzip);
    let follow = licet_contracts::events::v1::StreamEventsRequest {
        follow: Some(false),
        ..Default::default()
    };
    events.clone().stream_events(follow).await.unwrap();
    let health = HealthClient::new(Channel::to(&world.billing_address())).send_compressed(Gzip);
    let check = HealthCheckRequest::default();
    health.clone().check(check).await.unwrap();
}

/// 8 MiB of one letter compress to a few kilobytes.
async fn what_unpacks_beyond_the_largest_message_is_refused(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.empty_account().await;
    let deposit = DepositRequest {
        account_id: account_id.clone(),
        amount: usd("10.00"),
        reference: "a".repeat(8 << 20),
        request_id: request_id(),
    };
    let mut gzip = world.accounts().send_compressed(Gzip);
    let refused: Status = gzip.deposit(deposit).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert_eq!(world.balance(&account_id).await, "0.00 USD");
}

/// A call as another client library may make it.
async fn call(
    world: &World,
    change: impl FnOnce(&mut http::Request<Body>),
) -> http::Response<Body> {
    let mut request = http::Request::post(format!("{}{DEPOSIT}", world.billing_address()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::empty())
        .unwrap();
    change(&mut request);
    let mut channel = Channel::to(&world.billing_address());
    std::future::poll_fn(|context| channel.poll_ready(context))
        .await
        .unwrap();
    channel.call(request).await.unwrap()
}

fn header<'a>(answer: &'a http::Response<Body>, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

async fn what_nobody_unpacks_is_told_what_is(backend: Backend) {
    let world = World::start(backend).await;
    for encoding in ["deflate", "zstd", "br"] {
        let answer = call(&world, |request| {
            let value = encoding.parse().unwrap();
            request.headers_mut().insert("grpc-encoding", value);
        })
        .await;
        assert_eq!(header(&answer, "grpc-accept-encoding"), "gzip,identity");
        let status = Status::from_header_map(answer.headers()).unwrap();
        let refusal = take_apart(&status);
        let refusal = refusal.expect(Code::Unimplemented, "ENCODING_NOT_SUPPORTED");
        assert!(refusal.message.contains(encoding), "{}", refusal.message);
    }
    let answer = call(&world, |request| {
        let value = "identity".parse().unwrap();
        request.headers_mut().insert("grpc-encoding", value);
    })
    .await;
    let status = Status::from_header_map(answer.headers());
    assert!(status.is_none_or(|status| status.code() != Code::Unimplemented));
}

async fn what_is_no_grpc_is_answered_as_http(backend: Backend) {
    let world = World::start(backend).await;
    for content_type in ["application/json", "text/html", "application/grpc-web"] {
        let answer = call(&world, |request| {
            let value = content_type.parse().unwrap();
            request.headers_mut().insert("content-type", value);
        })
        .await;
        assert_eq!(answer.status(), 415, "{content_type}");
        assert_eq!(header(&answer, "grpc-status"), "");
    }
    let got = call(&world, |request| *request.method_mut() = http::Method::GET).await;
    assert_eq!(
        (got.status().as_u16(), header(&got, "allow")),
        (405, "POST")
    );

    // A browser speaks HTTP/1.1 on a plaintext port.
    let address = world.billing_address();
    let mut browser = TcpStream::connect(address.trim_start_matches("http://"))
        .await
        .unwrap();
    let asked = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    browser.write_all(asked).await.unwrap();
    let mut page = String::new();
    browser.read_to_string(&mut page).await.unwrap();
    assert!(page.starts_with("HTTP/1.1 405 "), "{page}");
    assert!(page.contains("gRPC"), "{page}");

    // The service still works.
    let mut accounts = AccountServiceClient::new(Channel::to(&address));
    let list = Request::new(ListAccountsRequest::default());
    accounts.list_accounts(list).await.unwrap();
}
