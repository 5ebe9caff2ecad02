//! Where runs and models lie: `runs/<run>/`, `runs/.feeds/`, `models/`. Nothing here reads the database.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Plan, TrainingError, card::Card};

/// The folders of a workspace, or of a bare dataset's command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    pub runs: PathBuf,
    pub models: PathBuf,
}

/// A run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    pub run: String,
    pub path: PathBuf,
}

/// After each epoch, by the plug-in.
pub const LAST: &str = "last.safetensors";
/// The best epoch's weights, by the plug-in.
pub const BEST: &str = "best.safetensors";
pub const BEST_PT: &str = "best.pt";
/// What was asked for.
const PLAN: &str = "plan.json";
/// What it made, as the card beside the model says it.
const CARD: &str = "model.toml";
/// One event a line.
pub const JOURNAL: &str = "journal.jsonl";

impl Places {
    /// Below a workspace, or below wherever a command without one works.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self { runs: root.join("runs"), models: root.join("models") }
    }

    /// Feeds of training pictures; they can be made again.
    #[must_use]
    pub fn feeds(&self) -> PathBuf {
        self.runs.join(".feeds")
    }

    /// The feed of what the plan learns from, of samples with that hash: its name stands for its content.
    #[must_use]
    pub fn feed(&self, plan: &Plan, samples: &str) -> PathBuf {
        let bytes = postcard::to_stdvec(&(super::feed::VERSION, &plan.input, plan.task, samples)).unwrap_or_default();
        self.feeds().join(format!("{}.feed", &blake3::hash(&bytes).to_hex()[..16]))
    }

    #[must_use]
    pub fn run(&self, run: &str) -> RunFolder {
        RunFolder { run: run.into(), path: self.runs.join(run) }
    }

    /// Begins a run: a name from the time and the network, a folder with the plan in it.
    ///
    /// # Errors
    /// The disk.
    pub fn begin(&self, plan: &Plan) -> Result<RunFolder, TrainingError> {
        let stamp = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
        let base = format!("{stamp}-{}", plan.network());
        let names = std::iter::once(base.clone()).chain((2..100).map(|number| format!("{base}-{number}")));
        for name in names {
            let folder = self.run(&name);
            let trouble = |source| TrainingError::Io { path: folder.path.clone(), source };
            fs::create_dir_all(&self.runs).map_err(trouble)?;
            match fs::create_dir(&folder.path) {
                Ok(()) => {
                    let text = serde_json::to_string_pretty(plan).unwrap_or_default();
                    fs::write(folder.path.join(PLAN), text + "\n").map_err(trouble)?;
                    return Ok(folder);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(trouble(error)),
            }
        }
        let source = io::Error::other("a hundred runs in one second");
        Err(TrainingError::Io { path: self.runs.clone(), source })
    }

    /// A run to go on with, and its plan. `last` or an empty name takes the newest.
    ///
    /// # Errors
    /// No such run, or one without a checkpoint.
    pub fn resume(&self, run: &str) -> Result<(RunFolder, Plan), TrainingError> {
        let known = self.known();
        let name = if run.is_empty() || run == "last" { known.last().map_or(run, String::as_str) } else { run };
        let folder = self.run(name);
        let plan = folder.path.join(PLAN);
        // A name that is a path leads to no run of ours.
        let text = if super::card::is_name(name) { fs::read_to_string(&plan).ok() } else { None };
        let Some(text) = text else {
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            return Err(TrainingError::NoRun { run: run.into(), folder: self.runs.clone(), known });
        };
        let plan = serde_json::from_str(&text)
            .map_err(|error| TrainingError::Malformed { path: plan, reason: error.to_string() })?;
        if !folder.last().exists() {
            return Err(TrainingError::NoCheckpoint(folder.run));
        }
        Ok((folder, plan))
    }

    /// Removes a run's folder; one that is gone already is no trouble. Models stay.
    ///
    /// # Errors
    /// A name that is no run's, or the disk.
    pub fn remove(&self, run: &str) -> Result<(), TrainingError> {
        if !super::card::is_name(run) {
            let known = self.known().join(", ");
            return Err(TrainingError::NoRun { run: run.into(), folder: self.runs.clone(), known });
        }
        let path = self.run(run).path;
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(TrainingError::Io { path, source }),
            _ => Ok(()),
        }
    }

    /// Runs by name, the oldest first.
    #[must_use]
    pub fn known(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.runs).into_iter().flatten().flatten();
        let mut known: Vec<String> = entries
            .filter(|entry| entry.path().join(PLAN).exists())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        known.sort();
        known
    }
}

impl RunFolder {
    #[must_use]
    pub fn last(&self) -> PathBuf {
        self.path.join(LAST)
    }

    #[must_use]
    pub fn best(&self) -> PathBuf {
        self.path.join(BEST)
    }

    #[must_use]
    pub fn best_pt(&self) -> PathBuf {
        self.path.join(BEST_PT)
    }

    /// The card of the model that it made; `None` for a run that made none.
    ///
    /// # Errors
    /// A card that is none.
    pub fn card(&self) -> Result<Option<Card>, TrainingError> {
        let path = self.path.join(CARD);
        if path.exists() { Card::from_file(&path).map(Some) } else { Ok(None) }
    }

    pub(super) fn card_path(&self) -> PathBuf {
        self.path.join(CARD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::Task;

    #[test]
    fn a_run_is_gone_on_with_once_it_has_a_checkpoint() {
        let root = tempfile::tempdir().unwrap();
        let places = Places::below(root.path());
        let none = places.resume("last").unwrap_err().to_string();
        assert!(none.contains("no run `last`") && none.contains("there are none"), "{none}");
        let plan = Plan::new(Task::Defects);
        let (first, second) = (places.begin(&plan).unwrap(), places.begin(&plan).unwrap());
        assert_ne!(first.run, second.run);
        let early = places.resume(&first.run).unwrap_err().to_string();
        assert!(early.contains("has no checkpoint"), "{early}");
        fs::write(second.last(), "").unwrap();
        assert_eq!(places.resume("last").unwrap(), (second, plan));
    }
}
