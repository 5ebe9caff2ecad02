//! What clients and the engine say to each other: one JSON object a line over the workspace's Unix socket.
//!
//! The client speaks first (`{"hello": …}`), the engine answers with its own hello or with one line of error and closes.
//! After that every request carries an `id`, and exactly one answer carries it back; events come between, once asked for.
//! A person can speak it with `socat`.

mod handed;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    alarm::{Alarm, AlarmStep},
    change::Change,
    dataset::review::{Review, Reviewed},
    host::card::{DescriptorCard, ParameterCard},
    ids::{BuildHash, CaptureId, ImageId, PipelineId, PluginId},
    report::{CaptureState, Outcome},
    store::{CorrelationWrite, Divided, SavedView, Tidied},
    swap::Swap,
    training::{Ended, Plan, Steer},
    worker::messages::ParameterValue,
};

pub use handed::HandedFile;

/// Counted up when an older side could not understand a newer one.
pub const PROTOCOL: u32 = 6;

/// The longest line that either side accepts, in bytes.
pub const MAX_LINE: usize = 1 << 20;

/// Client to engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientLine {
    Hello(Hello),
    Request { id: u64, body: Request },
}

/// Engine to client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineLine {
    Hello(Hello),
    Answer {
        id: u64,
        body: Answer,
    },
    Event(Event),
    /// Before the engine closes the line, and why.
    Refused(Refusal),
}

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    /// `ferrule 0.1.0`.
    pub software: String,
    pub pid: u32,
}

/// What a client can ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", deny_unknown_fields)]
pub enum Request {
    Status,
    /// Events from now on; the answer is the status they start from.
    Subscribe,
    /// Ends the engine after what is in hand. Queued captures wait for the next start.
    Stop,
    /// Looks into every source now.
    Rescan,
    /// Queues failed captures again: these, or all.
    Retry {
        captures: Option<Vec<CaptureId>>,
    },
    /// Queues images for another pass through the pipeline in force.
    Reinspect {
        images: Vec<ImageId>,
    },
    /// What people decided; stored in one transaction, with the labels that hang on it. An [`Event::Reviewed`] says what came
    /// of it, one a request, in the order of the requests.
    Review {
        reviews: Vec<Review>,
    },
    /// Keeps a view of the list of captures, in place of one of the same name. An [`Event::Views`] follows.
    KeepView {
        view: SavedView,
    },
    /// Forgets a saved view. An [`Event::Views`] follows.
    ForgetView {
        name: String,
    },
    /// Takes a plug-in out of quarantine and queues what is incomplete because of it.
    Release {
        plugin: PluginId,
    },
    /// Looks at `ferrule.toml` and every plug-in folder now: what is there is complete. The answer counts the looks; an
    /// [`Event::Looked`] with that count, or a later one, says what came of it.
    Look,
    /// Lets go now what `[dataset.keep]` says; an [`Event::Tidied`] tells how it ended.
    Tidy,
    /// Stops or goes on taking work from the queue; what is in hand is finished.
    Pause {
        paused: bool,
    },
    /// Begins a training, or goes on with a run; answered by its name. It goes on whoever leaves.
    Train {
        /// Ignored where a run is gone on with: it keeps its own.
        plan: Option<Box<Plan>>,
        resume: Option<String>,
    },
    /// Lets the training wait, go on, or stop.
    Steer {
        steer: Steer,
    },
    /// Every plug-in that was found, in the pipeline or not, and what is set of it.
    Plugins,
    /// What the trainer can be told, or why there is none.
    Trainer,
    /// What a person says of a run; an [`Event::Run`] tells that it is stored.
    Note {
        run: String,
        notes: String,
        tags: String,
    },
    /// Removes a run's rows and folder; models that it made stay. An [`Event::Run`] tells that it is gone.
    DeleteRun {
        run: String,
    },
    /// Somebody has seen this alarm, by its rule's name, or all of them. The answer counts those that nobody had seen.
    Acknowledge {
        rule: Option<String>,
        /// Who; kept with the alarm.
        by: String,
    },
    /// An edit of the workspace's `ferrule.toml`, whole or not at all; the engine looks at it at once.
    Change {
        change: Change,
    },
    /// Files to inspect wherever they lie, each as it was seen; one that the dataset has as it is stays as it is. Their rows
    /// tell what came of them. The answer counts the files.
    Inspect {
        files: Vec<HandedFile>,
    },
    /// Answered once everything that was asked before is committed.
    Settle,
    /// Gives images without a side of the split one now; answered by [`Answer::Divided`] once that is committed.
    Divide,
    /// This client writes the dataset's correlations from now on, until it leaves: refused while another one does.
    Correlate,
    /// One step of bringing correlations up to date, answered once it is committed.
    Correlations {
        write: CorrelationWrite,
    },
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Answer {
    Status(Box<Status>),
    /// Done; how many things it touched.
    Ok {
        count: u64,
    },
    /// The run that was begun.
    Training {
        run: String,
    },
    Trainer(Box<Trainer>),
    Plugins(Box<PluginList>),
    /// What a division came to.
    Divided(Box<Divided>),
    Refused(Refusal),
}

/// The plug-in that trains.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trainer {
    /// In the order of a form; empty where there is none.
    pub parameters: Vec<ParameterCard>,
    /// Why there is none, in one line with its remedy.
    pub problem: Option<String>,
}

