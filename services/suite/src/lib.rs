//! Entry point of the suite: parses the command line, starts logging and runs the command.

mod accept_peer_store;
mod chart;
mod database;
mod database_option;
mod dev_certs;
mod embedded;
mod ingest;
mod render;
mod serve;
mod starter;
mod usage;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use licet_domain::clock::{Instant, InstantError};
use licet_runtime::{config::Limits, telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tonic::Status;

/// The message with which a command fails.
#[derive(Debug)]
pub(crate) struct CommandError(String);

impl<E: std::error::Error> From<E> for CommandError {
    fn from(error: E) -> Self {
        // Include the causes: "transport error" alone does not help.
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        Self(text)
    }
}

/// The commerce behind TLS certificates: orders, billing and SAN licensing.
///
/// Without a command, starts all three services in this process on embedded storage, with the test
/// clock on: for trying things out, reachable from this machine only.
#[derive(Parser)]
#[command(name = "licet", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    embedded: embedded::Options,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one service on its own database.
    Serve(serve::Options),
    /// Prepares a service's database.
    Database(database::Options),
    /// Lets a service work with a new store of a peer after the old one was lost for good.
    AcceptPeerStore(accept_peer_store::Options),
    /// Checks the stores for consistency, read-only, and prints the differences: every balance
    /// against its postings, every invoice against its lines, every event against its hash chain.
    Verify(verify::Options),
    /// Makes certificates and an access table for trying out mutual TLS.
    DevCerts(dev_certs::Options),
    /// Sends certificates and revocations from files to SanLicensing, resuming where the last run
    /// stopped.
    Ingest(ingest::Options),
    /// Writes an invoice or a statement as an HTML page to print or send.
    Render(render::Options),
    /// Draws the past and future usage of a SAN licence, day by day, against its quota.
    Usage(usage::Options),
}

/// Runs the command given on the command line.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    telemetry::start();
    // The soft limit, often 1024, is less than the connections that a service accepts.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error.into()),
    };
    let ran = runtime.block_on(async {
        match arguments.command {
            Some(Command::Serve(options)) => serve::run(&options, &arguments.limits).await?,
            Some(Command::Database(options)) => database::run(&options).await?,
            Some(Command::AcceptPeerStore(options)) => accept_peer_store::run(&options).await?,
            Some(Command::Verify(options)) => {
                return verify::run(&options, arguments.embedded.data()).await;
            }
            Some(Command::Ingest(options)) => return ingest::run(&options).await,
            Some(Command::DevCerts(options)) => dev_certs::run(&options)?,
            Some(Command::Render(options)) => render::run(&options).await?,
            Some(Command::Usage(options)) => usage::run(&options).await?,
            None => embedded::run(&arguments.embedded, &arguments.limits).await?,
        }
        Ok(ExitCode::SUCCESS)
    });
    match ran {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

fn report(CommandError(text): &CommandError) -> ExitCode {
    tracing::error!("{text}");
    ExitCode::FAILURE
}

/// Parses an instant; a date means its first instant (T-1).
pub(crate) fn read_instant(text: &str) -> Result<Instant, InstantError> {
    text.parse()
        .or_else(|_| format!("{text}T00:00:00Z").parse())
}

/// The error that a service returned.
pub(crate) fn service_error(service: &str, status: &Status) -> CommandError {
    let mut text = format!(
        "{service} returned {:?}: {}",
        status.code(),
        status.message()
    );
    if let Some(cause) = std::error::Error::source(status) {
        text = format!("{text}: {cause}");
    }
    CommandError(text)
}

/// Receives SIGINT (Ctrl-C) and SIGTERM from its creation on, so that a service can be stopped as soon as it
/// says that it is serving.
pub(crate) struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    /// Starts listening.
    pub(crate) fn listen() -> Result<Self, CommandError> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Returns once the process receives a stop signal.
    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Binds a listener; the error names the address and the setting that changes it.
pub(crate) async fn bind(
    address: std::net::SocketAddr,
    setting: &str,
) -> Result<tokio::net::TcpListener, CommandError> {
    tokio::net::TcpListener::bind(address)
        .await
        .map_err(|error| {
            CommandError(format!(
                "cannot listen on {address}: {error}: choose another address with {setting}"
            ))
        })
}
