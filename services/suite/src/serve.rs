//! `licet serve NAME`: runs one service on its own database, for production.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};
use licet_runtime::{
    access::Access,
    config::Limits,
    database::Database,
    peer::PeerChannel,
    server::{self, Security, Suite},
    tls::TlsOptions,
};
use licet_san_licensing::EngineSettings;

use crate::{CommandError, StopSignal, bind, database_option::DatabaseOption};

/// The service to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    Orders,
    Billing,
    SanLicensing,
}

/// Settings of `licet serve`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The service to run.
    name: Name,
    #[command(flatten)]
    database: DatabaseOption,
    /// Creates the store if it does not exist. Use it for the first start only, so that a lost
    /// store is noticed.
    #[arg(long, env = "LICET_CREATE")]
    create: bool,
    /// The address to listen on. Default: the service's port on loopback (Orders 50051, Billing
    /// 50052, SanLicensing 50053).
    #[arg(long, env = "LICET_LISTEN")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    tls: TlsOptions,
    /// With TLS: the access table, a TOML file that says what each identity may do. It is read again when it changes.
    #[arg(long, env = "LICET_ACCESS", requires = "tls_certificate")]
    access: Option<PathBuf>,
    /// Billing's URL, for Orders and SanLicensing.
    #[arg(
        long,
        env = "LICET_BILLING_URL",
        default_value = "http://127.0.0.1:50052"
    )]
    billing_url: String,
    /// SanLicensing's URL, for Orders.
    #[arg(
        long,
        env = "LICET_SAN_LICENSING_URL",
        default_value = "http://127.0.0.1:50053"
    )]
    san_licensing_url: String,
    /// For Billing: who issues invoices and credit notes. Their numbers run without a gap for each seller, so each
    /// installation of a company needs its own; the numbers name it. Stored at the first start, and then fixed.
    #[arg(long, env = "LICET_SELLER")]
    seller: Option<licet_billing::Seller>,
    /// For SanLicensing: how many rounds of decisions run at once. No two work on the same licence.
    #[arg(
        long,
        env = "LICET_COMMITTERS",
        default_value_t = 2,
        value_parser = clap::value_parser!(u16).range(1..=64)
    )]
    committers: u16,
    /// For SanLicensing: the most memory for licences, in MiB. Licences used longest ago leave first, and
    /// are loaded again when they are needed. About 250 bytes for each SAN held.
    #[arg(
        long,
        env = "LICET_LICENSE_MEMORY_MIB",
        default_value_t = 1024,
        value_parser = clap::value_parser!(u32).range(16..)
    )]
    license_memory_mib: u32,
}

impl Options {
    /// `None` without TLS.
    async fn security(&self) -> Result<Option<Security>, CommandError> {
        match (self.tls.open().await?, &self.access) {
            (None, _) => Ok(None),
            (Some(tls), Some(access)) => {
                let access = Access::open(access.clone()).await?;
                Ok(Some(Security { tls, access }))
            }
            (Some(_), None) => Err(CommandError(
                "--tls-certificate needs an access table: --access (LICET_ACCESS)".to_owned(),
            )),
        }
    }

    fn engine(&self) -> EngineSettings {
        let mebibytes = usize::try_from(self.license_memory_mib).unwrap_or(usize::MAX);
        EngineSettings {
            committers: self.committers.into(),
            memory_bytes: mebibytes.saturating_mul(1 << 20),
        }
    }
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

/// Runs the service until the process receives a stop signal.
pub(crate) async fn run(options: &Options, limits: &Limits) -> Result<(), CommandError> {
    let mut suite = Suite::on_system_clock();
    suite.security = options.security().await?;
    let tls = suite.security.as_ref().map(|security| &security.tls);
    let location = options.database.location()?.clone();
    if !options.create && !Database::exists(&location).await? {
        return Err(CommandError(format!(
            "no store at {location}: restore it, or create a new one with --create \
             (LICET_CREATE=true)"
        )));
    }
    let service = match options.name {
        Name::Billing => {
            let seller = options.seller.clone();
            licet_billing::build(licet_billing::Deps { location, seller }).await?
        }
        Name::Orders => {
            let billing = PeerChannel::open(&options.billing_url, "orders", tls)?;
            let san_licensing = PeerChannel::open(&options.san_licensing_url, "orders", tls)?;
            licet_orders::build(licet_orders::Deps {
                location,
                clock: suite.clock.clone(),
                billing,
                san_licensing,
            })
            .await?
        }
        Name::SanLicensing => {
            let billing = PeerChannel::open(&options.billing_url, "san-licensing", tls)?;
            licet_san_licensing::build(licet_san_licensing::Deps {
                location,
                clock: suite.clock.clone(),
                billing,
                engine: options.engine(),
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
