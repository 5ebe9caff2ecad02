//! `ferrule train`: a training from the command line, through the workspace's engine where one runs, else in this process
//! under the dataset's lock. One line an epoch on standard output, progress on standard error.

mod shown;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use crossbeam_channel::RecvTimeoutError;
use ferrule_core::{
    client::{Client, Incoming, RequestError},
    config::Configuration,
    host::{Catalogue, LibraryStore, Policy, SearchPaths},
    names,
    protocol::{Answer, Event, Request},
    settings::Settings,
    training::{self, Alone, Crop, Labels, Levels, News, Places, Plan, Session, Steer, Task, Wish},
    worker::messages::ParameterValue,
    workspace::{CONFIGURATION, DatasetPaths, Workspace},
};

use crate::{
    batch::{self, absolute},
    environment::Environment,
    failure::{Failure, Kind},
    interrupt::Interrupt,
    output::Output,
    place::Place,
    program::{PluginPath, worker_program},
};

use self::shown::Shown;

/// How long an engine may take to begin a training.
const ANSWER: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(200);

/// Train a network on a dataset; goes on in the engine when this command is stopped, where one runs
#[derive(Debug, Args)]
pub struct Train {
    /// A workspace, or a dataset with its index.sqlite [default: the nearest workspace]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// What is learned
    #[arg(long, value_enum, default_value_t = TaskName::Classify)]
    task: TaskName,
    /// Which network [default: simple; unet for defects]
    #[arg(long, value_name = "NETWORK")]
    arch: Option<String>,
    /// Times that every picture is seen [default: 20]
    #[arg(long, value_name = "N")]
    epochs: Option<i64>,
    /// Pictures a step [default: 32; 4 for defects]
    #[arg(long, value_name = "N")]
    batch: Option<i64>,
    /// Highest learning rate [default: 0.001; 0.002 for defects]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Pixels a side of what the network sees [default: 256; 64 for patches]
    #[arg(long, value_name = "PX")]
    size: Option<usize>,
    /// The whole frame, or the fibre with a margin around it
    #[arg(long, value_enum, default_value_t = CropName::Frame)]
    crop: CropName,
    /// Cladding radii from the fibre's middle to the edge, with --crop fibre
    #[arg(long, value_name = "RADII", default_value_t = 1.5)]
    margin: f64,
    /// Gray levels, what stands out of them, or that and zones [default: relief; zones for defects; raw for patches]
    #[arg(long, value_enum)]
    levels: Option<LevelName>,
    /// Classes of `classify`: clean and defective, or the kinds of defects
    #[arg(long, value_enum, default_value_t = LabelName::Defect)]
    labels: LabelName,
    /// Learn from labels that a model made, too
    #[arg(long)]
    model_labels: bool,
    /// Labels and masks of this COCO file instead of the dataset's
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Any other setting of the trainer; `--settings` lists them
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// Weights to begin with, as safetensors
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Name of the model files below models/ [default: baseline_cnn, or network and task]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Go on with a run; `last` is the newest
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "last")]
    resume: Option<String>,
    /// Steer the training of the workspace's engine, and train nothing
    #[arg(long, value_enum, value_name = "HOW", conflicts_with = "resume")]
    steer: Option<SteerName>,
    /// List every setting of the trainer, and train nothing
    #[arg(long)]
    settings: bool,
    /// One JSON object an event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    plugin_path: PluginPath,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SteerName {
    Pause,
    GoOn,
    StopAfterEpoch,
    StopNow,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TaskName {
    Classify,
    Regions,
    Defects,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CropName {
    Frame,
    Fibre,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LevelName {
    Raw,
    Relief,
    Zones,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LabelName {
    Defect,
    Kind,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.trim().into(), value.trim().into()))
}

/// Where a training works.
struct Site {
    workspace: Option<Workspace>,
    dataset: DatasetPaths,
    settings: Settings,
    places: Places,
}

impl Train {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let site = self.site()?;
        if let Some(how) = self.steer {
            return steer(&site.dataset, how);
        }
        let plan = self.plan()?;
        let shown = Shown::new(self.json);
        if !self.settings
            && let Ok(client) = Client::connect(&site.dataset)
        {
            return self.through_engine(client, plan, shown);
        }
        let program = worker_program()?;
        let (store, _copies) = batch::store(site.workspace.as_ref(), environment)?;
        let paths = self.plugin_path.search(site.workspace.as_ref(), environment)?;
        let catalogue = catalogue(&site, &paths, &store, &program);
        let trainer = Session::trainer(&catalogue).map_err(Failure::wrong)?;
        if self.settings {
            return list(&trainer.card.parameters);
        }
        let wish = Wish { plan: self.resume.is_none().then_some(plan), resume: self.resume.clone() };
        let limits = training::Site::limits(&site.settings.workers);
        let (places, dataset) = (site.places.clone(), site.dataset.clone());
        let with = training::Site { places, dataset, trainer, program, limits };
        let training = Alone::begin(wish, with, site.settings.dataset.images).map_err(Failure::wrong)?;
        alone(training, shown)
    }

    fn site(&self) -> Result<Site, Failure> {
        let root = self.root.as_deref().map(absolute).transpose()?;
        let workspace = match &root {
            None => Place::default().find()?,
            Some(root) if root.join(CONFIGURATION).is_file() => Workspace::at(root),
            Some(root) => {
                let dataset = DatasetPaths::at(root);
                if !dataset.database().exists() {
                    let message = format!("{} is neither a workspace nor a dataset", names::display(root));
                    return Err(Failure::wrong(message).hint(
                        "a workspace has a ferrule.toml, a dataset an index.sqlite (`ferrule build` makes one)",
                    ));
                }
                let here = absolute(Path::new("."))?;
                let settings = batch::Chosen::shipped()?.settings;
                return Ok(Site { workspace: None, dataset, settings, places: Places::below(&here) });
            }
        };
        let settings = Configuration::load(&workspace)?.settings;
        let dataset = DatasetPaths::at(&settings.dataset.path);
        let places = Places::below(workspace.root());
        Ok(Site { workspace: Some(workspace), dataset, settings, places })
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let task = match self.task {
            TaskName::Classify => Task::Classify,
            TaskName::Regions => Task::Regions,
            TaskName::Defects => Task::Defects,
        };
        let mut plan = Plan::new(task);
        for (name, text) in &self.set {
            plan.set(name, value(text));
        }
        let whole = [("epochs", self.epochs), ("batch", self.batch)];
        for (name, given) in whole {
            if let Some(given) = given {
                plan.set(name, ParameterValue::Integer(given));
            }
        }
        if let Some(rate) = self.lr {
            plan.set("rate", ParameterValue::Real(rate));
        }
        if let Some(network) = &self.arch {
            plan.set("network", ParameterValue::Text(network.clone()));
        }
        plan.input.side = self.size.unwrap_or(plan.input.side);
        if task != Task::Regions {
            plan.input.crop = match self.crop {
                CropName::Frame => Crop::Frame,
                CropName::Fibre => Crop::Fibre,
            };
        }
        plan.input.margin = self.margin;
        plan.input.levels = match self.levels {
            None => plan.input.levels,
            Some(LevelName::Raw) => Levels::Raw,
            Some(LevelName::Relief) => Levels::Relief,
            Some(LevelName::Zones) => Levels::Zones,
        };
        plan.labels = match self.labels {
            LabelName::Defect => Labels::Defect,
            LabelName::Kind => Labels::Kind,
        };
        plan.model_labels = self.model_labels;
        plan.truth = self.truth.as_deref().map(absolute).transpose()?;
        plan.weights = self.weights.as_deref().map(absolute).transpose()?;
        plan.model = self.model.clone().unwrap_or_else(|| plan.usual_name());
        Ok(plan)
    }

    /// The engine trains; this command shows it, and its end stops nothing but the showing.
    fn through_engine(self, mut client: Client, plan: Plan, mut shown: Shown) -> Result<(), Failure> {
        client.ask(Request::Subscribe, ANSWER)?;
        let plan = self.resume.is_none().then(|| Box::new(plan));
        let answer = client.ask(Request::Train { plan, resume: self.resume }, ANSWER);
        let answer = answer.map_err(|error| match error {
            // As without an engine: nothing has begun.
            refused @ RequestError::Refused(_) => Failure::wrong(refused),
            other => other.into(),
        });
        let run = match answer? {
            Answer::Training { run } => run,
            other => return Err(Failure::failed(format!("the engine answered something else: {other:?}"))),
        };
        let (_requests, incoming) = client.split();
        let interrupt = Interrupt::listen()?;
        loop {
            if interrupt.asked() {
                let message = format!("run {run} goes on in the engine");
                return Err(Failure::failed(message).hint("`ferrule train --steer stop-after-epoch` ends it"));
            }
            match incoming.recv_timeout(TICK) {
                Ok(Incoming::Event(Event::Training(event))) if event.run == run => {
                    if let Some(end) = shown.event(&event)? {
                        return end;
                    }
                }
                Ok(Incoming::Lost(reason)) => return Err(Failure::new(Kind::Unreachable, reason)),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::new(Kind::Unreachable, "the engine is gone"));
                }
            }
        }
    }
}

