//! The command line: one file a command. A command reads arguments, calls core, and writes to [`crate::output`].

mod completions;
mod config;
mod doctor;
mod events;
mod init;
mod inspect;
mod plugin;
mod portrait;
mod status;
mod stop;
mod watch;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{environment::Environment, failure::Failure};

/// Inspects photographs of fibre-optic connector end faces.
#[derive(Debug, Parser)]
#[command(name = "ferrule", version, disable_help_subcommand = true, arg_required_else_help = true)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Inspect(inspect::Inspect),
    Status(status::Status),
    Stop(stop::Stop),
    Events(events::Events),
    Watch(watch::Watch),
    Plugin(plugin::Plugin),
    Doctor(doctor::Doctor),
    Config(config::Config),
    Completions(completions::Completions),
    #[command(hide = true)]
    Portrait(portrait::Portrait),
}

impl CommandLine {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self.command {
            Command::Init(command) => command.run(),
            Command::Inspect(command) => command.run(environment),
            Command::Status(command) => command.run(),
            Command::Stop(command) => command.run(),
            Command::Events(command) => command.run(),
            Command::Watch(command) => command.run(),
            Command::Plugin(command) => command.run(environment),
            Command::Doctor(command) => command.run(environment),
            Command::Config(command) => command.run(),
            Command::Portrait(command) => command.run(),
            Command::Completions(command) => command.run(&mut Self::command()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
