//! The one binary, `licet`: everything in one process, or one service of the suite.

use std::process::ExitCode;

fn main() -> ExitCode {
    licet::main()
}
