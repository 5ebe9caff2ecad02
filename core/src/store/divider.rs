//! The thread `store-divider`: reads, compares and decides who goes on which side of the split, beside the writer.
//!
//! Over a million images that takes many seconds, in which results have to be stored all the same. So it works on a
//! connection of its own, at the lowest priority, on what was committed when it was asked. Only what was decided goes to the
//! writer, as one short transaction; the manifests are written here again, once that is committed. What changed meanwhile
//! waits for the next division.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rusqlite::{Connection, ffi};

use super::{
    Reader, StoreError,
    split::{self, Divided, Plan},
    write::Receipt,
};
use crate::{dataset::manifest, settings::Split, workspace::DatasetPaths};

/// Steps of a query between two looks at whether to go on.
const STEPS: i32 = 10_000;

/// Says whether to go on; asked by whatever takes long.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch(Arc<AtomicBool>);

impl Watch {
    /// # Errors
    /// What SQLite says of an interrupted query, once the store is being closed.
    pub fn go_on(&self) -> Result<(), rusqlite::Error> {
        if self.is_over() {
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_INTERRUPT), None));
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Task {
    Divide(Box<Split>),
    Manifests,
}

/// Decided, and to be written.
#[derive(Debug)]
pub(super) struct Planned {
    pub plan: Plan,
    /// Waits for it to be committed, or for why it never can be.
    pub written: Sender<Result<(), String>>,
}

/// Its end of the thread, for the writer. Dropped it ends the thread: at once, but for manifests that are being written.
#[derive(Debug)]
pub(super) struct Divider {
    ends: Option<(Sender<Task>, Receiver<Planned>)>,
    watch: Watch,
    thread: Option<JoinHandle<()>>,
}

impl Divider {
    pub fn start(paths: &DatasetPaths, receipts: Sender<Receipt>) -> Result<Self, StoreError> {
        let (tasks, inbox) = unbounded();
        // From hand to hand: what lay in a channel that nobody reads any more would be waited for for ever.
        let (outbox, plans) = bounded(0);
        let watch = Watch::default();
        let thread = Thread { paths: paths.clone(), watch: watch.clone(), plans: outbox };
        let work = move || {
            // Captures come first. Where that is refused they share the processors.
            let _ = rustix::process::setpriority_process(None, 19);
            thread.run(&inbox, &receipts);
        };
        let thread = thread::Builder::new().name("store-divider".into()).spawn(work).map_err(StoreError::Thread)?;
        Ok(Self { ends: Some((tasks, plans)), watch, thread: Some(thread) })
    }

    /// Its receipt follows, after those of all that was committed before.
    pub fn ask(&self, task: Task) {
        if let Some((tasks, _)) = &self.ends {
            // Ended only by a fault of its own, which was logged.
            let _ = tasks.send(task);
        }
    }

    /// What it has decided.
    pub fn plans(&self) -> Receiver<Planned> {
        self.ends.as_ref().map_or_else(crossbeam_channel::never, |(_, plans)| plans.clone())
    }
}

impl Drop for Divider {
    fn drop(&mut self) {
        self.watch.0.store(true, Ordering::Relaxed);
        self.ends = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that divides the dataset panicked");
        }
    }
}

struct Thread {
    paths: DatasetPaths,
    watch: Watch,
    plans: Sender<Planned>,
}

impl Thread {
    fn run(&self, tasks: &Receiver<Task>, receipts: &Sender<Receipt>) {
        for task in tasks {
            let receipt = match task {
                Task::Divide(settings) => Receipt::Divided(self.divide(*settings).map(Box::new)),
                Task::Manifests => Receipt::Manifests(self.manifests()),
            };
            if self.watch.is_over() && !matches!(receipt, Receipt::Divided(Ok(_))) {
                return;
            }
            let _ = receipts.send(receipt);
        }
    }

    fn divide(&self, settings: Split) -> Result<Divided, String> {
        let reader = Reader::frugal(&self.paths).map_err(told)?;
        let plan = self.plan(reader.connection(), settings).map_err(told)?;
        let (given, groups, notes) = (plan.given(), plan.groups, plan.notes.clone());
        let (written, answer) = bounded(1);
        let ended = |_| "the store was closed".to_owned();
        self.plans.send(Planned { plan, written }).map_err(|_| ended(()))?;
        answer.recv().map_err(|_| ended(()))??;
        let (counts, without) = split::counts(reader.connection()).map_err(told)?;
        let manifests = manifest::write(&self.paths, reader.connection()).map_err(told);
        Ok(Divided { given, counts, without, groups, notes, manifests })
    }

    /// Ended by the watch. All of it sees the same commit.
    fn plan(&self, connection: &Connection, settings: Split) -> Result<Plan, rusqlite::Error> {
        let watch = self.watch.clone();
        connection.progress_handler(STEPS, Some(move || watch.is_over()))?;
        let snapshot = connection.unchecked_transaction()?;
        let plan = split::plan(&snapshot, settings, &self.watch);
        snapshot.finish()?;
        connection.progress_handler(0, None::<fn() -> bool>)?;
        plan
    }

    fn manifests(&self) -> Result<(), String> {
        self.watch.go_on().map_err(told)?;
        let reader = Reader::frugal(&self.paths).map_err(told)?;
        manifest::write(&self.paths, reader.connection()).map_err(told)
    }
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}
