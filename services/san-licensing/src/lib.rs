//! SanLicensing: licences for a quota of SANs, and decisions under them. Money is Billing's: a change that
//! spans both services is a durable operation, which ends wholly done or wholly undone.

mod convert;
mod events;
mod peers;
mod queries;
mod quota;
mod retention;
mod rpc;
mod rules;
mod store;
mod timers;
mod use_cases;

use std::sync::{Arc, Mutex};

use licet_clients::purchase;
use licet_contracts::sanlicensing::v1::{
    ingest_service_server::IngestServiceServer, issuance_service_server::IssuanceServiceServer,
    license_service_server::LicenseServiceServer, usage_service_server::UsageServiceServer,
};
use licet_domain::clock::Clock;
use licet_runtime::{
    bookmark::Bookmark,
    chain,
    database::{Database, Location},
    fault::Fault,
    follow_position,
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
    peers::Billing,
    queries::usage::UsageCounter,
    quota::Quota,
    rpc::{
        ingest_service::IngestRpc, issuance_service::IssuanceRpc, license_service::LicenseRpc,
        usage_service::UsageRpc,
    },
    timers::{AlertOnTurns, AllocateCertificates, ApplyMissedRevocations},
    use_cases::{Sources, resource::Licenses},
};

pub use crate::quota::EngineSettings;

/// Dependencies of the service.
#[derive(Clone)]
pub struct Deps {
    /// Location of its schema, which is migrated when the service is built.
    pub location: Location,
    /// The clock of resumed operations, background work and watches. Requests bring their own decision time.
    pub clock: Arc<dyn Clock>,
    /// The channel to Billing, as caller `san-licensing`.
    pub billing: PeerChannel,
    /// Settings of the quota engine.
    pub engine: EngineSettings,
}

/// Builds the service, ready to be served. Billing need not be running yet.
///
/// # Errors
/// The database cannot be opened or its schema not migrated.
pub async fn build(deps: Deps) -> Result<Service, Fault> {
    let database = Database::open_rewriting(&deps.location, store::MIGRATIONS, &store::REWRITES)
        .await?
        .naming(store::SUBJECTS);
    let quota = Quota::start(database.reserved(), deps.engine);
    let billing = Billing::new(deps.billing.between(&database, "billing"));
    let clock = Arc::clone(&deps.clock);
    let operations = Operations::new(
        database.clone(),
        Arc::new(billing.clone()),
        deps.clock.clone(),
        registry(),
    );
    let allocation = AllocateCertificates {
        database: database.clone(),
        quota: quota.clone(),
        clock: deps.clock.clone(),
        after: Mutex::new(None),
    };
    let missed = ApplyMissedRevocations {
        database: database.clone(),
        quota: quota.clone(),
        clock: deps.clock.clone(),
    };
    let turns = AlertOnTurns {
        database: database.clone(),
        clock: deps.clock.clone(),
    };
    let mut routes = RoutesBuilder::default();
    macro_rules! serve {
        ($server:ident, $rpc:expr) => {
            routes.add_service(served!($server::new($rpc)))
        };
    }
    let schema = || database.clone();
    serve!(
        LicenseServiceServer,
        LicenseRpc {
            sources: Sources {
                database: schema(),
                billing
            },
            operations: operations.clone()
        }
    );
    serve!(
        IssuanceServiceServer,
        IssuanceRpc {
            database: schema(),
            quota: quota.clone()
        }
    );
    serve!(
        IngestServiceServer,
        IngestRpc::new(schema(), quota.clone(), deps.clock)
    );
    serve!(
        UsageServiceServer,
        UsageRpc {
            database: schema(),
            quota,
            counter: UsageCounter::new(schema()),
            clock
        }
    );
    let due: Vec<Arc<dyn DueWork>> = vec![Arc::new(allocation), Arc::new(missed), Arc::new(turns)];
    Ok(Service {
        name: "san-licensing",
        routes,
        database,
        operations: Some(OperationRpc::of::<Licenses, _>(operations)),
        due,
        retentions: &retention::ALL,
    })
}

/// The durable operations with their responses.
fn registry() -> Registry<Billing> {
    use convert::{license, renewal};
    use use_cases::{
        accept_license::AcceptLicenseOperation, earlier, increase_quota::IncreaseQuotaOperation,
        renew_license::RenewLicenseOperation,
    };
    Registry::new(earlier::read)
        .with(purchase::steps::<AcceptLicenseOperation>(), |sold| {
            license::encode_accepted(&sold)
        })
        .with(purchase::steps::<IncreaseQuotaOperation>(), |sold| {
            license::encode_increased(&sold)
        })
        .with(purchase::steps::<RenewLicenseOperation>(), |bought| {
            renewal::encode_renewed(&bought)
        })
}

/// The (kind, step) pairs of all durable operations.
#[must_use]
pub fn operation_steps() -> Vec<(&'static str, &'static str)> {
    registry().steps().collect()
}

/// Verifies a store's event log against its hash chain, read-only and on one snapshot. Services that use
/// the store need not stop.
///
/// # Errors
/// The store does not exist, has another version, or cannot be read.
pub async fn verify(location: &Location) -> Result<Verification, Fault> {
    let database = Database::open_read_only(location, store::MIGRATIONS).await?;
    let checks = chain::check_log(&database.read()).await?;
    Ok(Verification {
        checks: checks.into(),
    })
}

/// Verifies that a store's event log still has what Orders has followed, by the bookmarks of Orders' store, which
/// must have been read before.
///
/// # Errors
/// As [`verify`].
pub async fn verify_bookmarks(
    location: &Location,
    bookmarks: &[Bookmark],
) -> Result<Verification, Fault> {
    let database = Database::open_read_only(location, store::MIGRATIONS).await?;
    let check = follow_position::check_bookmarks(bookmarks, &database.read()).await?;
    Ok(Verification {
        checks: vec![check],
    })
}
