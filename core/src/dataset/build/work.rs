//! A build at work: what it owns, and the loop that ends when nothing is left to do. Called by [`super::run`].

use std::{
    collections::VecDeque,
    path::Path,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, never, select};

use super::{Build, BuildError, Listener, Summary, files_source, reading::InHand, room};
use crate::{
    dataset::files::Listed,
    engine::{
        hashing::Hashers,
        intake::{Sources, task},
        queue::Queue,
    },
    filter::{Filter, Order},
    ingest::KnownFiles,
    pool::{Pool, Report},
    report::CaptureState,
    settings::Source,
    store::{
        CaptureQuery, PipelineChange, QueuedCapture, Reader, Receipt, Requeue, Store, StoreError, StoreSettings, Write,
    },
};

/// How long the disk may refuse everything before a build ends: nobody may be there to make room.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often room and patience are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long captures in hand may take once the build is to end.
const GRACE: Duration = Duration::from_secs(20);
/// Nobody watches results come; those of this long are synced together. A kill costs as much work.
const GATHER: Duration = Duration::from_millis(60);

pub(super) struct Work<'a> {
    pub(super) build: &'a Build,
    pub(super) sources: Sources,
    pub(super) store: Store,
    pub(super) reader: Reader,
    pub(super) hashers: Hashers,
    pub(super) pool: Option<Pool>,
    pub(super) queue: Queue,
    pub(super) generation: u64,
    /// Not read yet, the first last.
    pub(super) files: Vec<(String, Listed)>,
    pub(super) window: VecDeque<InHand>,
    /// Writes whose receipts are not there yet.
    pub(super) unconfirmed: u64,
    /// Admitted as queued and without an end.
    pub(super) waiting: u64,
    /// Captures to be inspected when it began, and files since.
    pub(super) expected: u64,
    pub(super) done: u64,
    pub(super) refusals: u32,
    /// The disk takes nothing, since when.
    pub(super) trouble: Option<(Instant, String, String)>,
    pub(super) summary: Summary,
}

impl<'a> Work<'a> {
    pub(super) fn begin(build: &'a Build, files: Vec<Listed>) -> Result<Self, BuildError> {
        let settings = &build.settings;
        let images = settings.dataset.images;
        let (store, recovery) = Store::open(&build.dataset, StoreSettings { images, gather: GATHER, frugal: false })?;
        let reader = Reader::open(&build.dataset)?;
        let mut sources = settings.sources.clone();
        let outside = files_source(&sources, &build.optics);
        sources.push(outside);
        let mut work = Self {
            build,
            sources: Sources::of_list(&sources),
            hashers: Hashers::start().map_err(BuildError::Thread)?,
            store,
            reader,
            pool: None,
            queue: Queue::default(),
            generation: recovery.generation + 1,
            files: Vec::new(),
            window: VecDeque::new(),
            unconfirmed: 0,
            waiting: 0,
            expected: 0,
            done: 0,
            refusals: 0,
            trouble: None,
            summary: Summary { files: files.len() as u64, ..Summary::default() },
        };
        work.write(Write::Sources(sources.clone()))?;
        work.requeue_failed(&files)?;
        work.write(Write::Requeue(Requeue::OtherPipeline(build.pipeline.id.clone())))?;
        work.write(Write::Requeue(Requeue::OtherMasks(settings.dataset.masks)))?;
        work.leave_known(files, &sources)?;
        work.read_unread(recovery.unread);
        work.queue.look_from_the_start();
        Ok(work)
    }

    /// What failed before is tried again where it still is.
    fn requeue_failed(&mut self, files: &[Listed]) -> Result<(), BuildError> {
        let mut query = CaptureQuery {
            filter: Filter::of_state(CaptureState::Failed),
            order: Order::default().reversed(),
            limit: 1024,
            ..CaptureQuery::default()
        };
        loop {
            let page = self.reader.captures_page(&query)?;
            let Some(last) = page.last() else { return Ok(()) };
            query.after = Some(last.capture);
            let listed = |path: &Path| files.binary_search_by(|file| file.path.as_path().cmp(path)).is_ok();
            let again: Vec<_> = page.iter().filter(|row| listed(&row.path)).map(|row| row.capture).collect();
            if !again.is_empty() {
                self.write(Write::Requeue(Requeue::Failed(again)))?;
            }
        }
    }

    /// Keeps those that the dataset does not have as they are.
    fn leave_known(&mut self, files: Vec<Listed>, sources: &[Source]) -> Result<(), BuildError> {
        let mut known: Vec<(&Source, KnownFiles)> = Vec::new();
        for source in sources {
            known.push((source, self.reader.known_files(&source.name)?));
        }
        for file in files.into_iter().rev() {
            // The innermost source around it; the one for all files lies around everything.
            let around = known.iter().filter(|(source, _)| file.path.starts_with(&source.path));
            let Some((source, known)) = around.max_by_key(|(source, _)| source.path.components().count()) else {
                continue;
            };
            if known.holds(&file.path, &file.key) {
                self.summary.known += 1;
            } else {
                self.files.push((source.name.clone(), file));
            }
        }
        self.expected = self.files.len() as u64;
        Ok(())
    }

