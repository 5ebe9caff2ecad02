//! What is kept of a run as it goes: rows for the database, one JSON object a line, event files, and at its end a model.
//!
//! Called by the session's thread with everything that the worker says, in order.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    path::PathBuf,
};

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Places, Plan, RunFolder, Said, Samples,
    board::{Board, HParam},
    card::Card,
    feed,
    folder::JOURNAL,
    order::Outcome,
};
use crate::{
    protocol::TrainingEvent,
    store::{RunChange, Write as StoreWrite},
    worker::messages::ParameterValue,
};

/// Pictures of the worst samples in an event file.
const SHOWN: usize = 6;

/// What a session tells its owner.
#[derive(Debug, Clone)]
pub enum Told {
    Said(Said),
    /// To be stored, in this order.
    Write(Box<StoreWrite>),
    Ended(Ended),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// `finished`, `early`, `stopped` or `failed`.
    pub state: String,
    /// Why it failed, with what can be done.
    pub message: Option<String>,
    pub best_epoch: Option<u32>,
    pub figures: BTreeMap<String, f64>,
    /// The model that was made, as a file that detectors take.
    pub model: Option<PathBuf>,
}

impl Ended {
    /// As clients hear it.
    #[must_use]
    pub fn event(self, run: &str) -> TrainingEvent {
        TrainingEvent { run: run.into(), name: "ended".into(), ended: Some(self), ..TrainingEvent::default() }
    }
}

impl Said {
    /// As clients hear it.
    #[must_use]
    pub fn event(&self, run: &str) -> TrainingEvent {
        TrainingEvent {
            run: run.into(),
            name: self.name.clone(),
            epoch: self.epoch,
            batch: self.batch,
            batches: self.batches,
            values: values(self),
            message: self.message.clone(),
            ended: None,
        }
    }
}

/// Everything that is known of a run before its first event.
#[derive(Debug, Clone)]
pub struct About {
    pub plan: Plan,
    pub folder: RunFolder,
    pub places: Places,
    pub samples: Samples,
    pub feed: PathBuf,
    /// `train-torch 0.1.0, build …`.
    pub trainer: String,
    pub resumed: bool,
}

/// The keeper of one run.
pub(super) struct Record {
    about: About,
    journal: Option<File>,
    board: Option<Board>,
    best: Option<u32>,
    /// What could not be kept, told once.
    lost: Option<String>,
}

impl Record {
    pub fn begin(about: About) -> (Self, Vec<StoreWrite>) {
        let journal = OpenOptions::new().create(true).append(true).open(about.folder.path.join(JOURNAL));
        let board = Board::begin(&about.folder.path);
        let lost = [journal.as_ref().err(), board.as_ref().err()].into_iter().flatten().next().map(ToString::to_string);
        let mut record = Self { journal: journal.ok(), board: board.ok(), best: None, lost, about };
        let plan = serde_json::to_value(&record.about.plan).unwrap_or(Value::Null);
        let samples = record.about.samples.clone();
        let counts: Vec<Value> = samples
            .counts()
            .into_iter()
            .map(|it| json!({"split": it.split, "class": it.class, "count": it.count}))
            .collect();
        let word = if record.about.resumed { "resumed" } else { "begun" };
        let run = record.about.folder.run.clone();
        record.line(json!({
            "event": word, "run": run, "plan": plan, "samples": counts, "left_out": samples.left_out,
            "dataset": samples.hash, "trainer": record.about.trainer,
        }));
        if !record.about.resumed {
            let settings = record.about.plan.parameters.iter().map(|(name, value)| (name.clone(), hparam(value)));
            let settings: Vec<_> = settings.collect();
            record.on_board(|board| board.settings(&run, settings));
        }
        let begun = RunChange::Begin {
            run,
            task: record.about.plan.task.as_str().into(),
            network: record.about.plan.network().into(),
            settings: json!({
                "plan": plan, "dataset": samples.hash, "samples": counts, "classes": samples.classes,
            })
            .to_string(),
        };
        (record, vec![StoreWrite::Run(Box::new(begun))])
    }

    /// Keeps one event.
    pub fn take(&mut self, said: &Said) -> Vec<StoreWrite> {
        match said.name.as_str() {
            "batch" | "feed" | "paused" => return Vec::new(),
            "epoch" | "test" => {}
            _ => {
                self.line(told(said));
                return Vec::new();
            }
        }
        self.line(told(said));
        let tag = |name: &str| match name.split_once('_') {
            Some((split @ ("train" | "val" | "test"), rest)) => format!("{split}/{rest}"),
            _ => name.to_owned(),
        };
        let scalars: Vec<(String, f64)> = said.numbers().map(|(name, value)| (tag(name), value)).collect();
        self.on_board(|board| board.scalars(said.epoch, scalars.iter().map(|(tag, value)| (tag.as_str(), *value))));
        let best = said.values.iter().any(|(name, value)| name == "best" && *value == ParameterValue::Bool(true));
        if best {
            self.best = Some(said.epoch);
            self.show_worst(said);
        }
        if said.name == "test" {
            return Vec::new();
        }
        let change = RunChange::Epoch {
            run: self.about.folder.run.clone(),
            epoch: said.epoch,
            seconds: said.number("seconds").unwrap_or(0.0),
            figures: Value::Object(values(said)).to_string(),
        };
        vec![StoreWrite::Run(Box::new(change))]
    }

