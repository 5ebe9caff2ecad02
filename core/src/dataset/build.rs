//! `ferrule build`: files in, a dataset out. The work is the engine's, through the same parts (intake, queue, pool, store),
//! with a list of files that has an end in the place of watched folders.
//!
//! Files are read and admitted in the order of their paths, whatever the readers' order: so the rows, and with them names
//! and splits, do not depend on which worker was faster. What was done before is known by its key and not done again; what
//! was in hand when a build was killed is queued again when the store opens. Never opens a plug-in, never decodes a
//! picture, changes nothing in what it reads.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, never, select};
use jiff::Timestamp;

use super::{
    files::{self, GivenError, Listed},
    folder,
};
use crate::{
    engine::{
        hashing::{Hashed, Hashers, Reading},
        intake::{Sources, task},
        lock::{EngineLock, Holder, LockError},
        queue::Queue,
    },
    ids::{ImageId, PluginId},
    ingest::{FileKey, KnownFiles, SeenFile},
    pool::{AfterRefusal, Pool, PoolError, PoolSettings, Report},
    report::{CaptureState, Failure},
    settings::{Settings, Source},
    store::{
        Admission, Admitted, CaptureQuery, Content, Divided, Finished, PipelineChange, QueuedCapture, Reader, Receipt,
        Requeue, Store, StoreError, StoreSettings, SwapEnd, UnreadCapture, Write,
    },
    swap::SwapOutcome,
    worker::messages::{Optics, Pipeline},
    workspace::DatasetPaths,
};

/// Files being read, or waiting for an earlier one that is.
const WINDOW: usize = 256;
/// Admissions in one write.
const BATCH: usize = 256;
/// Captures admitted before a worker is free for them; the rest wait as files on disk do.
const ADMITTED_AHEAD: usize = 4096;
/// Starts of a worker that fail one after the other before a build gives up.
const HOPELESS: u32 = 3;
/// How long the disk may refuse everything before a build ends: nobody may be there to make room.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often room and patience are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long captures in hand may take once the build is to end.
const GRACE: Duration = Duration::from_secs(20);
/// Readings of a file that changes meanwhile.
const READINGS: u32 = 3;
/// The source of files that lie in no configured one.
const SOURCE: &str = "files";

/// What to build, of what, with what.
#[derive(Debug, Clone)]
pub struct Build {
    pub dataset: DatasetPaths,
    /// `dataset.path` is not looked at.
    pub settings: Settings,
    pub pool: PoolSettings,
    pub pipeline: Pipeline,
    /// What is known of pictures that lie in no configured source.
    pub optics: Optics,
    /// Files, folders, patterns.
    pub given: Vec<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that were given or found.
    pub files: u64,
    /// Of them: the dataset had them, as they are.
    pub known: u64,
    /// Of them: their content is in the dataset under another name.
    pub duplicates: u64,
    /// Files that are no pictures by their names.
    pub ignored: u64,
    /// Pictures inspected now.
    pub inspected: u64,
    pub failed: u64,
    /// Of the inspected: some plug-in's results are missing.
    pub incomplete: u64,
    /// The splits; `None` where the build ended before its end.
    pub divided: Option<Divided>,
}

/// Who listens to a build.
pub trait Listener {
    /// So many captures of so many have their end.
    fn progress(&mut self, done: u64, of: u64);
    /// A file that is not in the dataset, and why.
    fn failed(&mut self, path: &Path, image: Option<ImageId>, reason: &str);
    /// A line about something other than a file.
    fn remark(&mut self, remark: &str);
}

/// Why a build ends before its end. The dataset is whole in every case, and the same build goes on where it was.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Given(#[from] GivenError),
    #[error("no pictures in what was given ({extensions})")]
    Nothing { extensions: String },
    #[error("{} holds `{found}` and is no dataset; give a new or an empty folder as --out", path.display())]
    NotADataset { path: PathBuf, found: String },
    #[error("{}: {source}; give a folder that you can write to as --out", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{message}; {hint}, then build again: it goes on where it was")]
    Disk { message: String, hint: String },
    #[error(
        "{free} MB are free for {}, fewer than dataset.min_free_mb = {wanted}; make room, then build again: it goes on where it was",
        path.display()
    )]
    Room { path: PathBuf, free: u64, wanted: u64 },
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("no worker can load the pipeline: {}{reason}", plugin.as_ref().map(|id| format!("{id}: ")).unwrap_or_default())]
    NoWorker { plugin: Option<PluginId>, reason: String },
    #[error("the supervisor of workers has ended; the log says why")]
    PoolGone,
    #[error("no thread can be started: {0}")]
    Thread(io::Error),
    #[error("the splits are stored, their manifests are not: {reason}")]
    Manifests { reason: String },
    #[error("interrupted; what was in hand is stored, and the same command goes on from here")]
    Interrupted,
}

