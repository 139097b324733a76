//! a service's first contact with a peer. The service checks that the peer offers the gRPC service it
//! needs, and remembers the id of the peer's store, even if a proxy stands between them.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use licet_contracts::billing::v1::{
    GetAccountRequest, ListAccountsRequest, account_service_client::AccountServiceClient,
};
use licet_domain::ids::AccountId;
use licet_runtime::{database::Database, peer::PeerChannel};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Code, Status,
    body::Body,
    codegen::{BoxFuture, Service, http},
    server::NamedService,
    transport::{Channel, Endpoint, Server},
};
use tonic_health::ServingStatus;

use crate::harness::{Backend, errors::refused, on_both_databases, world::World};

on_both_databases![
    x_2_a_peer_is_met_before_the_first_call_to_it,
    x_2_another_service_at_a_peers_address_is_not_taken_for_it,
    x_2_a_peer_behind_a_proxy_is_met_by_its_first_answer,
];

/// A client of Billing at this address, for the store of Orders.
fn accounts(own: &Database, address: &str) -> AccountServiceClient<PeerChannel> {
    let channel = PeerChannel::new(address, "orders").unwrap();
    AccountServiceClient::new(channel.between(own, "billing"))
}

/// The store of Orders, which is not running and has met no peer.
async fn own(world: &World) -> Database {
    Database::open(&world.orders_location(), &[]).await.unwrap()
}

/// Replaces Billing's store with a new one.
async fn lose_billing(world: &mut World) {
    world.stop_billing().await;
    world.lose_store("billing");
    world.start_billing().await;
}

fn unknown() -> GetAccountRequest {
    GetAccountRequest {
        account_id: AccountId::generate().to_string(),
    }
}

async fn x_2_a_peer_is_met_before_the_first_call_to_it(backend: Backend) {
    let mut world = World::start_with_san_licensing(backend).await;
    let mut accounts = accounts(&own(&world).await, &world.billing_address());
    // A first answer that is a refusal remembers nothing.
    let refusal = refused(accounts.get_account(unknown()).await);
    refusal.expect(Code::NotFound, "NOT_FOUND");
    lose_billing(&mut world).await;
    let refusal = crate::harness::eventually("Billing answers again", || {
        let mut accounts = accounts.clone();
        async move {
            let refusal = refused(accounts.get_account(unknown()).await);
            (refusal.code != Code::Unavailable).then_some(refusal)
        }
    })
    .await;
    refusal.expect(Code::FailedPrecondition, "PEER_STORE_CHANGED");
}

async fn x_2_another_service_at_a_peers_address_is_not_taken_for_it(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    let own = own(&world).await;
    let mut wrong = accounts(&own, &world.san_licensing_address());
    let refusal = refused(wrong.get_account(unknown()).await);
    refusal.expect(Code::Unavailable, "PEER_UNAVAILABLE");
    // Orders has not stored that address's store as Billing's.
    let mut right = accounts(&own, &world.billing_address());
    let refusal = refused(right.get_account(unknown()).await);
    refusal.expect(Code::NotFound, "NOT_FOUND");
}

/// Forwards calls of the account service to Billing.
#[derive(Clone)]
struct PassedOn(Channel);

impl NamedService for PassedOn {
    const NAME: &'static str = "licet.billing.v1.AccountService";
}

impl Service<http::Request<Body>> for PassedOn {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut channel = self.0.clone();
        Box::pin(async move {
            let passed = async {
                std::future::poll_fn(|context| channel.poll_ready(context)).await?;
                channel.call(request).await
            };
            Ok(match passed.await {
                Ok(answer) => answer,
                Err(error) => Status::unavailable(error.to_string()).into_http(),
            })
        })
    }
}

/// A proxy for Billing that answers health checks itself and names no store.
async fn proxy(world: &World) -> String {
    let (reporter, health) = tonic_health::server::health_reporter();
    let serving = ServingStatus::Serving;
    reporter.set_service_status(PassedOn::NAME, serving).await;
    let billing = Endpoint::from_shared(world.billing_address()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Server::builder()
        .add_service(health)
        .add_service(PassedOn(billing.connect_lazy()));
    tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    format!("http://{address}")
}

async fn x_2_a_peer_behind_a_proxy_is_met_by_its_first_answer(backend: Backend) {
    let mut world = World::start_with_san_licensing(backend).await;
    let own = own(&world).await;
    let mut accounts = accounts(&own, &proxy(&world).await);
    // A refusal may come from another service and proves nothing, but calls go through.
    let refusal = refused(accounts.get_account(unknown()).await);
    refusal.expect(Code::NotFound, "NOT_FOUND");
    let everyone = ListAccountsRequest::default();
    accounts.list_accounts(everyone.clone()).await.unwrap();
    lose_billing(&mut world).await;
    let refusal = crate::harness::eventually("Billing answers again", || {
        let mut accounts = accounts.clone();
        let everyone = everyone.clone();
        async move {
            match accounts.list_accounts(everyone).await {
                Err(status) if status.code() == Code::Unavailable => None,
                answer => Some(refused(answer)),
            }
        }
    })
    .await;
    refusal.expect(Code::FailedPrecondition, "PEER_STORE_CHANGED");
}