    /// Ends it; makes the model files where there is a best epoch.
    pub fn end(&mut self, outcome: Result<Outcome, String>) -> (Ended, Vec<StoreWrite>) {
        let mut writes = Vec::new();
        let mut ended = match outcome {
            Ok(outcome) => {
                let number = |value: &ParameterValue| match value {
                    ParameterValue::Real(value) => Some(*value),
                    ParameterValue::Integer(value) => Some(*value as f64),
                    _ => None,
                };
                let figures: BTreeMap<String, f64> =
                    outcome.values.iter().filter_map(|(name, value)| Some((name.clone(), number(value)?))).collect();
                let best_epoch = figures.get("best_epoch").map(|epoch| *epoch as u32).filter(|epoch| *epoch > 0);
                Ended { state: outcome.word, message: None, best_epoch, figures, model: None }
            }
            Err(message) => Ended {
                state: "failed".into(),
                message: Some(message),
                best_epoch: self.best,
                figures: BTreeMap::new(),
                model: None,
            },
        };
        // A run that was stopped at once has no threshold and makes no model; its checkpoint is kept.
        if ended.state != "failed" && ended.figures.contains_key("threshold") {
            let run = &self.about.folder.run;
            let card = Card::of(&self.about.plan, &self.about.samples, run, &self.about.trainer, ended.figures.clone());
            let kept = card.keep(&self.about.folder);
            match kept.and_then(|()| card.publish(&self.about.places, &self.about.folder)) {
                Ok(path) => {
                    writes.push(StoreWrite::Run(Box::new(RunChange::Model {
                        model: card.name.clone(),
                        run: Some(run.clone()),
                        task: card.task.as_str().into(),
                        network: card.network.clone(),
                        path: path.clone(),
                        figures: json!(card.metrics).to_string(),
                    })));
                    ended.model = Some(path);
                }
                Err(error) => ended.message = Some(error.to_string()),
            }
        }
        self.line(json!({
            "event": "ended", "state": ended.state, "message": ended.message, "best_epoch": ended.best_epoch,
            "figures": ended.figures, "model": ended.model,
        }));
        let end = RunChange::End {
            run: self.about.folder.run.clone(),
            state: ended.state.clone(),
            best_epoch: ended.best_epoch,
            message: ended.message.clone(),
        };
        writes.insert(0, StoreWrite::Run(Box::new(end)));
        (ended, writes)
    }

    /// Why journal or event file could not be written, once.
    pub fn trouble(&mut self) -> Option<String> {
        let reason = self.lost.take()?;
        let folder = crate::names::display(&self.about.folder.path);
        Some(format!("{folder}: {reason}; the training goes on, its journal or event file has gaps"))
    }

    fn line(&mut self, value: Value) {
        let Some(journal) = &mut self.journal else { return };
        let mut value = value;
        if let Value::Object(object) = &mut value {
            object.insert("at".into(), jiff::Timestamp::now().to_string().into());
        }
        if let Err(error) = writeln!(journal, "{value}") {
            self.lost = Some(error.to_string());
        }
    }

    fn on_board(&mut self, write: impl FnOnce(&mut Board) -> std::io::Result<()>) {
        if let Some(board) = &mut self.board
            && let Err(error) = write(board)
        {
            self.lost = Some(error.to_string());
        }
    }

    /// The worst validation samples side by side, as the network saw them.
    fn show_worst(&mut self, said: &Said) {
        #[derive(Deserialize)]
        struct Worst {
            item: usize,
        }
        let worst: Vec<Worst> =
            said.text("val_worst").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let planes: Vec<(Vec<u8>, usize)> =
            worst.iter().take(SHOWN).filter_map(|worst| feed::plane(&self.about.feed, worst.item)).collect();
        let Some((_, side)) = planes.first() else { return };
        let (side, count) = (*side, planes.len());
        let mut strip = Vec::with_capacity(side * side * count);
        for row in 0..side {
            planes.iter().for_each(|(pixels, _)| strip.extend_from_slice(&pixels[row * side..][..side]));
        }
        let size = ((side * count) as u32, side as u32);
        let mut png = Vec::new();
        if PngEncoder::new(&mut png).write_image(&strip, size.0, size.1, ExtendedColorType::L8).is_ok() {
            self.on_board(|board| board.picture(said.epoch, "val/worst", size, png));
        }
    }
}

/// An event as a line of JSON.
fn told(said: &Said) -> Value {
    let mut object = values(said);
    object.insert("event".into(), said.name.clone().into());
    object.insert("epoch".into(), said.epoch.into());
    if !said.message.is_empty() {
        object.insert("message".into(), said.message.clone().into());
    }
    Value::Object(object)
}

/// Values by name; texts that are JSON themselves as what they say.
fn values(said: &Said) -> Map<String, Value> {
    let value = |value: &ParameterValue| match value {
        ParameterValue::Bool(value) => json!(value),
        ParameterValue::Integer(value) => json!(value),
        ParameterValue::Real(value) => json!(value),
        ParameterValue::Text(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
    };
    said.values.iter().map(|(name, it)| (name.clone(), value(it))).collect()
}

fn hparam(value: &ParameterValue) -> HParam {
    match value {
        ParameterValue::Bool(value) => HParam::Bool(*value),
        ParameterValue::Integer(value) => HParam::Number(*value as f64),
        ParameterValue::Real(value) => HParam::Number(*value),
        ParameterValue::Text(value) => HParam::Text(value.clone()),
    }
}
