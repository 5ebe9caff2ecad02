//! Captures between the database and the pool. A capture is marked `running` and committed before a worker sees it, so that
//! a restart knows what was in hand.
//!
//! Holds a window of the queue, never all of it. Owned by the engine's main loop, and by a build, which is the same work
//! with an end.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use crate::{
    ids::CaptureId,
    pool::{Finished, Pool, Task},
    store::{Finish, QueuedCapture, Reader, StoreError},
};

/// Captures read ahead from the database; the rest of a long queue stays there.
const PAGE: usize = 1024;
/// Captures marked before there is room for them, so that small pictures do not wait for a commit each.
const AHEAD: usize = 32;
/// First pause before a capture that did not decode is tried again; it doubles.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// Captures whose retries are counted at once; more would be a broken source.
const MOST_RETRIES: usize = 4096;

/// Captures on their way.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    ready: VecDeque<QueuedCapture>,
    /// Being marked `running`, by write; receipts come in the same order.
    marking: VecDeque<Vec<QueuedCapture>>,
    /// Marked, and next for the pool.
    marked: VecDeque<QueuedCapture>,
    /// With the pool.
    held: HashMap<CaptureId, QueuedCapture>,
    /// All of the above, and those whose end is not committed yet.
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
        let batch: Vec<QueuedCapture> = (0..room).map_while(|_| self.ready.pop_front()).collect();
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
                    self.ready.push_back(queued);
                }
            }
        }
        Ok(())
    }

    /// These, of the oldest marking, are committed as running. The others were replaced by newer versions meanwhile.
    pub fn running(&mut self, committed: &[CaptureId]) {
        let committed: HashSet<CaptureId> = committed.iter().copied().collect();
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
        let held: Vec<CaptureId> = self.held.drain().map(|(capture, _)| capture).collect();
        for capture in &held {
            self.known.remove(capture);
        }
        held
    }

    /// At the end: what is marked but has no answer.
    pub fn unanswered(&mut self) -> Vec<CaptureId> {
        let unsubmitted = self.marking.drain(..).flatten().chain(self.marked.drain(..)).map(|queued| queued.capture);
        unsubmitted.chain(self.held.drain().map(|(capture, _)| capture)).collect()
    }

    /// When the next failed capture is to be tried again.
    pub fn next_retry(&self) -> Option<Instant> {
        self.retries.values().filter_map(|(_, at)| *at).min()
    }

    /// A capture failed for the moment. Whether it will be tried again.
    pub fn retry_later(&mut self, capture: CaptureId, most: u32, now: Instant) -> bool {
        if self.retries.len() >= MOST_RETRIES && !self.retries.contains_key(&capture) {
            return false;
        }
        let (count, at) = self.retries.entry(capture).or_default();
        if *count < most {
            *at = Some(now + FIRST_RETRY * 2_u32.saturating_pow(*count));
            *count += 1;
            return true;
        }
        self.retries.remove(&capture);
        false
    }

    /// It ended otherwise.
    pub fn settled(&mut self, capture: CaptureId) {
        self.retries.remove(&capture);
    }

    /// Failed captures whose time has come.
    pub fn due(&mut self, now: Instant) -> Vec<CaptureId> {
        self.retries
            .iter_mut()
            .filter_map(|(capture, (_, at))| at.is_some_and(|at| at <= now).then(|| (*at = None, *capture).1))
            .collect()
    }
}
