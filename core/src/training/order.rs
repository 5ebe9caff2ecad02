//! What the training worker is told and what it says: the frames of [`crate::worker::messages`].

use std::path::PathBuf;

use ferrule_abi as abi;
use serde::{Deserialize, Serialize};

use crate::{ids::PluginId, worker::messages::ParameterValue};

/// What is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One class a picture: defective or clean, or by kind.
    Classify,
    /// The zone that a patch is of.
    Regions,
    /// The kind of defect that a pixel is of.
    Defects,
}

impl Task {
    pub const ALL: [Self; 3] = [Self::Classify, Self::Regions, Self::Defects];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Classify => "classify",
            Self::Regions => "regions",
            Self::Defects => "defects",
        }
    }
}

/// Which part of a picture the network sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    Frame,
    Fibre,
    Patch,
}

/// What a network sees of a picture's gray levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Levels {
    /// As they are.
    Raw,
    /// What stands out of its surroundings, in units of the noise.
    Relief,
    /// The relief, and beside it in which zone each pixel lies.
    Zones,
}

impl Levels {
    pub const WORDS: [&str; 3] = ["raw", "relief", "zones"];

    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Raw, Self::Relief, Self::Zones].into_iter().find(|levels| levels.as_str() == word)
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// How a picture becomes the network's square.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Pixels a side.
    pub side: usize,
    pub crop: Crop,
    /// Cladding radii from the fibre's middle to the edge of the square.
    pub margin: f64,
    pub levels: Levels,
}

/// One training, as the worker gets it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub plugin: PluginId,
    /// The private copy.
    pub library: PathBuf,
    pub parameters: Vec<(String, ParameterValue)>,
    pub task: Task,
    pub input: Input,
    pub classes: Vec<String>,
    pub pictures: Vec<Picture>,
    /// The run's folder.
    pub folder: PathBuf,
    /// Made if it is not there, else used again: its name stands for its content.
    pub feed: PathBuf,
    pub resume: Option<PathBuf>,
    /// Weights to begin with.
    pub weights: Option<PathBuf>,
    /// Threads that decode.
    pub threads: usize,
}

/// One picture to learn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    pub image: String,
    pub path: PathBuf,
    pub split: String,
    /// Of the whole picture.
    pub class: usize,
    /// Class and where its pixels are.
    pub masks: Vec<(u8, Mask)>,
    pub zones: Vec<abi::Zone>,
    /// Width of a pixel over its height, where the source says it.
    pub aspect: Option<f64>,
}

/// Where a class lies in a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Mask {
    /// An 8-bit picture, not 0 where it is.
    File(PathBuf),
    Runs(Vec<abi::Run>),
}

/// What a person wants of a running training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steer {
    GoOn,
    Pause,
    StopAfterEpoch,
    StopNow,
}

impl From<Steer> for abi::Control {
    fn from(steer: Steer) -> Self {
        match steer {
            Steer::GoOn => Self::Continue,
            Steer::Pause => Self::Pause,
            Steer::StopAfterEpoch => Self::StopAfterEpoch,
            Steer::StopNow => Self::StopNow,
        }
    }
}

/// An event of the plug-in, or of the feed (`feed`, `warning`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Said {
    pub name: String,
    pub epoch: u32,
    pub batch: u32,
    pub batches: u32,
    pub values: Vec<(String, ParameterValue)>,
    pub message: String,
}

impl Said {
    /// A number by name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(it, _)| it == name).and_then(|(_, value)| number(value))
    }

    /// A text by name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(it, _)| it == name).and_then(|(_, value)| match value {
            ParameterValue::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// All numbers.
    pub fn numbers(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().filter_map(|(name, value)| Some((name.as_str(), number(value)?)))
    }
}

fn number(value: &ParameterValue) -> Option<f64> {
    match value {
        ParameterValue::Real(value) => Some(*value),
        ParameterValue::Integer(value) => Some(*value as f64),
        ParameterValue::Bool(_) | ParameterValue::Text(_) => None,
    }
}

/// How the worker's loop ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// `finished`, `early`, `stopped`.
    pub word: String,
    pub values: Vec<(String, ParameterValue)>,
}

/// What a training worker sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromTraining {
    Said(Said),
    Ended(Result<Outcome, String>),
}
