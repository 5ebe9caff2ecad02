//! The supervisor's state and its decisions about tasks: what is handed out, what an answer or a death means.
//!
//! Every task that came in leaves through `finish` or `give_back`, and through nothing else. Waiting and watching is in
//! `watch`, starting and replacing workers in `rolling`.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};

use super::{
    Cause, Command, Finished, PoolError, PoolSettings, Report, Shared, Task, WorkerDeath, answer,
    asks::Asked,
    deadline::Deadlines,
    generations::{Generation, Generations},
    policy::{History, Next, Policy},
    process::Process,
    wide::WideWorker,
    worker::{Busy, Held, Phase, Worker},
};
use crate::{
    ids::PluginId,
    protocol::WorkerStatus,
    report::{Failure, Inspection},
    worker::messages::{Answer, FromWorker, Job, Pipeline, ToWorker},
};

/// A killed process is gone at once, unless the kernel holds it (a dead network mount): then it is left behind.
const REAPING: Duration = Duration::from_secs(2);

/// For a worker that was told to end.
const LEAVING: Duration = Duration::from_secs(1);

pub(super) struct Supervisor {
    pub(super) settings: PoolSettings,
    pub(super) generations: Generations,
    pub(super) policy: Policy,
    pub(super) deadlines: Deadlines,
    pub(super) workers: Vec<Worker>,
    pub(super) wide: Vec<WideWorker>,
    /// For wide plug-ins, not yet handed on.
    pub(super) asks: VecDeque<Asked>,
    pub(super) wide_deadlines: BTreeMap<PluginId, Deadlines>,
    /// Why the last start of a wide plug-in failed.
    pub(super) wide_trouble: BTreeMap<PluginId, String>,
    /// Killed, given up, not yet reaped.
    pub(super) lost: Vec<Process>,
    pub(super) waiting: VecDeque<Held>,
    /// After a death: for workers that have inspected nothing yet.
    pub(super) retries: VecDeque<Held>,
    pub(super) inbox: Receiver<Command>,
    outbox: Sender<Report>,
    pub(super) shared: Arc<Shared>,
    /// Set once it is to end: when what is still in hand is given back.
    pub(super) ending: Option<Instant>,
    pub(super) next_look_at_memory: Instant,
    counter: u64,
}

impl Supervisor {
    pub fn new(
        settings: PoolSettings,
        pipeline: Pipeline,
        generation: u64,
        inbox: Receiver<Command>,
        outbox: Sender<Report>,
        shared: Arc<Shared>,
    ) -> Result<Self, PoolError> {
        if let Some(path) = &settings.staging {
            fs::create_dir_all(path).map_err(|source| PoolError::Staging { path: path.clone(), source })?;
        }
        let now = Instant::now();
        Ok(Self {
            generations: Generations::new(pipeline, generation, now),
            policy: Policy::new(settings.quarantine_after),
            deadlines: Deadlines::new(settings.deadline, settings.deadline_per_mpx, settings.limits.max_megapixels),
            workers: Vec::new(),
            wide: Vec::new(),
            asks: VecDeque::new(),
            wide_deadlines: BTreeMap::new(),
            wide_trouble: BTreeMap::new(),
            lost: Vec::new(),
            waiting: VecDeque::new(),
            retries: VecDeque::new(),
            inbox,
            outbox,
            shared,
            ending: None,
            next_look_at_memory: now,
            counter: 0,
            settings,
        })
    }

    pub fn run(mut self) {
        loop {
            self.take_commands();
            let now = Instant::now();
            self.end_what_is_due(now);
            self.roll(now);
            self.hand_out(now);
            self.hand_on(now);
            self.show_workers();
            if self.ending.is_some() && self.workers.is_empty() {
                break;
            }
            self.watch();
        }
        self.end_wide();
        for slot in 0..2 * self.settings.count.max(1) {
            // Stays where files in it are still to be taken.
            let _ = self.folder_of(slot).map(fs::remove_dir);
        }
    }

    pub(super) fn report(&self, report: Report) {
        // Nobody listens only when the pool is being dropped.
        let _ = self.outbox.send(report);
    }

