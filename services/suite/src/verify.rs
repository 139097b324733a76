//! `licet verify`: what is kept, held against what it follows from. It changes nothing, and may run
//! beside the services.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use licet_runtime::database::Location;

use crate::Trouble;

/// Settings of `licet verify`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Billing's database: sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE#SCHEMA. Not
    /// given: the embedded suite's.
    #[arg(long, env = "LICET_BILLING_DATABASE")]
    billing_database: Option<Location>,
    /// The folder of the embedded suite, as the suite itself is told.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Prints every check, and ends with 1 where something differs. `data`: the embedded suite's
/// folder where the command itself was not told one.
pub(crate) async fn run(options: &Options, data: &Path) -> Result<ExitCode, Trouble> {
    let data = options.data.as_deref().unwrap_or(data);
    let location = options
        .billing_database
        .clone()
        .unwrap_or_else(|| Location::Sqlite(data.join("billing.db")));
    if let Location::Sqlite(path) = &location
        && !path.is_file()
    {
        return Err(Trouble(format!(
            "there is no store at {}; choose another with --billing-database \
             (LICET_BILLING_DATABASE) or --data (LICET_DATA)",
            path.display()
        )));
    }
    let verification = licet_billing::verify(&location).await?;
    writeln!(std::io::stdout(), "{verification}")?;
    Ok(if verification.differences() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