    pub(super) fn write(&mut self, write: Write) -> Result<(), BuildError> {
        self.unconfirmed += 1;
        Ok(self.store.submit(write)?)
    }

    pub(super) fn run(&mut self, stop: &Receiver<()>, listener: &mut dyn Listener) -> Result<(), BuildError> {
        let mut stop = stop.clone();
        let mut ending: Option<BuildError> = None;
        let mut looked = Instant::now();
        loop {
            if ending.is_none() {
                self.read_on();
                self.mark()?;
                self.hand_out();
                if self.unconfirmed == 0 && self.files.is_empty() && self.window.is_empty() && self.queue.is_empty() {
                    return self.divide();
                }
            } else if self.queue.holds_none() {
                break;
            }
            let reports = self.pool.as_ref().map_or_else(never, |pool| pool.reports().clone());
            let (receipts, hashed) = (self.store.receipts().clone(), self.hashers.answers().clone());
            select! {
                recv(receipts) -> receipt => self.receipt(receipt.map_err(|_| StoreError::Ended)?, listener)?,
                recv(reports) -> report => self.report(report.map_err(|_| BuildError::PoolGone)?, listener)?,
                recv(hashed) -> hashed => if let Ok(hashed) = hashed { self.read(hashed)?; },
                recv(stop) -> asked => match (asked, &ending) {
                    (Err(_), _) => stop = never(),
                    (Ok(()), None) => ending = Some(BuildError::Interrupted),
                    (Ok(()), Some(_)) => break,
                },
                default(LOOK) => {}
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                listener.progress(self.done, self.expected);
                if let Some((since, message, hint)) = &self.trouble
                    && since.elapsed() >= PATIENCE
                {
                    return Err(BuildError::Disk { message: message.clone(), hint: hint.clone() });
                }
                if ending.is_none()
                    && let Err(error) = room(self.build)
                {
                    ending = Some(error);
                }
            }
        }
        Err(ending.unwrap_or(BuildError::Interrupted))
    }

    /// Marks the next captures as running. The first of them start the workers: a build with nothing to do starts none.
    fn mark(&mut self) -> Result<(), BuildError> {
        let ids = self.queue.next_to_mark(&self.reader)?;
        if ids.is_empty() {
            return Ok(());
        }
        if self.pool.is_none() {
            let (pipeline, generation) = (self.build.pipeline.clone(), self.generation);
            let change = PipelineChange { pipeline: pipeline.clone(), generation, reason: "build".into() };
            self.write(Write::Pipeline(Box::new(change)))?;
            let mut settings = self.build.pool.clone();
            settings.staging = Some(self.build.dataset.staging());
            self.pool = Some(Pool::start(settings, pipeline, generation)?);
        }
        self.write(Write::Running(ids))
    }

    fn hand_out(&mut self) {
        let dataset = &self.build.settings.dataset;
        let (paths, reader, sources) = (&self.build.dataset, &self.reader, &self.sources);
        let task = |queued: &QueuedCapture| task(queued, sources.optics(&queued.source), dataset, paths, reader);
        self.queue.hand_out(self.pool.as_ref(), task);
    }

    /// Everything is inspected: sides are given, and the manifests written.
    fn divide(&mut self) -> Result<(), BuildError> {
        self.write(Write::Split(Box::new(self.build.settings.dataset.split.clone())))?;
        while self.summary.divided.is_none() {
            match self.store.receipts().recv_timeout(PATIENCE) {
                Ok(Receipt::Divided(Ok(divided))) => self.summary.divided = Some(*divided),
                Ok(Receipt::Trouble { message, hint }) => return Err(BuildError::Disk { message, hint }),
                Ok(Receipt::Divided(Err(message)) | Receipt::Rejected { message }) => {
                    return Err(BuildError::Disk { message, hint: "see the log".into() });
                }
                Ok(_) | Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return Err(StoreError::Ended.into()),
            }
        }
        match self.summary.divided.as_ref().map(|divided| &divided.manifests) {
            Some(Err(reason)) => Err(BuildError::Manifests { reason: reason.clone() }),
            _ => Ok(()),
        }
    }

    /// Lets go of the workers, queues what has no answer, and stores the rest.
    pub(super) fn end(mut self) -> (Summary, Result<(), StoreError>) {
        if let Some(mut pool) = self.pool.take() {
            let reports = pool.reports().clone();
            pool.shutdown(if self.queue.holds_none() { GRACE } else { Duration::ZERO });
            for report in reports.try_iter() {
                if let Report::Finished(finished) = report
                    && let Some(finish) = self.queue.answered(*finished)
                {
                    let _ = self.store.submit(Write::Finish(Box::new(finish)));
                }
            }
        }
        let back = self.queue.unanswered();
        if !back.is_empty() {
            let _ = self.store.submit(Write::Requeue(Requeue::Running(back)));
        }
        // The last reader but the writer: then closing leaves one file, not a log beside it.
        drop(self.reader);
        (self.summary, self.store.close())
    }
}
