//! The one binary, `licet`: everything in one process, or one service of the suite.

use std::process::ExitCode;

/// A third of a hot service's time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    licet::main()
}
