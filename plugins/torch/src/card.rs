//! What a model file says of itself, in its words: enough to build the network again and to show it pictures as it
//! learned from them. Written by the trainer, read by the detector and the classifier.

use ferrule_abi::PluginError;
use ferrule_vision::frame::{MODEL_FORMAT, Part};
use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;

/// The word in a safetensors file that holds a card.
pub const WORD: &str = "ferrule";
/// What this build writes and reads.
pub const FORMAT: u32 = MODEL_FORMAT;

/// What is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One class a picture.
    Classify,
    /// One class a patch.
    Regions,
    /// One class a pixel.
    Defects,
}

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    Simple,
    Resnet,
    Unet,
}

/// Which part of a picture the network sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// All of it.
    Frame,
    /// The fibre with a margin around it.
    Fibre,
    /// A patch at its own scale.
    Patch,
}

/// What a network sees of a picture's gray levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Levels {
    Raw,
    /// What stands out of its surroundings, in units of the noise.
    Relief,
    /// The relief, and beside it in which zone each pixel lies.
    Zones,
}

impl Levels {
    /// Planes of a picture that a network sees.
    #[must_use]
    pub const fn channels(self) -> i64 {
        match self {
            Self::Raw | Self::Relief => 1,
            Self::Zones => 2,
        }
    }
}

/// How a picture becomes the network's square.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Pixels a side.
    pub side: usize,
    pub crop: Crop,
    /// Cladding radii from the fibre's middle to the edge, where it is cropped to the fibre.
    pub margin: f64,
    pub levels: Levels,
}

/// The card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    pub format: u32,
    pub task: Task,
    pub network: Network,
    /// Channels of the first layer.
    pub width: i64,
    pub input: Input,
    /// Class 0 is what nothing is wrong with.
    pub classes: Vec<String>,
    /// Makes scores of log-odds; fitted to the validation split. A model that came from elsewhere is taken at its word.
    #[serde(default)]
    pub calibration: Calibration,
    /// Score from which on a picture is called defective; chosen on the validation split.
    pub threshold: f64,
    /// Share of clean validation pictures at or above it.
    pub false_alarms: f64,
}

impl Task {
    pub const WORDS: [&str; 3] = ["classify", "regions", "defects"];

    /// # Errors
    /// Names those there are.
    pub fn of(word: &str) -> Result<Self, PluginError> {
        match word {
            "classify" => Ok(Self::Classify),
            "regions" => Ok(Self::Regions),
            "defects" => Ok(Self::Defects),
            _ => Err(PluginError::new(format!("no task `{word}`; there are {}", Self::WORDS.join(", ")))),
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

impl Network {
    pub const WORDS: [&str; 3] = ["simple", "resnet", "unet"];

    /// # Errors
    /// Names those there are.
    pub fn of(word: &str) -> Result<Self, PluginError> {
        match word {
            "simple" => Ok(Self::Simple),
            "resnet" => Ok(Self::Resnet),
            "unet" => Ok(Self::Unet),
            _ => Err(PluginError::new(format!("no network `{word}`; there are {}", Self::WORDS.join(", ")))),
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// # Errors
    /// It cannot learn that task; names those that can.
    pub fn fits(self, task: Task) -> Result<(), PluginError> {
        let others = match (self, task) {
            (Self::Simple, Task::Defects) => "`resnet` or `unet`",
            (Self::Unet, Task::Classify | Task::Regions) => "`simple` or `resnet`",
            _ => return Ok(()),
        };
        let (own, task) = (self.as_str(), task.as_str());
        Err(PluginError::new(format!("`{own}` cannot learn the task `{task}`; take {others}")))
    }
}

impl Input {
    /// The part of a picture that it sees; `None` for a patch, which is at no scale of the whole.
    #[must_use]
    pub const fn part(&self) -> Option<Part> {
        match self.crop {
            Crop::Frame => Some(Part::Whole),
            Crop::Fibre => Some(Part::Fibre { margin: self.margin }),
            Crop::Patch => None,
        }
    }
}

impl Card {
    /// Reads the card in a model file's words.
    ///
    /// # Errors
    /// No card, or one of another format; says what can be done.
    pub fn of(word: Option<&String>, path: &str) -> Result<Self, PluginError> {
        let missing =
            || PluginError::new(format!("{path} says nothing of its network; `ferrule model import` adds that"));
        let card: Self = serde_json::from_str(word.ok_or_else(missing)?)
            .map_err(|error| PluginError::new(format!("{path}: its card cannot be read: {error}")))?;
        if card.format != FORMAT {
            return Err(PluginError::new(format!(
                "{path} is a model of format {}, this build reads {FORMAT}",
                card.format
            )));
        }
        if card.classes.len() < 2 || card.input.side == 0 || card.input.side > 4096 {
            return Err(PluginError::new(format!("{path}: its card cannot be: fewer than two classes, or no size")));
        }
        if card.input.levels == Levels::Zones && card.task != Task::Defects {
            return Err(PluginError::new(format!(
                "{path}: its card cannot be: zones are shown for the task `defects`"
            )));
        }
        card.network.fits(card.task)?;
        Ok(card)
    }

    #[must_use]
    pub fn to_json(&self) -> String {
        // Numbers and texts can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}
