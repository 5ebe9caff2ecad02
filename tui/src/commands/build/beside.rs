//! A build where an engine has the dataset: what of the command line that leaves to say.

use ferrule_core::{
    config::Configuration,
    engine::lock::{self, Holder},
    names,
    settings::Settings,
    workspace::{DatasetPaths, Workspace},
};

use super::Build;
use crate::{batch, failure::Failure};

/// The engine that has the dataset now.
pub fn engine_of(dataset: &DatasetPaths) -> Option<Holder> {
    lock::holder(dataset).ok().flatten().filter(|holder| !holder.command)
}

impl Build {
    /// The settings that the engine works with, as far as a build asks for them. An engine takes its pipeline, workers and
    /// splits from its own workspace: whatever else was typed is refused rather than ignored.
    pub(super) fn settings_of_engine(&self, dataset: &DatasetPaths, engine: &Holder) -> Result<Settings, Failure> {
        let typed = [
            ("--train", self.train.is_some()),
            ("--val", self.val.is_some()),
            ("--seed", self.seed.is_some()),
            ("--group-by", self.group_by.is_some()),
        ];
        let mut others: Vec<&str> = typed.into_iter().filter(|(_, is_typed)| *is_typed).map(|(name, _)| name).collect();
        others.extend(self.with.typed());
        let chosen = self.which.choose()?;
        let own = chosen.workspace.as_ref().filter(|workspace| is_of(workspace, dataset)).is_some();
        if !own {
            others.extend(self.which.typed());
        }
        if !others.is_empty() {
            return Err(Failure::wrong(format!(
                "an engine already runs for {} (pid {}) and inspects with its own settings, plug-ins and workers: leave out {}, \
                 or end it with `ferrule stop` first",
                names::display(dataset.root()),
                engine.pid,
                others.join(", ")
            )));
        }
        if own { Ok(chosen.settings) } else { batch::settings_around(dataset) }
    }
}

/// Is it the dataset of that workspace?
fn is_of(workspace: &Workspace, dataset: &DatasetPaths) -> bool {
    let whole = |path: &std::path::Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    Configuration::load(workspace)
        .is_ok_and(|configuration| whole(&configuration.settings.dataset.path) == whole(dataset.root()))
}
