//! What a source's thread tells the engine, in batches, over a bounded channel: a slow engine makes ingest wait, not grow.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};

use super::{Fact, IgnoredFile, SeenFile};

/// Files in one fact, at most.
const BATCH: usize = 256;

/// Facts on their way out.
#[derive(Debug)]
pub(super) struct Outbox {
    facts: Sender<Fact>,
    stop: Receiver<()>,
    complete: Vec<SeenFile>,
    ignored: Vec<IgnoredFile>,
    /// Time spent waiting for the engine, which is not the scan's own.
    pub waited: Duration,
    /// The engine is gone or wants no more.
    pub ended: bool,
}

impl Outbox {
    pub(super) fn new(facts: Sender<Fact>, stop: Receiver<()>) -> Self {
        Self { facts, stop, complete: Vec::new(), ignored: Vec::new(), waited: Duration::ZERO, ended: false }
    }

    pub(super) fn complete(&mut self, file: SeenFile) {
        self.complete.push(file);
        if self.complete.len() == BATCH {
            self.flush();
        }
    }

    pub(super) fn ignored(&mut self, file: IgnoredFile) {
        self.ignored.push(file);
        if self.ignored.len() == BATCH {
            self.flush();
        }
    }

    /// Sends what is collected.
    pub(super) fn flush(&mut self) {
        if !self.complete.is_empty() {
            let files = std::mem::take(&mut self.complete);
            self.send(Fact::Complete(files));
        }
        if !self.ignored.is_empty() {
            let files = std::mem::take(&mut self.ignored);
            self.send(Fact::Ignored(files));
        }
    }

    pub(super) fn send(&mut self, fact: Fact) {
        if self.ended {
            return;
        }
        let began = Instant::now();
        select! {
            send(self.facts, fact) -> sent => self.ended = sent.is_err(),
            recv(self.stop) -> _ => self.ended = true,
        }
        self.waited += began.elapsed();
    }
}
