//! What the engine asks the store to write, and what it hears back once that is committed.

use std::{collections::BTreeMap, path::PathBuf};

use jiff::Timestamp;

use super::{
    correlations::CorrelationWrite,
    tidy::{TidyStep, Tidying},
    views::SavedView,
};
use crate::{
    alarm::{Alarm, AlarmStep},
    dataset::{
        fingerprint::Fingerprint,
        review::{Review, Reviewed},
    },
    ids::{BuildHash, CaptureId, ImageId, PipelineId, PluginId},
    ingest::FileKey,
    report::{CaptureState, Failure, Inspection, Outcome},
    settings::{MaskFormat, Source, Split},
    swap::{Swap, SwapOutcome},
    worker::messages::{Pipeline, StagedFile},
};

/// One thing to write. The writer commits many of them together.
#[derive(Debug, Clone)]
pub enum Write {
    /// The configured sources; those not named any more stay, marked as not watched.
    Sources(Vec<Source>),
    /// Files seen complete, or not worth inspecting. Their sources must have been written before.
    Admit(Vec<Admission>),
    /// About to be given to workers. The receipt names those that still were `queued`.
    Running(Vec<CaptureId>),
    /// One answer of the pool.
    Finish(Box<Finish>),
    Requeue(Requeue),
    /// A pipeline is to come into force.
    Pipeline(Box<PipelineChange>),
    /// Workers run it, or do not.
    SwapEnd(SwapEnd),
    /// A library was not let in.
    Refused(LibraryRefusal),
    /// Images that have no side of the split are to be given one.
    Split(Box<Split>),
    /// The manifests of the splits are to be written anew: labels changed.
    Manifests,
    /// Pairs of images.
    Correlations(CorrelationWrite),
    /// What people decided.
    Reviews(Vec<Review>),
    /// A view of the list is to be kept.
    KeepView(SavedView),
    /// The view of this name is not wanted any more.
    ForgetView(String),
    /// Former inspections, masks and pictures go, as many as one step takes.
    Tidy(Box<TidyStep>),
    /// A training goes on.
    Run(Box<RunChange>),
    /// What became of an alarm.
    Alarm(AlarmStep, Box<Alarm>),
    /// Nothing: its receipt says that everything before it is committed.
    Mark(u64),
    /// The same, for a client that waits.
    Settled,
}

/// A row of a training, or of the model that it made. Texts named `settings` and `figures` are JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum RunChange {
    /// It runs, for the first time or again.
    Begin {
        run: String,
        task: String,
        network: String,
        settings: String,
    },
    Epoch {
        run: String,
        epoch: u32,
        seconds: f64,
        figures: String,
    },
    End {
        run: String,
        state: String,
        best_epoch: Option<u32>,
        message: Option<String>,
    },
    Note {
        run: String,
        notes: String,
        tags: String,
    },
    Delete {
        run: String,
    },
    Model {
        model: String,
        run: Option<String>,
        task: String,
        network: String,
        path: PathBuf,
        figures: String,
    },
}

/// A file that ingest has seen, with what reading it said.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The source's name.
    pub source: String,
    /// Absolute; any bytes.
    pub path: PathBuf,
    pub key: FileKey,
    pub seen_at: Timestamp,
    pub content: Content,
    /// Named groups of the source's `name_pattern`.
    pub tags: BTreeMap<String, String>,
}

/// What is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Hashed(ImageId),
    Unreadable(Failure),
    /// Not a capture, and why.
    Ignored {
        reason: String,
    },
}

/// The end of a job.
#[derive(Debug, Clone)]
pub struct Finish {
    pub capture: CaptureId,
    pub image: ImageId,
    pub generation: u64,
    /// Written before, by [`Write::Pipeline`].
    pub pipeline: PipelineId,
    pub result: Result<Inspection, Failure>,
    /// The worker's folder in staging, where its other results lie too.
    pub staging: Option<PathBuf>,
    /// Plain names in `staging`, each beginning with `<image_id>_`.
    pub artefacts: Vec<StagedFile>,
    pub fingerprint: Option<Fingerprint>,
    /// The capture's file, of which the dataset takes its picture.
    pub source_file: PathBuf,
}

