//! The command line: one file a command. A command reads arguments, calls core, and writes to [`crate::output`].

mod alarms;
mod backup;
mod build;
mod compare;
mod completions;
mod config;
mod correlate;
mod doctor;
mod engine;
mod evaluate;
mod events;
mod export;
mod history;
mod init;
mod inspect;
mod jobs;
mod manual;
mod model;
mod plugin;
mod reference;
mod review;
mod runs;
mod service;
mod simulate;
mod split;
mod status;
mod stop;
mod tidy;
mod train;
mod verify;
mod watch;
mod workbench;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{environment::Environment, failure::Failure};

/// Inspects photographs of fibre-optic connector end faces.
///
/// Without a command it opens the workbench, and starts the workspace's engine where none runs.
#[derive(Debug, Parser)]
#[command(name = "ferrule", version, disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    workbench: workbench::Workbench,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Inspect(inspect::Inspect),
    Build(build::Build),
    Split(split::Split),
    Review(review::Reviews),
    Evaluate(evaluate::Evaluate),
    Compare(compare::Compare),
    History(history::History),
    Engine(engine::Engine),
    Status(status::Status),
    Stop(stop::Stop),
    Events(events::Events),
    Alarms(alarms::Alarms),
    Jobs(jobs::Jobs),
    Export(export::Export),
    Watch(watch::Watch),
    Config(config::Config),
    Correlate(correlate::Correlate),
    Simulate(simulate::Simulate),
    Train(train::Train),
    Runs(runs::Runs),
    Model(model::Model),
    Plugin(plugin::Plugin),
    Reference(reference::Reference),
    Doctor(doctor::Doctor),
    Verify(verify::Verify),
    Backup(backup::Backup),
    Tidy(tidy::Tidy),
    Service(service::Service),
    Completions(completions::Completions),
    #[command(hide = true)]
    Manual(manual::Manual),
}

impl CommandLine {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self.command {
            None => self.workbench.run(environment),
            Some(Command::Init(command)) => command.run(),
            Some(Command::Inspect(command)) => command.run(environment),
            Some(Command::Build(command)) => command.run(environment),
            Some(Command::Split(command)) => command.run(),
            Some(Command::Review(command)) => command.run(),
            Some(Command::Evaluate(command)) => command.run(environment),
            Some(Command::Compare(command)) => command.run(environment),
            Some(Command::History(command)) => command.run(),
            Some(Command::Engine(command)) => command.run(environment),
            Some(Command::Status(command)) => command.run(),
            Some(Command::Stop(command)) => command.run(),
            Some(Command::Events(command)) => command.run(),
            Some(Command::Alarms(command)) => command.run(environment),
            Some(Command::Jobs(command)) => command.run(),
            Some(Command::Export(command)) => command.run(environment),
            Some(Command::Watch(command)) => command.run(),
            Some(Command::Config(command)) => command.run(),
            Some(Command::Correlate(command)) => command.run(),
            Some(Command::Simulate(command)) => command.run(),
            Some(Command::Train(command)) => command.run(environment),
            Some(Command::Runs(command)) => command.run(),
            Some(Command::Model(command)) => command.run(environment),
            Some(Command::Plugin(command)) => command.run(environment),
            Some(Command::Reference(command)) => command.run(environment),
            Some(Command::Doctor(command)) => command.run(environment),
            Some(Command::Verify(command)) => command.run(),
            Some(Command::Backup(command)) => command.run(),
            Some(Command::Tidy(command)) => command.run(),
            Some(Command::Service(command)) => command.run(),
            Some(Command::Manual(command)) => command.run(Self::command()),
            Some(Command::Completions(command)) => command.run(&mut Self::command()),
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

    #[test]
    fn a_word_that_is_no_command_is_a_workspace() {
        let parsed = CommandLine::parse_from(["ferrule", "./bench"]);
        assert!(parsed.command.is_none());
        assert!(CommandLine::parse_from(["ferrule", "status", "./bench"]).command.is_some());
    }
}
