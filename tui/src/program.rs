//! How this binary starts itself as a worker, and where it looks for plug-ins.

use std::path::PathBuf;

use clap::Args;
use ferrule_core::{
    host::{Catalogue, LibraryStore, Policy, SearchPaths},
    settings::Settings,
    worker::arguments::WorkerProgram,
    workspace::Workspace,
};

use crate::{
    environment::{self, Environment},
    failure::Failure,
};

/// The binary with its hidden subcommand.
pub fn worker_program() -> Result<WorkerProgram, Failure> {
    let executable =
        environment::executable().map_err(|error| Failure::failed(format!("this binary cannot be found: {error}")))?;
    let libraries = environment::libtorch(&executable);
    Ok(WorkerProgram { executable, arguments: vec![environment::WORKER.into()], libraries })
}

/// Where plug-ins come from, beyond the workspace's own folder and those that ship.
#[derive(Debug, Clone, Default, Args)]
pub struct PluginPath {
    /// Look for plug-ins here too, before those that ship; can be repeated [env: FERRULE_PLUGIN_PATH]
    #[arg(long = "plugin-path", value_name = "DIR")]
    folders: Vec<PathBuf>,
}

impl PluginPath {
    /// Was anything of it typed?
    pub fn is_typed(&self) -> bool {
        !self.folders.is_empty()
    }

    /// The same, with one library before everything else.
    pub fn led_by(&self, library: PathBuf) -> Self {
        let folders = std::iter::once(library).chain(self.folders.iter().cloned());
        Self { folders: folders.collect() }
    }

    /// The workspace's plug-ins, what the person names, then those that ship with the binary.
    pub fn search(&self, workspace: Option<&Workspace>, environment: &Environment) -> Result<SearchPaths, Failure> {
        let mut given = Vec::new();
        for folder in self.folders.iter().chain(&environment.plugin_path) {
            let folder = environment::absolute(folder)
                .map_err(|error| Failure::wrong(format!("--plugin-path {}: {error}", folder.display())))?;
            given.push(folder);
        }
        let own = workspace.map(Workspace::plugins);
        Ok(SearchPaths::usual(own, given, environment::executable().ok().as_deref()))
    }

    /// The same, as arguments for another start of this binary.
    pub fn arguments(&self) -> Result<Vec<std::ffi::OsString>, Failure> {
        let mut arguments = Vec::new();
        for folder in &self.folders {
            let folder = environment::absolute(folder)
                .map_err(|error| Failure::wrong(format!("--plugin-path {}: {error}", folder.display())))?;
            arguments.extend(["--plugin-path".into(), folder.into_os_string()]);
        }
        Ok(arguments)
    }
}

/// Every plug-in that this workspace could use, and what was refused. Probes builds that were never seen.
pub fn catalogue(workspace: &Workspace, settings: &Settings, search: &SearchPaths) -> Result<Catalogue, Failure> {
    let store = LibraryStore::at(workspace.plugin_store());
    let policy = Policy::of(&settings.plugins);
    Ok(Catalogue::build(search, &store, &worker_program()?, policy))
}
