//! `licet database`: what an operator does to a service's database itself.

use clap::{Args, Subcommand};
use licet_runtime::database::{distribute, prepare};

use crate::{CommandError, database_option::DatabaseOption};

/// Settings of `licet database`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Prints the SQL that stores a service's session settings in the role of its database. A pooler that
    /// ignores the settings of connections needs it.
    Prepare(Prepare),
    /// Prints the SQL that puts a service's store on the coordinator of Citus: divides the tables of accounts
    /// over its nodes.
    Distribute(Distribute),
}

#[derive(Args, Debug)]
struct Prepare {
    #[command(flatten)]
    database: DatabaseOption,
    /// Runs the SQL as well. It can be repeated.
    #[arg(long)]
    apply: bool,
}

#[derive(Args, Debug)]
struct Distribute {
    #[command(flatten)]
    database: DatabaseOption,
    /// Runs the SQL as well. Run it again after an upgrade that adds tables.
    #[arg(long)]
    apply: bool,
}

/// Runs the command.
pub(crate) async fn run(options: &Options) -> Result<(), CommandError> {
    let statements = match &options.command {
        Command::Prepare(Prepare { database, apply }) => {
            prepare(database.location()?, *apply).await?
        }
        Command::Distribute(Distribute { database, apply }) => {
            distribute(database.location()?, *apply).await?
        }
    };
    for statement in &statements {
        println!("{statement}");
    }
    if statements.is_empty() {
        println!("-- Nothing is left to do.");
    }
    Ok(())
}
