//! The supervisor of worker processes: it starts them, hands them captures, watches them from outside, and decides what
//! happens when one dies.
//!
//! One thread, `pool`, owns every worker (a worker dies with the thread that started it). It never opens a plug-in, never
//! touches a capture's file, and never believes an answer unchecked. Whatever happens, each submitted task ends in exactly
//! one [`Report::Finished`] or [`Report::Returned`]. Called by the engine's main loop and by batch inspection.

mod answer;
mod asks;
mod cause;
mod deadline;
mod generations;
mod policy;
mod process;
mod rolling;
mod supervisor;
mod watch;
mod wide;
mod worker;

use std::{
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender};
use rustix::event::{EventfdFlags, eventfd};

pub use self::{
    answer::{Asked, check as check_answer},
    cause::Cause,
};
use crate::{
    dataset::fingerprint::Fingerprint,
    ids::{ImageId, PipelineId, PluginId},
    protocol::WorkerStatus,
    report::{Failure, Inspection},
    settings,
    worker::{
        arguments::{Limits, WorkerProgram},
        messages::{Artefacts, Optics, Pipeline, StagedFile},
        sandbox::SandboxReport,
    },
};

/// How many workers, and what each may take.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    pub program: WorkerProgram,
    /// At least 1.
    pub count: usize,
    pub limits: Limits,
    /// Shortest deadline of a capture; ten times the running 99th percentile where that is longer.
    pub deadline: Duration,
    /// Added for each megapixel.
    pub deadline_per_mpx: Duration,
    /// Memory of a wide worker, and its shortest deadline for one question.
    pub wide_memory_mb: u64,
    pub wide_deadline: Duration,
    /// From start to loaded pipeline.
    pub start_deadline: Duration,
    /// A plug-in is set aside after bringing workers down on so many captures in a row.
    pub quarantine_after: u32,
    /// Workers get a folder each in it, jobs one each in those. `None`: workers write nothing.
    pub staging: Option<PathBuf>,
}

impl PoolSettings {
    /// As the settings say; a count of 0 means one a core, less one.
    #[must_use]
    pub fn of(
        program: WorkerProgram,
        workers: &settings::Workers,
        plugins: &settings::Plugins,
        staging: Option<PathBuf>,
    ) -> Self {
        let cores = || thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1)).max(1);
        Self {
            program,
            count: if workers.count == 0 { cores() } else { workers.count },
            limits: workers.limits(),
            deadline: Duration::from_millis(workers.deadline_ms),
            deadline_per_mpx: Duration::from_millis(workers.deadline_ms_per_mpx),
            wide_memory_mb: workers.wide_memory_mb,
            wide_deadline: Duration::from_millis(workers.wide_deadline_ms),
            // A cold disk under load; a library that hangs is still noticed.
            start_deadline: Duration::from_secs(30),
            quarantine_after: plugins.quarantine_after,
            staging,
        }
    }
}

/// One capture to inspect.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The caller's; comes back with the result.
    pub id: u64,
    /// Absolute.
    pub path: PathBuf,
    /// The file's size, for the deadline; 0 where it is not known.
    pub bytes: u64,
    /// What the content must hash to; `None` takes whatever is there.
    pub expected: Option<ImageId>,
    pub optics: Optics,
    /// `None`: nothing is written.
    pub artefacts: Option<Artefacts>,
}

/// What the pool says. The channel is unbounded so that a slow listener never delays a deadline; it stays short because
/// results come only for what was submitted and trouble is told with growing pauses.
#[derive(Debug)]
pub enum Report {
    Finished(Box<Finished>),
    /// Given back uninspected, because the pool ends.
    Returned {
        id: u64,
    },
    /// A new worker has its pipeline loaded.
    Started {
        pid: u32,
        generation: u64,
        sandbox: SandboxReport,
    },
    Died(Box<WorkerDeath>),
    /// The pipeline goes on without this plug-in; every result until its release is incomplete and names it.
    Quarantined {
        plugin: PluginId,
        reason: String,
    },
    /// Back in the pipeline: released, or there is a new build of it.
    Released {
        plugin: PluginId,
    },
    /// No worker could load this generation.
    Refused {
        generation: u64,
        plugin: Option<PluginId>,
        reason: String,
        then: AfterRefusal,
    },
    /// Every worker runs this generation now.
    Replaced {
        generation: u64,
        took: Duration,
    },
}

/// What the pool does after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRefusal {
    /// The generation that stays in force.
    Kept { generation: u64 },
    /// Nothing is in force, or it no longer starts: tasks wait, and it tries again after this.
    TryAgain { after: Duration },
}

/// The end of a task.
#[derive(Debug)]
pub struct Finished {
    pub id: u64,
    /// What made the result; the pipeline in force for a result that no worker made.
    pub generation: u64,
    pub pipeline: PipelineId,
    pub result: Result<Inspection, Failure>,
    /// Where `artefacts` lie, beside those of other results: the receiver takes or removes these.
    pub staging: Option<PathBuf>,
    /// Names checked to be plain; that they are regular files is for whoever takes them to check.
    pub artefacts: Vec<StagedFile>,
    pub fingerprint: Option<Fingerprint>,
    /// Milliseconds by plug-in.
    pub spent: Vec<(PluginId, f64)>,
}

