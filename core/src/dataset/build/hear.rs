//! What a build hears: what is committed, and what the workers say.

use std::time::Instant;

use super::{BuildError, Listener, work::Work};
use crate::{
    ids::CaptureId,
    pool::{AfterRefusal, Report},
    report::CaptureState,
    store::{Admitted, Finished, QueuedCapture, Receipt, Requeue, SwapEnd, Write},
    swap::SwapOutcome,
};

/// Starts of a worker that fail one after the other before a build gives up.
const HOPELESS: u32 = 3;

impl Work<'_> {
    pub(super) fn receipt(&mut self, receipt: Receipt, listener: &mut dyn Listener) -> Result<(), BuildError> {
        match receipt {
            Receipt::Trouble { message, hint } => {
                listener.remark(&format!("{message}; {hint}"));
                self.trouble = Some((Instant::now(), message, hint));
                return Ok(());
            }
            Receipt::TroubleOver => {
                self.trouble = None;
                return Ok(());
            }
            Receipt::Admitted(admitted) => admitted.into_iter().for_each(|admitted| self.admitted(admitted, listener)),
            Receipt::Running(captures) => self.queue.running(&captures),
            Receipt::Finished(finished) => self.finished(*finished, listener),
            Receipt::Dropped(capture) => {
                self.queue.let_go(capture);
                self.waiting = self.waiting.saturating_sub(1);
            }
            Receipt::Requeued { queued, unread } => {
                self.expected += queued;
                self.read_unread(unread);
                self.queue.look_from_the_start();
            }
            Receipt::Rejected { message } => listener.remark(&format!("a write was refused: {message}")),
            Receipt::Divided(Ok(divided)) => self.summary.divided = Some(*divided),
            Receipt::Divided(Err(message)) => listener.remark(&format!("nobody was given a side: {message}")),
            Receipt::Sources
            | Receipt::Pipeline { .. }
            | Receipt::Swap(_)
            | Receipt::Correlations(_)
            | Receipt::Reviewed(_)
            | Receipt::Views
            | Receipt::Alarm
            | Receipt::Tidied(_)
            | Receipt::Run(_)
            | Receipt::Mark(_)
            | Receipt::Manifests(_)
            | Receipt::Settled => {}
        }
        self.unconfirmed = self.unconfirmed.saturating_sub(1);
        Ok(())
    }

    fn admitted(&mut self, admitted: Admitted, listener: &mut dyn Listener) {
        match (admitted.state, admitted.image) {
            (CaptureState::Queued, Some(image)) => {
                let (capture, source, path) = (admitted.capture, admitted.source, admitted.path);
                self.queue.push(QueuedCapture { capture, image, source, path });
                return;
            }
            (CaptureState::Duplicate, _) => self.summary.duplicates += 1,
            (CaptureState::Failed, image) => {
                self.summary.failed += 1;
                listener.failed(&admitted.path, image, admitted.message.as_deref().unwrap_or("it failed before"));
            }
            _ => {}
        }
        if admitted.promoted.is_some() {
            self.queue.look_from_the_start();
        }
        self.waiting = self.waiting.saturating_sub(1);
        self.done += 1;
    }

    fn finished(&mut self, finished: Finished, listener: &mut dyn Listener) {
        self.queue.let_go(finished.capture);
        self.waiting = self.waiting.saturating_sub(1);
        self.done += 1;
        match &finished.failure {
            None => {
                self.summary.inspected += 1;
                self.summary.incomplete += u64::from(!finished.incomplete.is_empty());
            }
            Some(failure) => {
                self.summary.failed += 1;
                listener.failed(&finished.path, Some(finished.image), &failure.to_string());
            }
        }
    }

    pub(super) fn report(&mut self, report: Report, listener: &mut dyn Listener) -> Result<(), BuildError> {
        match report {
            Report::Finished(finished) => {
                self.refusals = 0;
                if let Some(finish) = self.queue.answered(*finished) {
                    self.write(Write::Finish(Box::new(finish)))?;
                }
            }
            Report::Returned { id } => {
                let capture = CaptureId(id.cast_signed());
                self.queue.returned(capture);
                self.write(Write::Requeue(Requeue::Running(vec![capture])))?;
            }
            Report::Refused { generation, plugin, reason, then: AfterRefusal::TryAgain { .. } } => {
                self.refusals += 1;
                if self.refusals >= HOPELESS {
                    let refusal = Some(reason.clone());
                    let outcome = SwapOutcome::Refused;
                    self.write(Write::SwapEnd(SwapEnd {
                        generation,
                        outcome,
                        refusal,
                        took_ms: None,
                        files: Vec::new(),
                    }))?;
                    return Err(BuildError::NoWorker { plugin, reason });
                }
            }
            Report::Replaced { generation, took } => {
                let took_ms = Some(took.as_secs_f64() * 1e3);
                self.write(Write::SwapEnd(SwapEnd {
                    generation,
                    outcome: SwapOutcome::InForce,
                    refusal: None,
                    took_ms,
                    files: Vec::new(),
                }))?;
            }
            Report::Died(death) => {
                let whose = death.plugin.as_ref().map_or_else(|| "outside plug-ins".into(), ToString::to_string);
                listener.remark(&format!("a worker died ({}), {whose}", death.cause));
            }
            Report::Quarantined { plugin, reason } => {
                listener.remark(&format!("{plugin} is set aside for the rest of this build: {reason}"));
            }
            Report::Started { .. } | Report::Released { .. } | Report::Refused { .. } => {}
        }
        Ok(())
    }
}
