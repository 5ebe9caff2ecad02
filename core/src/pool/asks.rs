//! Questions of narrow workers to wide plug-ins: handed on, answered, and judged when the one who was asked dies.
//!
//! The capture stays with the narrow worker that asked; what the crash policy does to captures it does here to
//! questions. A narrow worker that is gone meanwhile is owed nothing.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use super::{
    Cause, Report,
    deadline::Deadlines,
    generations::Generation,
    policy::Next,
    supervisor::Supervisor,
    wide::{WidePhase, wide_stages},
    worker::{Asking, Busy, Phase},
};
use crate::worker::messages::{Ask, Findings, Question, Reply, Stage, ToWorker};

/// Most questions that go to a plug-in in one call.
const BATCH: usize = 16;

/// A question on its way.
#[derive(Debug)]
pub(super) struct Asked {
    /// The narrow worker that waits.
    pub worker: u64,
    stage: Stage,
    question: Question,
    /// Somebody died of the call that it was in: it goes alone, so that the culprit is known.
    alone: bool,
}

impl Supervisor {
    /// A narrow worker asks. False for a question that no worker asks in its state.
    pub(super) fn asked(&mut self, index: usize, question: Question, now: Instant) -> bool {
        let worker = &mut self.workers[index];
        let stage = wide_stages(&worker.generation.pipeline).find(|stage| stage.plugin == question.plugin).cloned();
        let (Phase::Busy(busy), Some(stage)) = (&mut worker.phase, stage) else { return false };
        if busy.asking.is_some() || busy.without.contains(&stage.plugin) || worker.memory.is_none() {
            return false;
        }
        busy.asking = Some(Asking { number: question.number, left: busy.until.saturating_duration_since(now) });
        let worker = worker.key;
        let anybody = self.wide.iter().any(|wide| wide.is_on_the_line() && wide.stage == stage);
        if !anybody && !self.generations.may_start(now) {
            // A start has just failed and the next one is not due: the capture does not wait for it.
            let trouble = self.wide_trouble.get(&stage.plugin).map_or("it ended", String::as_str);
            let reason = format!("there is no wide worker for it: {trouble}");
            self.reply(worker, question.number, Err(reason), now);
            return true;
        }
        self.asks.push_back(Asked { worker, stage, question, alone: false });
        true
    }

    /// Gives waiting questions to wide workers that are free, several in one call where they can go together.
    pub(super) fn hand_on(&mut self, now: Instant) {
        for index in 0..self.wide.len() {
            if !matches!(self.wide[index].phase, WidePhase::Idle) {
                continue;
            }
            let mut batch: Vec<Asked> = Vec::new();
            let (mut rest, stage) = (VecDeque::new(), self.wide[index].stage.clone());
            for asked in self.asks.drain(..) {
                let fits = asked.stage == stage
                    && batch.len() < BATCH
                    && batch.first().is_none_or(|first| !first.alone && !asked.alone);
                if fits { batch.push(asked) } else { rest.push_back(asked) }
            }
            self.asks = rest;
            if !batch.is_empty() {
                self.hand_on_to(index, batch, now);
            }
        }
    }

    fn hand_on_to(&mut self, index: usize, mut batch: Vec<Asked>, now: Instant) {
        let mut messages = Vec::new();
        batch.retain(|asked| {
            let Some(worker) = self.workers.iter().find(|worker| worker.key == asked.worker) else { return false };
            if !self.wide[index].knows.contains(&asked.worker) {
                let Some(Ok(handle)) = worker.memory.as_ref().map(|memory| memory.handle()) else { return false };
                messages.push((ToWorker::Memory { of: asked.worker }, handle));
            }
            true
        });
        let gone: Vec<u64> =
            self.wide[index].knows.iter().copied().filter(|k| !self.workers.iter().any(|w| w.key == *k)).collect();
        let wide = &mut self.wide[index];
        let mut sent = Ok(());
        for of in gone {
            wide.knows.remove(&of);
            sent = sent.and(wide.process.send(&ToWorker::Forget { of }));
        }
        for (message, handle) in messages {
            sent = sent.and(wide.process.send_with(&message, handle));
        }
        wide.knows.extend(batch.iter().map(|asked| asked.worker));
        let asks = batch.iter().map(|asked| Ask { memory: asked.worker, question: asked.question.clone() }).collect();
        sent = sent.and(wide.process.send(&ToWorker::Serve(asks)));
        let pixels = batch.iter().map(|a| u64::from(a.question.width) * u64::from(a.question.height)).sum::<u64>();
        let settings = &self.settings;
        let deadlines = self.wide_deadlines.entry(wide.stage.plugin.clone()).or_insert_with(|| {
            Deadlines::new(settings.wide_deadline, settings.deadline_per_mpx, settings.limits.max_megapixels)
        });
        let until = now + deadlines.of(0) + settings.deadline_per_mpx.mul_f64(pixels as f64 / 1e6);
        wide.phase = WidePhase::Serving { asked: batch, since: now, until };
        if let Err(error) = sent {
            wide.kill(Some(Cause::Nonsense(format!("no question could be put to it: {error}"))), now);
        }
    }

