//! Keeps the number of workers, and brings them from one generation to the next one by one.
//!
//! A worker with the same libraries is configured anew between two captures; else a successor is started beside the old
//! ones, and an old one leaves when the successor is ready. So serving never stops for a swap, and old code really goes.

use std::{fs, sync::Arc, time::Instant};

use super::{
    Report,
    generations::Generation,
    process::Process,
    supervisor::{Supervisor, leave},
    wide::wide_stages,
    worker::{Phase, Worker},
};
use crate::{
    host::card::Profile,
    worker::{arguments::Arguments, memory::SharedMemory, messages::ToWorker, turns::TurnPage},
};

impl Supervisor {
    /// Starts, configures and retires workers as far as is due now.
    pub(super) fn roll(&mut self, now: Instant) {
        if self.ending.is_some() {
            return;
        }
        self.roll_wide(now);
        self.make_room_for_retries(now);
        self.fill_up(now);
        self.renew_stale(now);
        self.trim(now);
        let all_new = self.workers.iter().filter(|w| w.is_serving()).count() >= self.settings.count.max(1);
        // One that retires may still have an answer: nothing of an older generation comes after it is called replaced.
        let wanted = self.generations.wanted().number;
        let in_hand = |w: &Worker| matches!(w.phase, Phase::Busy(_)) && w.generation.number != wanted;
        if all_new
            && self.stale().next().is_none()
            && !self.workers.iter().any(in_hand)
            && let Some(took) = self.generations.complete(now)
        {
            self.report(Report::Replaced { generation: self.generations.wanted().number, took });
        }
    }

    /// Workers that count: serving, or about to.
    fn present(&self) -> usize {
        self.workers.iter().filter(|worker| worker.is_serving() || worker.is_starting()).count()
    }

    fn fill_up(&mut self, now: Instant) {
        while self.present() < self.settings.count.max(1) && self.generations.may_start(now) {
            let generation = Arc::clone(self.generations.in_force());
            if !self.is_equipped(&generation) {
                return;
            }
            self.start(generation, now);
        }
    }

    /// A retry needs a worker that has inspected nothing yet. Usually the dead one's successor is that; where none is on
    /// its way, an idle one makes way.
    fn make_room_for_retries(&mut self, now: Instant) {
        let fresh = |worker: &Worker| worker.is_starting() || (worker.is_serving() && worker.jobs == 0);
        let missing = self.present() < self.settings.count.max(1);
        if self.retries.is_empty() || missing || self.workers.iter().any(fresh) || !self.generations.may_start(now) {
            return;
        }
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.is_free()) {
            leave(worker, now);
        }
    }

    /// Serving workers of an older generation.
    fn stale(&self) -> impl Iterator<Item = usize> {
        let wanted = self.generations.wanted().number;
        let stale = move |worker: &Worker| worker.is_serving() && worker.generation.number != wanted;
        self.workers.iter().enumerate().filter(move |(_, worker)| stale(worker)).map(|(index, _)| index)
    }

    fn renew_stale(&mut self, now: Instant) {
        let wanted = Arc::clone(self.generations.wanted());
        if !self.is_equipped(&wanted) {
            return;
        }
        let stale: Vec<usize> = self.stale().collect();
        for index in stale {
            let on_its_way = self.workers.iter().any(|w| w.is_starting() && w.generation.number == wanted.number);
            let on_trial = !self.generations.is_proven() && on_its_way;
            if on_trial {
                return;
            }
            let worker = &mut self.workers[index];
            if worker.generation.loads_the_same(&wanted) {
                if worker.is_free() {
                    self.configure(index, Arc::clone(&wanted), now);
                }
            } else if !on_its_way && self.generations.may_start(now) {
                self.start(Arc::clone(&wanted), now);
            }
        }
    }

    /// One worker too many is a successor that is ready: an old one leaves, an idle one if there is one.
    fn trim(&mut self, now: Instant) {
        let serving = self.workers.iter().filter(|worker| worker.is_serving()).count();
        for _ in self.settings.count.max(1)..serving {
            let stale: Vec<usize> = self.stale().collect();
            let idle = stale.iter().copied().find(|index| self.workers[*index].is_free());
            let Some(index) = idle.or(stale.first().copied()).or_else(|| self.workers.iter().position(Worker::is_free))
            else {
                return;
            };
            let worker = &mut self.workers[index];
            if worker.is_free() { leave(worker, now) } else { worker.retiring = true }
        }
    }

    fn start(&mut self, generation: Arc<Generation>, now: Instant) {
        let slot = (0..).find(|slot| self.workers.iter().all(|worker| worker.slot != *slot)).unwrap_or(0);
        let staging = self.folder_of(slot);
        let made = staging.as_ref().map_or(Ok(()), fs::create_dir_all);
        let (parent, profile, limits) = (std::process::id(), Profile::Narrow, self.settings.limits);
        let arguments = Arguments { parent, profile, staging, limits };
        let asks = wide_stages(&generation.pipeline).next().is_some();
        let shared = || {
            let memory = SharedMemory::for_megapixels(if asks { limits.max_megapixels } else { 0.0 })?;
            TurnPage::of(&memory).map(|turns| (memory, turns))
        };
        let started = made.and_then(|()| shared()).and_then(|(memory, turns)| {
            Process::start(&self.settings.program, &arguments, Some(&memory)).map(|process| (process, memory, turns))
        });
        let (process, memory, turns) = match started {
            Ok(started) => started,
            Err(error) => {
                let program = self.settings.program.executable.display();
                let reason = format!("cannot start {program} as a worker: {error}");
                return self.refused(generation.number, None, reason, now);
            }
        };
        let (key, phase) = (self.count_up(), Phase::Idle);
        self.workers.push(Worker {
            key,
            slot,
            process,
            generation,
            phase,
            jobs: 0,
            retiring: false,
            sandbox: None,
            memory: asks.then_some(memory),
            turns,
        });
        let index = self.workers.len() - 1;
        self.configure(index, Arc::clone(&self.workers[index].generation), now);
    }

    fn configure(&mut self, index: usize, generation: Arc<Generation>, now: Instant) {
        let worker = &mut self.workers[index];
        worker.generation = generation;
        worker.phase = Phase::Starting { until: now + self.settings.start_deadline, turn: None };
        let message = ToWorker::Configure(Box::new(worker.generation.pipeline.clone()));
        if let Err(error) = worker.process.send(&message) {
            let number = worker.generation.number;
            leave(worker, now);
            self.refused(number, None, format!("cannot be put to a worker: {error}"), now);
        }
    }

    /// A worker is ready.
    pub(super) fn loaded(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        let (number, pid) = (worker.generation.number, worker.process.pid());
        if let Some(sandbox) = worker.sandbox.take() {
            self.report(Report::Started { pid, generation: number, sandbox });
        }
        let Some(earlier) = self.generations.loaded(number) else { return };
        // A new build brings a plug-in back.
        let wanted = Arc::clone(self.generations.wanted());
        for stage in wanted.pipeline.stages() {
            let before = earlier.pipeline.stages().find(|before| before.plugin == stage.plugin);
            if before.is_none_or(|before| before.build != stage.build) {
                self.renew(stage.plugin.clone());
            }
        }
    }
}
