//! Which workspace a command means: the one given, else the nearest parent with `ferrule.toml`.

use std::path::PathBuf;

use clap::Args;
use ferrule_core::{
    config::Configuration,
    engine::lock,
    store::Reader,
    workspace::{CONFIGURATION, DatasetPaths, Workspace},
};

use crate::{environment, failure::Failure};

/// A dataset: the one given, else the workspace's.
#[derive(Debug, Clone, Default, Args)]
pub struct DatasetPlace {
    /// A dataset's folder, where no workspace is meant
    #[arg(long, value_name = "DATASET", conflicts_with = "workspace")]
    root: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl DatasetPlace {
    pub fn find(&self) -> Result<DatasetPaths, Failure> {
        match &self.root {
            Some(root) => {
                let root = environment::absolute(root)
                    .map_err(|error| Failure::wrong(format!("{}: {error}", root.display())))?;
                Ok(DatasetPaths::at(root))
            }
            None => Ok(self.place.dataset()?.1),
        }
    }

    /// Of a command that only reads.
    pub fn reader(&self) -> Result<Reader, Failure> {
        Reader::open(&self.find()?).map_err(Failure::wrong)
    }
}

/// The `[WORKSPACE]` that most commands take.
#[derive(Debug, Clone, Default, Args)]
pub struct Place {
    /// The workspace's folder [default: the nearest parent with ferrule.toml]
    #[arg(value_name = "WORKSPACE")]
    pub workspace: Option<PathBuf>,
}

impl Place {
    pub fn find(&self) -> Result<Workspace, Failure> {
        let start = self.workspace.clone().unwrap_or_else(|| PathBuf::from("."));
        let start =
            environment::absolute(&start).map_err(|error| Failure::wrong(format!("{}: {error}", start.display())))?;
        let candidates = if self.workspace.is_some() { 1 } else { usize::MAX };
        let found = start.ancestors().take(candidates).find(|folder| folder.join(CONFIGURATION).is_file());
        match found {
            Some(folder) => Ok(Workspace::at(folder)),
            None if self.workspace.is_some() => {
                Err(Failure::wrong(format!("{} is no workspace: it has no {CONFIGURATION}", start.display()))
                    .hint(format!("make it one: ferrule init {}", start.display())))
            }
            None => {
                Err(Failure::wrong(format!("neither this folder nor a parent is a workspace (has a {CONFIGURATION})"))
                    .hint("make this folder one: ferrule init"))
            }
        }
    }

    pub fn configured(&self) -> Result<(Workspace, Configuration), Failure> {
        let workspace = self.find()?;
        let configuration = Configuration::load(&workspace)?;
        Ok((workspace, configuration))
    }

    /// The workspace and the dataset of its engine. Settings that are wrong keep nobody from an engine that runs on the
    /// last good ones: then they are told on standard error, and the dataset is the one in force.
    pub fn dataset(&self) -> Result<(Workspace, DatasetPaths), Failure> {
        let workspace = self.find()?;
        let running = lock::running(&workspace);
        match (Configuration::load(&workspace), running) {
            (Ok(_), Some(running)) => Ok((workspace, running)),
            (Ok(configuration), None) => Ok((workspace, DatasetPaths::at(&configuration.settings.dataset.path))),
            (Err(error), Some(running)) => {
                Failure::from(error).hint("the engine goes on with the last good settings").warn();
                Ok((workspace, running))
            }
            (Err(error), None) => Err(error.into()),
        }
    }
}
