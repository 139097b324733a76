//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

/// Measures the services against their floors, in alternating rounds of one run.
#[derive(Clone, Debug, Parser)]
#[command(name = "licet-bench", version)]
pub(crate) struct Options {
    /// What to measure.
    #[arg(required = true)]
    pub(crate) names: Vec<Name>,
    /// Two short rounds with little data, to check that the benchmark runs.
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
    pub(crate) output: PathBuf,
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
    /// Authorise on one hot licence, compared with a row lock.
    Hot,
    /// Authorise and record on one hot licence, compared with two transactions with a row lock.
    Record,
    /// Authorise across 64 licences, compared with one SQL statement for each authorisation.
    Many,
    /// Authorise, one stream, compared with one transaction that writes the same rows.
    Latency,
    /// `GetUsage`, compared with a count over the tables.
    Usage,
    /// Usage as of a past instant and the forecast of 90 days, compared with one index scan of the same rows.
    History,
    /// `GetUsage`, compared with an empty gRPC server that answers the same message.
    Echo,
    /// Authorise as the licence grows.
    Growth,
    /// Authorise on the embedded default, compared with one transaction for each request on the same kind of file.
    Sqlite,
    /// Authorise on one hot licence, compared with a Lua script in Redis.
    Redis,
    /// Charges on many accounts and on one, compared with transactions that write the same rows.
    Charges,
    /// Orders placed and domains added, end to end, compared with transactions that write the same rows.
    Orders,
    /// A million SANs taken in through the stream, compared with psql that writes the same rows.
    Ingest,
    /// Authorise over 1 000 small licences while three large ones are loaded, compared with a quiet instance.
    Cold,
    /// Charges on a database 10 ms away, compared with deposits, which take no number.
    Distant,
    /// Bytes that an order, an authorisation and a certificate leave in each table, on both databases.
    Size,
    /// All of them but the sizes, one after the other.
    All,
}

impl Name {
    pub(crate) const EACH: [Self; 15] = [
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
        Self::Cold,
        Self::Distant,
    ];
}