    /// A wide worker has answered all that it was asked.
    pub(super) fn served(&mut self, index: usize, answers: Vec<Result<Findings, String>>, now: Instant) {
        let wide = &mut self.wide[index];
        let WidePhase::Serving { asked, since, .. } = std::mem::replace(&mut wide.phase, WidePhase::Idle) else {
            return;
        };
        if answers.len() != asked.len() {
            let (found, until) = (answers.len(), now);
            let what = format!("{found} answers to {} questions", asked.len());
            wide.phase = WidePhase::Serving { asked, since, until };
            return wide.kill(Some(Cause::Nonsense(what)), now);
        }
        wide.jobs += asked.len() as u64;
        if let Some(deadlines) = self.wide_deadlines.get_mut(&wide.stage.plugin) {
            deadlines.answered(now.saturating_duration_since(since), None);
        }
        for (asked, findings) in asked.into_iter().zip(answers) {
            self.reply(asked.worker, asked.question.number, findings, now);
        }
    }

    /// A wide worker died of what it was asked.
    pub(super) fn judge_asked(&mut self, asked: Vec<Asked>, told: &str, now: Instant) {
        if asked.len() > 1 {
            // Nobody knows whose picture it was: each goes again, alone.
            self.asks.extend(asked.into_iter().map(|asked| Asked { alone: true, ..asked }));
            return;
        }
        for asked in asked {
            let plugin = &asked.stage.plugin;
            let Some((busy, generation)) = self.busy_with(asked.worker, asked.question.number) else { continue };
            let history = &mut busy.held.history;
            let path = busy.held.task.path.clone();
            let mut history_now = std::mem::take(history);
            let judgement = self.policy.died(&mut history_now, &path, Some(plugin), told, &generation.pipeline);
            let left_out = match self.policy.without(&history_now, &generation.pipeline) {
                Ok(without) => without.contains(plugin),
                // The last segmenter: the worker itself says so of the capture.
                Err(_) => true,
            };
            if let Some((busy, _)) = self.busy_with(asked.worker, asked.question.number) {
                busy.held.history = history_now;
                if left_out {
                    busy.without.push(plugin.clone());
                }
            }
            if let Some((plugin, reason)) = judgement.quarantined {
                self.report(Report::Quarantined { plugin, reason });
            }
            match judgement.next {
                Next::Failed(failure) => {
                    self.reply(asked.worker, asked.question.number, Err(failure.message), now);
                }
                Next::Again if left_out => {
                    let reason = format!("brought wide workers down on this capture: {told}");
                    self.reply(asked.worker, asked.question.number, Err(reason), now);
                }
                Next::Again => self.asks.push_back(Asked { alone: true, ..asked }),
            }
        }
    }

    /// Nobody will answer these soon: their captures go on without.
    pub(super) fn answer_waiting(&mut self, stage: &Stage, reason: &str, now: Instant) {
        let (given_up, rest) = self.asks.drain(..).partition::<VecDeque<Asked>, _>(|asked| &asked.stage == stage);
        self.asks = rest;
        for asked in given_up {
            self.reply(asked.worker, asked.question.number, Err(reason.to_owned()), now);
        }
    }

    fn reply(&mut self, worker: u64, number: u64, findings: Result<Findings, String>, now: Instant) {
        let Some(worker) = self.workers.iter_mut().find(|other| other.key == worker) else { return };
        let Phase::Busy(busy) = &mut worker.phase else { return };
        let Some(asking) = busy.asking.take_if(|asking| asking.number == number) else { return };
        busy.until = now + asking.left;
        let message = ToWorker::Reply(Box::new(Reply { number, findings }));
        if let Err(error) = worker.process.send(&message) {
            let reason = format!("an answer that cannot be handed on: {error}");
            let shorter = ToWorker::Reply(Box::new(Reply { number, findings: Err(reason) }));
            // A short one always can.
            let _ = worker.process.send(&shorter);
        }
    }

    fn busy_with(&mut self, worker: u64, number: u64) -> Option<(&mut Busy, Arc<Generation>)> {
        let worker = self.workers.iter_mut().find(|other| other.key == worker)?;
        let generation = Arc::clone(&worker.generation);
        match &mut worker.phase {
            Phase::Busy(busy) if busy.asking.is_some_and(|asking| asking.number == number) => Some((busy, generation)),
            _ => None,
        }
    }

    /// The task of a narrow worker.
    pub(super) fn task_of(&self, worker: u64) -> Option<u64> {
        let worker = self.workers.iter().find(|other| other.key == worker)?;
        match &worker.phase {
            Phase::Busy(busy) => Some(busy.held.task.id),
            _ => None,
        }
    }
}
