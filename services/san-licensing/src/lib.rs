//! SanLicensing: licences for a quota of SANs, and who may take how much of it. Money is Billing's:
//! what spans both is a durable operation that ends wholly done or wholly undone.

mod convert;
mod peers;
mod queries;
mod quota;
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
    chain,
    database::{Database, Location},
    fault::Fault,
    operation::{Operations, Registry},
    operation_service::OperationRpc,
    peer::PeerChannel,
    schedule::DueWork,
    server::Service,
    transport::{COMPRESSION, MAX_MESSAGE_BYTES},
    verification::Verification,
};
use tonic::service::RoutesBuilder;

use crate::{
    peers::Billing,
    queries::usage::Counting,
    quota::Quota,
    rpc::{
        ingest_service::IngestRpc, issuance_service::IssuanceRpc, license_service::LicenseRpc,
        usage_service::UsageRpc,
    },
    timers::{ApplyPassedBy, TakeOver, TellTurns},
    use_cases::{Sources, resource::Licenses},
};

/// What SanLicensing needs to run.
#[derive(Clone)]
pub struct Deps {
    /// Where its schema is kept; brought up to date when the service is built.
    pub location: Location,
    /// The clock that resumed operations are finished by, and that a watcher's time passes by;
    /// requests bring their own decision time.
    pub clock: Arc<dyn Clock>,
    /// The channel to Billing, speaking as `san-licensing`.
    pub billing: PeerChannel,
}

/// Builds the service, ready to be served. Billing need not be there yet.
///
/// # Errors
/// When the database cannot be opened, or its schema not brought up to date.
pub async fn build(deps: Deps) -> Result<Service, Fault> {
    let migrations = store::migrations();
    let database = Database::open_rewriting(&deps.location, &migrations, &store::REWRITES)
        .await?
        .naming(store::SUBJECTS);
    let quota = Quota::start(database.clone());
    let billing = Billing::new(deps.billing.between(&database, "billing"));
    let clock = Arc::clone(&deps.clock);
    let operations = Operations::new(
        database.clone(),
        Arc::new(billing.clone()),
        deps.clock.clone(),
        registry(),
    );
    let take_over = TakeOver {
        database: database.clone(),
        quota: quota.clone(),
        clock: deps.clock.clone(),
        after: Mutex::new(None),
    };
    let passed_by = ApplyPassedBy {
        database: database.clone(),
        quota: quota.clone(),
        clock: deps.clock.clone(),
    };
    let turns = TellTurns {
        database: database.clone(),
        clock: deps.clock.clone(),
    };
    let mut routes = RoutesBuilder::default();
    macro_rules! serve {
        ($server:ident, $rpc:expr) => {
            routes.add_service(
                $server::new($rpc)
                    .accept_compressed(COMPRESSION)
                    .send_compressed(COMPRESSION)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            )
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
            counting: Counting::new(schema()),
            clock
        }
    );
    let due: Vec<Arc<dyn DueWork>> =
        vec![Arc::new(take_over), Arc::new(passed_by), Arc::new(turns)];
    Ok(Service {
        name: "san-licensing",
        routes,
        database,
        operations: Some(OperationRpc::of::<Licenses, _>(operations)),
        due,
    })
}

/// The durable operations, and what each is answered with.
fn registry() -> Registry<Billing> {
    use convert::{license, renewal};
    use use_cases::{
        accept_license::Accepting, earlier, increase_quota::Increasing, renew_license::Renewing,
    };
    Registry::new(earlier::read)
        .with(purchase::steps::<Accepting>(), |sold| {
            license::encode_accepted(&sold)
        })
        .with(purchase::steps::<Increasing>(), |sold| {
            license::encode_increased(&sold)
        })
        .with(purchase::steps::<Renewing>(), |bought| {
            renewal::encode_renewed(&bought)
        })
}

/// The steps of its durable operations, each with the operation's kind.
#[must_use]
pub fn operation_steps() -> Vec<(&'static str, &'static str)> {
    registry().steps().collect()
}

/// Holds a store's event log against its chain of hashes, on one snapshot and without a change to it.
/// Services that use the store need not stop.
///
/// # Errors
/// When there is no such store, it is of another version, or it cannot be read.
pub async fn verify(location: &Location) -> Result<Verification, Fault> {
    let database = Database::open_read_only(location, &store::migrations()).await?;
    let checks = chain::check_log(&database.read()).await?;
    Ok(Verification {
        checks: checks.into(),
    })
}
