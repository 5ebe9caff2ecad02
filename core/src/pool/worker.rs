//! A worker's state: what it is doing, until when, and for which capture. No decisions here; the supervisor's are in
//! `supervisor`, the crash policy's in `policy`.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Cause, Task, generations::Generation, policy::History, process::Process};
use crate::{
    ids::PluginId,
    worker::{memory::SharedMemory, sandbox::SandboxReport, turns::TurnPage},
};

/// A task with what has happened to it.
#[derive(Debug)]
pub(super) struct Held {
    pub task: Task,
    pub history: History,
}

/// A capture in a worker's hands.
#[derive(Debug)]
pub(super) struct Busy {
    pub held: Held,
    /// Different for each attempt, so that a late answer is never taken for another's.
    pub job: u64,
    pub without: Vec<PluginId>,
    pub folder: Option<PathBuf>,
    pub since: Instant,
    pub until: Instant,
    /// It waits for a wide plug-in, which has a deadline of its own.
    pub asking: Option<Asking>,
}

/// A question that a worker waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking {
    /// The worker's own number of it.
    pub number: u64,
    /// Time that the capture had left when it was asked.
    pub left: Duration,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Loading its pipeline; the plug-in whose turn it is.
    Starting {
        until: Instant,
        turn: Option<PluginId>,
    },
    Idle,
    Busy(Box<Busy>),
    /// Told to end by itself.
    Leaving {
        until: Instant,
    },
    /// Killed, or its line is closed; not yet reaped.
    Dying {
        doing: Box<Phase>,
        cause: Option<Cause>,
        until: Instant,
    },
}

#[derive(Debug)]
pub(super) struct Worker {
    /// Never used twice.
    pub key: u64,
    /// Names its staging folder; free again once it is reaped.
    pub slot: usize,
    pub process: Process,
    pub generation: Arc<Generation>,
    pub phase: Phase,
    /// Captures answered.
    pub jobs: u64,
    /// Ends after what it holds.
    pub retiring: bool,
    /// What it said first, until it is reported.
    pub sandbox: Option<SandboxReport>,
    /// Where it puts pictures for wide plug-ins, if its pipeline has any.
    pub memory: Option<SharedMemory>,
    /// Where it writes whose turn it is.
    pub turns: TurnPage,
}

impl Worker {
    pub fn is_starting(&self) -> bool {
        matches!(self.phase, Phase::Starting { .. })
    }

    /// Has its pipeline and will go on working.
    pub fn is_serving(&self) -> bool {
        !self.retiring && matches!(self.phase, Phase::Idle | Phase::Busy(_))
    }

    pub fn is_free(&self) -> bool {
        !self.retiring && matches!(self.phase, Phase::Idle)
    }

    /// Still listened to.
    pub fn is_on_the_line(&self) -> bool {
        matches!(self.phase, Phase::Starting { .. } | Phase::Idle | Phase::Busy(_))
    }

    /// Whose turn it is in the capture in hand, or was when the worker ended.
    pub fn turn(&self) -> Option<PluginId> {
        let place = self.turns.last()?;
        self.generation.pipeline.stages().nth(place).map(|stage| stage.plugin.clone())
    }

    /// Whose turn it has been in the capture in hand.
    pub fn turns(&self) -> impl Iterator<Item = &PluginId> {
        let stages = self.generation.pipeline.stages().enumerate();
        stages.filter(|(place, _)| self.turns.had(*place)).map(|(_, stage)| &stage.plugin)
    }

    /// When something is due that it does not tell by itself.
    pub fn due(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Idle => None,
            Phase::Busy(busy) => busy.asking.is_none().then_some(busy.until),
            Phase::Starting { until, .. } | Phase::Leaving { until } | Phase::Dying { until, .. } => Some(*until),
        }
    }
}
