//! One training from the outside: a thread that chooses samples, starts the worker, hears it, and keeps the record.
//!
//! The thread lives as long as the worker, which asks to be killed when it ends. Called by the engine and by
//! `ferrule train`, which store what it says is to be stored.

use std::{
    io::Read,
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use rustix::process::{Pid, Signal, kill_process_group};

use super::{
    Ended, Levels, Order, Places, Plan, RunFolder, Said, Samples, Steer, TRAINER, Task, Told, TrainingError, choose,
    order::{FromTraining, Outcome},
    record::{About, Record},
    samples::are_left_out,
};
use crate::{
    host::{Available, Catalogue},
    settings::Workers,
    store::Reader,
    worker::{
        arguments::{Arguments, Limits, WorkerProgram},
        frames::{FrameError, MAX_ANSWER, read_frame, write_frame},
        launch::{Launched, launch},
        messages::{FromWorker, ToWorker},
    },
    workspace::DatasetPaths,
};

/// What is kept of a worker's standard error.
const TAIL: usize = 4 << 10;
/// Feeds that are kept: they can be made again and are large.
const FEEDS: usize = 2;

/// A training takes what the machine has, in megabytes; the kernel ends it first when there is no more.
const MEMORY_MB: u64 = 1 << 20;

/// A new training, or one to go on with.
#[derive(Debug, Clone)]
pub struct Wish {
    pub plan: Option<Plan>,
    /// A run's name, or `last`; then the plan is the run's own.
    pub resume: Option<String>,
}

/// Where a training works, and with what.
#[derive(Debug, Clone)]
pub struct Site {
    pub places: Places,
    pub dataset: DatasetPaths,
    pub trainer: Available,
    pub program: WorkerProgram,
    pub limits: Limits,
}

impl Site {
    /// What a worker that trains may take.
    #[must_use]
    pub fn limits(workers: &Workers) -> Limits {
        Limits { memory_mb: MEMORY_MB, ..workers.limits() }
    }
}

/// What a session is started with.
struct Start {
    plan: Plan,
    folder: RunFolder,
    site: Site,
    resume: bool,
}

/// A running training.
#[derive(Debug)]
pub struct Session {
    pub run: String,
    told: Receiver<Told>,
    /// The worker's line, once there is one; and the last wish, for a worker that is still to come.
    line: Arc<Mutex<(Option<UnixStream>, Steer)>>,
    thread: Option<JoinHandle<()>>,
}

impl Session {
    /// The plug-in that trains, or why there is none.
    ///
    /// # Errors
    /// It was not found or refused.
    pub fn trainer(catalogue: &Catalogue) -> Result<Available, TrainingError> {
        let found = catalogue.available.iter().find(|available| available.card.id.as_str() == TRAINER);
        found.cloned().ok_or_else(|| {
            let torch = catalogue.refused.iter().find(|it| it.path.to_string_lossy().contains("torch"));
            let reason = torch.map_or_else(|| "it is not in any plug-in folder".into(), |it| it.reason.clone());
            TrainingError::NoTrainer(reason)
        })
    }

    /// Begins a training, or goes on with one.
    ///
    /// # Errors
    /// A setting that the trainer does not take, a run that is not there or cannot go on, a folder that cannot be made.
    pub fn begin(wish: Wish, site: Site) -> Result<Self, TrainingError> {
        let start = match wish {
            Wish { resume: Some(run), .. } => {
                let (folder, plan) = site.places.resume(&run)?;
                Start { plan, folder, site, resume: true }
            }
            Wish { plan: Some(plan), .. } => {
                check(&plan, &site.trainer)?;
                Start { folder: site.places.begin(&plan)?, plan, site, resume: false }
            }
            Wish { .. } => return Err(TrainingError::NoWish),
        };
        Self::start(start)
    }

    fn start(start: Start) -> Result<Self, TrainingError> {
        let (sender, told) = unbounded();
        let line = Arc::new(Mutex::new((None, Steer::GoOn)));
        let (run, ours) = (start.folder.run.clone(), Arc::clone(&line));
        let path = start.folder.path.clone();
        let work = move || live(start, &ours, &sender);
        let thread = thread::Builder::new()
            .name("training".into())
            .spawn(work)
            .map_err(|source| TrainingError::Io { path, source })?;
        Ok(Self { run, told, line, thread: Some(thread) })
    }

    /// What it says; ends after [`Told::Ended`].
    #[must_use]
    pub fn told(&self) -> &Receiver<Told> {
        &self.told
    }

    /// What a person wanted of it last.
    #[must_use]
    pub fn wish(&self) -> Steer {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Hands a person's wish over.
    pub fn steer(&self, steer: Steer) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.1 = steer;
        if let Some(stream) = &mut line.0 {
            // A worker that is gone is told by its thread.
            let _ = write_frame(stream, &ToWorker::Steer(steer));
        }
    }
}

impl Drop for Session {
    /// Stops what still runs, and waits for it: its checkpoint is whole whenever it ends.
    fn drop(&mut self) {
        self.steer(Steer::StopNow);
        if let Some(stream) = self.line.lock().unwrap_or_else(PoisonError::into_inner).0.take() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Every parameter against the trainer's description, before anything is begun.
///
/// # Errors
/// A setting that the trainer does not take, and what it does.
fn check(plan: &Plan, trainer: &Available) -> Result<(), TrainingError> {
    for (name, value) in &plan.parameters {
        let known = trainer.card.parameters.iter().find(|parameter| &parameter.name == name);
        let known = known.ok_or_else(|| {
            TrainingError::Setting(format!("there is no setting `{name}`; `ferrule train --settings` lists them"))
        })?;
        ferrule_abi::ParameterSpec::from(known)
            .check(&value.into())
            .map_err(|error| TrainingError::Setting(error.to_string()))?;
    }
    if !super::card::is_name(&plan.model) {
        return Err(TrainingError::Setting(format!("{:?} is no name for a model: letters, digits, - _ .", plan.model)));
    }
    if plan.input.levels == Levels::Zones && plan.task != Task::Defects {
        return Err(TrainingError::Setting("`levels = zones` is for the task `defects`; take relief or raw".into()));
    }
    if !(16..=4096).contains(&plan.input.side) {
        return Err(TrainingError::Setting(format!("a size of {} pixels; 16 to 4096 are taken", plan.input.side)));
    }
    Ok(())
}

type Shared = Arc<Mutex<(Option<UnixStream>, Steer)>>;

fn live(start: Start, shared: &Shared, told: &Sender<Told>) {
    let send = |it: Told| {
        // Nobody hears any more: the run goes on to its end all the same.
        let _ = told.send(it);
    };
    let failed = |message: String| {
        Told::Ended(Ended {
            state: "failed".into(),
            message: Some(message),
            best_epoch: None,
            figures: std::collections::BTreeMap::new(),
            model: None,
        })
    };
    let samples = Reader::open(&start.site.dataset)
        .map_err(TrainingError::from)
        .and_then(|reader| choose(&start.plan, &start.site.dataset, &reader));
    let samples = match samples {
        Ok(samples) => samples,
        Err(error) => {
            // A run that never began leaves nothing behind.
            if !start.resume {
                let _ = std::fs::remove_dir_all(&start.folder.path);
            }
            return send(failed(error.to_string()));
        }
    };
    let order = order(&start, &samples);
    let card = &start.site.trainer.card;
    let about = About {
        plan: start.plan.clone(),
        folder: start.folder.clone(),
        places: start.site.places.clone(),
        samples,
        feed: order.feed.clone(),
        trainer: format!("{}, build {}", card.name(), start.site.trainer.build),
        resumed: start.resume,
    };
    let left_out = about.samples.left_out.clone();
    let (mut record, writes) = Record::begin(about);
    writes.into_iter().for_each(|write| send(Told::Write(Box::new(write))));
    for (why, count) in left_out {
        let message = format!("{}: {why}", are_left_out(count));
        let said = Said { name: "warning".into(), message, ..Said::default() };
        record.take(&said);
        send(Told::Said(said));
    }
    let outcome = work(&start, &order, shared, &mut |said| {
        let writes = record.take(&said);
        writes.into_iter().for_each(|write| send(Told::Write(Box::new(write))));
        send(Told::Said(said));
        if let Some(message) = record.trouble() {
            send(Told::Said(Said { name: "warning".into(), message, ..Said::default() }));
        }
    });
    let (ended, writes) = record.end(outcome);
    writes.into_iter().for_each(|write| send(Told::Write(Box::new(write))));
    send(Told::Ended(ended));
}

fn order(start: &Start, samples: &Samples) -> Order {
    Order {
        plugin: start.site.trainer.card.id.clone(),
        library: start.site.trainer.library.clone(),
        parameters: start.plan.parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        task: start.plan.task,
        input: start.plan.input,
        classes: samples.classes.clone(),
        pictures: samples.pictures.clone(),
        folder: start.folder.path.clone(),
        feed: start.site.places.feed(&start.plan, &samples.hash),
        resume: start.resume.then(|| start.folder.last()),
        weights: start.plan.weights.clone(),
        threads: thread::available_parallelism().map_or(1, usize::from),
    }
}

/// Removes all but the newest feeds.
fn tidy(feed: &std::path::Path) {
    let Some(folder) = feed.parent() else { return };
    let mut old: Vec<(std::time::SystemTime, PathBuf)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path() != feed && entry.path().extension().is_some_and(|it| it == "feed" || it == "part"))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    old.sort();
    old.truncate(old.len().saturating_sub(FEEDS - 1));
    for (_, path) in old {
        let _ = std::fs::remove_file(path.with_extension("list"));
        let _ = std::fs::remove_file(path);
    }
}

/// Starts the worker and hears it to its end.
fn work(start: &Start, order: &Order, shared: &Shared, said: &mut dyn FnMut(Said)) -> Result<Outcome, String> {
    std::fs::create_dir_all(start.site.places.feeds()).map_err(|error| format!("{}: {error}", order.feed.display()))?;
    tidy(&order.feed);
    let arguments = Arguments {
        parent: std::process::id(),
        profile: crate::host::card::Profile::Wide,
        staging: Some(start.site.places.runs.clone()),
        limits: start.site.limits,
    };
    let program = start.site.program.executable.display();
    let Launched { mut child, mut line } =
        launch(&start.site.program, &arguments, None).map_err(|error| format!("cannot start {program}: {error}"))?;
    let stderr = child
        .stderr
        .take()
        .and_then(|stderr| thread::Builder::new().name("training-stderr".into()).spawn(move || tail(stderr)).ok());
    let begun = write_frame(&mut line, &ToWorker::Train(Box::new(order.clone()))).and_then(|()| {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ours = line.try_clone()?;
        if shared.1 != Steer::GoOn {
            write_frame(&mut ours, &ToWorker::Steer(shared.1))?;
        }
        shared.0 = Some(ours);
        Ok(())
    });
    let heard = begun.and_then(|()| hear(&mut line, said));
    shared.lock().unwrap_or_else(PoisonError::into_inner).0 = None;
    drop(line);
    if heard.is_err() {
        // It may hang in a state that nobody can hear of.
        let pid = Pid::from_child(&child);
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let status = child.wait();
    let words = stderr.and_then(|thread| thread.join().ok()).unwrap_or_default();
    match heard {
        Ok(outcome) => outcome,
        Err(error) => {
            let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            let last = words.lines().last().unwrap_or_default();
            let reason = if matches!(error, FrameError::Closed) { how } else { format!("{error} ({how})") };
            let said = if last.is_empty() { String::new() } else { format!(": {last}") };
            Err(format!(
                "the training's process ended: {reason}{said}; `ferrule train --resume {}` goes on",
                start.folder.run
            ))
        }
    }
}

fn hear(line: &mut UnixStream, said: &mut dyn FnMut(Said)) -> Result<Result<Outcome, String>, FrameError> {
    loop {
        match read_frame(line, MAX_ANSWER)? {
            FromWorker::Training(message) => match *message {
                FromTraining::Said(it) => said(it),
                FromTraining::Ended(outcome) => return Ok(outcome),
            },
            FromWorker::Started { .. } => {}
            // No other message belongs here.
            _ => return Err(FrameError::Broken),
        }
    }
}

/// The last words of a worker, without control characters.
fn tail(mut stderr: impl Read) -> String {
    let (mut kept, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(count) = stderr.read(&mut chunk) {
        if count == 0 {
            break;
        }
        kept.extend_from_slice(&chunk[..count]);
        let over = kept.len().saturating_sub(TAIL);
        kept.drain(..over);
    }
    let text = String::from_utf8_lossy(&kept);
    text.chars().filter(|character| *character == '\n' || !character.is_control()).collect::<String>().trim().to_owned()
}
