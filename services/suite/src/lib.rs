//! The suite's entry point: reads the command line, starts the log and runs what was asked for.

mod accept;
mod chart;
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

/// What keeps the suite from starting or running.
#[derive(Debug)]
pub(crate) struct Trouble(String);

impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        // The whole chain: "transport error" alone helps nobody.
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
/// Without a command it starts the three services in this process, on storage of its own, with
/// the test clock on: a place to try things, on this machine alone.
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
    /// Runs one service of the suite on a database of its own.
    Serve(serve::Options),
    /// Lets a service work with another store of a peer, because the old one is lost for good.
    AcceptPeerStore(accept::Options),
    /// Holds what is kept against what it follows from, without a change, and says what differs:
    /// every balance against its postings, every invoice against its lines, every event against its chain.
    Verify(verify::Options),
    /// Feeds certificates and revocations from files into SanLicensing, from where the feed stands.
    Ingest(ingest::Options),
    /// Writes an invoice or a statement as an HTML page that can be printed and sent on.
    Render(render::Options),
    /// Draws what a SAN licence has used and will use, day by day, under the line of its quota.
    Usage(usage::Options),
}

/// Runs the command line of this process to its end.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    telemetry::start();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error.into()),
    };
    let ran = runtime.block_on(async {
        match arguments.command {
            Some(Command::Serve(options)) => serve::run(&options, &arguments.limits).await?,
            Some(Command::AcceptPeerStore(options)) => accept::run(&options).await?,
            Some(Command::Verify(options)) => {
                return verify::run(&options, arguments.embedded.data()).await;
            }
            Some(Command::Ingest(options)) => return ingest::run(&options).await,
            Some(Command::Render(options)) => render::run(&options).await?,
            Some(Command::Usage(options)) => usage::run(&options).await?,
            None => embedded::run(&arguments.embedded, &arguments.limits).await?,
        }
        Ok(ExitCode::SUCCESS)
    });
    match ran {
        Ok(code) => code,
        Err(trouble) => report(&trouble),
    }
}

fn report(Trouble(text): &Trouble) -> ExitCode {
    tracing::error!("{text}");
    ExitCode::FAILURE
}

/// A day is its first instant (T-1).
pub(crate) fn read_instant(text: &str) -> Result<Instant, InstantError> {
    text.parse()
        .or_else(|_| format!("{text}T00:00:00Z").parse())
}

/// What a service answered in place of what it was asked for.
pub(crate) fn refused(service: &str, status: &Status) -> Trouble {
    let mut text = format!(
        "{service} answered {:?}: {}",
        status.code(),
        status.message()
    );
    if let Some(cause) = std::error::Error::source(status) {
        text = format!("{text}: {cause}");
    }
    Trouble(text)
}

/// Ctrl-C and SIGTERM, listened to from the moment this is made: a service that says that it serves can
/// be told to stop.
pub(crate) struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Self, Trouble> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Resolves when the process is told to stop.
    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Binds a listener; a failure names the address and the setting that changes it.
pub(crate) async fn bind(
    address: std::net::SocketAddr,
    setting: &str,
) -> Result<tokio::net::TcpListener, Trouble> {
    tokio::net::TcpListener::bind(address)
        .await
        .map_err(|error| {
            Trouble(format!(
                "cannot listen on {address}: {error}; choose another with {setting}"
            ))
        })
}
