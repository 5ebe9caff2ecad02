//! What the workbench reads of trainings: past runs, their epochs, what a plan would learn from, samples as pictures; and
//! the questions for them.
//!
//! [`Runs`] is implemented over the read-only database (`runs_reader`) and by tests. All text in these types is clean;
//! nothing here ever writes.

use std::{collections::BTreeMap, path::PathBuf};

use ferrule_core::training::{Chosen, Plan};
use jiff::Timestamp;
use ratatui::layout::Size;

use super::{jobs::slot::Replaceable, picture::CellPicture, theme::Colours};

/// A training, past or present.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub name: String,
    pub task: String,
    pub network: String,
    pub state: String,
    pub started: Option<Timestamp>,
    pub best_epoch: Option<u32>,
    /// Figures of the best epoch.
    pub best: BTreeMap<String, f64>,
    pub message: Option<String>,
    pub notes: String,
    pub tags: String,
    /// `None` where this build cannot read it.
    pub plan: Option<Plan>,
    /// Where its samples lie as the network saw them, while they are kept.
    pub feed: Option<PathBuf>,
    pub samples: Vec<Chosen>,
    /// In the order of the confusion matrix; empty where that was not kept.
    pub classes: Vec<String>,
    /// The model that it made.
    pub model: Option<String>,
}

impl Run {
    /// Epochs that were planned; 0 where that is not known.
    pub fn epochs(&self) -> u32 {
        let plan = self.plan.as_ref().and_then(|plan| plan.parameters.get("epochs"));
        match plan {
            Some(ferrule_core::worker::messages::ParameterValue::Integer(epochs)) => {
                u32::try_from(*epochs).unwrap_or(0)
            }
            Some(_) => 0,
            None => DEFAULT_EPOCHS,
        }
    }

    /// It made a model, if not at once stopped; a later run's may have taken the place of that.
    pub fn has_ended_well(&self) -> bool {
        self.best_epoch.is_some() && ["finished", "early", "stopped"].contains(&self.state.as_str())
    }
}

/// What the trainer takes where a plan says nothing.
const DEFAULT_EPOCHS: u32 = 20;

/// One epoch of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Epoch {
    pub epoch: u32,
    pub at: Option<Timestamp>,
    /// Of training, without the validation.
    pub seconds: f64,
    pub figures: BTreeMap<String, f64>,
    /// Validation: truth down, said across.
    pub confusion: Vec<Vec<u64>>,
    pub worst: Vec<Worst>,
}

/// A validation sample that the network got wrong, or was least sure of.
#[derive(Debug, Clone, PartialEq)]
pub struct Worst {
    pub image: String,
    /// Its place in the feed.
    pub item: usize,
    pub class: usize,
    pub said: usize,
    pub score: f64,
    pub loss: f64,
}

/// What a plan would learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub counts: Vec<Chosen>,
    /// Why pictures are not taken, and how many.
    pub left_out: Vec<(String, u64)>,
}

/// Which pictures of samples, and how large.
#[derive(Debug, Clone, PartialEq)]
pub struct WorstKey {
    pub run: String,
    pub epoch: u32,
    /// Room for one of them, in cells.
    pub room: Size,
    pub colours: Colours,
}

/// A question. The latest of its kind wins.
#[derive(Debug, Clone, PartialEq)]
pub enum RunsRequest {
    List,
    /// Epochs of these runs after those.
    Epochs(Vec<(String, u32)>),
    Summary(Box<Plan>),
    Worst {
        key: WorstKey,
        feed: PathBuf,
        items: Vec<usize>,
    },
}

/// The answer.
#[derive(Debug)]
pub enum RunsAnswer {
    List(Vec<Run>),
    Epochs(Vec<(String, Vec<Epoch>)>),
    /// What there is to learn from, or why a training would not begin.
    Summary {
        plan: Box<Plan>,
        summary: Result<Summary, String>,
    },
    /// In the order of the items; `None` where the feed is no longer there.
    Worst {
        key: WorstKey,
        pictures: Vec<Option<CellPicture>>,
    },
    /// One line for a person.
    Failed(String),
}

impl Replaceable for RunsRequest {
    fn kind(&self) -> u8 {
        match self {
            Self::List => 0,
            Self::Epochs(_) => 1,
            Self::Summary(_) => 2,
            Self::Worst { .. } => 3,
        }
    }

    fn urgent(&self) -> bool {
        true
    }
}

/// Trainings that can be asked for. Errors are one line for a person.
pub trait Runs {
    fn list(&mut self) -> Result<Vec<Run>, String>;
    fn epochs(&mut self, run: &str, after: u32) -> Result<Vec<Epoch>, String>;
    fn summary(&mut self, plan: &Plan) -> Result<Summary, String>;
    fn worst(&mut self, key: &WorstKey, feed: &std::path::Path, items: &[usize]) -> Vec<Option<CellPicture>>;
}

/// Answers one question.
pub fn answer(runs: &mut dyn Runs, request: RunsRequest) -> Result<RunsAnswer, String> {
    Ok(match request {
        RunsRequest::List => RunsAnswer::List(runs.list()?),
        RunsRequest::Epochs(wanted) => {
            let read = wanted.into_iter().map(|(run, after)| Ok((run.clone(), runs.epochs(&run, after)?)));
            RunsAnswer::Epochs(read.collect::<Result<_, String>>()?)
        }
        RunsRequest::Summary(plan) => {
            let summary = runs.summary(&plan);
            RunsAnswer::Summary { plan, summary }
        }
        RunsRequest::Worst { key, feed, items } => {
            let pictures = runs.worst(&key, &feed, &items);
            RunsAnswer::Worst { key, pictures }
        }
    })
}
