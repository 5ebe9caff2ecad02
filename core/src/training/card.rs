//! Model files: weights for Python (`.pt`), for everybody (`.safetensors`), and a card in TOML that says what they are.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Input, Places, Plan, RunFolder, Samples, Task, TrainingError};
use crate::{client::software, names};

/// What a model is, for people and scripts; lies beside it as `<name>.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    pub name: String,
    pub task: Task,
    pub network: String,
    /// Class 0 is what nothing is wrong with.
    pub classes: Vec<String>,
    /// Score from which on a picture is called defective.
    pub threshold: Option<f64>,
    /// RFC 3339, UTC.
    pub made: String,
    pub software: String,
    /// The run that made it; `None` for one that came from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The trainer, with version and build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trainer: Option<String>,
    /// Stands for images, splits and labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    pub input: Input,
    /// Figures on validation and test split.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

impl Card {
    /// Of a run that ended well.
    #[must_use]
    pub fn of(plan: &Plan, samples: &Samples, run: &str, trainer: &str, metrics: BTreeMap<String, f64>) -> Self {
        Self {
            name: plan.model.clone(),
            task: plan.task,
            network: plan.network().into(),
            classes: samples.classes.clone(),
            threshold: metrics.get("threshold").copied(),
            made: jiff::Timestamp::now().to_string(),
            software: software(),
            run: Some(run.into()),
            trainer: Some(trainer.into()),
            dataset: Some(samples.hash.clone()),
            input: plan.input,
            metrics,
        }
    }

    /// Reads the card of a model.
    ///
    /// # Errors
    /// No such model, or a card that is none.
    pub fn read(models: &Path, name: &str) -> Result<Self, TrainingError> {
        Self::from_file(&models.join(format!("{name}.toml")))
    }

    pub(super) fn from_file(path: &Path) -> Result<Self, TrainingError> {
        let path = path.to_owned();
        let text = fs::read_to_string(&path).map_err(|source| TrainingError::Io { path: path.clone(), source })?;
        toml::from_str(&text).map_err(|error| TrainingError::Malformed { path, reason: one_line(error.message()) })
    }

    /// All cards of a folder by name, and what could not be read.
    #[must_use]
    pub fn all(models: &Path) -> (Vec<Self>, Vec<TrainingError>) {
        let entries = fs::read_dir(models).into_iter().flatten().flatten();
        let mut found: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
            .collect();
        found.sort();
        let (mut cards, mut faults) = (Vec::new(), Vec::new());
        for name in found {
            match Self::read(models, &name) {
                Ok(card) => cards.push(card),
                Err(fault) => faults.push(fault),
            }
        }
        (cards, faults)
    }

    /// The model that a run made, put back under the run's own name: a later run of the same model's name took its place.
    /// `None` for a run that made none, or is gone.
    ///
    /// # Errors
    /// The run's files are damaged, or the disk.
    pub fn bring_back(places: &Places, run: &str) -> Result<Option<Self>, TrainingError> {
        let folder = places.run(run);
        let made = if is_name(run) { folder.card()? } else { None };
        let Some(mut card) = made else { return Ok(None) };
        card.name = run.into();
        card.publish(places, &folder)?;
        Ok(Some(card))
    }

    /// Puts the run's best weights and this card into the models' folder, each whole.
    ///
    /// # Errors
    /// The disk.
    pub fn publish(&self, places: &Places, folder: &RunFolder) -> Result<PathBuf, TrainingError> {
        let trouble = |path: &Path| {
            let path = path.to_owned();
            move |source| TrainingError::Io { path, source }
        };
        fs::create_dir_all(&places.models).map_err(trouble(&places.models))?;
        let at = |extension: &str| places.models.join(format!("{}.{extension}", self.name));
        for (from, to) in [(folder.best_pt(), at("pt")), (folder.best(), at("safetensors"))] {
            copy(&from, &to).map_err(trouble(&to))?;
        }
        self.save(places)?;
        Ok(at("safetensors"))
    }

