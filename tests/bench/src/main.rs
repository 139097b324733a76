//! Measures the services against floors in the same run: a plain database, Redis or an empty gRPC server does
//! the same work on this machine. It only reports; a missed goal is printed as missed.

mod cluster;
mod commerce;
mod distance;
mod drive;
mod echo;
mod floor;
#[path = "../../harness/guardian.rs"]
mod guardian;
mod ingest;
mod operation;
mod options;
mod outcome;
mod plot;
mod redis;
mod report;
mod scenario;
mod service;
mod size;
mod sqlite;
mod trouble;
mod written;

use std::process::ExitCode;

use clap::Parser;
use licet_runtime::telemetry;

use crate::{
    cluster::Cluster,
    options::{Name, Options},
    report::Report,
    trouble::Trouble,
};

/// As in the binary that is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        if *name == Name::Size {
            let count = if options.quick { 100 } else { 1_000 };
            size::run(&cluster, count).await?;
            continue;
        }
        for outcome in scenario::run(*name, options, &cluster).await? {
            report.add(outcome);
        }
        // Keep the results if a later scenario fails.
        report.write(&options.output)?;
    }
    if names == [Name::Size] {
        return Ok(());
    }
    report.print_table();
    println!("\nWritten to {}", options.output.display());
    Ok(())
}
