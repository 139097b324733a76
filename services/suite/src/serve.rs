//! `licet serve NAME`: one service on a database of its own, for production.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use licet_runtime::{
    config::Limits,
    database::{Database, Location},
    peer::PeerChannel,
    server::{self, Suite},
};

use crate::{StopSignal, Trouble, bind};

/// Which service to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    Orders,
    Billing,
    SanLicensing,
}

/// Settings of `licet serve`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The service.
    name: Name,
    /// Its database: sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE#SCHEMA.
    #[arg(long, env = "LICET_DATABASE")]
    database: Location,
    /// Makes the database's store where there is none; for the first start alone, so that a store
    /// that is gone is missed.
    #[arg(long, env = "LICET_CREATE")]
    create: bool,
    /// Where it listens; the service's default port on loopback if not given.
    #[arg(long, env = "LICET_LISTEN")]
    listen: Option<SocketAddr>,
    /// Where Billing is; Orders and SanLicensing need it.
    #[arg(
        long,
        env = "LICET_BILLING_URL",
        default_value = "http://127.0.0.1:50052"
    )]
    billing_url: String,
    /// Where SanLicensing is; Orders needs it.
    #[arg(
        long,
        env = "LICET_SAN_LICENSING_URL",
        default_value = "http://127.0.0.1:50053"
    )]
    san_licensing_url: String,
}

impl Name {
    fn default_listen(self) -> SocketAddr {
        let port = match self {
            Self::Orders => 50051,
            Self::Billing => 50052,
            Self::SanLicensing => 50053,
        };
        SocketAddr::from(([127, 0, 0, 1], port))
    }
}

/// Runs the service until the process is told to stop.
pub(crate) async fn run(options: &Options, limits: &Limits) -> Result<(), Trouble> {
    let suite = Suite::on_system_clock();
    let location = options.database.clone();
    if !options.create && !Database::exists(&location).await? {
        return Err(Trouble(format!(
            "there is no store at {location}: bring it back, or make a new one with --create \
             (LICET_CREATE=true)"
        )));
    }
    let service = match options.name {
        Name::Billing => licet_billing::build(licet_billing::Deps { location }).await?,
        Name::Orders => {
            let billing = PeerChannel::new(&options.billing_url, "orders")?;
            let san_licensing = PeerChannel::new(&options.san_licensing_url, "orders")?;
            licet_orders::build(licet_orders::Deps {
                location,
                clock: suite.clock.clone(),
                billing,
                san_licensing,
            })
            .await?
        }
        Name::SanLicensing => {
            let billing = PeerChannel::new(&options.billing_url, "san-licensing")?;
            licet_san_licensing::build(licet_san_licensing::Deps {
                location,
                clock: suite.clock.clone(),
                billing,
            })
            .await?
        }
    };
    let listen = options
        .listen
        .unwrap_or_else(|| options.name.default_listen());
    let listener = bind(listen, "--listen (LICET_LISTEN)").await?;
    let mut stop = StopSignal::listen()?;
    let running = server::start(service, listener, limits, &suite).await?;
    tracing::info!(service = ?options.name, address = %running.address(), "serving");
    stop.received().await;
    tracing::info!("stopping");
    running.shutdown().await;
    Ok(())
}