/// This process is the training's owner: Ctrl-C ends it after the epoch in hand, a second one at once.
fn alone(mut training: Alone, mut shown: Shown) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    let mut stopping = false;
    loop {
        if interrupt.asked() && !stopping {
            stopping = true;
            training.steer(Steer::StopAfterEpoch);
            shown.say("stopping after this epoch; once more ends it now, and --resume goes on");
        }
        match training.news(TICK).map_err(Failure::failed)? {
            News::Said(said) => {
                shown.event(&said.event(training.run()))?;
            }
            News::Ended(ended) => {
                let end = shown.event(&ended.event(training.run()))?;
                return end.unwrap_or(Ok(()));
            }
            News::Quiet => {}
        }
    }
}

/// Tells an engine what its training is to do.
fn steer(dataset: &DatasetPaths, how: SteerName) -> Result<(), Failure> {
    let steer = match how {
        SteerName::Pause => Steer::Pause,
        SteerName::GoOn => Steer::GoOn,
        SteerName::StopAfterEpoch => Steer::StopAfterEpoch,
        SteerName::StopNow => Steer::StopNow,
    };
    Client::connect(dataset)?.ask(Request::Steer { steer }, ANSWER)?;
    Ok(())
}

fn catalogue(
    site: &Site,
    paths: &SearchPaths,
    store: &LibraryStore,
    program: &ferrule_core::worker::arguments::WorkerProgram,
) -> Catalogue {
    Catalogue::build(paths, store, program, Policy::of(&site.settings.plugins))
}

