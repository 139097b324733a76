//! `licet verify`: checks each store for consistency. Changes nothing, and can run beside the
//! services.

use std::{
    io::Write,
    path::{Path, PathBuf},
    pin::Pin,
    process::ExitCode,
};

use clap::Args;
use licet_runtime::{database::Location, fault::Fault, verification::Verification};

use crate::{CommandError, database_option::location_in};

/// Settings of `licet verify`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Billing's database: sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE#SCHEMA. If no
    /// database is given, checks the three stores of the embedded suite; otherwise, only the
    /// databases given.
    #[arg(long, env = "LICET_BILLING_DATABASE", hide_env_values = true)]
    billing_database: Option<Location>,
    /// A file that contains Billing's database.
    #[arg(long, value_name = "FILE", env = "LICET_BILLING_DATABASE_FILE", value_parser = location_in)]
    billing_database_file: Option<Location>,
    /// Orders' database; see --billing-database.
    #[arg(long, env = "LICET_ORDERS_DATABASE", hide_env_values = true)]
    orders_database: Option<Location>,
    /// A file that contains Orders' database.
    #[arg(long, value_name = "FILE", env = "LICET_ORDERS_DATABASE_FILE", value_parser = location_in)]
    orders_database_file: Option<Location>,
    /// SanLicensing's database; see --billing-database.
    #[arg(long, env = "LICET_SAN_LICENSING_DATABASE", hide_env_values = true)]
    san_licensing_database: Option<Location>,
    /// A file that contains SanLicensing's database.
    #[arg(long, value_name = "FILE", env = "LICET_SAN_LICENSING_DATABASE_FILE", value_parser = location_in)]
    san_licensing_database_file: Option<Location>,
    /// The folder of the embedded suite. Default: LICET_DATA if set, otherwise ./licet-data.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Checks one store.
type Verify =
    fn(&Location) -> Pin<Box<dyn Future<Output = Result<Verification, Fault>> + Send + '_>>;

/// A store that can be checked.
struct Store {
    name: &'static str,
    /// File name in the folder of the embedded suite.
    file: &'static str,
    /// The option that selects another database.
    setting: &'static str,
    given: fn(&Options) -> Option<&Location>,
    verify: Verify,
}

const ORDERS: &str = "Orders";
const SAN_LICENSING: &str = "SanLicensing";

const STORES: [Store; 3] = [
    Store {
        name: ORDERS,
        file: "orders.db",
        setting: "--orders-database (LICET_ORDERS_DATABASE)",
        given: |options| {
            let direct = options.orders_database.as_ref();
            direct.or(options.orders_database_file.as_ref())
        },
        verify: |location| Box::pin(licet_orders::verify(location)),
    },
    Store {
        name: SAN_LICENSING,
        file: "san-licensing.db",
        setting: "--san-licensing-database (LICET_SAN_LICENSING_DATABASE)",
        given: |options| {
            let direct = options.san_licensing_database.as_ref();
            direct.or(options.san_licensing_database_file.as_ref())
        },
        verify: |location| Box::pin(licet_san_licensing::verify(location)),
    },
    Store {
        name: "Billing",
        file: "billing.db",
        setting: "--billing-database (LICET_BILLING_DATABASE)",
        given: |options| {
            let direct = options.billing_database.as_ref();
            direct.or(options.billing_database_file.as_ref())
        },
        verify: |location| Box::pin(licet_billing::verify(location)),
    },
];

/// Prints every check; the exit code is 1 if anything differs. `data` is the embedded suite's
/// folder unless the command has its own option.
pub(crate) async fn run(options: &Options, data: &Path) -> Result<ExitCode, CommandError> {
    let data = options.data.as_deref().unwrap_or(data);
    let stores = stores(options, data)?;
    let mut differences = 0;
    for (store, location) in &stores {
        let verification = (store.verify)(location).await?;
        differences += verification.differences();
        writeln!(std::io::stdout(), "{}:\n{verification}", store.name)?;
    }
    let given = |name| stores.iter().find(|(store, _)| store.name == name);
    if let (Some((_, orders)), Some((_, san_licensing))) = (given(ORDERS), given(SAN_LICENSING)) {
        // In this order: a log that is read later has everything that was followed.
        let bookmarks = licet_orders::list_bookmarks(orders).await?;
        let verification = licet_san_licensing::verify_bookmarks(san_licensing, &bookmarks).await?;
        differences += verification.differences();
        writeln!(
            std::io::stdout(),
            "{ORDERS}, which follows {SAN_LICENSING}:\n{verification}"
        )?;
    }
    Ok(if differences == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The stores to check, all of which exist.
fn stores(options: &Options, data: &Path) -> Result<Vec<(&'static Store, Location)>, CommandError> {
    let given = |store: &'static Store| Some((store, (store.given)(options)?.clone()));
    let mut stores: Vec<_> = STORES.iter().filter_map(given).collect();
    if stores.is_empty() {
        let embedded = |store: &'static Store| (store, Location::Sqlite(data.join(store.file)));
        stores = STORES.iter().map(embedded).collect();
    }
    for (store, location) in &stores {
        if let Location::Sqlite(path) = location
            && !path.is_file()
        {
            return Err(CommandError(format!(
                "no store at {}: choose another with {} or --data (LICET_DATA)",
                path.display(),
                store.setting
            )));
        }
    }
    Ok(stores)
}
