//! `ferrule plugin enable ID` and `disable ID`: a plug-in into its slot of the pipeline and out of it, by an edit of the
//! workspace's `ferrule.toml` that leaves everything else in it as it stands.

use clap::Args;
use ferrule_core::{
    change::{Change, Made, Position},
    ids::PluginId,
};
use serde_json::json;

use super::{
    bench::{Where, merge},
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
        let at = self.before.map(Position::Before).or(self.first.then_some(Position::First));
        let change = Change::Enable { plugin: self.id, at };
        switch(&change, &self.place, &self.patience, self.json, environment)
    }
}

impl Disable {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        switch(&Change::Disable { plugin: self.id }, &self.place, &self.patience, self.json, environment)
    }
}

fn switch(
    change: &Change,
    place: &Where,
    patience: &Patience,
    json: bool,
    environment: &Environment,
) -> Result<(), Failure> {
    let bench = place.open(environment)?;
    let (made, taken_up) = bench.change(change, patience)?;
    tell(&made, &taken_up, json)?;
    taken_up.failure()
}

fn tell(made: &Made, taken_up: &TakenUp, json: bool) -> Result<(), Failure> {
    let mut output = Output::new();
    let Made { changed, plugin, slot, list, .. } = made;
    if json {
        let mut object = json!({"id": plugin, "slot": slot, "changed": changed, "pipeline": list});
        merge(&mut object, taken_up)?;
        output.object(&object)?;
    } else {
        let names: Vec<&str> = list.iter().map(PluginId::as_str).collect();
        let was = if *changed { "is now" } else { "is already" };
        output.line(&format!("pipeline.{slot} {was} {}", names.join(", ")))?;
        taken_up.tell(&mut output)?;
    }
    output.flush()
}
