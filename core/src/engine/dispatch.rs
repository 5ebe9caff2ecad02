//! From the queue to a worker and back. A capture is marked `running` and committed before a worker sees it, so that a
//! restart knows what was in hand.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use super::state::Engine;
use crate::{
    ids::CaptureId,
    pool::{AfterRefusal, Finished, Report, Task},
    store::{Finish, QueuedCapture, Requeue, Write},
    worker::messages::Artefacts,
};

/// Captures read ahead from the database; the rest of a long queue stays there.
const PAGE: usize = 1024;
/// Captures marked before there is room for them, so that small pictures do not wait for a commit each.
const AHEAD: usize = 32;
/// First pause before a capture that did not decode is tried again; it doubles.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// Captures whose retries are counted at once; more would be a broken source.
const MOST_RETRIES: usize = 4096;

/// Captures between the database and the pool.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ready: VecDeque<QueuedCapture>,
    /// Being marked `running`, by write; receipts come in the same order.
    marking: VecDeque<Vec<QueuedCapture>>,
    /// Marked, and next for the pool.
    marked: VecDeque<QueuedCapture>,
    /// With the pool.
    held: HashMap<CaptureId, QueuedCapture>,
    /// All of the above.
    known: HashSet<CaptureId>,
    /// The last one read from the database.
    cursor: CaptureId,
    /// The database may hold queued captures after the cursor.
    backlog: bool,
    /// Captures that failed for the moment: how often, and when to try again.
    retries: HashMap<CaptureId, (u32, Option<Instant>)>,
}

impl Queue {
    /// A capture that was just committed as queued.
    pub fn push(&mut self, queued: QueuedCapture) {
        if self.backlog || self.ready.len() >= PAGE {
            self.backlog = true;
        } else if self.known.insert(queued.capture) {
            self.cursor = self.cursor.max(queued.capture);
            self.ready.push_back(queued);
        }
    }

    /// Captures went back into the queue, at any place.
    pub fn look_from_the_start(&mut self) {
        self.backlog = true;
        self.cursor = CaptureId(0);
    }

    /// Captures marked or being marked that no worker has yet.
    fn ahead(&self) -> usize {
        self.marked.len() + self.marking.iter().map(Vec::len).sum::<usize>()
    }

    /// When the next failed capture is to be tried again.
    pub fn next_retry(&self) -> Option<Instant> {
        self.retries.values().filter_map(|(_, at)| *at).min()
    }

    /// A capture failed for the moment: should it be tried again?
    pub fn retry_later(&mut self, capture: CaptureId, most: u32, now: Instant) {
        if self.retries.len() >= MOST_RETRIES && !self.retries.contains_key(&capture) {
            return;
        }
        let (count, at) = self.retries.entry(capture).or_default();
        if *count < most {
            *at = Some(now + FIRST_RETRY * 2_u32.saturating_pow(*count));
            *count += 1;
        } else {
            self.retries.remove(&capture);
        }
    }

    /// It ended otherwise.
    pub fn settled(&mut self, capture: CaptureId) {
        self.retries.remove(&capture);
    }
}

impl Engine {
    /// Gives marked captures to the pool and marks the next ones.
    pub fn dispatch(&mut self) {
        while let Some(queued) = self.queue.marked.pop_front() {
            let task = self.task(&queued);
            match self.pool.as_ref().map(|pool| pool.submit(task)) {
                Some(Ok(())) => {
                    self.queue.held.insert(queued.capture, queued);
                }
                _ => {
                    self.queue.marked.push_front(queued);
                    break;
                }
            }
        }
        if !self.takes_work() {
            return;
        }
        // In halves, so that one commit marks several.
        let room = AHEAD.saturating_sub(self.queue.ahead());
        if room < AHEAD / 2 {
            return;
        }
        self.refill();
        let batch: Vec<QueuedCapture> = (0..room).map_while(|_| self.queue.ready.pop_front()).collect();
        if !batch.is_empty() {
            let ids = batch.iter().map(|queued| queued.capture).collect();
            self.queue.marking.push_back(batch);
            self.store_write(Write::Running(ids));
        }
    }

    /// Reads ahead from the database when the queue in memory runs low.
    fn refill(&mut self) {
        while self.queue.backlog && self.queue.ready.len() < PAGE / 4 {
            match self.reader.queued_page(self.queue.cursor, PAGE) {
                Ok(page) => {
                    self.queue.backlog = page.len() == PAGE;
                    for queued in page {
                        self.queue.cursor = self.queue.cursor.max(queued.capture);
                        if self.queue.known.insert(queued.capture) {
                            self.queue.ready.push_back(queued);
                        }
                    }
                }
                Err(error) => {
                    self.problem("queue", format!("the queue cannot be read: {error}"));
                    return;
                }
            }
        }
    }

    /// These, of the oldest marking, are committed as running. The others were replaced by newer versions meanwhile.
    pub fn running(&mut self, committed: &[CaptureId]) {
        let committed: HashSet<CaptureId> = committed.iter().copied().collect();
        for queued in self.queue.marking.pop_front().unwrap_or_default() {
            if committed.contains(&queued.capture) {
                self.queue.marked.push_back(queued);
            } else {
                self.queue.known.remove(&queued.capture);
            }
        }
    }

