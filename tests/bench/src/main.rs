//! Measures the services against floors in the same run: what a plain database, Redis or an
//! empty gRPC server does with the same work on this machine. Decides nothing, and hides nothing: a
//! goal that is missed is printed as missed.

mod cluster;
mod commerce;
mod drive;
mod echo;
mod floor;
#[path = "../../harness/guardian.rs"]
mod guardian;
mod ingest;
mod operation;
mod plot;
mod redis;
mod report;
mod scenario;
mod service;
mod sqlite;
mod written;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};
use licet_runtime::telemetry;

use crate::{cluster::Cluster, report::Report};

/// As in the binary that is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What stands in the way of a measurement.
#[derive(Debug)]
pub(crate) struct Trouble(pub(crate) String);

impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Measures the services against their floors, in alternating rounds of one run.
#[derive(Clone, Debug, Parser)]
#[command(name = "licet-bench", version)]
pub(crate) struct Options {
    /// What to measure.
    #[arg(required = true)]
    pub(crate) names: Vec<Name>,
    /// Two short rounds and small data: to see that it works, not to judge by.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds of each measurement [default: 5, with --quick 2].
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of each measurement [default: 5, with --quick 2].
    #[arg(long)]
    seconds: Option<u64>,
    /// Where the JSON and the plots are written.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench"))]
    output: PathBuf,
}

impl Options {
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 }).max(1)
    }

    pub(crate) fn measured(&self) -> Duration {
        let seconds = self.seconds.unwrap_or(if self.quick { 2 } else { 5 });
        Duration::from_secs(seconds.max(1))
    }

    /// The most SANs that a licence is filled with.
    pub(crate) fn most_sans(&self) -> u32 {
        if self.quick { 100_000 } else { 1_000_000 }
    }
}

/// The scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Authorise on one hot licence, and a row lock.
    Hot,
    /// Authorise and record on one hot licence, and two transactions with a row lock.
    Record,
    /// Authorise over 64 licences, and one statement.
    Many,
    /// Authorise, one stream, and one transaction that writes the same rows.
    Latency,
    /// `GetUsage`, and a count over the tables.
    Usage,
    /// Usage as of a past instant and the forecast of 90 days, and one index scan of the same rows.
    History,
    /// `GetUsage`, and an empty gRPC server that answers the same message.
    Echo,
    /// Authorise as the licence grows.
    Growth,
    /// Authorise on the embedded default, and one transaction for each request on the same kind of file.
    Sqlite,
    /// Authorise on one hot licence, and Redis with a Lua script.
    Redis,
    /// Charges on many accounts and on one, and transactions that write the same rows.
    Charges,
    /// Orders placed and names added, end to end, and transactions that write the same rows.
    Orders,
    /// A million SANs taken in through the stream, and psql that writes the same rows.
    Ingest,
    /// All of them, one after the other.
    All,
}

impl Name {
    const EACH: [Self; 13] = [
        Self::Hot,
        Self::Redis,
        Self::Record,
        Self::Many,
        Self::Latency,
        Self::Usage,
        Self::History,
        Self::Echo,
        Self::Growth,
        Self::Sqlite,
        Self::Charges,
        Self::Orders,
        Self::Ingest,
    ];
}

fn main() -> ExitCode {
    let options = Options::parse();
    telemetry::start();
    let ran = tokio::runtime::Runtime::new()
        .map_err(Trouble::from)
        .and_then(|runtime| runtime.block_on(run(&options)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(Trouble(text)) => {
            eprintln!("licet-bench: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Trouble> {
    let cluster = Cluster::start()?;
    let mut settings = report::machine()?;
    for (name, value) in cluster.settings().await? {
        settings.push((format!("postgres {name}"), value));
    }
    settings.push((
        "sqlite synchronous".to_owned(),
        "FULL, journal WAL".to_owned(),
    ));
    settings.push(("rounds".to_owned(), options.rounds().to_string()));
    let seconds = options.measured().as_secs();
    settings.push(("seconds of each".to_owned(), seconds.to_string()));
    settings.push((
        "http/2 connections".to_owned(),
        service::CONNECTIONS.to_string(),
    ));
    let mut report = Report::new(settings);
    report.print_settings();
    let names = if options.names.contains(&Name::All) {
        &Name::EACH[..]
    } else {
        &options.names
    };
    for name in names {
        for outcome in scenario::run(*name, options, &cluster).await? {
            report.add(outcome);
        }
        // Whatever ends a later scenario, what was measured stays.
        report.write(&options.output)?;
    }
    report.print_table();
    println!("\nWritten to {}", options.output.display());
    Ok(())
}
