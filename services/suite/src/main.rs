//! The binary, `licet`: the whole suite in one process, or one of its services.

use std::process::ExitCode;

/// A busy service spent a third of its time in the system allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    licet::main()
}
