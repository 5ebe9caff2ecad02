//! `ferrule model import`: weights that were trained elsewhere, tried before they are taken in.

use std::{
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use ferrule_core::{
    change::judge_of,
    config::Configuration,
    host::{Catalogue, LibraryStore, Policy, assemble, card::Slot},
    inspect::{self, Answered, InspectError, Listener},
    names,
    settings::Settings,
    training::{Crop, Imported, Incoming, Input, Levels, Places, Task, card::is_name},
    trial::face_picture,
    worker::messages::ParameterValue,
    workspace::Workspace,
};

use crate::{
    batch::{absolute, asked_to_stop, beside_an_engine},
    environment::Environment,
    failure::Failure,
    output::Output,
    place::Place,
    program::{PluginPath, worker_program},
};

/// Take weights in that were trained in Python: .pt or .safetensors
#[derive(Debug, Args)]
pub struct Import {
    /// A state dict, TorchScript, or safetensors
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    path: PluginPath,
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
    /// Channels of the first layer [default: as the file has it]
    #[arg(long, value_name = "N")]
    width: Option<i64>,
    /// Score of a defect
    #[arg(long, value_name = "SCORE", default_value_t = 0.5)]
    threshold: f64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TaskName {
    Classify,
    Defects,
}

/// What a trial came to.
enum Trial {
    Passed,
    /// Something else than the model stood in the way of it.
    NotHeld(String),
}

impl Import {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let workspace = self.place.find()?;
        let task = match self.task {
            TaskName::Classify => Task::Classify,
            TaskName::Defects => Task::Defects,
        };
        if !is_name(&self.name) {
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
        let file = absolute(&self.file)?;
        let incoming = Incoming::read(&file, &what).map_err(Failure::wrong)?;
        if let Trial::NotHeld(why) = try_out(&incoming, &file, &workspace, &self.path, environment)? {
            let hint = "it comes in untried; `ferrule model deploy` will say whether it can be used";
            Failure::failed(format!("the model cannot be tried: {why}")).hint(hint).warn();
        }
        let card = incoming.keep(&Places::below(workspace.root())).map_err(Failure::failed)?;
        let mut output = Output::new();
        output.line(&format!("model {}; `ferrule model deploy {}` puts it to work", card.name, card.name))?;
        output.flush()
    }
}

/// Has the plug-in that would judge with it load the weights and judge a drawn end face, in workers like the engine's.
fn try_out(
    incoming: &Incoming,
    file: &Path,
    workspace: &Workspace,
    path: &PluginPath,
    environment: &Environment,
) -> Result<Trial, Failure> {
    let (plugin, slot) = judge_of(&incoming.card).map_err(Failure::wrong)?;
    let mut settings = Configuration::load(workspace)?.settings;
    let program = worker_program()?;
    let search = path.search(Some(workspace), environment)?;
    let store = LibraryStore::at(workspace.plugin_store());
    let mut catalogue = Catalogue::build(&search, &store, &program, Policy::of(&settings.plugins));
    if catalogue.get(&plugin).is_none() {
        return Ok(Trial::NotHeld(format!("there is no plug-in {plugin}")));
    }
    // No copy of what may be refused.
    catalogue.store = None;
    let room = Room::of(incoming).map_err(|error| Failure::failed(format!("no room to try the model in: {error}")))?;
    alone(&mut settings, slot).push(plugin.clone());
    let model = ParameterValue::Text(room.model.to_string_lossy().into_owned());
    settings.parameters.entry(plugin.clone()).or_default().insert("model".into(), model);
    let pipeline = match assemble(&settings, &catalogue) {
        Ok(pipeline) => pipeline,
        Err(error) => return Ok(Trial::NotHeld(error.to_string())),
    };
    let batch = beside_an_engine(program, settings, pipeline);
    let mut heard = Heard::default();
    let refused = |reason: &str| {
        let reason = reason.replace(&*room.model.to_string_lossy(), &names::display(file));
        let hint = "--arch, --width, --classes, --task and --size say what network it is; nothing was taken in";
        Failure::wrong(reason).hint(hint)
    };
    match inspect::run(batch, vec![room.picture.clone()], &asked_to_stop()?, &mut heard) {
        Ok(summary) if summary.interrupted => Err(Failure::failed("interrupted; nothing was taken in")),
        Err(InspectError::NoWorker { plugin: Some(named), reason }) if named == plugin => Err(refused(&reason)),
        Err(error) => Ok(Trial::NotHeld(error.to_string())),
        Ok(_) => match heard.verdict(plugin.as_str()) {
            None => Ok(Trial::Passed),
            Some(Blame::Model(reason)) => Err(refused(&reason)),
            Some(Blame::Other(reason)) => Ok(Trial::NotHeld(reason)),
        },
    }
}

/// A pipeline that finds the fibre and does nothing else but what will be in this slot.
fn alone(settings: &mut Settings, slot: Slot) -> &mut Vec<ferrule_core::ids::PluginId> {
    let slots = &mut settings.pipeline;
    [&mut slots.detect, &mut slots.measure, &mut slots.grade].into_iter().for_each(Vec::clear);
    if slot == Slot::Detect { &mut slots.detect } else { &mut slots.measure }
}

/// The model and a picture for it, gone with the trial.
struct Room {
    _folder: tempfile::TempDir,
    model: PathBuf,
    picture: PathBuf,
}

impl Room {
    fn of(incoming: &Incoming) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("ferrule-import-").tempdir()?;
        let (model, picture) = (folder.path().join("model.safetensors"), folder.path().join("face.png"));
        fs::write(&model, &incoming.weights)?;
        face_picture().map_err(io::Error::other)?.save(&picture).map_err(io::Error::other)?;
        Ok(Self { _folder: folder, model, picture })
    }
}

/// What was said of the picture.
#[derive(Default)]
struct Heard {
    answer: Option<Result<Vec<(String, String)>, String>>,
    remark: Option<String>,
}

enum Blame {
    Model(String),
    Other(String),
}

impl Heard {
    /// What speaks against it, and whose fault that is.
    fn verdict(self, plugin: &str) -> Option<Blame> {
        let why = |reason: &dyn Display| match &self.remark {
            // Why a worker ended says more than that a plug-in has no answer.
            Some(remark) => format!("{reason}; {remark}"),
            None => reason.to_string(),
        };
        match &self.answer {
            None => Some(Blame::Other(why(&"no answer came"))),
            Some(Err(reason)) => Some(Blame::Other(why(reason))),
            Some(Ok(missing)) => {
                let own = missing.iter().find(|(name, _)| name.split(' ').next() == Some(plugin));
                own.map(|(name, reason)| Blame::Model(format!("{name}: {}", why(reason))))
            }
        }
    }
}

impl Listener for Heard {
    fn answer(&mut self, answer: &Answered) -> bool {
        let missing = |inspection: &ferrule_core::report::Inspection| {
            inspection.incomplete.iter().map(|missing| (missing.plugin.clone(), missing.reason.clone())).collect()
        };
        self.answer = Some(answer.result.as_ref().map(missing).map_err(ToString::to_string));
        true
    }

    fn remark(&mut self, remark: &str) {
        self.remark.get_or_insert_with(|| remark.to_owned());
    }
}
