//! `licet database`: what an operator does to a service's database itself.

use clap::{Args, Subcommand};
use licet_runtime::database::{Location, distribute, prepare};

use crate::CommandError;

/// Settings of `licet database`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Prints the SQL that stores a service's session settings in its role. A pooler that ignores the settings of
    /// connections needs it.
    Prepare(Prepare),
    /// Prints the SQL that puts a service's store on Citus: divides the tables of accounts over its nodes.
    Distribute(Distribute),
}

#[derive(Args, Debug)]
struct Prepare {
    /// The service's database, with its role: postgres://USER:PASSWORD@HOST/DATABASE#SCHEMA.
    #[arg(long, env = "LICET_DATABASE", hide_env_values = true)]
    database: Location,
    /// Runs the SQL as well. It can be repeated.
    #[arg(long)]
    apply: bool,
}

#[derive(Args, Debug)]
struct Distribute {
    /// The service's database on the coordinator of Citus, with its role: postgres://USER:PASSWORD@HOST/DATABASE#SCHEMA.
    #[arg(long, env = "LICET_DATABASE", hide_env_values = true)]
    database: Location,
    /// Runs the SQL as well. Run it again after an upgrade that adds tables.
    #[arg(long)]
    apply: bool,
}

/// Runs the command.
pub(crate) async fn run(options: &Options) -> Result<(), CommandError> {
    let statements = match &options.command {
        Command::Prepare(Prepare { database, apply }) => prepare(database, *apply).await?,
        Command::Distribute(Distribute { database, apply }) => distribute(database, *apply).await?,
    };
    for statement in &statements {
        println!("{statement}");
    }
    if statements.is_empty() {
        println!("-- Nothing is left to do.");
    }
    Ok(())
}
