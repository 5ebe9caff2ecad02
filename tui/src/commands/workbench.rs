//! `ferrule [WORKSPACE]`: the workbench, on an engine that is started where none runs.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use clap::Args;
use ferrule::workbench::{self, Exit, KeyMap, PutBack, TerminalFacts, Wish, WorkbenchSettings};
use ferrule_core::{config::Configuration, doctor::logout::at_logout};
use jiff::tz::TimeZone;

use super::{
    init,
    plugin::{bench::Where, rollback},
};
use crate::{
    batch::{self, learning, trying},
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
    /// For a slow line: outlines in the place of pictures, and what comes by itself is shown less often
    #[arg(long)]
    low_bandwidth: bool,
}

impl Workbench {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let facts = TerminalFacts::read(environment::variable);
        if self.place.workspace.is_none() && !facts.dumb && workbench::is_terminal() && self.place.find().is_err() {
            let here = batch::absolute(Path::new("."))?;
            if !first_start(&here, &facts)? {
                return Ok(());
            }
        }
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
            terminal: facts,
            low_bandwidth: self.low_bandwidth,
            keys,
            key_problems,
            limits: configuration.settings.workers.limits(),
            screen: configuration.settings.screen,
            time_zone: TimeZone::system(),
            try_out: trying(workspace.clone(), &self.path, environment)?,
            learn: learning(workspace.clone(), &self.path, environment)?,
            put_back: putting_back(Where::of(&workspace, &self.path), environment.clone()),
            start_engine: Box::new(move || launch.start().map_err(|failure| failure.messages.join("; "))),
            reviewer_file: environment.state_dir.as_ref().map(|state| state.join("ferrule/reviewer")),
            user: environment.user.clone(),
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

/// With the plug-ins as they lie there at that moment.
fn putting_back(place: Where, environment: Environment) -> PutBack {
    Box::new(move |build| {
        let put = place.open(&environment).and_then(|bench| rollback::put_back(&bench, build));
        put.map_err(|failure| failure.messages.join("; "))
    })
}

/// Pictures of the demo, and how many come in a second.
const DEMO: (&str, &str) = ("120", "1");

/// Asks what is to be made here, and makes it; whether there is a workspace now.
fn first_start(here: &Path, facts: &TerminalFacts) -> Result<bool, Failure> {
    match workbench::welcome(here, facts).map_err(|error| Failure::failed(format!("{error:#}")))? {
        Wish::Nothing => return Ok(false),
        Wish::Watch(captures) => {
            init::make(here, &captures)?;
        }
        Wish::Demo => {
            init::make(here, "captures")?;
            simulate(here)?;
        }
    }
    Ok(true)
}

/// The microscope of the demo: a process of its own, which ends after its last picture.
fn simulate(here: &Path) -> Result<(), Failure> {
    let trouble = |error| Failure::failed(format!("the simulated microscope cannot be started: {error}"));
    let executable = environment::executable().map_err(trouble)?;
    let mut command = Command::new(executable);
    command.args(["simulate", "--count", DEMO.0, "--rate", DEMO.1, "--out"]).arg(here.join("captures"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C on this terminal is not meant for it.
    command.process_group(0).spawn().map(drop).map_err(trouble)
}
