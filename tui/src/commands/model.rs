//! `ferrule model …`: what was trained, as files; and into the pipeline, by an edit of `ferrule.toml`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use ferrule_core::{
    config::{Configuration, edit},
    host::assemble,
    ids::PluginId,
    names,
    training::{Crop, Imported, Input, Levels, Places, Task, card::Card, import},
};
use serde_json::json;

use super::plugin::{
    bench::{Bench, Where, merge},
    taken_up::{Patience, TakenUp},
};
use crate::{batch::absolute, environment::Environment, failure::Failure, output::Output, place::Place};

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

/// Take weights in that were trained in Python, as safetensors with PyTorch's names
#[derive(Debug, Args)]
struct Import {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Name of the model
    #[arg(long, value_name = "NAME")]
    name: String,
    #[arg(long, value_enum)]
    task: TaskName,
    /// simple, resnet or unet
    #[arg(long, value_name = "NETWORK")]
    arch: String,
    /// Classes in the order of the network's outputs, the first one for nothing wrong
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    classes: Vec<String>,
    /// Pixels a side of its input
    #[arg(long, value_name = "PX", default_value_t = 256)]
    size: usize,
    /// Channels of the first layer
    #[arg(long, value_name = "N", default_value_t = 16)]
    width: i64,
    /// Score of a defect
    #[arg(long, value_name = "SCORE", default_value_t = 0.5)]
    threshold: f64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TaskName {
    Classify,
    Defects,
}

impl Model {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self.what {
            What::List(list) => list.run(),
            What::Deploy(deploy) => deploy.run(environment),
            What::Export(export) => export.run(),
            What::Import(import) => import.run(),
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

/// The model of that name, or the one that this run made.
fn find(places: &Places, name: &str) -> Result<Card, Failure> {
    let (cards, _) = Card::all(&places.models);
    let by_run = cards.iter().find(|card| card.run.as_deref() == Some(name));
    by_run.or_else(|| cards.iter().find(|card| card.name == name)).cloned().ok_or_else(|| {
        let known: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
        let known = if known.is_empty() { "there are none".into() } else { format!("there are {}", known.join(", ")) };
        Failure::wrong(format!("no model and no run with a model is called `{name}`; {known}"))
    })
}

impl Deploy {
    fn run(self, environment: &Environment) -> Result<(), Failure> {
        let bench = self.place.open(environment)?;
        let card = find(&Places::below(bench.workspace.root()), &self.model)?;
        let plugin = match card.task {
            Task::Defects => "detect-torch",
            Task::Classify => "classify-torch",
            Task::Regions => {
                let message =
                    format!("{} tells zones of patches apart; no slot of the pipeline asks for that", card.name);
                return Err(Failure::wrong(message));
            }
        };
        let id: PluginId = plugin.parse().map_err(Failure::failed)?;
        bench.available(&id)?;
        let listener = self.patience.listen(&bench.workspace)?;
        self.write(&bench, &card, &id)?;
        let taken_up = match listener {
            Some(listener) => listener.wait(None)?,
            None => TakenUp::NoEngine { problem: None },
        };
        let mut output = Output::new();
        let threshold = self.threshold.or(card.threshold);
        if self.json {
            let mut object = json!({"model": card.name, "plugin": plugin, "threshold": threshold});
            merge(&mut object, &taken_up)?;
            output.object(&object)?;
        } else {
            let at = threshold.map_or_else(String::new, |threshold| format!(", score {threshold:.4} and above"));
            output.line(&format!("{plugin} works with {}{at}", card.name))?;
            taken_up.tell(&mut output)?;
        }
        output.flush()?;
        taken_up.failure()
    }

    /// Slot and parameters in one edit; nothing is written that does not assemble.
    fn write(&self, bench: &Bench, card: &Card, id: &PluginId) -> Result<(), Failure> {
        let file = bench.workspace.configuration();
        let wrong = |error: &dyn std::fmt::Display| Failure::wrong(format!("{}: {error}", file.display()));
        let mut text = std::fs::read_to_string(&file).map_err(|error| wrong(&error))?;
        let slots = &bench.configuration.settings.pipeline;
        let (slot, mut list) = match card.task {
            Task::Defects => ("detect", slots.detect.clone()),
            _ => ("measure", slots.measure.clone()),
        };
        if self.alone && slot == "detect" {
            list.clear();
        }
        if !list.contains(id) {
            list.push(id.clone());
        }
        let list: Vec<&str> = list.iter().map(PluginId::as_str).collect();
        text = edit::set_list(&text, "pipeline", slot, &list).map_err(|error| wrong(&error))?;
        let model = format!("models/{}.safetensors", card.name);
        let set = |text: &str, key: &str, value: edit::Value| edit::set_parameter(text, id.as_str(), key, value);
        text = set(&text, "model", model.into()).map_err(|error| wrong(&error))?;
        // 0 stands for the one in the file.
        text = set(&text, "threshold", self.threshold.unwrap_or(0.0).into()).map_err(|error| wrong(&error))?;
        let read = Configuration::of(&text, &file, bench.workspace.root())?;
        assemble(&read.settings, &bench.catalogue)
            .map_err(|error| Failure::wrong(error).hint("nothing was changed in ferrule.toml"))?;
        edit::write(&file, &text).map_err(|error| wrong(&error))
    }
}

impl Export {
    fn run(self) -> Result<(), Failure> {
        let places = Places::below(self.place.find()?.root());
        let card = find(&places, &self.model)?;
        let extension = self.to.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !["pt", "safetensors"].contains(&extension) {
            let message = format!("{}: models are written as .pt or .safetensors", names::display(&self.to));
            return Err(Failure::wrong(message));
        }
        let from = places.models.join(format!("{}.{extension}", card.name));
        std::fs::copy(&from, &self.to)
            .map_err(|error| Failure::failed(format!("{} to {}: {error}", from.display(), self.to.display())))?;
        Ok(())
    }
}

impl Import {
    fn run(self) -> Result<(), Failure> {
        let places = Places::below(self.place.find()?.root());
        let task = match self.task {
            TaskName::Classify => Task::Classify,
            TaskName::Defects => Task::Defects,
        };
        if !ferrule_core::training::card::is_name(&self.name) {
            return Err(Failure::wrong(format!("--name {}: letters, digits, - _ .", self.name)));
        }
        let what = Imported {
            name: self.name,
            task,
            network: self.arch,
            width: self.width,
            classes: self.classes,
            input: Input { side: self.size, crop: Crop::Frame, margin: 1.5, levels: Levels::Raw },
            threshold: self.threshold,
        };
        let card = import(&absolute(&self.file)?, &what, &places).map_err(Failure::wrong)?;
        let mut output = Output::new();
        output.line(&format!("model {}; `ferrule model deploy {}` puts it to work", card.name, card.name))?;
        output.flush()
    }
}