/// A request that cannot be met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub message: String,
    /// What the person can do.
    pub hint: String,
}

/// Captures by state. `seen` is always their sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub seen: u64,
    pub settling: u64,
    pub queued: u64,
    pub running: u64,
    pub done: u64,
    pub duplicate: u64,
    pub failed: u64,
    pub ignored: u64,
    pub replaced: u64,
}

impl Counts {
    /// The count of that state.
    #[must_use]
    pub fn of(&self, state: CaptureState) -> u64 {
        match state {
            CaptureState::Settling => self.settling,
            CaptureState::Queued => self.queued,
            CaptureState::Running => self.running,
            CaptureState::Done => self.done,
            CaptureState::Duplicate => self.duplicate,
            CaptureState::Failed => self.failed,
            CaptureState::Ignored => self.ignored,
            CaptureState::Replaced => self.replaced,
        }
    }

    /// A place for the count of that state; `seen` is the caller's to keep.
    pub fn of_mut(&mut self, state: CaptureState) -> &mut u64 {
        match state {
            CaptureState::Settling => &mut self.settling,
            CaptureState::Queued => &mut self.queued,
            CaptureState::Running => &mut self.running,
            CaptureState::Done => &mut self.done,
            CaptureState::Duplicate => &mut self.duplicate,
            CaptureState::Failed => &mut self.failed,
            CaptureState::Ignored => &mut self.ignored,
            CaptureState::Replaced => &mut self.replaced,
        }
    }

    /// Makes `seen` the sum of all states.
    pub fn add_up(&mut self) {
        self.seen = CaptureState::ALL.iter().map(|state| self.of(*state)).sum();
    }
}

/// The engine at a glance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub software: String,
    pub pid: u32,
    /// RFC 3339, UTC.
    pub started: String,
    pub workspace: String,
    pub database: String,
    pub generation: u64,
    pub pipeline: Option<PipelineId>,
    pub counts: Counts,
    pub paused: bool,
    /// Captures done a second, over the last ten.
    pub per_second: f64,
    /// Milliseconds from complete file to committed result, over the last 1,000 captures.
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub workers: Vec<WorkerStatus>,
    pub sources: Vec<SourceStatus>,
    pub plugins: Vec<PluginStatus>,
    /// The training that runs, as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingNow>,
    /// The dataset's disk, as it was looked at last; `None` where it cannot be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskStatus>,
    /// How the last tidying of this engine ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tidied: Option<TidyEnd>,
    /// Standing troubles, each one line with its remedy: a source gone, a disk full, a bad configuration.
    pub problems: Vec<String>,
    /// Alarms that hold or that nobody has acknowledged; the latter first.
    #[serde(default)]
    pub alarms: Vec<Alarm>,
}

/// Room on the dataset's disk, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskStatus {
    pub free_mb: u64,
    /// `dataset.min_free_mb`: with less than this free no capture is begun.
    pub wanted_mb: u64,
}

impl DiskStatus {
    /// Captures wait for room.
    #[must_use]
    pub const fn is_low(&self) -> bool {
        self.free_mb < self.wanted_mb
    }
}

/// How a tidying ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TidyEnd {
    /// RFC 3339, UTC.
    pub at: String,
    #[serde(flatten)]
    pub done: Tidied,
    /// Why not all that was to go went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A training as it stands, for a client that was not there from its start. Its epochs are in the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingNow {
    pub run: String,
    /// What a person wanted of it last.
    pub wish: Steer,
    /// Its `started`, once that was said: epochs planned, pictures, device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Box<TrainingEvent>>,
    /// Its last `feed`, `batch` or `paused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Box<TrainingEvent>>,
}