    fn task(&self, queued: &QueuedCapture) -> Task {
        let dataset = &self.configuration.settings.dataset;
        Task {
            id: queued.capture.0.cast_unsigned(),
            path: queued.path.clone(),
            bytes: std::fs::metadata(&queued.path).map_or(0, |found| found.len()),
            expected: Some(queued.image),
            optics: self.sources.optics(&queued.source),
            artefacts: Some(Artefacts { masks: dataset.masks, images: dataset.images }),
        }
    }

    pub fn report(&mut self, report: Report) {
        match report {
            Report::Finished(finished) => self.finished(*finished),
            Report::Returned { id } => {
                let capture = CaptureId(id.cast_signed());
                self.queue.held.remove(&capture);
                self.queue.known.remove(&capture);
                self.store_write(Write::Requeue(Requeue::Running(vec![capture])));
            }
            Report::Started { pid, generation, sandbox } => {
                tracing::info!(pid, generation, ?sandbox, "worker ready");
                self.solved("workers");
            }
            Report::Died(death) => {
                let whose = death.plugin.as_ref().map_or_else(|| "outside plug-ins".into(), ToString::to_string);
                let mut line = format!("worker {} died ({}), {whose}", death.pid, death.cause);
                if !death.stderr.is_empty() {
                    line.push_str(&format!("; it said: {}", death.stderr));
                }
                self.log(tracing::Level::WARN, line);
            }
            Report::Quarantined { plugin, reason } => {
                self.problem(
                    &format!("plug-in {plugin}"),
                    format!("plug-in {plugin} is set aside: {reason}; release it, or install another build"),
                );
                self.quarantined.insert(plugin, reason);
            }
            Report::Released { plugin } => {
                self.quarantined.remove(&plugin);
                self.solved(&format!("plug-in {plugin}"));
                self.store_write(Write::Requeue(Requeue::IncompleteFor(plugin)));
            }
            Report::Refused { generation, plugin, reason, then } => {
                let whose = plugin.map_or_else(String::new, |plugin| format!("{plugin}: "));
                self.swap_refused(generation, format!("{whose}{reason}"), then);
                let then = match then {
                    AfterRefusal::Kept { generation } => format!("generation {generation} stays in force"),
                    AfterRefusal::TryAgain { after } => format!("trying again in {} s", after.as_secs().max(1)),
                };
                self.problem(
                    "workers",
                    format!("workers cannot load generation {generation}: {whose}{reason}; {then}"),
                );
            }
            Report::Replaced { generation, took } => {
                self.swapped(generation, took);
                self.log(
                    tracing::Level::INFO,
                    format!("all workers run generation {generation}, after {} ms", took.as_millis()),
                );
            }
        }
        self.dirty = true;
    }

    fn finished(&mut self, finished: Finished) {
        let capture = CaptureId(finished.id.cast_signed());
        let Some(queued) = self.queue.held.remove(&capture) else {
            tracing::error!(%capture, "an answer for a capture that nobody holds");
            return;
        };
        if let Ok(inspection) = &finished.result {
            self.figures.timed(&inspection.ms);
        }
        self.store_write(Write::Finish(Box::new(Finish {
            capture,
            image: queued.image,
            generation: finished.generation,
            pipeline: finished.pipeline,
            result: finished.result,
            staging: finished.staging,
            artefacts: finished.artefacts,
            source_file: queued.path,
        })));
    }

    /// The store has committed the end of that capture's inspection, or dropped it.
    pub fn let_go(&mut self, capture: CaptureId) {
        self.queue.known.remove(&capture);
    }

    /// Queues failed captures whose time has come.
    pub fn retry_due(&mut self, now: Instant) {
        let due: Vec<CaptureId> = self
            .queue
            .retries
            .iter_mut()
            .filter_map(|(capture, (_, at))| at.is_some_and(|at| at <= now).then(|| (*at = None, *capture).1))
            .collect();
        if !due.is_empty() {
            self.store_write(Write::Requeue(Requeue::Failed(due)));
        }
    }

    /// The pool ended by itself, which only a defect of ours can cause: what it held is queued again, and a new one starts.
    pub fn pool_lost(&mut self) {
        self.pool = None;
        let held: Vec<CaptureId> = self.queue.held.drain().map(|(capture, _)| capture).collect();
        for capture in &held {
            self.queue.known.remove(capture);
        }
        self.store_write(Write::Requeue(Requeue::Running(held)));
        self.problem("workers", "the supervisor of workers ended; it is started again".into());
        self.start_pool();
    }

    /// At the end: what is marked but was never given to the pool goes back.
    pub fn requeue_unsubmitted(&mut self) {
        let queue = &mut self.queue;
        let unsubmitted = queue.marking.drain(..).flatten().chain(queue.marked.drain(..)).map(|queued| queued.capture);
        let back: Vec<CaptureId> = unsubmitted.chain(queue.held.drain().map(|(capture, _)| capture)).collect();
        if !back.is_empty() {
            self.store_write(Write::Requeue(Requeue::Running(back)));
        }
    }
}
