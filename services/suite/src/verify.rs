//! `licet verify`: what is kept, held against what it follows from, store by store. It changes nothing,
//! and may run beside the services.

use std::{
    fmt::Display,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use licet_runtime::{database::Location, verification::Verification};

use crate::Trouble;

/// Settings of `licet verify`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Billing's database: sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE#SCHEMA. With no
    /// database given, the three of the embedded suite are read; with any, those that are given.
    #[arg(long, env = "LICET_BILLING_DATABASE")]
    billing_database: Option<Location>,
    /// Orders' database, likewise.
    #[arg(long, env = "LICET_ORDERS_DATABASE")]
    orders_database: Option<Location>,
    /// SanLicensing's database, likewise.
    #[arg(long, env = "LICET_SAN_LICENSING_DATABASE")]
    san_licensing_database: Option<Location>,
    /// The folder of the embedded suite, as the suite itself is told.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// A service whose store is read.
#[derive(Clone, Copy, Debug)]
enum Store {
    Orders,
    SanLicensing,
    Billing,
}

impl Store {
    const ALL: [Self; 3] = [Self::Orders, Self::SanLicensing, Self::Billing];

    fn file(self) -> &'static str {
        match self {
            Self::Orders => "orders.db",
            Self::SanLicensing => "san-licensing.db",
            Self::Billing => "billing.db",
        }
    }

    fn setting(self) -> &'static str {
        match self {
            Self::Orders => "--orders-database (LICET_ORDERS_DATABASE)",
            Self::SanLicensing => "--san-licensing-database (LICET_SAN_LICENSING_DATABASE)",
            Self::Billing => "--billing-database (LICET_BILLING_DATABASE)",
        }
    }

    fn given(self, options: &Options) -> Option<&Location> {
        match self {
            Self::Orders => options.orders_database.as_ref(),
            Self::SanLicensing => options.san_licensing_database.as_ref(),
            Self::Billing => options.billing_database.as_ref(),
        }
    }

    async fn verify(self, location: &Location) -> Result<Verification, Trouble> {
        Ok(match self {
            Self::Orders => licet_orders::verify(location).await?,
            Self::SanLicensing => licet_san_licensing::verify(location).await?,
            Self::Billing => licet_billing::verify(location).await?,
        })
    }
}

impl Display for Store {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            Self::Orders => "Orders",
            Self::SanLicensing => "SanLicensing",
            Self::Billing => "Billing",
        })
    }
}

/// Prints every check, and ends with 1 where something differs. `data`: the embedded suite's
/// folder where the command itself was not told one.
pub(crate) async fn run(options: &Options, data: &Path) -> Result<ExitCode, Trouble> {
    let data = options.data.as_deref().unwrap_or(data);
    let stores = stores(options, data)?;
    let mut differences = 0;
    for (store, location) in &stores {
        let verification = store.verify(location).await?;
        differences += verification.differences();
        writeln!(std::io::stdout(), "{store}:\n{verification}")?;
    }
    Ok(if differences == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is to be read, all of it there.
fn stores(options: &Options, data: &Path) -> Result<Vec<(Store, Location)>, Trouble> {
    let given = |store: Store| Some((store, store.given(options)?.clone()));
    let mut stores: Vec<_> = Store::ALL.into_iter().filter_map(given).collect();
    if stores.is_empty() {
        let embedded = |store: Store| (store, Location::Sqlite(data.join(store.file())));
        stores = Store::ALL.into_iter().map(embedded).collect();
    }
    for (store, location) in &stores {
        if let Location::Sqlite(path) = location
            && !path.is_file()
        {
            return Err(Trouble(format!(
                "there is no store at {}; choose another with {} or --data (LICET_DATA)",
                path.display(),
                store.setting()
            )));
        }
    }
    Ok(stores)
}