    /// Writes the card into the run's folder: its model can be put back whatever becomes of the one that is published.
    ///
    /// # Errors
    /// The disk.
    pub fn keep(&self, folder: &RunFolder) -> Result<(), TrainingError> {
        self.write(folder.card_path())
    }

    /// Writes the card alone.
    ///
    /// # Errors
    /// The disk.
    pub fn save(&self, places: &Places) -> Result<(), TrainingError> {
        self.write(places.models.join(format!("{}.toml", self.name)))
    }

    fn write(&self, path: PathBuf) -> Result<(), TrainingError> {
        let text = toml::to_string(self)
            .map_err(|error| TrainingError::Malformed { path: path.clone(), reason: error.to_string() })?;
        write(&path, text.as_bytes()).map_err(|source| TrainingError::Io { path, source })
    }
}

/// A name that can be a file's and nothing else.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let fits = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(fits)
}

/// Beside, then renamed: whoever reads meanwhile reads the former one or this one.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    write(to, &fs::read(from)?)
}

pub(super) fn write(to: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = to.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    fs::write(&beside, bytes)?;
    fs::rename(&beside, to)
}

fn one_line(text: &str) -> String {
    names::visible(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        change::find_model,
        training::{Crop, Levels},
    };

    #[test]
    fn a_card_is_read_back_and_a_broken_one_is_told() {
        let root = tempfile::tempdir().unwrap();
        let places = Places::below(root.path());
        let folder = places.begin(&Plan::new(Task::Defects)).unwrap();
        fs::write(folder.best(), "weights").unwrap();
        fs::write(folder.best_pt(), "pickled").unwrap();
        let card = Card {
            name: "unet_defects".into(),
            task: Task::Defects,
            network: "unet".into(),
            classes: vec!["background".into(), "pit".into()],
            threshold: Some(0.75),
            made: "2026-11-28T00:00:00Z".into(),
            software: "ferrule 0".into(),
            run: Some(folder.run.clone()),
            trainer: None,
            dataset: Some("0123".into()),
            input: Input { side: 256, crop: Crop::Frame, margin: 1.5, levels: Levels::Raw },
            metrics: BTreeMap::from([("val_dice".into(), 0.8)]),
        };
        card.keep(&folder).unwrap();
        let path = card.publish(&places, &folder).unwrap();
        assert_eq!(fs::read(path).unwrap(), b"weights");
        assert_eq!(Card::read(&places.models, "unet_defects").unwrap(), card);
        fs::write(places.models.join("odd.toml"), "name = ").unwrap();
        let (cards, faults) = Card::all(&places.models);
        assert_eq!((cards.len(), faults.len()), (1, 1));
        assert!(!faults[0].to_string().contains('\n'));

        // Another run's model of the same name takes its place: the first one's is there still.
        let later = places.begin(&Plan::new(Task::Defects)).unwrap();
        fs::write(later.best(), "other weights").unwrap();
        fs::write(later.best_pt(), "pickled otherwise").unwrap();
        assert_eq!(Card::bring_back(&places, &later.run).unwrap(), None);
        Card { run: Some(later.run.clone()), ..card.clone() }.publish(&places, &later).unwrap();
        let back = find_model(&places, &folder.run).unwrap();
        assert_eq!(back, Card { name: folder.run.clone(), ..card });
        assert_eq!(fs::read(places.models.join(format!("{}.safetensors", back.name))).unwrap(), b"weights");
        assert_eq!(fs::read(places.models.join("unet_defects.safetensors")).unwrap(), b"other weights");
        assert_eq!(Card::bring_back(&places, "../models").unwrap(), None);
    }

    #[test]
    fn a_name_leaves_no_folder() {
        assert!(is_name("baseline_cnn") && is_name("v1.2-b"));
        for name in ["", "../x", "a/b", ".hidden", "a b"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
