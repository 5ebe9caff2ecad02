//! `ferrule plugin enable ID` and `disable ID`: a plug-in into its slot of the pipeline and out of it, by an edit of the
//! workspace's `ferrule.toml` that leaves everything else in it as it stands.

use clap::Args;
use ferrule_core::{
    config::{Configuration, edit},
    host::{assemble, card::Slot},
    ids::PluginId,
    settings::{Settings, Slots},
};
use serde_json::json;

use super::{
    bench::{Bench, Where, merge},
    taken_up::{Patience, TakenUp},
};
use crate::{environment::Environment, failure::Failure, output::Output};

/// Put a plug-in into the pipeline: pipeline.<slot> in ferrule.toml
#[derive(Debug, Args)]
pub struct Enable {
    /// The plug-in
    #[arg(value_name = "ID")]
    id: PluginId,
    #[command(flatten)]
    place: Where,
    /// Before this one [default: after all others]
    #[arg(long, value_name = "ID", conflicts_with = "first")]
    before: Option<PluginId>,
    /// Before all others
    #[arg(long)]
    first: bool,
    #[command(flatten)]
    patience: Patience,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Take a plug-in out of the pipeline: pipeline.<slot> in ferrule.toml
#[derive(Debug, Args)]
pub struct Disable {
    /// The plug-in
    #[arg(value_name = "ID")]
    id: PluginId,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    patience: Patience,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Enable {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let bench = self.place.open(environment)?;
        let slot = bench.available(&self.id)?.card.slot;
        let mut slots = bench.configuration.settings.pipeline.clone();
        let list = list(&mut slots, slot).ok_or_else(|| {
            Failure::wrong(format!("{} is for the slot {slot}, which is no part of the pipeline", self.id))
        })?;
        let moved = self.first || self.before.is_some();
        if !list.contains(&self.id) || moved {
            list.retain(|id| id != &self.id);
            let place = match &self.before {
                Some(other) => list.iter().position(|id| id == other).ok_or_else(|| {
                    let names: Vec<&str> = list.iter().map(PluginId::as_str).collect();
                    Failure::wrong(format!("--before {other}: pipeline.{slot} has {}", names.join(", ")))
                })?,
                None if self.first => 0,
                None => list.len(),
            };
            list.insert(place, self.id.clone());
        }
        Switch { bench: &bench, id: &self.id, slot, slots, json: self.json }.make(&self.patience)
    }
}

impl Disable {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let bench = self.place.open(environment)?;
        let mut slots = bench.configuration.settings.pipeline.clone();
        // Not by its descriptor: a plug-in whose library is gone can be disabled too.
        let all = [Slot::Segment, Slot::Detect, Slot::Measure, Slot::Grade];
        let listed = all.into_iter().find(|slot| list(&mut slots, *slot).is_some_and(|list| list.contains(&self.id)));
        let slot = match listed {
            Some(slot) => slot,
            None => bench.available(&self.id)?.card.slot,
        };
        if let Some(list) = list(&mut slots, slot) {
            list.retain(|id| id != &self.id);
        }
        if slots.segment.is_empty() {
            let message =
                format!("{} is the last segmenter: without one there are no zones and nothing to inspect", self.id);
            return Err(Failure::wrong(message).hint("first enable another one: ferrule plugin enable ID"));
        }
        Switch { bench: &bench, id: &self.id, slot, slots, json: self.json }.make(&self.patience)
    }
}

/// The list of a slot.
fn list(slots: &mut Slots, slot: Slot) -> Option<&mut Vec<PluginId>> {
    match slot {
        Slot::Segment => Some(&mut slots.segment),
        Slot::Detect => Some(&mut slots.detect),
        Slot::Measure => Some(&mut slots.measure),
        Slot::Grade => Some(&mut slots.grade),
        Slot::Train => None,
    }
}

/// An edit that is decided.
struct Switch<'a> {
    bench: &'a Bench,
    id: &'a PluginId,
    slot: Slot,
    slots: Slots,
    json: bool,
}

impl Switch<'_> {
    fn make(mut self, patience: &Patience) -> Result<(), Failure> {
        let bench = self.bench;
        let wanted = Settings { pipeline: self.slots.clone(), ..bench.configuration.settings.clone() };
        let changed = wanted != bench.configuration.settings;
        let listener = patience.listen(&bench.workspace)?;
        if changed {
            assemble(&wanted, &bench.catalogue)
                .map_err(|error| Failure::wrong(error).hint("nothing was changed in ferrule.toml"))?;
            self.write(&wanted)?;
        }
        let taken_up = match listener {
            Some(listener) => listener.wait(None)?,
            None => TakenUp::NoEngine { problem: None },
        };
        self.tell(changed, &taken_up)?;
        taken_up.failure()
    }

    fn write(&mut self, wanted: &Settings) -> Result<(), Failure> {
        let workspace = &self.bench.workspace;
        let file = workspace.configuration();
        let wrong = |error: &dyn std::fmt::Display| Failure::wrong(format!("{}: {error}", file.display()));
        let text = std::fs::read_to_string(&file).map_err(|error| wrong(&error))?;
        let slot = self.slot.as_str();
        let ids: Vec<&str> =
            list(&mut self.slots, self.slot).map_or(Vec::new(), |list| list.iter().map(PluginId::as_str).collect());
        let edited = edit::set_list(&text, "pipeline", slot, &ids).map_err(|error| wrong(&error))?;
        // Read again as the engine will: an edit that says anything else than what was wanted is not written.
        let read = Configuration::of(&edited, &file, workspace.root())?;
        if read.settings != *wanted {
            let message = format!("pipeline.{slot} cannot be changed there without changing more");
            return Err(wrong(&message).hint(format!("write it by hand: {slot} = {ids:?} below [pipeline]")));
        }
        edit::write(&file, &edited).map_err(|error| wrong(&error))
    }

    fn tell(&mut self, changed: bool, taken_up: &TakenUp) -> Result<(), Failure> {
        let mut output = Output::new();
        let slot = self.slot;
        let now = list(&mut self.slots, slot).map(|list| list.clone()).unwrap_or_default();
        if self.json {
            let mut object = json!({"id": self.id, "slot": slot, "changed": changed, "pipeline": now});
            merge(&mut object, taken_up)?;
            output.object(&object)?;
        } else {
            let names: Vec<&str> = now.iter().map(PluginId::as_str).collect();
            let was = if changed { "is now" } else { "is already" };
            output.line(&format!("pipeline.{slot} {was} {}", names.join(", ")))?;
            taken_up.tell(&mut output)?;
        }
        output.flush()
    }
}