/// How a build ended, whether or not it came to its end.
#[derive(Debug)]
pub struct Outcome {
    pub summary: Summary,
    pub error: Option<BuildError>,
}

/// Builds. A message on `stop` ends it after what is in hand; a second one lets that go too.
///
/// # Errors
/// Nothing was done: a mistake in what was given, a folder that is no dataset, an engine or a build that has it.
pub fn run(build: &Build, stop: &Receiver<()>, listener: &mut dyn Listener) -> Result<Outcome, BuildError> {
    folder::refuse_other(&build.dataset)?;
    let listing = files::list(&build.given, &build.settings.capture.extensions, build.dataset.root())?;
    if listing.files.is_empty() && listing.unreadable.is_empty() {
        return Err(BuildError::Nothing { extensions: build.settings.capture.extensions.join(", ") });
    }
    let root = build.dataset.root();
    std::fs::create_dir_all(root).map_err(|source| BuildError::Folder { path: root.to_owned(), source })?;
    let mut lock = EngineLock::take(&build.dataset)?;
    lock.announce(&Holder::of_command())?;
    room(build)?;
    let mut run = Run::begin(build, listing.files)?;
    run.summary.ignored = listing.ignored;
    for (path, reason) in &listing.unreadable {
        run.summary.failed += 1;
        listener.failed(path, None, reason);
    }
    let error = run.work(stop, listener).err();
    let (summary, closed) = run.end();
    Ok(Outcome { summary, error: error.or_else(|| closed.err().map(BuildError::from)) })
}

/// Is there enough of it?
fn room(build: &Build) -> Result<(), BuildError> {
    let wanted = build.settings.dataset.min_free_mb;
    let Ok(disk) = rustix::fs::statvfs(build.dataset.root()) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
    if free >= wanted { Ok(()) } else { Err(BuildError::Room { path: build.dataset.root().to_owned(), free, wanted }) }
}

struct Run<'a> {
    build: &'a Build,
    sources: Sources,
    store: Store,
    reader: Reader,
    hashers: Hashers,
    pool: Option<Pool>,
    queue: Queue,
    generation: u64,
    /// Not read yet, the first last.
    files: Vec<(String, Listed)>,
    window: VecDeque<InHand>,
    /// Writes whose receipts are not there yet.
    unconfirmed: u64,
    /// Admitted as queued and without an end.
    waiting: u64,
    /// Captures to be inspected when it began, and files since.
    expected: u64,
    done: u64,
    refusals: u32,
    /// The disk takes nothing, since when.
    trouble: Option<(Instant, String, String)>,
    summary: Summary,
}

/// A file that is being read.
struct InHand {
    seen: SeenFile,
    readings: u32,
    content: Option<Content>,
}

