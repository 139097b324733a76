//! The embedded suite: three services in one process on SQLite files in one folder, locked against
//! a second start, with the test clock on.

use std::{
    fs::{File, TryLockError},
    net::SocketAddr,
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

use crate::{
    StopSignal, Trouble, bind,
    starter::{self, Starter},
};

/// Settings of the embedded suite.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The folder that holds everything; made when absent.
    #[arg(long, env = "LICET_DATA", default_value = "./licet-data")]
    data: PathBuf,
    /// Where Orders listens.
    #[arg(long, env = "LICET_ORDERS_LISTEN", default_value = "127.0.0.1:50051")]
    orders_listen: SocketAddr,
    /// Where Billing listens.
    #[arg(long, env = "LICET_BILLING_LISTEN", default_value = "127.0.0.1:50052")]
    billing_listen: SocketAddr,
    /// Where SanLicensing listens.
    #[arg(
        long,
        env = "LICET_SAN_LICENSING_LISTEN",
        default_value = "127.0.0.1:50053"
    )]
    san_licensing_listen: SocketAddr,
}

impl Options {
    /// The folder that holds everything.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }
}

/// Runs the suite until the process is told to stop.
pub(crate) async fn run(options: &Options, limits: &Limits) -> Result<(), Trouble> {
    std::fs::create_dir_all(&options.data)?;
    let _held = lock(&options.data)?;
    let making = FirstStart::check(&options.data).await?;
    let clock = Arc::new(TestClock::open(&options.data.join("clock"))?);
    let mut stop = StopSignal::listen()?;
    let (services, starter) = tokio::select! {
        started = Services::start(options, limits, &clock) => started?,
        () = stop.received() => return Ok(()),
    };
    if let Some(making) = making {
        making.end()?;
    }
    println!("{}", services.welcome(&options.data, starter.as_ref()));
    stop.received().await;
    println!("Stopping; calls under way are finished first.");
    services.shutdown().await;
    Ok(())
}

/// Two processes on one folder would each keep a clock and a driver of their own.
fn lock(data: &Path) -> Result<File, Trouble> {
    let path = data.join("lock");
    let file = File::create(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Trouble(format!(
            "another licet runs on {}; stop it, or choose another folder with --data (LICET_DATA)",
            data.display()
        ))),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// The three stores, which are made together and never again.
const STORES: [&str; 3] = ["billing", "san-licensing", "orders"];

fn store(data: &Path, name: &str) -> Location {
    Location::Sqlite(data.join(format!("{name}.db")))
}

/// A first start under way: a file says so until all stores are made, so that a start which is cut off
/// can be made again.
struct FirstStart {
    marker: PathBuf,
}

impl FirstStart {
    /// `None` where all stores are there. One that is missing beside others is lost, and nothing is made
    /// in its place: what was acknowledged would be done and charged a second time.
    async fn check(data: &Path) -> Result<Option<Self>, Trouble> {
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
            return Err(Trouble(format!(
                "there is no store at {} any more, beside others in {}: bring it back, or choose an \
                 empty folder with --data (LICET_DATA)",
                missing.join(" and "),
                data.display()
            )));
        }
        File::create(&marker)?.sync_all()?;
        Ok(Some(Self { marker }))
    }

    fn end(self) -> Result<(), Trouble> {
        Ok(std::fs::remove_file(self.marker)?)
    }
}

struct Services {
    orders: RunningServer,
    billing: RunningServer,
    san_licensing: RunningServer,
}

impl Services {
    /// A call that gets through finds the starter data.
    async fn start(
        options: &Options,
        limits: &Limits,
        clock: &Arc<TestClock>,
    ) -> Result<(Self, Option<Starter>), Trouble> {
        let suite = &Suite::on_test_clock(clock.clone());
        // All ports are taken before anything is built: a taken one changes nothing.
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
        let url =
            |listener: &TcpListener| Ok::<_, Trouble>(format!("http://{}", listener.local_addr()?));
        let (billing_url, san_licensing_url) = (url(&billing)?, url(&san_licensing)?);

        let location = |name| store(&options.data, name);
        let starter = starter::load(&options.data, &location("billing"), limits, clock).await?;
        let service = licet_billing::build(licet_billing::Deps {
            location: location("billing"),
        })
        .await?;
        let billing = server::start(service, billing, limits, suite).await?;
        let service = licet_san_licensing::build(licet_san_licensing::Deps {
            location: location("san-licensing"),
            clock: suite.clock.clone(),
            billing: PeerChannel::new(&billing_url, "san-licensing")?,
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
        Ok((services, starter))
    }

    /// Orders first: it stops asking before those that it asks are gone.
    async fn shutdown(self) {
        server::shutdown(vec![self.orders, self.san_licensing, self.billing]).await;
    }

    fn welcome(&self, data: &Path, starter: Option<&Starter>) -> String {
        let orders = self.orders.address();
        let mut text = format!(
            "\nLicet runs on {}. It is a place to try things: the test clock is on, and every \
             caller on this machine is an operator.\n\n  \
             Orders        {orders}\n  \
             Billing       {}\n  \
             SanLicensing  {}\n",
            data.display(),
            self.billing.address(),
            self.san_licensing.address(),
        );
        if let Some(starter) = starter {
            text.push_str(&format!(
                "\nThe starter catalogue has single-domain-dv, multi-domain-dv and, as a SAN \
                 licence, intranet-dv. A first call to try:\n\n  \
                 grpcurl -plaintext -d '{{\"account_id\": \"{}\", \"product_id\": \"multi-domain-dv\", \
                 \"term_months\": 12, \"common_name\": \"example.com\", \"server_software\": \"nginx\", \
                 \"request_id\": \"'$(cat /proc/sys/kernel/random/uuid)'\"}}' \\\n    \
                 {orders} licet.orders.v1.OrderService/PlaceOrder\n",
                starter.account_id
            ));
        }
        text.push_str("\nCtrl-C stops it; started again, it finds everything as it was.\n");
        text
    }
}