/// A worker that ended without being told to.
#[derive(Debug)]
pub struct WorkerDeath {
    pub pid: u32,
    pub cause: Cause,
    /// Whose turn it was.
    pub plugin: Option<PluginId>,
    /// What it held.
    pub task: Option<u64>,
    /// The end of what it wrote to standard error, without control characters.
    pub stderr: String,
}

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    #[error("cannot start the supervisor of workers: {0}")]
    Start(#[source] io::Error),
    #[error("cannot make the staging folder {}: {source}; check that the dataset is writable", path.display())]
    Staging { path: PathBuf, source: io::Error },
}

enum Command {
    Submit(Task),
    Replace { pipeline: Box<Pipeline>, generation: u64 },
    Release(PluginId),
    Shutdown { grace: Duration },
}

/// A running pool. Dropping it kills the workers and gives back what they held.
#[derive(Debug)]
pub struct Pool {
    commands: Sender<Command>,
    reports: Receiver<Report>,
    shared: Arc<Shared>,
    room: usize,
    thread: Option<JoinHandle<()>>,
}

/// What the supervisor and the handle both see.
#[derive(Debug)]
struct Shared {
    /// Readable when there are commands.
    wake: OwnedFd,
    /// Tasks submitted and not yet reported.
    held: AtomicUsize,
    workers: Mutex<Vec<WorkerStatus>>,
}

impl Pool {
    /// Starts the workers; they load the pipeline in the background.
    ///
    /// # Errors
    /// No staging folder, no thread. A worker that cannot start is a report, not an error.
    pub fn start(settings: PoolSettings, pipeline: Pipeline, generation: u64) -> Result<Self, PoolError> {
        let count = settings.count.max(1);
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let wake = wake.map_err(|error| PoolError::Start(error.into()))?;
        let shared = Arc::new(Shared { wake, held: AtomicUsize::new(0), workers: Mutex::default() });
        let (commands, inbox) = crossbeam_channel::unbounded();
        let (outbox, reports) = crossbeam_channel::unbounded();
        let supervisor =
            supervisor::Supervisor::new(settings, pipeline, generation, inbox, outbox, Arc::clone(&shared))?;
        let thread = thread::Builder::new().name("pool".into()).spawn(move || supervisor.run());
        let thread = Some(thread.map_err(PoolError::Start)?);
        // One in hand and one at hand for each worker: none waits for the engine's next turn, and little is held back.
        Ok(Self { commands, reports, shared, room: 2 * count, thread })
    }

    /// How many more tasks it takes now. Each finished task makes room for one.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.room.saturating_sub(self.shared.held.load(Ordering::Acquire))
    }

    /// Hands over one task.
    ///
    /// # Errors
    /// Gives the task back when there is no room, or the pool has ended.
    pub fn submit(&self, task: Task) -> Result<(), Box<Task>> {
        if self.capacity() == 0 {
            return Err(Box::new(task));
        }
        self.shared.held.fetch_add(1, Ordering::AcqRel);
        match self.commands.send(Command::Submit(task)) {
            Ok(()) => {
                self.shared.wake();
                Ok(())
            }
            Err(refused) => {
                self.shared.held.fetch_sub(1, Ordering::AcqRel);
                match refused.0 {
                    Command::Submit(task) => Err(Box::new(task)),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Results and facts, in the order in which they happened.
    #[must_use]
    pub fn reports(&self) -> &Receiver<Report> {
        &self.reports
    }

    /// Takes up another pipeline, worker by worker as they finish what they hold: in new processes when a build differs,
    /// else in the same ones. The old one stays in force until the first worker has loaded the new one.
    pub fn replace(&self, pipeline: Pipeline, generation: u64) {
        self.tell(Command::Replace { pipeline: Box::new(pipeline), generation });
    }

    /// Takes a plug-in out of quarantine.
    pub fn release(&self, plugin: PluginId) {
        self.tell(Command::Release(plugin));
    }

    /// The workers as they are, with the memory that each has in use now.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerStatus> {
        let mut workers = self.shared.workers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for worker in &mut workers {
            worker.memory_mb = process::resident_bytes(worker.pid).unwrap_or(0) >> 20;
        }
        workers
    }

    /// Ends: gives back what waits, gives workers `grace` to finish what they hold, kills them, waits. What was reported
    /// stays to be read from [`Self::reports`].
    pub fn shutdown(&mut self, grace: Duration) {
        self.tell(Command::Shutdown { grace });
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the supervisor of workers ended by a panic");
        }
    }

    fn tell(&self, command: Command) {
        // Nobody listens only after the end, when there is nothing left to tell.
        if self.commands.send(command).is_ok() {
            self.shared.wake();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.shutdown(Duration::ZERO);
        }
    }
}

impl Shared {
    fn wake(&self) {
        // Fails only when the counter is full, and then the reader is awake anyway.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}
