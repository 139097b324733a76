//! Reads the sources as text: prints the page of rules and lists sentences. Its tests hold the rules for
//! sources: arrows and circles between modules, words, links.

#[cfg(test)]
mod book;
#[cfg(test)]
mod circles;
mod files;
#[cfg(test)]
mod glossary;
mod pieces;
mod prose;
mod rules;
#[cfg(test)]
mod tidy;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use self::prose::Prose;

/// Reads the sources of the project
#[derive(Parser)]
#[command(name = "licet-sources")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints where each business rule is decided and proven, as Markdown
    Rules,
    /// Lists sentences that people read, each with its file and line
    Prose {
        /// Which texts
        kind: Prose,
        /// Draws this many at random instead of listing all
        #[arg(long)]
        draw: Option<usize>,
        /// Draws the same again with the same seed
        #[arg(long, default_value_t = 1, requires = "draw")]
        seed: u64,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has closed the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("licet-sources: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match command {
        Command::Rules => out.write_all(rules::page()?.as_bytes()),
        Command::Prose { kind, draw, seed } => {
            let mut passages = prose::list(*kind)?;
            let all = passages.len();
            if let Some(count) = *draw {
                passages = prose::draw(passages, count, *seed);
                writeln!(out, "{} of {all}, drawn by seed {seed}:", passages.len())?;
            }
            for passage in passages {
                writeln!(out, "{}:{}: {}", passage.file, passage.line, passage.text)?;
            }
            Ok(())
        }
    }
}
