//! What the Plug-ins screen asks beside the engine: the swaps and the builds of the past, and what a plug-in with other
//! parameters would find on one picture. Nothing of a trial is stored.

use std::{collections::BTreeMap, path::PathBuf};

use ferrule_core::{
    ids::{BuildHash, PluginId},
    report::Inspection,
    store::{BuildRow, Reader},
    swap::Swap,
    worker::messages::ParameterValue,
    workspace::DatasetPaths,
};

use super::{
    jobs::slot::Replaceable,
    plain::{clean, clean_inspection},
};

/// Swaps that are listed; older ones are in the database.
const MOST_SWAPS: usize = 500;

/// A plug-in to try on a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Tells answers to older questions apart.
    pub ticket: u64,
    /// The first of its form: plug-ins are looked for anew.
    pub fresh: bool,
    pub plugin: PluginId,
    /// All parameters that differ from its own defaults.
    pub set: BTreeMap<String, ParameterValue>,
    /// Files that hold the picture; the last one that is there is taken, whose source says most of its optics.
    pub pictures: Vec<PathBuf>,
}

/// Inspects a picture with the workspace's pipeline and that plug-in so set. The error is one line for a person.
pub type TryOut = Box<dyn FnMut(&Trial) -> Result<Inspection, String> + Send>;

/// Puts a build back into the workspace's `plugins/`. The error is one line for a person.
pub type PutBack = Box<dyn FnMut(&BuildHash) -> Result<PathBuf, String> + Send>;

/// A question. The latest of its kind wins.
#[derive(Debug, Clone, PartialEq)]
pub enum PluginsRequest {
    Swaps,
    Builds(PluginId),
    PutBack(BuildHash),
    Try(Box<Trial>),
}

/// The answer.
#[derive(Debug)]
pub enum PluginsAnswer {
    /// The newest first.
    Swaps(Result<Vec<Swap>, String>),
    /// The oldest first.
    Builds(PluginId, Result<Vec<BuildRow>, String>),
    PutBack(Result<PathBuf, String>),
    Tried {
        ticket: u64,
        result: Result<Box<Inspection>, String>,
    },
}

impl Replaceable for PluginsRequest {
    fn kind(&self) -> u8 {
        match self {
            Self::Swaps => 0,
            Self::Try(_) => 1,
            Self::Builds(_) => 2,
            Self::PutBack(_) => 3,
        }
    }

    fn urgent(&self) -> bool {
        true
    }
}

/// Answers from a dataset, and by trying out.
pub fn answering(
    paths: DatasetPaths,
    mut try_out: TryOut,
    mut put_back: PutBack,
) -> impl FnMut(PluginsRequest) -> PluginsAnswer + Send + 'static {
    move |request| match request {
        PluginsRequest::Swaps => {
            let swaps = Reader::open(&paths).and_then(|reader| reader.swaps(MOST_SWAPS));
            let newest_first = |mut swaps: Vec<Swap>| {
                swaps.reverse();
                swaps
            };
            PluginsAnswer::Swaps(swaps.map(newest_first).map_err(|error| clean(&error.to_string())))
        }
        PluginsRequest::Builds(plugin) => {
            let builds = Reader::open(&paths).and_then(|reader| reader.builds(&plugin));
            PluginsAnswer::Builds(plugin, builds.map_err(|error| clean(&error.to_string())))
        }
        PluginsRequest::PutBack(build) => PluginsAnswer::PutBack(put_back(&build).map_err(|error| clean(&error))),
        PluginsRequest::Try(trial) => {
            let result = try_out(&trial).map(clean_inspection).map(Box::new).map_err(|error| clean(&error));
            PluginsAnswer::Tried { ticket: trial.ticket, result }
        }
    }
}