/// Which captures go back into the queue. A re-inspected image keeps its former result until the new one is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requeue {
    /// Every failed capture.
    AllFailed,
    /// Those of these that failed.
    Failed(Vec<CaptureId>),
    /// Captures that failed for the moment, after no more than so many attempts: the moment may be over.
    Transient { attempts: u32 },
    /// Captures given to a pool that could not take them.
    Running(Vec<CaptureId>),
    /// The captures that hold these images, if they are done or failed.
    Images(Vec<ImageId>),
    /// What is incomplete because of this plug-in.
    IncompleteFor(PluginId),
    /// Images whose current result is of another pipeline.
    OtherPipeline(PipelineId),
    /// Images whose zones have masks of another format.
    OtherMasks(MaskFormat),
}

/// A pipeline that workers are about to load.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineChange {
    pub pipeline: Pipeline,
    pub generation: u64,
    /// For the swap log: `start`, `configuration`, `plug-ins`.
    pub reason: String,
}

/// The end of the swap to a generation.
#[derive(Debug, Clone, PartialEq)]
pub struct SwapEnd {
    pub generation: u64,
    pub outcome: SwapOutcome,
    /// Why it was refused.
    pub refusal: Option<String>,
    /// Milliseconds until all workers ran it.
    pub took_ms: Option<f64>,
    /// Files that parameters of the pipeline in force name: the models among them are deployed, and no others.
    pub files: Vec<PathBuf>,
}

/// A library that was refused before it came into a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryRefusal {
    /// Its path, escaped for display.
    pub library: String,
    pub build: Option<BuildHash>,
    /// `start` or `plug-ins`.
    pub reason: String,
    pub refusal: String,
}

/// What is committed, or why it is not. Receipts come in the order of the writes, but for
/// those of the splits: they take their time, and hold nobody up.
#[derive(Debug, Clone, PartialEq)]
pub enum Receipt {
    Sources,
    /// One for each admission, in their order.
    Admitted(Vec<Admitted>),
    /// These, and only these, may be given to the pool.
    Running(Vec<CaptureId>),
    Finished(Box<Finished>),
    /// The answer was not wanted: the capture is not running. Nothing was written but the history of a replaced one.
    Dropped(CaptureId),
    /// How many went back; they are read with [`super::Reader::queued_page`].
    Requeued {
        queued: u64,
        /// Files that never could be read: hash and admit them again.
        unread: Vec<UnreadCapture>,
    },
    Pipeline {
        generation: u64,
    },
    /// The splits as they are now, and their manifests written; or why nobody was given a side.
    Divided(Result<Box<super::Divided>, String>),
    /// The manifests of the splits say what the database says, or why they do not.
    Manifests(Result<(), String>),
    /// Written, or why that step never can be.
    Correlations(Result<(), String>),
    Reviewed(Box<Reviewed>),
    /// Saved views changed.
    Views,
    Alarm,
    /// A step of a tidying: rows are gone, and their files removed.
    Tidied(Box<Tidying>),
    /// The row of a swap that ended, or of a library that was refused; `None` where that was no news.
    Swap(Option<Box<Swap>>),
    /// The run (or model) whose rows changed.
    Run(String),
    Mark(u64),
    Settled,
    /// A write that can never be stored, and why. Nothing of it was.
    Rejected {
        message: String,
    },
    /// Nothing can be stored at the moment. The writer keeps everything and tries again; [`Receipt::TroubleOver`] follows.
    Trouble {
        message: String,
        hint: String,
    },
    TroubleOver,
}

/// A capture's row after its admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    pub capture: CaptureId,
    pub source: String,
    pub path: PathBuf,
    pub image: Option<ImageId>,
    pub state: CaptureState,
    pub duplicate_of: Option<CaptureId>,
    /// The earlier version of the same file, now `replaced`.
    pub replaces: Option<CaptureId>,
    /// Another capture with the replaced one's content, now `queued` in its place.
    pub promoted: Option<CaptureId>,
    /// False where this very version of the file had its row before.
    pub new: bool,
    /// Why it failed or was ignored.
    pub message: Option<String>,
}

/// A capture's row after its inspection.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    pub capture: CaptureId,
    pub source: String,
    pub path: PathBuf,
    pub image: ImageId,
    /// `done` or `failed`.
    pub state: CaptureState,
    pub has_defect: Option<bool>,
    pub verdict: Option<Outcome>,
    pub defects: Option<u32>,
    /// `id version` of plug-ins whose results are missing.
    pub incomplete: Vec<String>,
    pub failure: Option<Failure>,
    /// Milliseconds in the worker.
    pub ms: Option<f64>,
}

/// A capture waiting for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedCapture {
    pub capture: CaptureId,
    pub image: ImageId,
    pub source: String,
    pub path: PathBuf,
}

/// A capture whose file is to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadCapture {
    pub source: String,
    pub path: PathBuf,
    pub key: FileKey,
}
