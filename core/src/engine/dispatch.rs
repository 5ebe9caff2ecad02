//! From the queue to a worker and back.

use std::time::Instant;

use super::{intake::task, state::Engine};
use crate::{
    ids::CaptureId,
    pool::{AfterRefusal, Finished, Report},
    store::{QueuedCapture, Requeue, Write},
};

impl Engine {
    /// Gives marked captures to the pool and marks the next ones.
    pub fn dispatch(&mut self) {
        let (dataset, sources) = (&self.configuration.settings.dataset, &self.sources);
        let task =
            |queued: &QueuedCapture| task(queued, sources.optics(&queued.source), dataset, &self.dataset, &self.reader);
        self.queue.hand_out(self.pool.as_ref(), task);
        if !self.takes_work() {
            return;
        }
        match self.queue.next_to_mark(&self.reader) {
            Ok(ids) if ids.is_empty() => {}
            Ok(ids) => self.store_write(Write::Running(ids)),
            Err(error) => self.problem("queue", format!("the queue cannot be read: {error}")),
        }
    }

    /// These are committed as running.
    pub fn running(&mut self, committed: &[CaptureId]) {
        self.queue.running(committed);
    }

    pub fn report(&mut self, report: Report) {
        match report {
            Report::Finished(finished) => self.finished(*finished),
            Report::Returned { id } => {
                let capture = CaptureId(id.cast_signed());
                self.queue.returned(capture);
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
        self.figures.spent(finished.generation, &finished.spent);
        let id = finished.id;
        match self.queue.answered(finished) {
            Some(finish) => self.store_write(Write::Finish(Box::new(finish))),
            None => tracing::error!(id, "an answer for a capture that nobody holds"),
        }
    }

    /// Queues failed captures whose time has come.
    pub fn retry_due(&mut self, now: Instant) {
        let due = self.awaited.due(now);
        if !due.is_empty() {
            self.store_write(Write::Requeue(Requeue::Failed(due)));
        }
    }

    /// Queues what failed for the moment, now that what may have been the cause is over.
    pub fn retry_transient(&mut self, attempts: u32) {
        self.store_write(Write::Requeue(Requeue::Transient { attempts }));
    }

    /// The pool ended by itself, which only a defect of ours can cause: what it held is queued again, and a new one starts.
    pub fn pool_lost(&mut self) {
        self.pool = None;
        let held = self.queue.lost();
        self.store_write(Write::Requeue(Requeue::Running(held)));
        self.problem("workers", "the supervisor of workers ended; it is started again".into());
        self.start_pool();
    }

    /// At the end: what is marked but was never given to the pool goes back.
    pub fn requeue_unsubmitted(&mut self) {
        let back = self.queue.unanswered();
        if !back.is_empty() {
            self.store_write(Write::Requeue(Requeue::Running(back)));
        }
    }
}