    pub(super) fn count_up(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(super) fn folder_of(&self, slot: usize) -> Option<PathBuf> {
        self.settings.staging.as_ref().map(|staging| staging.join(slot.to_string()))
    }

    fn take_commands(&mut self) {
        while let Ok(command) = self.inbox.try_recv() {
            match command {
                Command::Submit(task) if self.ending.is_some() => self.give_back(&task),
                Command::Submit(task) => self.waiting.push_back(Held { task, history: History::default() }),
                Command::Replace { pipeline, generation } => {
                    self.generations.replace(*pipeline, generation, Instant::now());
                }
                Command::Release(plugin) => self.release(plugin),
                Command::Shutdown { grace } => self.begin_to_end(grace),
            }
        }
    }

    /// Also pardons the captures in hand that it was left out of when `plugin` is a new build.
    pub(super) fn renew(&mut self, plugin: PluginId) {
        for held in self.waiting.iter_mut().chain(&mut self.retries) {
            held.history.pardon(&plugin);
        }
        self.release(plugin);
    }

    fn release(&mut self, plugin: PluginId) {
        if self.policy.release(&plugin) {
            self.report(Report::Released { plugin });
        }
    }

    fn begin_to_end(&mut self, grace: Duration) {
        self.ending = Some(Instant::now() + grace);
        for held in self.retries.drain(..).chain(self.waiting.drain(..)).collect::<Vec<_>>() {
            self.give_back(&held.task);
        }
        let now = Instant::now();
        for worker in &mut self.workers {
            if !matches!(worker.phase, Phase::Busy(_)) && worker.is_on_the_line() {
                leave(worker, now);
            }
        }
    }

    fn hand_out(&mut self, now: Instant) {
        for index in 0..self.workers.len() {
            while self.workers[index].is_free() {
                let fresh = self.workers[index].jobs == 0;
                let retry = if fresh { self.retries.pop_front() } else { None };
                let Some(held) = retry.or_else(|| self.waiting.pop_front()) else { break };
                self.hand_to(index, held, now);
            }
        }
    }

    fn hand_to(&mut self, index: usize, held: Held, now: Instant) {
        let generation = Arc::clone(&self.workers[index].generation);
        let without = match self.policy.without(&held.history, &generation.pipeline) {
            Ok(without) => without,
            Err(failure) => return self.finish(&held.task, &generation, Err(failure)),
        };
        let job = self.count_up();
        // Its own, and no folder for each job: a file system that gives away inodes of what was just removed looks for others
        // first (ext4), so a folder a capture would make each next one slower.
        let folder = held.task.artefacts.as_ref().and(self.folder_of(self.workers[index].slot));
        if let Some(folder) = &folder
            && let Err(error) = fs::create_dir_all(folder)
        {
            let message = format!("cannot make the staging folder {}: {error}", folder.display());
            return self.finish(&held.task, &generation, Err(trouble(message)));
        }
        let Task { ref path, expected, optics, ref artefacts, bytes, .. } = held.task;
        let message = ToWorker::Inspect(Box::new(Job {
            job,
            path: path.clone(),
            expected,
            optics,
            without: without.clone(),
            staging: folder.clone().zip(artefacts.clone()),
        }));
        let until = now + self.deadlines.of(bytes);
        let worker = &mut self.workers[index];
        worker.turns.clear();
        if let Err(error) = worker.process.send(&message) {
            discard(folder.as_ref(), &held.task);
            return self.finish(&held.task, &generation, Err(trouble(format!("cannot be put to a worker: {error}"))));
        }
        let busy = Busy { held, job, without, folder, since: now, until, asking: None };
        worker.phase = Phase::Busy(Box::new(busy));
    }

    /// One message of a worker. Its words are no commands: whatever does not fit its state ends it.
    pub(super) fn heard(&mut self, index: usize, message: FromWorker, now: Instant) {
        let worker = &mut self.workers[index];
        match (&mut worker.phase, message) {
            (Phase::Starting { .. }, FromWorker::Started { sandbox }) => worker.sandbox = Some(sandbox),
            (Phase::Starting { turn, .. }, FromWorker::Turn { plugin }) => *turn = Some(plugin),
            (Phase::Starting { .. }, FromWorker::Ready { pipeline }) if pipeline == worker.generation.pipeline.id => {
                worker.phase = Phase::Idle;
                self.loaded(index);
            }
            (Phase::Starting { .. }, FromWorker::Refused { plugin, reason, .. }) => {
                let number = worker.generation.number;
                leave(worker, now);
                self.refused(number, plugin, reason, now);
            }
            (Phase::Busy(busy), FromWorker::Done(answer)) if busy.asking.is_none() => {
                self.answered(index, *answer, now)
            }
            (Phase::Busy(_), FromWorker::Ask(question)) => {
                if !self.asked(index, *question, now) {
                    self.kill(index, Some(Cause::Nonsense("a question that is not its to ask".into())), now);
                }
            }
            (_, message) => {
                let what = match message {
                    FromWorker::Started { .. } => "its start",
                    FromWorker::Probed(_) | FromWorker::Described(_) => "a probe's answer",
                    FromWorker::Ready { .. } => "another pipeline's readiness",
                    FromWorker::Refused { .. } => "a refusal",
                    FromWorker::Turn { .. } => "a turn",
                    FromWorker::Done(_) => "an answer",
                    FromWorker::Ask(_) => "a question",
                    FromWorker::Served(_) => "answers",
                    FromWorker::Tried(_) => "a trial's answer",
                    FromWorker::Gridded(_) => "a grid",
                    FromWorker::Training(_) => "a word of a training",
                };
                self.kill(index, Some(Cause::Nonsense(format!("{what} out of turn"))), now);
            }
        }
    }

    fn answered(&mut self, index: usize, answer: Answer, now: Instant) {
        let worker = &mut self.workers[index];
        let Phase::Busy(busy) = &worker.phase else { return };
        let asked = answer::Asked {
            job: busy.job,
            expected: busy.held.task.expected,
            artefacts: busy.folder.is_some(),
            max_megapixels: self.settings.limits.max_megapixels,
        };
        if let Err(what) = answer::check(&asked, &answer) {
            return self.kill(index, Some(Cause::Nonsense(what)), now);
        }
        let Phase::Busy(busy) = std::mem::replace(&mut worker.phase, Phase::Idle) else { return };
        worker.jobs += 1;
        let generation = Arc::clone(&worker.generation);
        if worker.retiring || self.ending.is_some() {
            leave(worker, now);
        }
        // One that a wide worker died of did not survive this capture.
        self.policy.survived(self.workers[index].turns().filter(|plugin| !busy.without.contains(plugin)));
        self.generations.worked();
        let pixels = answer.result.as_ref().ok().map(|i| u64::from(i.width) * u64::from(i.height));
        self.deadlines.answered(now.saturating_duration_since(busy.since), pixels);
        let named = |inspection| self.with_reasons(inspection, &busy, &generation.pipeline);
        let answer = Answer { result: answer.result.map(named), ..answer };
        // What a failure has written is nobody's to take.
        let folder = if answer.artefacts.is_empty() {
            discard(busy.folder.as_ref(), &busy.held.task);
            None
        } else {
            busy.folder
        };
        self.send(&busy.held.task, &generation, folder, answer);
    }

    /// Names what was left out with the reason that only the pool knows.
    fn with_reasons(&self, mut inspection: Inspection, busy: &Busy, pipeline: &Pipeline) -> Inspection {
        for missing in self.policy.missing(&busy.held.history, &busy.without, pipeline) {
            // A segmenter that was not needed is not listed.
            if let Some(told) = inspection.incomplete.iter_mut().find(|told| told.plugin == missing.plugin) {
                told.reason = missing.reason;
            }
        }
        if !inspection.incomplete.is_empty() {
            inspection.has_defect = None;
        }
        inspection
    }

    /// Ends a worker from outside. `cause` is what to say of it; `None` leaves that to its exit status.
    pub(super) fn kill(&mut self, index: usize, cause: Option<Cause>, now: Instant) {
        let worker = &mut self.workers[index];
        worker.process.kill();
        let doing = Box::new(std::mem::replace(&mut worker.phase, Phase::Idle));
        worker.phase = Phase::Dying { doing, cause, until: now + REAPING };
    }

    /// A worker is gone, or given up (`status` is `None`).
    pub(super) fn bury(&mut self, index: usize, status: Option<std::process::ExitStatus>, now: Instant) {
        let worker = self.workers.remove(index);
        let turn = worker.turn();
        let (doing, cause) = match worker.phase {
            Phase::Dying { doing, cause, .. } => (*doing, cause),
            doing => (doing, None),
        };
        let (cause, pid, stderr) = (Cause::of(status, cause), worker.process.pid(), worker.process.last_words());
        if status.is_none() {
            self.lost.push(worker.process);
        }
        let told = last_line(&cause, &stderr);
        let number = worker.generation.number;
        let death = |plugin, task| Report::Died(Box::new(WorkerDeath { pid, cause, plugin, task, stderr }));
        match doing {
            Phase::Leaving { .. } | Phase::Dying { .. } => {}
            Phase::Starting { turn, .. } => self.refused(number, turn, format!("not loaded: {told}"), now),
            Phase::Idle => {
                self.report(death(None, None));
                if worker.jobs == 0 {
                    // Else one that dies as soon as it is ready would be started over and over.
                    self.refused(number, None, told, now);
                }
            }
            Phase::Busy(busy) => {
                self.report(death(turn.clone(), Some(busy.held.task.id)));
                self.judge(*busy, turn.as_ref(), &worker.generation, &told);
            }
        }
    }

    fn judge(&mut self, busy: Busy, turn: Option<&PluginId>, generation: &Arc<Generation>, told: &str) {
        let Busy { mut held, folder, .. } = busy;
        discard(folder.as_ref(), &held.task);
        let judgement = self.policy.died(&mut held.history, &held.task.path, turn, told, &generation.pipeline);
        if let Some((plugin, reason)) = judgement.quarantined {
            self.report(Report::Quarantined { plugin, reason });
        }
        match judgement.next {
            Next::Failed(failure) => self.finish(&held.task, generation, Err(failure)),
            Next::Again if self.ending.is_some() => self.give_back(&held.task),
            Next::Again => self.retries.push_back(held),
        }
    }

    /// Time is up: what is still in hand is given back.
    pub(super) fn cut_off(&mut self, now: Instant) {
        for index in 0..self.workers.len() {
            if let Phase::Busy(busy) = &self.workers[index].phase {
                let task = busy.held.task.clone();
                discard(busy.folder.as_ref(), &task);
                leave(&mut self.workers[index], now);
                self.workers[index].process.kill();
                self.give_back(&task);
            }
        }
    }

    /// A worker could not load its pipeline.
    pub(super) fn refused(&mut self, generation: u64, plugin: Option<PluginId>, reason: String, now: Instant) {
        if self.ending.is_some() {
            return;
        }
        if let Some(then) = self.generations.refused(generation, now) {
            self.report(Report::Refused { generation, plugin, reason, then });
        }
    }

    fn give_back(&self, task: &Task) {
        self.shared.held.fetch_sub(1, Ordering::AcqRel);
        self.report(Report::Returned { id: task.id });
    }

    fn finish(&self, task: &Task, generation: &Generation, result: Result<Inspection, Failure>) {
        let answer = Answer { job: task.id, result, artefacts: Vec::new(), fingerprint: None, spent: Vec::new() };
        self.send(task, generation, None, answer);
    }

    fn send(&self, task: &Task, generation: &Generation, staging: Option<PathBuf>, answer: Answer) {
        let (number, pipeline) = (generation.number, generation.pipeline.id.clone());
        // First, so that whoever hears of it finds the room that it made and the worker's count with it.
        self.shared.held.fetch_sub(1, Ordering::AcqRel);
        self.show_workers();
        let Answer { result, artefacts, fingerprint, spent, .. } = answer;
        let finished =
            Finished { id: task.id, generation: number, pipeline, result, staging, artefacts, fingerprint, spent };
        self.report(Report::Finished(Box::new(finished)));
    }

    fn show_workers(&self) {
        let living = self.workers.iter().filter(|worker| worker.is_on_the_line());
        let status = |worker: &Worker| WorkerStatus {
            pid: worker.process.pid(),
            busy: matches!(worker.phase, Phase::Busy(_)),
            jobs: worker.jobs,
            memory_mb: 0,
            plugin: None,
        };
        let wide = self.wide.iter().filter(|wide| wide.is_on_the_line()).map(|wide| WorkerStatus {
            pid: wide.process.pid(),
            busy: wide.is_at_work(),
            jobs: wide.jobs,
            memory_mb: 0,
            plugin: Some(wide.stage.plugin.clone()),
        });
        let mut shown = self.shared.workers.lock().unwrap_or_else(PoisonError::into_inner);
        shown.clear();
        shown.extend(living.map(status).chain(wide));
    }
}

/// A cause, with the last line that the worker wrote.
pub(super) fn last_line(cause: &Cause, stderr: &str) -> String {
    let line = stderr.lines().rev().find(|line| !line.trim().is_empty());
    line.map_or_else(
        || cause.to_string(),
        |line| format!("{cause}; it last said: {}", line.chars().take(200).collect::<String>()),
    )
}

/// Tells a worker to end by itself.
pub(super) fn leave(worker: &mut Worker, now: Instant) {
    worker.process.hang_up();
    worker.phase = Phase::Leaving { until: now + LEAVING };
}

/// Removes what was written for a task that has no result. Its files begin with its image; those of results that wait to be
/// taken lie beside them. What nobody can name is swept when the dataset is opened next.
fn discard(folder: Option<&PathBuf>, task: &Task) {
    let (Some(folder), Some(image)) = (folder, task.expected) else { return };
    let prefix = format!("{image}_");
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().as_bytes().starts_with(prefix.as_bytes())
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::warn!(file = %entry.path().display(), %error, "a file stays in staging");
        }
    }
}

fn trouble(message: String) -> Failure {
    Failure { stage: "worker".into(), plugin: None, message, transient: true }
}
