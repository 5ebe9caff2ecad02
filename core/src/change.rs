//! Changes of a workspace's `ferrule.toml` that a person asks for without opening it: a plug-in into its slot and out of
//! it, its parameters, a model put to work.
//!
//! Each is one edit that leaves everything else in the file as it stands, and nothing is written that does not assemble or
//! that would say more than was asked. Called by the engine for its clients, and by commands; whoever calls has the engine
//! look afterwards. Never decides what comes into force.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    config::{Configuration, ConfigurationError, edit},
    host::{AssemblyError, Catalogue, assemble, card::Slot},
    ids::PluginId,
    names,
    settings::{Settings, Slots},
    training::{Places, Task, TrainingError, card::Card},
    worker::messages::ParameterValue,
    workspace::Workspace,
};

/// What a person wants changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what", deny_unknown_fields)]
pub enum Change {
    /// Into its slot of the pipeline; one that is there already stays at its place unless another is named.
    Enable {
        plugin: PluginId,
        #[serde(default)]
        at: Option<Position>,
    },
    Disable {
        plugin: PluginId,
    },
    Parameters {
        plugin: PluginId,
        /// Set to these values.
        #[serde(with = "crate::training::plain", default)]
        set: BTreeMap<String, ParameterValue>,
        /// Left to the plug-in again.
        #[serde(default)]
        reset: Vec<String>,
    },
    /// A model, or what a run made, becomes a plug-in of the pipeline.
    Deploy {
        /// A model's or a run's name.
        model: String,
        /// Score of a defect; without one, as chosen on the validation split.
        #[serde(default)]
        threshold: Option<f64>,
        /// The only detector.
        #[serde(default)]
        alone: bool,
    },
}

