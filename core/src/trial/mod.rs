//! A plug-in put to the test, for its author: every parameter at its ends, pictures that nobody takes on purpose, the
//! same answer to the same picture, time and memory. `ferrule plugin check` shows what comes of it.
//!
//! The plug-in runs in a child under the limits and the sandbox of a worker, so that a crash is a finding. [`run`] is this
//! side: it decides what is tried, and judges. `desk` is the child's side, `subjects` the pictures. Nothing here is stored.

mod describe;
pub(crate) mod desk;
mod plan;
mod subjects;

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub use plan::run;
pub use subjects::{Subject, face_picture};

use crate::{
    host::{card::DescriptorCard, script::Script},
    ids::PluginId,
    worker::{
        arguments::{Limits, WorkerProgram},
        messages::{ParameterValue, Pipeline},
    },
};

/// What is tried, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    pub program: WorkerProgram,
    /// The private copy.
    pub library: PathBuf,
    /// A Python file, which the library serves.
    pub script: Option<Script>,
    /// Only this one of the library's plug-ins.
    pub only: Option<PluginId>,
    /// Parameters laid over the defaults in everything that is tried; they are not varied.
    pub set: Vec<(String, String)>,
    pub limits: Limits,
    /// Of a child that tries a wide plug-in.
    pub wide_memory_mb: u64,
    /// As for a capture: the shortest, and what each megapixel adds.
    pub deadline: Duration,
    pub deadline_per_mpx: Duration,
    /// What a whole capture is measured by, to compare with; `None` where there is no pipeline.
    pub pipeline: Option<Pipeline>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// `None` where it is about the library.
    pub plugin: Option<PluginId>,
    pub check: Check,
    /// What was tried: `sigma = 9`, `1x10000, black`.
    pub what: String,
    pub state: State,
    /// What came of it, or what is wrong with it.
    pub detail: String,
}

/// What is looked at, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// It loads, and was built against this interface.
    Layout,
    /// The engine's own trial before it lets a library in.
    Probe,
    /// What it says of itself.
    Description,
    /// An end face: it answers, and the answer can be believed.
    Answers,
    /// Every parameter at both ends of its range, every choice, every switch.
    Parameters,
    /// Pictures that nobody takes on purpose.
    Pictures,
    /// The same picture, the same answer.
    Determinism,
    Speed,
    /// What grows from call to call.
    Memory,
}

impl Check {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Layout => "layout",
            Self::Probe => "probe",
            Self::Description => "description",
            Self::Answers => "answers",
            Self::Parameters => "parameters",
            Self::Pictures => "pictures",
            Self::Determinism => "determinism",
            Self::Speed => "speed",
            Self::Memory => "memory",
        }
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Passed,
    /// It said no in its own words, which is allowed here and worth knowing.
    Noted,
    Failed,
    /// Not tried, and why.
    Skipped,
}

/// What the child is to do. Answered by [`Tried`], after a `Turn` before each step that can hang.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Trial {
    Describe { library: PathBuf, script: Option<Script> },
    Call(Box<Sitting>),
}

/// One instance of a plug-in, and the pictures that it is shown one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sitting {
    pub library: PathBuf,
    pub script: Option<Script>,
    pub plugin: PluginId,
    pub parameters: Vec<(String, ParameterValue)>,
    pub subjects: Vec<Subject>,
}

/// What the child says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Tried {
    Described(Vec<DescriptorCard>),
    Called(Vec<Call>),
    /// It stopped there.
    Fault(Fault),
}

/// One call that was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Stands for every byte of the answer; for an error, for its words.
    pub digest: String,
    /// The answer in a few words; an error's own.
    pub said: Result<String, String>,
    pub ms: f64,
    /// Resident memory of the process after it.
    pub resident: u64,
}

/// What stopped a sitting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The library cannot be used.
    Library(String),
    /// No instance with these parameters.
    Create(String),
    Panic(String),
    /// An answer that cannot be believed.
    Lie(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Library(reason) => write!(f, "the library {reason}"),
            Self::Create(reason) => write!(f, "cannot be made: {reason}"),
            Self::Panic(reason) => f.write_str(reason),
            Self::Lie(reason) => f.write_str(reason),
        }
    }
}
