//! The suite as a process, so that a test can kill it as a power cut would.

use std::process::ExitCode;

fn main() -> ExitCode {
    licet::main()
}
