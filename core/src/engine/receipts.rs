//! What is committed becomes an event: nothing is told to a client before the database holds it.

use std::{path::Path, time::Instant};

use super::{
    splits::News,
    state::{Engine, STORAGE},
};
use crate::{
    names,
    protocol::{CaptureEvent, Event},
    report::CaptureState,
    store::{Admitted, Finished, QueuedCapture, Receipt},
};

impl Engine {
    pub fn receipt(&mut self, receipt: Receipt) {
        match receipt {
            Receipt::Sources | Receipt::Pipeline { .. } | Receipt::Alarm => {}
            Receipt::Run(run) => self.broadcast(Event::Run { run }),
            Receipt::Mark(_) => {
                self.fence.receipt(receipt);
                self.tell_of_training();
            }
            Receipt::Divided(divided) => {
                self.divided(divided.as_deref());
                self.tell_divided(divided);
            }
            Receipt::Manifests(written) => self.manifests_written(written.as_ref()),
            Receipt::Settled => self.settled(),
            Receipt::Correlations(written) => self.correlated(written),
            Receipt::Reviewed(reviewed) => {
                if reviewed.added > 0 {
                    self.splits.news = News::Labels;
                }
                self.broadcast(Event::Reviewed(*reviewed));
            }
            Receipt::Tidied(tidying) => self.tidied(*tidying),
            Receipt::Views => self.broadcast(Event::Views),
            Receipt::Swap(swap) => {
                if let Some(swap) = swap {
                    self.broadcast(Event::Swap(swap));
                }
            }
            Receipt::Admitted(admitted) => self.admitted(admitted),
            Receipt::Running(captures) => self.running(&captures),
            Receipt::Finished(finished) => self.stored(*finished),
            Receipt::Dropped(capture) => self.queue.let_go(capture),
            Receipt::Requeued { queued, unread } => {
                self.read_again(unread);
                if queued > 0 {
                    self.queue.look_from_the_start();
                }
            }
            Receipt::Rejected { message } => self.problem("store", format!("a write was refused: {message}")),
            Receipt::Trouble { message, hint } => self.problem(STORAGE, format!("{message}; {hint}")),
            Receipt::TroubleOver => {
                self.solved(STORAGE);
                self.retry_transient(u32::MAX);
            }
        }
        self.dirty = true;
    }

    fn admitted(&mut self, admitted: Vec<Admitted>) {
        let complete = self.admitting.pop_front().unwrap_or_default();
        let most = self.configuration.settings.capture.decode_retries;
        for (admitted, complete) in admitted.into_iter().zip(complete) {
            self.awaited.admitted(&admitted, complete, most, Instant::now());
            if admitted.promoted.is_some() {
                self.queue.look_from_the_start();
            }
            if admitted.state == CaptureState::Queued
                && let Some(image) = admitted.image
            {
                let (capture, source, path) = (admitted.capture, admitted.source.clone(), admitted.path.clone());
                self.queue.push(QueuedCapture { capture, image, source, path });
            }
            if admitted.new && admitted.state != CaptureState::Ignored {
                self.alarms.seen(&admitted.source, Instant::now());
            }
            if admitted.new {
                let mut event = event(admitted.capture, admitted.source, &admitted.path, admitted.state);
                event.image = admitted.image;
                event.message = admitted.message.map(|message| names::visible(&message).into_owned());
                self.broadcast(Event::Capture(Box::new(event)));
            }
        }
    }

    fn stored(&mut self, finished: Finished) {
        let now = Instant::now();
        let most = self.configuration.settings.capture.decode_retries;
        let complete = self.awaited.ended(&finished, most, now);
        self.queue.let_go(finished.capture);
        if finished.state == CaptureState::Done {
            self.figures.done(now, complete);
            self.splits.news = News::Labels;
        }
        if complete.is_some() {
            self.watch_ended(&finished, now);
        }
        let event = CaptureEvent {
            image: Some(finished.image),
            has_defect: finished.has_defect,
            verdict: finished.verdict,
            defects: finished.defects,
            incomplete: finished.incomplete,
            message: finished.failure.map(|failure| names::visible(&failure.to_string()).into_owned()),
            ms: finished.ms,
            ..event(finished.capture, finished.source, &finished.path, finished.state)
        };
        self.broadcast(Event::Capture(Box::new(event)));
    }
}

fn event(capture: crate::ids::CaptureId, source: String, path: &Path, state: CaptureState) -> CaptureEvent {
    CaptureEvent {
        capture,
        source,
        path: names::display(path),
        path_b64: names::exact(path),
        state,
        image: None,
        has_defect: None,
        verdict: None,
        defects: None,
        incomplete: Vec::new(),
        message: None,
        ms: None,
    }
}
