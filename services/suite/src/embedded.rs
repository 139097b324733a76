//! The embedded suite: three services in one process on SQLite files in one folder, locked against
//! a second process, with the test clock on.

use std::{
    fs::{File, Permissions, TryLockError},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use licet_runtime::{
    clock::TestClock,
    config::Limits,
    database::{Database, Location},
    peer::PeerChannel,
    server::{self, RunningServer, Suite},
};
use tokio::net::TcpListener;

use crate::{CommandError, StopSignal, bind, starter};

/// Settings of the embedded suite.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The folder for all data; created if missing.
    #[arg(long, env = "LICET_DATA", default_value = "./licet-data")]
    data: PathBuf,
    /// The address on which Orders listens.
    #[arg(long, env = "LICET_ORDERS_LISTEN", default_value = "127.0.0.1:50051")]
    orders_listen: SocketAddr,
    /// The address on which Billing listens.
    #[arg(long, env = "LICET_BILLING_LISTEN", default_value = "127.0.0.1:50052")]
    billing_listen: SocketAddr,
    /// The address on which SanLicensing listens.
    #[arg(
        long,
        env = "LICET_SAN_LICENSING_LISTEN",
        default_value = "127.0.0.1:50053"
    )]
    san_licensing_listen: SocketAddr,
}

impl Options {
    /// The folder for all data.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }
}

/// Runs the suite until the process receives a stop signal.
pub(crate) async fn run(options: &Options, limits: &Limits) -> Result<(), CommandError> {
    create_private(&options.data)?;
    let _lock = lock(&options.data)?;
    let first_start = FirstStart::check(&options.data).await?;
    let clock = Arc::new(TestClock::open(&options.data.join("clock"))?);
    let mut stop = StopSignal::listen()?;
    let (services, account_id) = tokio::select! {
        started = Services::start(options, limits, &clock) => started?,
        () = stop.received() => return Ok(()),
    };
    if let Some(first_start) = first_start {
        first_start.end()?;
    }
    println!("{}", services.welcome(&options.data, &account_id));
    stop.received().await;
    println!("Stopping; finishing the calls in progress.");
    services.shutdown().await;
    Ok(())
}

/// Creates the folder of the data, which only its owner may read.
fn create_private(data: &Path) -> Result<(), CommandError> {
    std::fs::create_dir_all(data)?;
    std::fs::set_permissions(data, Permissions::from_mode(0o700))?;
    Ok(())
}