fn list(parameters: &[ferrule_core::host::card::ParameterCard]) -> Result<(), Failure> {
    let mut output = Output::new();
    for parameter in parameters {
        let default = match &parameter.default {
            ParameterValue::Bool(value) => value.to_string(),
            ParameterValue::Integer(value) => value.to_string(),
            ParameterValue::Real(value) => value.to_string(),
            ParameterValue::Text(value) => value.clone(),
        };
        output.line(&format!("{:14} {:>10}  {}", parameter.name, default, parameter.help))?;
    }
    output.flush()
}

/// A setting as it was typed.
fn value(text: &str) -> ParameterValue {
    match (text.parse::<bool>(), text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(value), ..) => ParameterValue::Bool(value),
        (_, Ok(value), _) => ParameterValue::Integer(value),
        (_, _, Ok(value)) => ParameterValue::Real(value),
        _ => ParameterValue::Text(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_taken_for_what_it_looks_like() {
        assert_eq!(setting("turn = 30"), Ok(("turn".into(), "30".into())));
        assert!(setting("turn").is_err());
        assert_eq!(value("true"), ParameterValue::Bool(true));
        assert_eq!(value("3"), ParameterValue::Integer(3));
        assert_eq!(value("1e-3"), ParameterValue::Real(1e-3));
        assert_eq!(value("adamw"), ParameterValue::Text("adamw".into()));
    }
}