/// Where in its slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    First,
    Before(PluginId),
    Last,
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The file says something else than before.
    pub changed: bool,
    /// The plug-in that it is about.
    pub plugin: PluginId,
    pub slot: Slot,
    /// The slot's plug-ins, in order.
    pub list: Vec<PluginId>,
    /// The model that was put to work.
    pub model: Option<Card>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    #[error("there is no plug-in `{plugin}`; there are {known}; `ferrule plugin list` says what was refused, and why")]
    Unknown { plugin: PluginId, known: String },
    #[error("{plugin} is for the slot {slot}, which is no part of the pipeline")]
    NoSlot { plugin: PluginId, slot: Slot },
    #[error("--before {before}: pipeline.{slot} has {list}")]
    NotThere { before: PluginId, slot: Slot, list: String },
    #[error(
        "{plugin} is the last segmenter: without one there are no zones and nothing to inspect; enable another one first"
    )]
    LastSegmenter { plugin: PluginId },
    #[error("plugin.{plugin}: {fault}")]
    Parameter { plugin: PluginId, fault: String },
    #[error("{0}; nothing was changed in ferrule.toml")]
    Assembly(#[from] AssemblyError),
    #[error("no model and no run with a model is called `{name}`; there are {known}; `ferrule train` makes one")]
    NoModel { name: String, known: String },
    #[error(transparent)]
    Model(#[from] TrainingError),
    #[error("{model} tells zones of patches apart; no slot of the pipeline asks for that")]
    NoUse { model: String },
    #[error("{}: {source}", names::display(file))]
    Edit { file: PathBuf, source: edit::EditError },
    #[error("{}: {source}; the file must be one that you can read and write", names::display(file))]
    Io { file: PathBuf, source: io::Error },
    #[error("{}: {key} cannot be changed there without changing more; write it by hand: {line}", names::display(file))]
    More { file: PathBuf, key: String, line: String },
}

/// The settings as they are to be, and the edits that make the file say so.
struct Draft {
    settings: Settings,
    made: Made,
    parameters: Vec<(String, Option<ParameterValue>)>,
}

/// Makes the change, whole or not at all.
///
/// # Errors
/// What does not fit, with what would; or the file.
pub fn make(change: &Change, workspace: &Workspace, catalogue: &Catalogue) -> Result<Made, ChangeError> {
    let file = workspace.configuration();
    let trouble = |source| ChangeError::Io { file: file.clone(), source };
    let text = fs::read_to_string(&file).map_err(trouble)?;
    let before = Configuration::of(&text, &file, workspace.root())?.settings;
    let mut draft = draft(change, workspace, catalogue, &before)?;
    if draft.settings == before {
        return Ok(draft.made);
    }
    assemble(&draft.settings, catalogue)?;
    let edited = draft.edit(&text, &file, &before)?;
    // Read again as the engine will: an edit that says anything else than what was wanted is not written.
    let read = Configuration::of(&edited, &file, workspace.root())?.settings;
    if read != draft.settings {
        let (key, line) = draft.by_hand();
        return Err(ChangeError::More { file, key, line });
    }
    edit::write(&file, &edited).map_err(trouble)?;
    draft.made.changed = true;
    Ok(draft.made)
}

/// The settings with a plug-in so set, and in the pipeline: to try it out, not to be written.
///
/// # Errors
/// There is no such plug-in, or none for a slot of the pipeline, or a parameter that it does not take.
pub fn try_on(
    settings: &mut Settings,
    plugin: &PluginId,
    set: &BTreeMap<String, ParameterValue>,
    catalogue: &Catalogue,
) -> Result<(), ChangeError> {
    let slot = slot_of(plugin, catalogue)?;
    check(plugin, set, &[], catalogue)?;
    enable(list_mut(&mut settings.pipeline, slot, plugin)?, plugin, slot, None)?;
    settings.parameters.insert(plugin.clone(), set.clone());
    Ok(())
}

fn draft(
    change: &Change,
    workspace: &Workspace,
    catalogue: &Catalogue,
    before: &Settings,
) -> Result<Draft, ChangeError> {
    let mut settings = before.clone();
    let mut parameters = Vec::new();
    let mut model = None;
    let (plugin, slot) = match change {
        Change::Enable { plugin, at } => {
            let slot = slot_of(plugin, catalogue)?;
            enable(list_mut(&mut settings.pipeline, slot, plugin)?, plugin, slot, at.as_ref())?;
            (plugin.clone(), slot)
        }
        Change::Disable { plugin } => (plugin.clone(), disable(&mut settings.pipeline, plugin, catalogue)?),
        Change::Parameters { plugin, set, reset } => {
            let slot = slot_of(plugin, catalogue)?;
            check(plugin, set, reset, catalogue)?;
            parameters.extend(set.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
            parameters.extend(reset.iter().map(|name| (name.clone(), None)));
            (plugin.clone(), slot)
        }
        Change::Deploy { model: name, threshold, alone } => {
            let card = find_model(&Places::below(workspace.root()), name)?;
            let (plugin, slot) = judge_of(&card)?;
            slot_of(&plugin, catalogue)?;
            let list = list_mut(&mut settings.pipeline, slot, &plugin)?;
            if *alone && slot == Slot::Detect {
                list.clear();
            }
            enable(list, &plugin, slot, None)?;
            let file = format!("models/{}.safetensors", card.name);
            parameters.push(("model".into(), Some(ParameterValue::Text(file))));
            // 0 stands for the one in the file.
            parameters.push(("threshold".into(), Some(ParameterValue::Real(threshold.unwrap_or(0.0)))));
            model = Some(card);
            (plugin, slot)
        }
    };
    for (name, value) in &parameters {
        match value {
            Some(value) => {
                settings.parameters.entry(plugin.clone()).or_default().insert(name.clone(), value.clone());
            }
            None => {
                // An empty table is not the same settings as none, and nobody asked for one.
                settings.parameters.get_mut(&plugin).and_then(|given| given.remove(name));
            }
        }
    }
    let list = list_mut(&mut settings.pipeline, slot, &plugin)?.clone();
    Ok(Draft { settings, made: Made { changed: false, plugin, slot, list, model }, parameters })
}

impl Draft {
    fn edit(&self, text: &str, file: &Path, before: &Settings) -> Result<String, ChangeError> {
        let wrong = |source| ChangeError::Edit { file: file.to_owned(), source };
        let mut text = text.to_owned();
        if self.settings.pipeline != before.pipeline {
            let list: Vec<&str> = self.made.list.iter().map(PluginId::as_str).collect();
            text = edit::set_list(&text, "pipeline", self.made.slot.as_str(), &list).map_err(wrong)?;
        }
        let plugin = self.made.plugin.as_str();
        for (name, value) in &self.parameters {
            text = match value {
                Some(value) => edit::set_parameter(&text, plugin, name, toml(value)),
                None => edit::remove_parameter(&text, plugin, name),
            }
            .map_err(wrong)?;
        }
        Ok(text)
    }

    /// The key that it is about, and what to write there.
    fn by_hand(&self) -> (String, String) {
        let Made { plugin, slot, list, .. } = &self.made;
        match self.parameters.first() {
            Some((name, Some(value))) => {
                (format!("plugin.{plugin}.{name}"), format!("{name} = {} below [plugin.{plugin}]", toml(value)))
            }
            Some((name, None)) => (format!("plugin.{plugin}.{name}"), format!("no {name} below [plugin.{plugin}]")),
            None => {
                let list: Vec<&str> = list.iter().map(PluginId::as_str).collect();
                (format!("pipeline.{slot}"), format!("{slot} = {list:?} below [pipeline]"))
            }
        }
    }
}

fn toml(value: &ParameterValue) -> edit::Value {
    match value {
        ParameterValue::Bool(value) => (*value).into(),
        ParameterValue::Integer(value) => (*value).into(),
        ParameterValue::Real(value) => (*value).into(),
        ParameterValue::Text(value) => value.as_str().into(),
    }
}

fn slot_of(plugin: &PluginId, catalogue: &Catalogue) -> Result<Slot, ChangeError> {
    catalogue.get(plugin).map(|it| it.card.slot).ok_or_else(|| {
        let known: Vec<&str> = catalogue.available.iter().map(|it| it.card.id.as_str()).collect();
        ChangeError::Unknown { plugin: plugin.clone(), known: known.join(", ") }
    })
}

/// The slot's list.
fn list_of(slots: &mut Slots, slot: Slot) -> Option<&mut Vec<PluginId>> {
    match slot {
        Slot::Segment => Some(&mut slots.segment),
        Slot::Detect => Some(&mut slots.detect),
        Slot::Measure => Some(&mut slots.measure),
        Slot::Grade => Some(&mut slots.grade),
        Slot::Train => None,
    }
}

fn list_mut<'a>(slots: &'a mut Slots, slot: Slot, plugin: &PluginId) -> Result<&'a mut Vec<PluginId>, ChangeError> {
    list_of(slots, slot).ok_or_else(|| ChangeError::NoSlot { plugin: plugin.clone(), slot })
}