/// One worker process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerStatus {
    pub pid: u32,
    pub busy: bool,
    pub jobs: u64,
    pub memory_mb: u64,
    /// The wide plug-in that it is for; `None` for one that takes captures through the whole pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginId>,
}

/// One watched directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    pub name: String,
    /// Escaped for display.
    pub path: String,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
}

/// One plug-in of the pipeline in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginStatus {
    pub slot: String,
    pub id: PluginId,
    pub version: String,
    pub build: BuildHash,
    pub quarantined: bool,
    /// Why it is quarantined, or was last refused.
    pub problem: Option<String>,
    /// Median milliseconds a capture over its slot.
    pub ms: Option<f64>,
}

/// What there is of plug-ins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PluginList {
    pub plugins: Vec<PluginFound>,
    pub refused: Vec<RefusedLibrary>,
}

/// A plug-in that can be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginFound {
    pub card: DescriptorCard,
    pub build: BuildHash,
    /// In its slot of `ferrule.toml`, from 0; `None` where it is in no pipeline.
    pub place: Option<u32>,
    /// Parameters that `ferrule.toml` sets.
    #[serde(with = "crate::training::plain")]
    pub set: BTreeMap<String, ParameterValue>,
    /// Its file, escaped for display.
    pub found: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// A capture's state changed and is committed.
    Capture(Box<CaptureEvent>),
    /// At most a few a second, and only when something in it changed.
    Status(Box<Status>),
    /// A swap ended, or a library was refused; its row is committed.
    Swap(Box<Swap>),
    /// Configuration and plug-ins were looked at, for whatever reason.
    Looked(Looked),
    /// Reviews are committed.
    Reviewed(Reviewed),
    /// Saved views changed.
    Views,
    /// What became of an alarm. Told at once, unlike everything else: a disk that takes no row is what one may be about.
    Alarm { step: AlarmStep, alarm: Box<Alarm> },
    /// A tidying ended.
    Tidied(TidyEnd),
    /// A line for the log; `level` as in `log.level`.
    Log { at: String, level: String, message: String },
    /// A step of the training; what it says of an epoch is committed.
    Training(Box<TrainingEvent>),
    /// Rows of a run are committed: begun, an epoch, ended, noted, or gone.
    Run { run: String },
    /// The engine is about to end.
    Stopping,
}

/// A step of a training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingEvent {
    pub run: String,
    /// `started`, `feed`, `batch`, `epoch`, `test`, `paused`, `warning`, `ended`.
    pub name: String,
    #[serde(default)]
    pub epoch: u32,
    /// From 1; 0 where it means nothing.
    #[serde(default)]
    pub batch: u32,
    #[serde(default)]
    pub batches: u32,
    /// Figures by name; `val_confusion` is a list of rows, `val_worst` a list of samples.
    #[serde(default)]
    pub values: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub message: String,
    /// With the last event of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

impl TrainingEvent {
    /// A figure by name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.values.get(name).and_then(serde_json::Value::as_f64)
    }
}

/// What a look at configuration and plug-ins came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// Looks that were asked for before this one began.
    pub look: u64,
    /// The generation in force or, after a change, the one that workers load now; an [`Event::Swap`] tells how that ends.
    pub generation: u64,
    /// Why there is no new pipeline, where configuration and plug-ins give none that workers take.
    pub problem: Option<String>,
    /// Libraries that were refused.
    pub refused: Vec<RefusedLibrary>,
}

/// A library that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLibrary {
    /// Escaped for display.
    pub path: String,
    pub build: Option<BuildHash>,
    pub reason: String,
}

/// A capture in its new state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaptureEvent {
    pub capture: CaptureId,
    pub source: String,
    /// Escaped for display.
    pub path: String,
    /// The exact bytes, where the escaped form is not exact.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path_b64: Option<String>,
    pub state: CaptureState,
    pub image: Option<ImageId>,
    pub has_defect: Option<bool>,
    pub verdict: Option<Outcome>,
    pub defects: Option<u32>,
    /// Names of plug-ins whose results are missing.
    pub incomplete: Vec<String>,
    /// Why it failed.
    pub message: Option<String>,
    /// Milliseconds in the worker.
    pub ms: Option<f64>,
}
