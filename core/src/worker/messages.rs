//! What engine and worker say to each other: postcard frames over a socket pair, each after its length (u32, little
//! endian). Whatever a worker sends is untrusted input and is checked by the engine before it is believed.

use std::path::PathBuf;

use ferrule_abi as abi;
use serde::{Deserialize, Serialize};

use crate::{
    dataset::fingerprint::Fingerprint,
    host::{
        card::{DescriptorCard, Pixels, Profile},
        script::Script,
    },
    ids::{BuildHash, ImageId, PipelineId, PluginId},
    report::{Failure, Inspection, Outline},
    settings::{Consensus, ImageLinks, MaskFormat, Severities},
    training::{FromTraining, Order, Steer},
    trial::{Trial, Tried},
    worker::sandbox::SandboxReport,
};

/// A plug-in in a pipeline, with everything needed to load it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    pub plugin: PluginId,
    pub version: String,
    pub build: BuildHash,
    /// Its private copy in the store, named by its hash; of a script the bridge's.
    pub library: PathBuf,
    /// A Python file, which the library serves.
    pub script: Option<Script>,
    /// A wide one is asked over the line, and works in a process of its own.
    pub profile: Profile,
    /// Pixel formats that it takes as they come; see [`DescriptorCard::accepts`].
    pub accepts: Vec<Pixels>,
    /// Only what differs from its defaults, by name.
    pub parameters: Vec<(String, ParameterValue)>,
    /// Private copies, in the store, of the files that parameters name: a file may be written again in its place, and a
    /// worker that starts later must not read something else than the pipeline says.
    pub files: Vec<(String, PathBuf)>,
}

impl Stage {
    /// The parameters as the plug-in gets them.
    #[must_use]
    pub fn given(&self) -> Vec<(String, ParameterValue)> {
        let copy = |name: &str| self.files.iter().find(|(file, _)| file == name);
        let value = |(name, value): &(String, ParameterValue)| match copy(name) {
            Some((_, copy)) => (name.clone(), ParameterValue::Text(copy.to_string_lossy().into_owned())),
            None => (name.clone(), value.clone()),
        };
        self.parameters.iter().map(value).collect()
    }

    /// What a plug-in said of its files, with the names that a person knows them by in place of the copies'.
    #[must_use]
    pub fn in_known_names(&self, said: &str) -> String {
        let known =
            |name: &str| self.parameters.iter().find(|(parameter, _)| parameter == name).map(|(_, value)| value);
        let mut said = said.to_owned();
        for (name, copy) in &self.files {
            if let Some(ParameterValue::Text(path)) = known(name) {
                said = said.replace(&*copy.to_string_lossy(), path);
            }
        }
        said
    }
}

/// A parameter's value as configuration and frames carry it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ParameterValue {
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(String),
}

/// The slots with their plug-ins, and what the host itself needs to know to run them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    pub id: PipelineId,
    /// In order of trust; `consensus` says how many of them are asked.
    pub segment: Vec<Stage>,
    pub detect: Vec<Stage>,
    pub measure: Vec<Stage>,
    pub grade: Vec<Stage>,
    pub consensus: Consensus,
    /// A segmenter below this confidence of the cladding hands over to the next one listed.
    pub min_confidence: f64,
    pub label: Severities,
}

impl Pipeline {
    /// All of them, in the order of their slots.
    pub fn stages(&self) -> impl Iterator<Item = &Stage> {
        [&self.segment, &self.detect, &self.measure, &self.grade].into_iter().flatten()
    }

    /// Files that parameters name, where a person finds them.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let named = |stage: &Stage, name: &str| {
            let parameter = stage.parameters.iter().find(|(parameter, _)| parameter == name);
            match parameter {
                Some((_, ParameterValue::Text(path))) => Some(PathBuf::from(path)),
                _ => None,
            }
        };
        self.stages().flat_map(|stage| stage.files.iter().filter_map(move |(name, _)| named(stage, name))).collect()
    }
}

/// What the picture's source says about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Optics {
    pub um_per_px: Option<f64>,
    /// Width of a pixel divided by its height.
    pub pixel_aspect: Option<f64>,
    /// Outer diameter of the glass, from the fibre type.
    pub cladding_um: Option<f64>,
    pub core_um: Option<f64>,
}

/// What a job leaves on disk, in the worker's staging folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Artefacts {
    pub masks: MaskFormat,
    /// How the picture itself comes into the dataset.
    pub images: ImageLinks,
}

/// Engine to worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ToWorker {
    /// Load what is new, make the instances; answered by `Ready` or `Refused`.
    Configure(Box<Pipeline>),
    Inspect(Box<Job>),
    /// Open this library, say what is in it, and try each plug-in on a small picture; answered by `Turn`s and `Probed`.
    /// Only ever sent to a child that is thrown away afterwards.
    Probe {
        library: PathBuf,
    },
    /// Put a plug-in to the test; answered by `Turn`s and `Tried`. Only ever sent to a child of a trial.
    Try(Box<Trial>),
    /// The same for a Python file, which the bridge library serves; answered by `Described`.
    Describe {
        bridge: PathBuf,
        script: Script,
    },
    /// Decode a picture and lay it onto a grid; answered by `Gridded`. Needs no pipeline.
    Grid(Box<GridJob>),
    /// To a wide worker, with a descriptor: the memory in which the narrow worker of that number puts its pictures.
    Memory {
        of: u64,
    },
    /// To a wide worker: the memory of that narrow worker is of no more use.
    Forget {
        of: u64,
    },
    /// To a wide worker: questions of narrow ones; answered by `Served`, one answer each, in order.
    Serve(Vec<Ask>),
    /// To a narrow worker: what a wide plug-in said to its question.
    Reply(Box<Reply>),
    /// Only ever sent to a child that does nothing else: train, and answer with `Training`s.
    Train(Box<Order>),
    /// To that child, at any time: go on, wait, stop.
    Steer(Steer),
}

