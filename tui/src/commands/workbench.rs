//! `ferrule [WORKSPACE]`: the workbench, on an engine that is started where none runs.

use clap::Args;
use ferrule::workbench::{self, Exit, KeyMap, TerminalFacts, WorkbenchSettings};
use ferrule_core::{config::Configuration, doctor::logout::at_logout};
use jiff::tz::TimeZone;

use crate::{
    batch::trying,
    environment::{self, Environment},
    failure::Failure,
    launch::Launch,
    output::Output,
    place::Place,
    program::PluginPath,
};

/// The workbench of a workspace.
#[derive(Debug, Args)]
pub struct Workbench {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    path: PluginPath,
}

impl Workbench {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let (workspace, dataset) = self.place.dataset()?;
        // Wrong settings, told by now: the engine runs on the last good ones, and the screen on the shipped ones.
        let configuration = Configuration::load(&workspace).or_else(|_| Configuration::shipped(workspace.root()))?;
        let launch = Launch::new(&workspace, dataset.clone(), &self.path, environment)?;
        launch.start()?;
        let place = |name: &str| {
            let key = format!("keys.{name}");
            let shown = configuration.values.iter().find(|shown| shown.key == key);
            shown.map_or_else(String::new, |shown| shown.origin.to_string())
        };
        let (keys, key_problems) = KeyMap::of(&configuration.settings.keys, place);
        let name = workspace.root().file_name().unwrap_or(workspace.root().as_os_str());
        let settings = WorkbenchSettings {
            workspace: name.to_string_lossy().into_owned(),
            root: workspace.root().to_owned(),
            dataset,
            log: Some(workspace.log()),
            terminal: TerminalFacts::read(environment::variable),
            keys,
            key_problems,
            screen: configuration.settings.screen,
            time_zone: TimeZone::system(),
            try_out: trying(workspace.clone(), &self.path, environment)?,
            start_engine: Box::new(move || launch.start().map_err(|failure| failure.messages.join("; "))),
            at_logout: at_logout(environment.user.as_deref()).warning().map(str::to_owned),
        };
        let exit = workbench::run(settings).map_err(|error| Failure::failed(format!("{error:#}")))?;
        let mut output = Output::new();
        match exit {
            Exit::Left => output.line("the engine goes on; `ferrule` shows it again, `ferrule stop` ends it")?,
            Exit::EngineStopped => output.line("the engine has ended")?,
            // There is nobody to tell.
            Exit::Signalled | Exit::TerminalLost => {}
        }
        output.flush()
    }
}