/// Two processes on one folder would each run a clock and drive the operations.
fn lock(data: &Path) -> Result<File, CommandError> {
    let path = data.join("lock");
    let file = File::create(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CommandError(format!(
            "another licet runs on {}: stop it, or choose another folder with --data (LICET_DATA)",
            data.display()
        ))),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// The three stores, created together on the first start only.
const STORES: [&str; 3] = ["billing", "san-licensing", "orders"];

fn store(data: &Path, name: &str) -> Location {
    Location::Sqlite(data.join(format!("{name}.db")))
}

/// A first start in progress. A marker file exists until all stores are created, so that an
/// interrupted first start can be repeated.
struct FirstStart {
    marker: PathBuf,
}

impl FirstStart {
    /// `None` if all stores exist. If only some do, the others are lost: creating new ones would
    /// carry out and charge acknowledged requests a second time.
    async fn check(data: &Path) -> Result<Option<Self>, CommandError> {
        let marker = data.join("first-start");
        let mut missing = Vec::new();
        for name in STORES {
            let location = store(data, name);
            if !Database::exists(&location).await? {
                missing.push(location.to_string());
            }
        }
        if missing.is_empty() && !marker.exists() {
            return Ok(None);
        }
        if missing.len() < STORES.len() && !marker.exists() {
            return Err(CommandError(format!(
                "the store at {} is missing, but {} has others: restore it, or choose an empty \
                 folder with --data (LICET_DATA)",
                missing.join(" and "),
                data.display()
            )));
        }
        File::create(&marker)?.sync_all()?;
        Ok(Some(Self { marker }))
    }

    fn end(self) -> Result<(), CommandError> {
        Ok(std::fs::remove_file(self.marker)?)
    }
}

struct Services {
    orders: RunningServer,
    billing: RunningServer,
    san_licensing: RunningServer,
}

impl Services {
    /// Loads the starter data before any address serves calls.
    async fn start(
        options: &Options,
        limits: &Limits,
        clock: &Arc<TestClock>,
    ) -> Result<(Self, String), CommandError> {
        let suite = &Suite::on_test_clock(clock.clone());
        // Bind all addresses before building anything, so that a taken one changes nothing.
        let orders = bind(
            options.orders_listen,
            "--orders-listen (LICET_ORDERS_LISTEN)",
        )
        .await?;
        let billing = bind(
            options.billing_listen,
            "--billing-listen (LICET_BILLING_LISTEN)",
        )
        .await?;
        let san_licensing = bind(
            options.san_licensing_listen,
            "--san-licensing-listen (LICET_SAN_LICENSING_LISTEN)",
        )
        .await?;
        let url = |listener: &TcpListener| {
            Ok::<_, CommandError>(format!("http://{}", listener.local_addr()?))
        };
        let (billing_url, san_licensing_url) = (url(&billing)?, url(&san_licensing)?);

        let location = |name| store(&options.data, name);
        let account_id = starter::load(&options.data, &location("billing"), limits, clock).await?;
        let service = licet_billing::build(licet_billing::Deps {
            location: location("billing"),
            seller: None,
        })
        .await?;
        let billing = server::start(service, billing, limits, suite).await?;
        let service = licet_san_licensing::build(licet_san_licensing::Deps {
            location: location("san-licensing"),
            clock: suite.clock.clone(),
            billing: PeerChannel::new(&billing_url, "san-licensing")?,
            engine: licet_san_licensing::EngineSettings::default(),
        })
        .await?;
        let san_licensing = server::start(service, san_licensing, limits, suite).await?;
        let service = licet_orders::build(licet_orders::Deps {
            location: location("orders"),
            clock: suite.clock.clone(),
            billing: PeerChannel::new(&billing_url, "orders")?,
            san_licensing: PeerChannel::new(&san_licensing_url, "orders")?,
        })
        .await?;
        let orders = server::start(service, orders, limits, suite).await?;
        let services = Self {
            orders,
            billing,
            san_licensing,
        };
        Ok((services, account_id))
    }

    /// Stops Orders first, so that it sends no calls to services that are gone.
    async fn shutdown(self) {
        server::shutdown(vec![self.orders, self.san_licensing, self.billing]).await;
    }

    fn welcome(&self, data: &Path, account_id: &str) -> String {
        let orders = self.orders.address();
        format!(
            "\nLicet runs on {}. It is for trying things out: the test clock is on, and every \
             caller on this machine is an operator.\n\n  \
             Orders        {orders}\n  \
             Billing       {}\n  \
             SanLicensing  {}\n\n\
             The starter catalogue has single-domain-dv, multi-domain-dv and, for SAN licences, \
             intranet-dv. An account with a balance:\n\n  \
             ACCOUNT={account_id}\n\n\
             A first call to try:\n\n  \
             grpcurl -plaintext -d '{{\"account_id\": \"{account_id}\", \"product_id\": \"multi-domain-dv\", \
             \"term_months\": 12, \"common_name\": \"example.com\", \"server_software\": \"nginx\", \
             \"request_id\": \"'$(cat /proc/sys/kernel/random/uuid)'\"}}' \\\n    \
             {orders} licet.orders.v1.OrderService/PlaceOrder\n\n\
             Ctrl-C stops it; the next start resumes with the same data.\n",
            data.display(),
            self.billing.address(),
            self.san_licensing.address(),
        )
    }
}
