//! Captures between the database and the pool. A capture is marked `running` and committed before a worker sees it, so that
//! a restart knows what was in hand.
//!
//! Holds a window of the queue, never all of it. Owned by the engine's main loop, and by a build, which is the same work
//! with an end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    ids::CaptureId,
    pool::{Finished, Pool, Task},
    store::{Finish, QueuedCapture, Reader, StoreError},
};

/// Captures read ahead from the database; the rest of a long queue stays there.
const PAGE: usize = 1024;
/// Captures marked before there is room for them, so that small pictures do not wait for a commit each.
const AHEAD: usize = 32;

/// Captures on their way. In trees: tables would keep for weeks the room that one burst needed.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The oldest goes first.
    ready: BTreeMap<CaptureId, QueuedCapture>,
    /// Being marked `running`, by write; receipts come in the same order.
    marking: VecDeque<Vec<QueuedCapture>>,
    /// Marked, and next for the pool.
    marked: VecDeque<QueuedCapture>,
    /// With the pool.
    held: BTreeMap<CaptureId, QueuedCapture>,
    /// All of the above, and those whose end is not committed yet.
    known: BTreeSet<CaptureId>,
    /// The last one read from the database.
    cursor: CaptureId,
    /// The database may hold queued captures after the cursor.
    backlog: bool,
}

impl Queue {
    /// A capture that was just committed as queued.
    pub fn push(&mut self, queued: QueuedCapture) {
        if self.backlog || self.ready.len() >= PAGE {
            self.backlog = true;
        } else if self.known.insert(queued.capture) {
            self.cursor = self.cursor.max(queued.capture);
            self.ready.insert(queued.capture, queued);
        }
    }

    /// Captures went back into the queue, at any place.
    pub fn look_from_the_start(&mut self) {
        self.backlog = true;
        self.cursor = CaptureId(0);
    }

    /// Nothing waits, and nothing is on its way to a worker, with one, or on its way back.
    pub fn is_empty(&self) -> bool {
        !self.backlog && self.known.is_empty()
    }

    /// No capture is with the pool.
    pub fn holds_none(&self) -> bool {
        self.held.is_empty()
    }

    /// Captures marked or being marked that no worker has yet.
    fn ahead(&self) -> usize {
        self.marked.len() + self.marking.iter().map(Vec::len).sum::<usize>()
    }

    /// Gives marked captures to the pool, as many as it takes.
    pub fn hand_out(&mut self, pool: Option<&Pool>, task: impl Fn(&QueuedCapture) -> Task) {
        while let Some(queued) = self.marked.pop_front() {
            match pool.map(|pool| pool.submit(task(&queued))) {
                Some(Ok(())) => {
                    self.held.insert(queued.capture, queued);
                }
                _ => {
                    self.marked.push_front(queued);
                    return;
                }
            }
        }
    }

    /// The captures to be marked next; empty while enough are. In halves, so that one commit marks several.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn next_to_mark(&mut self, reader: &Reader) -> Result<Vec<CaptureId>, StoreError> {
        let room = AHEAD.saturating_sub(self.ahead());
        if room < AHEAD / 2 {
            return Ok(Vec::new());
        }
        let refilled = self.refill(reader);
        let batch: Vec<QueuedCapture> =
            (0..room).map_while(|_| self.ready.pop_first()).map(|(_, queued)| queued).collect();
        let ids: Vec<CaptureId> = batch.iter().map(|queued| queued.capture).collect();
        if !batch.is_empty() {
            self.marking.push_back(batch);
        }
        // What was read before is marked all the same, and the trouble told when there is nothing else.
        if ids.is_empty() { refilled.map(|()| ids) } else { Ok(ids) }
    }

    /// Reads ahead from the database when the queue in memory runs low.
    fn refill(&mut self, reader: &Reader) -> Result<(), StoreError> {
        while self.backlog && self.ready.len() < PAGE / 4 {
            let page = reader.queued_page(self.cursor, PAGE)?;
            self.backlog = page.len() == PAGE;
            for queued in page {
                self.cursor = self.cursor.max(queued.capture);
                if self.known.insert(queued.capture) {
                    self.ready.insert(queued.capture, queued);
                }
            }
        }
        Ok(())
    }

    /// These, of the oldest marking, are committed as running. The others were replaced by newer versions meanwhile.
    pub fn running(&mut self, committed: &[CaptureId]) {
        let committed: BTreeSet<CaptureId> = committed.iter().copied().collect();
        for queued in self.marking.pop_front().unwrap_or_default() {
            if committed.contains(&queued.capture) {
                self.marked.push_back(queued);
            } else {
                self.known.remove(&queued.capture);
            }
        }
    }

    /// What the pool says of a capture, as the store takes it. `None` for one that nobody holds.
    pub fn answered(&mut self, finished: Finished) -> Option<Finish> {
        let capture = CaptureId(finished.id.cast_signed());
        let queued = self.held.remove(&capture)?;
        Some(Finish {
            capture,
            image: queued.image,
            generation: finished.generation,
            pipeline: finished.pipeline,
            result: finished.result,
            staging: finished.staging,
            artefacts: finished.artefacts,
            fingerprint: finished.fingerprint,
            source_file: queued.path,
        })
    }

    /// The pool gave it back.
    pub fn returned(&mut self, capture: CaptureId) {
        self.held.remove(&capture);
        self.known.remove(&capture);
    }

    /// The store has committed the end of that capture's inspection, or dropped it.
    pub fn let_go(&mut self, capture: CaptureId) {
        self.known.remove(&capture);
    }

    /// The pool is gone with what it held.
    pub fn lost(&mut self) -> Vec<CaptureId> {
        let held: Vec<CaptureId> = std::mem::take(&mut self.held).into_keys().collect();
        for capture in &held {
            self.known.remove(capture);
        }
        held
    }

    /// At the end: what is marked but has no answer.
    pub fn unanswered(&mut self) -> Vec<CaptureId> {
        let unsubmitted = self.marking.drain(..).flatten().chain(self.marked.drain(..)).map(|queued| queued.capture);
        unsubmitted.chain(std::mem::take(&mut self.held).into_keys()).collect()
    }
}
