//! A thread that answers one kind of question: the latest of each of its kinds wins, and whoever asks never waits.

use std::{io, sync::Arc, time::Instant};

use crossbeam_channel::Sender;

use super::{
    Job,
    slot::{Replaceable, Slot},
};
use crate::workbench::event::Event;

/// The thread and the way to it.
pub struct AnswerJob<Q> {
    slot: Arc<Slot<Q>>,
    job: Job,
}

impl<Q: Replaceable + Send + 'static> AnswerJob<Q> {
    /// Starts the thread; what `answer` makes of a question goes to the loop.
    pub fn start(
        name: &str,
        mut answer: impl FnMut(Q) -> Event + Send + 'static,
        events: Sender<Event>,
    ) -> io::Result<Self> {
        let slot = Arc::new(Slot::default());
        let work: Arc<Slot<Q>> = Arc::clone(&slot);
        let job = Job::start(name, move || {
            while let Some(question) = work.take(Instant::now()) {
                if events.send(answer(question)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { slot, job })
    }

    pub fn ask(&self, question: Q) {
        self.slot.put(question);
    }

    pub fn join(self, patience: std::time::Duration) {
        self.slot.close();
        self.job.join(patience);
    }
}
