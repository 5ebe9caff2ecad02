//! A worker and nothing else, so that the tests of loading need no binary of another package.

use std::process::ExitCode;

fn main() -> ExitCode {
    ferrule_core::worker::child::main(std::env::args_os().skip(1))
}
