//! Wide workers: one process for each wide plug-in with its parameters, as long as a pipeline at work names it.
//!
//! A pipeline is put to narrow workers only once its wide plug-ins are ready, so a swap never leaves a question without
//! somebody to answer it. Questions are in `asks`; waiting and watching in `watch`.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use super::{
    Cause, Report, WorkerDeath,
    asks::Asked,
    generations::Generation,
    process::Process,
    supervisor::{Supervisor, last_line},
};
use crate::{
    host::card::Profile,
    worker::{
        arguments::{Arguments, Limits},
        messages::{FromWorker, Pipeline, Stage, ToWorker},
        sandbox::SandboxReport,
    },
};

/// For one that was told to end, and for a killed one that the kernel holds.
const LEAVING: Duration = Duration::from_secs(2);

/// Loading libtorch from a cold disk, or an interpreter with its libraries.
const STARTING: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct WideWorker {
    /// Never used twice, by narrow workers neither.
    pub key: u64,
    pub stage: Stage,
    pub process: Process,
    pub phase: WidePhase,
    /// Narrow workers whose memory it knows.
    pub knows: BTreeSet<u64>,
    /// Questions answered.
    pub jobs: u64,
    sandbox: Option<SandboxReport>,
}

#[derive(Debug)]
pub(super) enum WidePhase {
    Starting { until: Instant },
    Idle,
    Serving { asked: Vec<Asked>, since: Instant, until: Instant },
    Leaving { until: Instant },
    Dying { doing: Box<WidePhase>, cause: Option<Cause>, until: Instant },
}

impl WideWorker {
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, WidePhase::Idle | WidePhase::Serving { .. })
    }

    /// Still listened to.
    pub fn is_on_the_line(&self) -> bool {
        self.is_ready() || matches!(self.phase, WidePhase::Starting { .. })
    }

    pub fn is_at_work(&self) -> bool {
        matches!(self.phase, WidePhase::Starting { .. } | WidePhase::Serving { .. })
    }

    pub fn due(&self) -> Option<Instant> {
        match &self.phase {
            WidePhase::Idle => None,
            WidePhase::Starting { until }
            | WidePhase::Serving { until, .. }
            | WidePhase::Leaving { until }
            | WidePhase::Dying { until, .. } => Some(*until),
        }
    }

    pub fn leave(&mut self, now: Instant) {
        self.process.hang_up();
        self.phase = WidePhase::Leaving { until: now + LEAVING };
    }

    /// Ends it from outside. `cause` is what to say of it; `None` leaves that to its exit status.
    pub fn kill(&mut self, cause: Option<Cause>, now: Instant) {
        self.process.kill();
        let doing = Box::new(std::mem::replace(&mut self.phase, WidePhase::Idle));
        self.phase = WidePhase::Dying { doing, cause, until: now + LEAVING };
    }
}

/// The wide plug-ins of a pipeline.
pub(super) fn wide_stages(pipeline: &Pipeline) -> impl Iterator<Item = &Stage> {
    pipeline.stages().filter(|stage| stage.profile == Profile::Wide)
}

/// A pipeline of that plug-in alone.
fn only(pipeline: &Pipeline, stage: &Stage) -> Pipeline {
    let mut alone = pipeline.clone();
    for slot in [&mut alone.segment, &mut alone.detect, &mut alone.measure, &mut alone.grade] {
        slot.retain(|other| other == stage);
    }
    alone
}

impl Supervisor {
    /// True once every wide plug-in of the generation is ready.
    pub(super) fn is_equipped(&self, generation: &Generation) -> bool {
        wide_stages(&generation.pipeline).all(|stage| self.wide.iter().any(|w| w.is_ready() && &w.stage == stage))
    }

    /// Starts wide workers that are missing, and lets go those that no pipeline at work names any more.
    pub(super) fn roll_wide(&mut self, now: Instant) {
        let mut at_work = vec![self.generations.wanted().clone(), self.generations.in_force().clone()];
        at_work.extend(self.workers.iter().filter(|w| w.is_on_the_line()).map(|w| w.generation.clone()));
        let needed = |stage: &Stage| at_work.iter().any(|g| wide_stages(&g.pipeline).any(|other| other == stage));
        for wide in self.wide.iter_mut().filter(|wide| matches!(wide.phase, WidePhase::Idle) && !needed(&wide.stage)) {
            wide.leave(now);
        }
        for generation in at_work {
            for stage in wide_stages(&generation.pipeline) {
                let there = self.wide.iter().any(|wide| wide.is_on_the_line() && &wide.stage == stage);
                if !there && self.generations.may_start(now) {
                    self.start_wide(&generation, stage, now);
                }
            }
        }
    }

    fn start_wide(&mut self, generation: &Generation, stage: &Stage, now: Instant) {
        let key = self.count_up();
        let staging = self.settings.staging.as_ref().map(|staging| staging.join(format!("wide-{key}")));
        let made = staging.as_ref().map_or(Ok(()), fs::create_dir_all);
        let limits = Limits { memory_mb: self.settings.wide_memory_mb, ..self.settings.limits };
        let arguments = Arguments { parent: std::process::id(), profile: Profile::Wide, staging, limits };
        let started = made.and_then(|()| Process::start(&self.settings.program, &arguments, None));
        let told = started.map_err(|error| error.to_string()).and_then(|mut process| {
            let message = ToWorker::Configure(Box::new(only(&generation.pipeline, stage)));
            process.send(&message).map_err(|error| error.to_string()).map(|()| process)
        });
        match told {
            Ok(process) => self.wide.push(WideWorker {
                key,
                stage: stage.clone(),
                process,
                phase: WidePhase::Starting { until: now + STARTING },
                knows: BTreeSet::new(),
                jobs: 0,
                sandbox: None,
            }),
            Err(error) => {
                let program = self.settings.program.executable.display();
                let reason = format!("cannot start {program} as a wide worker: {error}");
                self.refused(generation.number, Some(stage.plugin.clone()), reason, now);
            }
        }
    }

