//! The binary: reads the command line, hands over to one file a command, and turns the end into an exit status.

mod commands;
mod environment;
mod failure;
mod output;
mod place;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let environment = environment::Environment::read();
    match commands::CommandLine::parse().run(&environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
