//! Orders: certificates ordered for a term, their domains, servers and deletion. Billing handles
//! money, SanLicensing quotas of SANs. A change across services is a durable operation, which ends
//! wholly done or wholly undone.

mod convert;
mod events;
mod peers;
mod queries;
mod retention;
mod rpc;
mod rules;
mod store;
mod timers;
mod use_cases;

use std::sync::{Arc, Mutex, atomic::AtomicBool};

use licet_clients::purchase;
use licet_contracts::orders::v1::{
    certificate_service_server::CertificateServiceServer, order_service_server::OrderServiceServer,
    server_service_server::ServerServiceServer,
};
use licet_domain::clock::Clock;
use licet_runtime::{
    bookmark::Bookmark,
    chain,
    database::{Database, Location},
    fault::Fault,
    follow_position,
    follower::{Follow, Follower},
    operation::{Operations, Registry},
    operation_service::OperationRpc,
    peer::PeerChannel,
    schedule::DueWork,
    served,
    server::Service,
    verification::Verification,
};
use tonic::service::RoutesBuilder;

use crate::{
    peers::{Billing, Peers, SanLicensing},
    rpc::{
        certificate_service::CertificateRpc, order_service::OrderRpc, server_service::ServerRpc,
    },
    timers::{FollowReviews, RevokeInLicenses, TurnTerms},
    use_cases::{PreviewContext, follow_revocations::FollowRevocations, resource::Orders},
};

/// What Orders needs to run.
#[derive(Clone)]
pub struct Deps {
    /// Where its database is; [`build`] migrates it.
    pub location: Location,
    /// The clock of operations and timers; requests bring their own decision time.
    pub clock: Arc<dyn Clock>,
    /// The channel to Billing, as caller `orders`.
    pub billing: PeerChannel,
    /// The channel to SanLicensing, as caller `orders`.
    pub san_licensing: PeerChannel,
}

/// Builds the service, ready to be served. Its peers need not be running yet.
///
/// # Errors
/// If the database cannot be opened or migrated.
pub async fn build(deps: Deps) -> Result<Service, Fault> {
    let database = Database::open_rewriting(&deps.location, store::MIGRATIONS, &store::REWRITES)
        .await?
        .naming(store::SUBJECTS);
    let billing = deps.billing.between(&database, "billing");
    let san_licensing = deps.san_licensing.between(&database, "san-licensing");
    let follower = Follower::new(
        database.clone(),
        san_licensing.clone(),
        FollowRevocations {
            clock: deps.clock.clone(),
        },
    );
    let peers = Peers {
        billing: Billing::new(billing),
        san_licensing: SanLicensing::new(san_licensing),
    };
    let operations = Operations::new(
        database.clone(),
        Arc::new(peers.clone()),
        deps.clock.clone(),
        registry(),
    );
    let turns = TurnTerms {
        database: database.clone(),
        clock: deps.clock.clone(),
    };
    let reviews = FollowReviews {
        database: database.clone(),
        clock: deps.clock.clone(),
        billing: peers.billing.clone(),
        after: Mutex::new(None),
    };
    let returns = RevokeInLicenses {
        database: database.clone(),
        clock: deps.clock,
        san_licensing: peers.san_licensing.clone(),
        is_unanswered: AtomicBool::new(false),
    };
    let mut routes = RoutesBuilder::default();
    macro_rules! serve {
        ($server:ident, $rpc:expr) => {
            routes.add_service(served!($server::new($rpc)))
        };
    }
    let schema = || database.clone();
    let context = PreviewContext {
        database: schema(),
        peers,
    };
    serve!(
        OrderServiceServer,
        OrderRpc {
            context: context.clone(),
            operations: operations.clone()
        }
    );
    serve!(
        CertificateServiceServer,
        CertificateRpc {
            context,
            operations: operations.clone()
        }
    );
    serve!(ServerServiceServer, ServerRpc { database: schema() });
    let due: Vec<Arc<dyn DueWork>> = vec![
        Arc::new(turns),
        Arc::new(returns),
        Arc::new(reviews),
        Arc::new(follower),
    ];
    Ok(Service {
        name: "orders",
        routes,
        database,
        operations: Some(OperationRpc::of::<Orders, _>(operations)),
        due,
        retentions: &retention::ALL,
    })
}

/// The durable operations, each with the encoder of its response.
fn registry() -> Registry<Peers> {
    use convert::{cancellation, certificate, deletion, domains, order, renewal};
    use use_cases::{
        begin_issuance::BeginIssuanceOperation, cancel_domain_change::CancelDomainChangeOperation,
        charge_domains::UpdateDomainsOperation, earlier, finish_deletion::DeleteOrderOperation,
        place_order::PlaceOrderOperation, record_issuance::RecordIssuanceOperation,
        renew_order::RenewOrderOperation,
    };
    Registry::new(earlier::read)
        .with(
            purchase::steps::<PlaceOrderOperation>(),
            order::encode_placed,
        )
        .with(
            purchase::steps::<RenewOrderOperation>(),
            renewal::encode_renewal,
        )
        .with(UpdateDomainsOperation::steps(), domains::encode_update)
        .with(DeleteOrderOperation::steps(), deletion::encode_deletion)
        .with(
            CancelDomainChangeOperation::steps(),
            cancellation::encode_cancel,
        )
        .with(BeginIssuanceOperation::steps(), |started| {
            Ok(certificate::encode_started(started))
        })
        .with(RecordIssuanceOperation::steps(), |recorded| {
            certificate::encode_recorded(&recorded)
        })
}

/// The steps of its durable operations, each with its operation's kind.
#[must_use]
pub fn operation_steps() -> Vec<(&'static str, &'static str)> {
    registry().steps().collect()
}

/// Checks a store's event log against its hash chain, on one snapshot and read-only. Services
/// that use the store may keep running.
///
/// # Errors
/// If there is no such store, it is of another version, or it cannot be read.
pub async fn verify(location: &Location) -> Result<Verification, Fault> {
    let database = Database::open_read_only(location, store::MIGRATIONS).await?;
    let checks = chain::check_log(&database.read()).await?;
    Ok(Verification {
        checks: checks.into(),
    })
}

/// The bookmarks in SanLicensing's event log up to which its events are applied, for
/// `licet_san_licensing::verify_bookmarks`.
///
/// # Errors
/// As [`verify`].
pub async fn list_bookmarks(location: &Location) -> Result<Vec<Bookmark>, Fault> {
    let database = Database::open_read_only(location, store::MIGRATIONS).await?;
    follow_position::list_bookmarks(&database, FollowRevocations::SOURCE).await
}