fn enable(list: &mut Vec<PluginId>, plugin: &PluginId, slot: Slot, at: Option<&Position>) -> Result<(), ChangeError> {
    if at.is_none() && list.contains(plugin) {
        return Ok(());
    }
    list.retain(|id| id != plugin);
    let place = match at {
        Some(Position::Before(before)) => list.iter().position(|id| id == before).ok_or_else(|| {
            let names: Vec<&str> = list.iter().map(PluginId::as_str).collect();
            ChangeError::NotThere { before: before.clone(), slot, list: names.join(", ") }
        })?,
        Some(Position::First) => 0,
        Some(Position::Last) | None => list.len(),
    };
    list.insert(place, plugin.clone());
    Ok(())
}

fn disable(slots: &mut Slots, plugin: &PluginId, catalogue: &Catalogue) -> Result<Slot, ChangeError> {
    // Not by its descriptor: a plug-in whose library is gone can be disabled too.
    let all = [Slot::Segment, Slot::Detect, Slot::Measure, Slot::Grade];
    let listed = all.into_iter().find(|slot| list_of(slots, *slot).is_some_and(|list| list.contains(plugin)));
    let slot = match listed {
        Some(slot) => slot,
        None => slot_of(plugin, catalogue)?,
    };
    list_mut(slots, slot, plugin)?.retain(|id| id != plugin);
    if slots.segment.is_empty() {
        return Err(ChangeError::LastSegmenter { plugin: plugin.clone() });
    }
    Ok(slot)
}

/// Also of a plug-in that is in no pipeline, which no assembly would look at.
fn check(
    plugin: &PluginId,
    set: &BTreeMap<String, ParameterValue>,
    reset: &[String],
    catalogue: &Catalogue,
) -> Result<(), ChangeError> {
    let fault = |fault: String| ChangeError::Parameter { plugin: plugin.clone(), fault };
    let cards = catalogue.get(plugin).map_or(&[][..], |it| it.card.parameters.as_slice());
    for name in set.keys().chain(reset) {
        let card = cards.iter().find(|card| &card.name == name);
        let card = card.ok_or_else(|| fault(format!("has no parameter `{name}`")))?;
        if let Some(value) = set.get(name) {
            card.check(value).map_err(fault)?;
        }
    }
    Ok(())
}

/// The model of that name, or the one that this run made; it is put back where a later run's took its place.
///
/// # Errors
/// There is none; the message lists those that there are. Or the disk does not take it.
pub fn find_model(places: &Places, name: &str) -> Result<Card, ChangeError> {
    let (cards, _) = Card::all(&places.models);
    let by_run = cards.iter().find(|card| card.run.as_deref() == Some(name));
    if let Some(card) = by_run.or_else(|| cards.iter().find(|card| card.name == name)) {
        return Ok(card.clone());
    }
    Card::bring_back(places, name)?.ok_or_else(|| {
        let known: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        ChangeError::NoModel { name: name.into(), known }
    })
}

/// The plug-in that works with such a model, and where.
///
/// # Errors
/// There is none for what it learned.
pub fn judge_of(card: &Card) -> Result<(PluginId, Slot), ChangeError> {
    let (name, slot) = match card.task {
        Task::Defects => ("detect-torch", Slot::Detect),
        Task::Classify => ("classify-torch", Slot::Measure),
        Task::Regions => return Err(ChangeError::NoUse { model: card.name.clone() }),
    };
    let no_use = |_| ChangeError::NoUse { model: card.name.clone() };
    Ok((name.parse().map_err(no_use)?, slot))
}