/// A narrow worker's question to a wide plug-in. The picture, and the label map where there is one, lie in the memory
/// that they share, by [`super::memory::Layout`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Counted by the asking worker.
    pub number: u64,
    pub plugin: PluginId,
    pub width: u32,
    pub height: u32,
    pub format: Pixels,
    pub um_per_px: Option<f64>,
    pub pixel_aspect: Option<f64>,
    pub query: Query,
}

/// What is asked, with what is known already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Query {
    Segment,
    Detect { zones: Vec<abi::Zone> },
    Measure { zones: Vec<abi::Zone>, defects: Vec<abi::Defect> },
}

/// A question as the engine hands it on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Whose memory holds the picture.
    pub memory: u64,
    pub question: Question,
}

/// What a wide plug-in found, as the interface says it. The engine hands it on unread; the worker that asked checks it
/// like any plug-in's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Findings {
    Segmentation(abi::Segmentation),
    Detections(abi::Detections),
    Measurements(abi::Measurements),
}

/// The end of a question; an error is the plug-in's own words, or the engine's about its death.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reply {
    pub number: u64,
    pub findings: Result<Findings, String>,
}

/// One capture to inspect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub job: u64,
    /// Path bytes as the file system has them.
    #[serde(with = "path_bytes")]
    pub path: PathBuf,
    /// What the content must hash to; `None` takes whatever is there (`ferrule inspect`).
    pub expected: Option<ImageId>,
    pub optics: Optics,
    /// Plug-ins to leave out, because they brought workers down on this capture.
    pub without: Vec<PluginId>,
    /// Write artefacts into this folder (inside the worker's staging), else write nothing.
    pub staging: Option<(PathBuf, Artefacts)>,
}

/// A picture to be laid onto a square grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GridJob {
    #[serde(with = "path_bytes")]
    pub path: PathBuf,
    /// What the content must hash to.
    pub expected: ImageId,
    /// The cladding, whose bounding square the grid covers; `None` lays the whole picture onto it.
    pub cladding: Option<Outline>,
    /// Cells a side.
    pub side: u32,
}

/// What a Python file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Described {
    pub card: DescriptorCard,
    /// Interpreter and packages, with their versions.
    pub environment: String,
}

/// Worker to engine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum FromWorker {
    /// First of all, before any plug-in is loaded.
    Started {
        sandbox: SandboxReport,
    },
    Probed(Result<Vec<DescriptorCard>, String>),
    Described(Result<Described, String>),
    /// The pipeline is loaded.
    Ready {
        pipeline: PipelineId,
    },
    /// The pipeline cannot be loaded; names the plug-in and why.
    Refused {
        pipeline: PipelineId,
        plugin: Option<PluginId>,
        reason: String,
    },
    /// Before a plug-in is loaded, tried or asked: whose turn it is, so that a crash has a name. Of a capture the turns
    /// stand in shared memory instead.
    Turn {
        plugin: PluginId,
    },
    Done(Box<Answer>),
    /// A narrow worker asks a wide plug-in, and waits.
    Ask(Box<Question>),
    /// A wide worker has an answer to each question it was given.
    Served(Vec<Result<Findings, String>>),
    Tried(Box<Tried>),
    /// Gray levels, row by row.
    Gridded(Result<Vec<u8>, Failure>),
    /// What a training comes to, step by step; the last one is its end.
    Training(Box<FromTraining>),
}

/// The end of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub job: u64,
    pub result: Result<Inspection, Failure>,
    /// Names of the files written into the job's staging folder, in the order in which they belong to
    /// `dataset/{masks,defects}`; plain names without separators.
    pub artefacts: Vec<StagedFile>,
    /// What the picture looks like, where artefacts were asked for and there is a fibre.
    pub fingerprint: Option<Fingerprint>,
    /// Milliseconds that each plug-in took that was asked, in the order of asking.
    pub spent: Vec<(PluginId, f64)>,
}

/// A file in staging and the dataset folder that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    pub folder: ArtefactFolder,
    pub name: String,
}

/// Folders of a dataset that workers fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ArtefactFolder {
    Masks,
    Defects,
}

/// Paths as bytes: serde's own form refuses names that are not UTF-8.
mod path_bytes {
    use std::{
        ffi::OsString,
        os::unix::ffi::{OsStrExt, OsStringExt},
        path::{Path, PathBuf},
    };

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().as_bytes().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(|bytes| PathBuf::from(OsString::from_vec(bytes)))
    }
}
