//! The suite as a process of its own, so that a test can kill it the way a power cut would.

use std::process::ExitCode;

fn main() -> ExitCode {
    licet::main()
}