impl<'a> Run<'a> {
    fn begin(build: &'a Build, files: Vec<Listed>) -> Result<Self, BuildError> {
        let settings = &build.settings;
        let (store, recovery) = Store::open(&build.dataset, StoreSettings { images: settings.dataset.images })?;
        let reader = Reader::open(&build.dataset)?;
        let mut sources = settings.sources.clone();
        let files_source = source(&sources, &build.optics);
        sources.push(files_source);
        let mut run = Self {
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
        run.write(Write::Sources(sources.clone()))?;
        run.requeue_failed(&files)?;
        run.write(Write::Requeue(Requeue::OtherPipeline(build.pipeline.id.clone())))?;
        run.leave_known(files, &sources)?;
        run.read_unread(recovery.unread);
        run.queue.look_from_the_start();
        Ok(run)
    }

    /// What failed before is tried again where it still is.
    fn requeue_failed(&mut self, files: &[Listed]) -> Result<(), BuildError> {
        let mut query = CaptureQuery {
            oldest_first: true,
            limit: 1024,
            states: vec![CaptureState::Failed],
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

    fn write(&mut self, write: Write) -> Result<(), BuildError> {
        self.unconfirmed += 1;
        Ok(self.store.submit(write)?)
    }

    fn work(&mut self, stop: &Receiver<()>, listener: &mut dyn Listener) -> Result<(), BuildError> {
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

    /// Asks for the identities of the next files, in order.
    fn read_on(&mut self) {
        while self.window.len() < WINDOW && self.waiting < ADMITTED_AHEAD as u64 {
            let Some((source, Listed { path, key })) = self.files.pop() else { return };
            let seen = SeenFile { source, path, key, complete_at: Instant::now() };
            self.hashers.ask(seen.clone());
            self.window.push_back(InHand { seen, readings: 1, content: None });
        }
    }

    /// Files that could not be read before: as they are now.
    fn read_unread(&mut self, unread: Vec<UnreadCapture>) {
        self.expected += unread.len() as u64;
        for UnreadCapture { source, path, key } in unread {
            let seen = SeenFile { source, key: key_now(&path).unwrap_or(key), path, complete_at: Instant::now() };
            self.hashers.ask(seen.clone());
            self.window.push_back(InHand { seen, readings: 1, content: None });
        }
    }

    /// Takes what was read, and admits what has no earlier file before it.
    fn read(&mut self, first: Hashed) -> Result<(), BuildError> {
        let more: Vec<Hashed> = self.hashers.answers().try_iter().collect();
        for hashed in std::iter::once(first).chain(more) {
            let Some(file) = self.window.iter_mut().find(|file| file.seen.path == hashed.file.path) else { continue };
            file.content = match hashed.content {
                Reading::Content(image) => Some(Content::Hashed(image)),
                Reading::Unreadable(failure) => Some(Content::Unreadable(failure)),
                Reading::Changed => read_again(file, &self.hashers),
            };
        }
        let ready = self.window.iter().take_while(|file| file.content.is_some()).count();
        // Together, unless there is nothing else to do meanwhile.
        let enough = ready >= BATCH / 4 || ready == self.window.len() || self.waiting == 0;
        if ready == 0 || !enough {
            return Ok(());
        }
        let mut admissions = Vec::with_capacity(ready);
        for InHand { seen, content, .. } in self.window.drain(..ready) {
            let Some(content) = content else { continue };
            let tags = self.sources.tags(&seen.source, &seen.path);
            let (source, path, key) = (seen.source, seen.path, seen.key);
            admissions.push(Admission { source, path, key, seen_at: Timestamp::now(), content, tags });
        }
        self.waiting += admissions.len() as u64;
        self.write(Write::Admit(admissions))
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

    fn receipt(&mut self, receipt: Receipt, listener: &mut dyn Listener) -> Result<(), BuildError> {
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
            Receipt::Divided(divided) => self.summary.divided = Some(*divided),
            Receipt::Sources
            | Receipt::Pipeline { .. }
            | Receipt::Swap(_)
            | Receipt::Correlations
            | Receipt::Reviewed(_)
            | Receipt::Run(_) => {}
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

    fn report(&mut self, report: Report, listener: &mut dyn Listener) -> Result<(), BuildError> {
        match report {
            Report::Finished(finished) => {
                self.refusals = 0;
                if let Some(finish) = self.queue.answered(*finished) {
                    self.write(Write::Finish(Box::new(finish)))?;
                }
            }
            Report::Returned { id } => {
                let capture = crate::ids::CaptureId(id.cast_signed());
                self.queue.returned(capture);
                self.write(Write::Requeue(Requeue::Running(vec![capture])))?;
            }
            Report::Refused { generation, plugin, reason, then: AfterRefusal::TryAgain { .. } } => {
                self.refusals += 1;
                if self.refusals >= HOPELESS {
                    let refusal = Some(reason.clone());
                    let outcome = SwapOutcome::Refused;
                    self.write(Write::SwapEnd(SwapEnd { generation, outcome, refusal, took_ms: None }))?;
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

    /// Everything is inspected: sides are given, and the manifests written.
    fn divide(&mut self) -> Result<(), BuildError> {
        self.write(Write::Split(Box::new(self.build.settings.dataset.split.clone())))?;
        while self.summary.divided.is_none() {
            match self.store.receipts().recv_timeout(PATIENCE) {
                Ok(Receipt::Divided(divided)) => self.summary.divided = Some(*divided),
                Ok(Receipt::Trouble { message, hint }) => return Err(BuildError::Disk { message, hint }),
                Ok(Receipt::Rejected { message }) => {
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
    fn end(mut self) -> (Summary, Result<(), StoreError>) {
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

/// The source for files that lie in no configured one: everything, with what the command says of the optics.
fn source(configured: &[Source], optics: &Optics) -> Source {
    let mut name = SOURCE.to_owned();
    while configured.iter().any(|source| source.name == name) {
        name.push('+');
    }
    Source {
        name,
        path: PathBuf::from("/"),
        recursive: true,
        fibre: None,
        core_um: optics.core_um,
        cladding_um: optics.cladding_um,
        pixel_aspect: optics.pixel_aspect,
        um_per_px: optics.um_per_px,
        poll: false,
        name_pattern: None,
    }
}

/// Another version by now: that one, if it stands still at last.
fn read_again(file: &mut InHand, hashers: &Hashers) -> Option<Content> {
    if file.readings < READINGS
        && let Some(key) = key_now(&file.seen.path)
    {
        file.seen.key = key;
        file.readings += 1;
        hashers.ask(file.seen.clone());
        return None;
    }
    let message = "it changes while it is read; build again when it is complete".into();
    Some(Content::Unreadable(Failure { stage: "read".into(), plugin: None, message, transient: true }))
}

fn key_now(path: &Path) -> Option<FileKey> {
    std::fs::symlink_metadata(path).ok().map(|found| FileKey::of(&found))
}
