//! `ferrule model …`: what was trained, as files; and into the pipeline, by an edit of `ferrule.toml`.

mod import;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ferrule_core::{
    change::{Change, Made, find_model},
    names,
    training::{Places, card::Card},
};
use serde_json::json;

use self::import::Import;
use super::plugin::{
    bench::{Where, merge},
    taken_up::Patience,
};
use crate::{environment::Environment, failure::Failure, output::Output, place::Place};

/// List trained models, put one to work, take one in or out
#[derive(Debug, Args)]
pub struct Model {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    List(List),
    Deploy(Deploy),
    Export(Export),
    Import(Import),
}

/// Every model of the workspace with its figures
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    place: Place,
    /// One JSON object a model
    #[arg(long)]
    json: bool,
}

/// Put a model, or what a run made, into the pipeline as a plug-in
#[derive(Debug, Args)]
struct Deploy {
    /// A model's or a run's name
    #[arg(value_name = "MODEL")]
    model: String,
    #[command(flatten)]
    place: Where,
    /// Score of a defect [default: as chosen on the validation split]
    #[arg(long, value_name = "SCORE")]
    threshold: Option<f64>,
    /// Let it be the only detector
    #[arg(long)]
    alone: bool,
    #[command(flatten)]
    patience: Patience,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Copy a model's weights: a state dict for Python (.pt), or .safetensors
#[derive(Debug, Args)]
struct Export {
    #[arg(value_name = "MODEL")]
    model: String,
    /// Where to; the extension says which
    #[arg(value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Model {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self.what {
            What::List(list) => list.run(),
            What::Deploy(deploy) => deploy.run(environment),
            What::Export(export) => export.run(),
            What::Import(import) => import.run(environment),
        }
    }
}

impl List {
    fn run(self) -> Result<(), Failure> {
        let places = Places::below(self.place.find()?.root());
        let (cards, faults) = Card::all(&places.models);
        let mut output = Output::new();
        for card in &cards {
            if self.json {
                output.object(card)?;
                continue;
            }
            let figures = ["val_auc", "val_f1", "val_dice", "test_auc", "test_f1", "test_dice"].into_iter();
            let figures = figures.filter_map(|name| Some(format!("{name} {:.4}", card.metrics.get(name)?)));
            let run = card.run.as_deref().unwrap_or("imported");
            let figures = figures.collect::<Vec<_>>().join("  ");
            output.line(&format!("{}  {} {}  {run}  {figures}", card.name, card.task.as_str(), card.network))?;
        }
        output.flush()?;
        if cards.is_empty() && !self.json {
            let message = format!("no models in {}", names::display(&places.models));
            Failure::failed(message).hint("`ferrule train` makes one").warn();
        }
        for fault in &faults {
            Failure::failed(fault).warn();
        }
        Ok(())
    }
}

impl Deploy {
    fn run(self, environment: &Environment) -> Result<(), Failure> {
        let bench = self.place.open(environment)?;
        let change = Change::Deploy { model: self.model, threshold: self.threshold, alone: self.alone };
        let (made, taken_up) = bench.change(&change, &self.patience)?;
        let Made { plugin, model, .. } = made;
        let name = model.as_ref().map_or("", |card| card.name.as_str());
        let threshold = self.threshold.or(model.as_ref().and_then(|card| card.threshold));
        let mut output = Output::new();
        if self.json {
            let mut object = json!({"model": name, "plugin": plugin, "threshold": threshold});
            merge(&mut object, &taken_up)?;
            output.object(&object)?;
        } else {
            let at = threshold.map_or_else(String::new, |threshold| format!(", score {threshold:.4} and above"));
            output.line(&format!("{plugin} works with {name}{at}"))?;
            taken_up.tell(&mut output)?;
        }
        output.flush()?;
        taken_up.failure()
    }
}

impl Export {
    fn run(self) -> Result<(), Failure> {
        let places = Places::below(self.place.find()?.root());
        let card = find_model(&places, &self.model)?;
        let extension = self.to.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !["pt", "safetensors"].contains(&extension) {
            let message = format!("{}: models are written as .pt or .safetensors", names::display(&self.to));
            return Err(Failure::wrong(message));
        }
        let from = places.models.join(format!("{}.{extension}", card.name));
        if extension == "pt" && !from.exists() {
            let message = format!("{} came in without a state dict; .safetensors can be written of it", card.name);
            return Err(Failure::wrong(message));
        }
        std::fs::copy(&from, &self.to)
            .map_err(|error| Failure::failed(format!("{} to {}: {error}", from.display(), self.to.display())))?;
        let mut output = Output::new();
        output.line(&names::display(&self.to))?;
        output.flush()
    }
}
