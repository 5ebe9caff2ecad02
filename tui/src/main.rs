//! The binary: reads the command line, hands over to one file a command, and turns the end into an exit status.

mod alarm;
mod batch;
mod commands;
mod environment;
mod failure;
mod interrupt;
mod launch;
mod log;
mod output;
mod place;
mod program;
mod progress;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Before anything else: a worker shuts itself in while it has one thread.
    if let Some(arguments) = environment::worker_arguments() {
        return ferrule_core::worker::child::main(arguments);
    }
    let environment = environment::Environment::read();
    match commands::CommandLine::parse().run(&environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
