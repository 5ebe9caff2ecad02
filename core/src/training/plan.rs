//! What a person wants trained. Kept in the run's folder, so that a run can be gone on with.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Crop, Input, Levels, Task};
use crate::worker::messages::ParameterValue;

/// What the classes of `classify` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// Clean and defective.
    #[default]
    Defect,
    /// Clean and the kinds of defects, a picture being of the kind that covers most of it.
    Kind,
}

/// A training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub task: Task,
    pub input: Input,
    #[serde(default)]
    pub labels: Labels,
    /// Labels that a model made are taken too.
    #[serde(default)]
    pub model_labels: bool,
    /// Labels and masks of this COCO file instead of the dataset's.
    #[serde(default)]
    pub truth: Option<PathBuf>,
    /// The trainer's own parameters.
    #[serde(with = "plain")]
    pub parameters: BTreeMap<String, ParameterValue>,
    /// Name of the model files, without extension.
    pub model: String,
    /// Weights to begin with.
    #[serde(default)]
    pub weights: Option<PathBuf>,
}

impl Plan {
    /// A plan with the trainer's defaults, or the task's own where it has others: pixels of defects are learned in small
    /// steps, most of which are around a defect.
    #[must_use]
    pub fn new(task: Task) -> Self {
        let (side, crop, levels) = match task {
            Task::Classify => (256, Crop::Frame, Levels::Relief),
            Task::Defects => (256, Crop::Frame, Levels::Zones),
            Task::Regions => (64, Crop::Patch, Levels::Raw),
        };
        let mut plan = Self {
            task,
            input: Input { side, crop, margin: 1.5, levels },
            labels: Labels::default(),
            model_labels: false,
            truth: None,
            parameters: BTreeMap::new(),
            model: String::new(),
            weights: None,
        };
        plan.set("task", ParameterValue::Text(task.as_str().into()));
        let network = if task == Task::Defects { "unet" } else { "simple" };
        plan.set("network", ParameterValue::Text(network.into()));
        if task == Task::Defects {
            plan.set("batch", ParameterValue::Integer(4));
            plan.set("rate", ParameterValue::Real(0.002));
            plan.set("balance", ParameterValue::Text("sampling".into()));
            plan.set("part", ParameterValue::Integer(128));
        }
        plan.model = plan.usual_name();
        plan
    }

    pub fn set(&mut self, name: &str, value: ParameterValue) {
        self.parameters.insert(name.into(), value);
    }

    /// The network's name.
    #[must_use]
    pub fn network(&self) -> &str {
        match self.parameters.get("network") {
            Some(ParameterValue::Text(network)) => network,
            _ => "simple",
        }
    }

    /// The model's name where nobody gives one: the source design's for its network.
    #[must_use]
    pub fn usual_name(&self) -> String {
        match (self.task, self.network()) {
            (Task::Classify, "simple") => "baseline_cnn".into(),
            (task, network) => format!("{network}_{}", task.as_str()),
        }
    }
}

/// Parameters as a person writes them, not as frames carry them.
pub(crate) mod plain {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::worker::messages::ParameterValue;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Plain {
        Bool(bool),
        Integer(i64),
        Real(f64),
        Text(String),
    }

    pub fn serialize<S: Serializer>(all: &BTreeMap<String, ParameterValue>, to: S) -> Result<S::Ok, S::Error> {
        let plain = |value: &ParameterValue| match value.clone() {
            ParameterValue::Bool(value) => Plain::Bool(value),
            ParameterValue::Integer(value) => Plain::Integer(value),
            ParameterValue::Real(value) => Plain::Real(value),
            ParameterValue::Text(value) => Plain::Text(value),
        };
        all.iter().map(|(name, value)| (name, plain(value))).collect::<BTreeMap<_, _>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, ParameterValue>, D::Error> {
        let value = |plain: Plain| match plain {
            Plain::Bool(value) => ParameterValue::Bool(value),
            Plain::Integer(value) => ParameterValue::Integer(value),
            Plain::Real(value) => ParameterValue::Real(value),
            Plain::Text(value) => ParameterValue::Text(value),
        };
        let all = BTreeMap::<String, Plain>::deserialize(from)?;
        Ok(all.into_iter().map(|(name, plain)| (name, value(plain))).collect())
    }
}