    /// One message of a wide worker. Whatever does not fit its state ends it.
    pub(super) fn heard_wide(&mut self, index: usize, message: FromWorker, now: Instant) {
        let wide = &mut self.wide[index];
        match (&wide.phase, message) {
            (WidePhase::Starting { .. }, FromWorker::Started { sandbox }) => wide.sandbox = Some(sandbox),
            (WidePhase::Starting { .. }, FromWorker::Turn { .. }) => {}
            (WidePhase::Starting { .. }, FromWorker::Ready { .. }) => {
                wide.phase = WidePhase::Idle;
                let pid = wide.process.pid();
                if let Some(sandbox) = wide.sandbox.take() {
                    let generation = self.generations.wanted().number;
                    self.report(Report::Started { pid, generation, sandbox });
                }
            }
            (WidePhase::Starting { .. }, FromWorker::Refused { reason, .. }) => {
                wide.leave(now);
                self.wide_refused(index, reason, now);
            }
            (WidePhase::Serving { .. }, FromWorker::Turn { .. }) => {}
            (WidePhase::Serving { .. }, FromWorker::Served(answers)) => self.served(index, answers, now),
            _ => wide.kill(Some(Cause::Nonsense("a message out of turn".into())), now),
        }
    }

    /// A wide worker could not be had: neither can the newest generation that names its plug-in.
    fn wide_refused(&mut self, index: usize, reason: String, now: Instant) {
        let stage = self.wide[index].stage.clone();
        self.refused_stage(&stage, reason, now);
    }

    fn refused_stage(&mut self, stage: &Stage, reason: String, now: Instant) {
        let names = |generation: &Generation| wide_stages(&generation.pipeline).any(|other| other == stage);
        let (wanted, in_force) = (self.generations.wanted(), self.generations.in_force());
        let of = [wanted, in_force].into_iter().find(|g| names(g)).map(|generation| generation.number);
        self.wide_trouble.insert(stage.plugin.clone(), reason.clone());
        // Those who wait for it go on without; it will be tried again for the next captures.
        self.answer_waiting(stage, &format!("its wide worker could not be started: {reason}"), now);
        if let Some(number) = of {
            self.refused(number, Some(stage.plugin.clone()), reason, now);
        }
    }

    /// A wide worker is gone, or given up (`status` is `None`).
    pub(super) fn bury_wide(&mut self, index: usize, status: Option<std::process::ExitStatus>, now: Instant) {
        let wide = self.wide.remove(index);
        let (doing, cause) = match wide.phase {
            WidePhase::Dying { doing, cause, .. } => (*doing, cause),
            doing => (doing, None),
        };
        let (cause, pid, stderr) = (Cause::of(status, cause), wide.process.pid(), wide.process.last_words());
        if status.is_none() {
            self.lost.push(wide.process);
        }
        if let Some(staging) = &self.settings.staging {
            // What a runtime kept in there is of no use to anybody else.
            let _ = fs::remove_dir_all(staging.join(format!("wide-{}", wide.key)));
        }
        let told = last_line(&cause, &stderr);
        let plugin = Some(wide.stage.plugin.clone());
        let death = |task| Report::Died(Box::new(WorkerDeath { pid, cause, plugin, task, stderr }));
        match doing {
            WidePhase::Leaving { .. } | WidePhase::Dying { .. } => {}
            WidePhase::Starting { .. } => self.refused_stage(&wide.stage, format!("not loaded: {told}"), now),
            WidePhase::Idle => {
                self.report(death(None));
                if wide.jobs == 0 {
                    // Else one that dies as soon as it is ready would be started over and over.
                    self.refused_stage(&wide.stage, told, now);
                }
            }
            WidePhase::Serving { asked, .. } => {
                let task = asked.first().and_then(|asked| self.task_of(asked.worker));
                self.report(death(task));
                self.judge_asked(asked, &told, now);
            }
        }
    }

    /// Ends wide workers that have overstepped their time.
    pub(super) fn end_wide_that_is_due(&mut self, now: Instant) {
        for index in (0..self.wide.len()).rev() {
            let wide = &mut self.wide[index];
            if wide.due().is_none_or(|due| due > now) {
                continue;
            }
            match &wide.phase {
                WidePhase::Idle => {}
                WidePhase::Serving { since, until, .. } => {
                    let cause = Cause::Deadline(until.saturating_duration_since(*since));
                    wide.kill(Some(cause), now);
                }
                WidePhase::Starting { .. } => wide.kill(Some(Cause::Deadline(STARTING)), now),
                WidePhase::Leaving { .. } => wide.kill(None, now),
                WidePhase::Dying { .. } => self.bury_wide(index, None, now),
            }
        }
    }

    /// The pool ends: nobody asks any more.
    pub(super) fn end_wide(&mut self) {
        for mut wide in self.wide.drain(..) {
            wide.process.kill();
            wide.process.await_death(LEAVING);
            if let Some(staging) = &self.settings.staging {
                let _ = fs::remove_dir_all(staging.join(format!("wide-{}", wide.key)));
            }
        }
    }
}
