//! `ferrule build` where an engine has the dataset: the engine inspects and stores, with its own pipeline and workers, and is
//! handed a few files at a time, so that what microscopes deliver meanwhile waits for no more than those. Which files,
//! what came of each, and the end are this side's.
//!
//! What became of a file is read from its row, not from events: nothing is missed, however late one looks.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{
    BuildError, Listener, Outcome, Summary, list,
    reading::{CHANGES, READINGS, key_now},
};
use crate::{
    client::{Client, RequestError},
    dataset::files::Listed,
    ids::{CaptureId, ImageId, PipelineId},
    protocol::{Answer, HandedFile, Request, Status},
    report::CaptureState,
    settings::Settings,
    store::{Divided, Reader, Standing},
    workspace::DatasetPaths,
};

/// Captures of this build that the engine has at once.
const WINDOW: usize = 64;
/// How often their rows are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often the engine is asked how it stands.
const ASK: Duration = Duration::from_secs(5);
/// How long an engine may look at its plug-ins before it has a pipeline.
const STARTING: Duration = Duration::from_secs(60);
/// How long it may take to answer; a division of a large dataset takes minutes.
const PATIENCE: Duration = Duration::from_secs(600);

/// What to build where.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    pub dataset: &'a DatasetPaths,
    /// The engine's own: which files are pictures, and how masks are kept.
    pub settings: &'a Settings,
    /// Files, folders, patterns.
    pub given: &'a [std::path::PathBuf],
}

/// Builds through the dataset's engine. A message on `stop` ends it; what the engine has been given it finishes.
///
/// # Errors
/// Nothing was done: a mistake in what was given, or no engine that answers.
pub fn run_beside(beside: Beside<'_>, stop: &Receiver<()>, listener: &mut dyn Listener) -> Result<Outcome, BuildError> {
    let listing = list(beside.dataset, beside.settings, beside.given)?;
    let mut client = Client::connect(beside.dataset)?;
    let pipeline = pipeline(&mut client, stop)?;
    let mut work = Work {
        client,
        reader: Reader::open(beside.dataset)?,
        waiting: VecDeque::new(),
        watched: Vec::new(),
        expected: 0,
        done: 0,
        told: Vec::new(),
        summary: Summary { files: listing.files.len() as u64, ignored: listing.ignored, ..Summary::default() },
    };
    for (path, reason) in &listing.unreadable {
        work.summary.failed += 1;
        listener.failed(path, None, reason);
    }
    work.plan(listing.files, &pipeline, beside.settings)?;
    let error = work.run(stop, listener).err();
    Ok(Outcome { summary: work.summary, error })
}

/// The pipeline in force. An engine that was just started still looks at its plug-ins.
fn pipeline(client: &mut Client, stop: &Receiver<()>) -> Result<PipelineId, BuildError> {
    let began = Instant::now();
    loop {
        let status = status(client)?;
        if let Some(pipeline) = status.pipeline {
            return Ok(pipeline);
        }
        if began.elapsed() >= STARTING {
            let problems: Vec<String> = status.problems.iter().map(|problem| format!("; {problem}")).collect();
            return Err(BuildError::NoPipeline { problems: problems.concat() });
        }
        if stop.recv_timeout(LOOK).is_ok() {
            return Err(BuildError::Interrupted);
        }
    }
}

/// What the engine is to be given.
#[derive(Debug, Clone)]
enum Item {
    /// Inspected before, by another pipeline.
    Again(CaptureId, ImageId),
    /// It failed before.
    Failed(CaptureId),
    File {
        file: Listed,
        readings: u32,
    },
}

struct Work {
    client: Client,
    reader: Reader,
    waiting: VecDeque<Item>,
    /// With the engine.
    watched: Vec<Item>,
    expected: u64,
    done: u64,
    /// Troubles of the engine that were told.
    told: Vec<String>,
    summary: Summary,
}

impl Work {
    /// Leaves out what the dataset has as it is.
    fn plan(&mut self, files: Vec<Listed>, pipeline: &PipelineId, settings: &Settings) -> Result<(), BuildError> {
        let outdated = self.reader.outdated(pipeline, settings.dataset.masks)?;
        self.waiting.extend(outdated.into_iter().map(|(capture, image)| Item::Again(capture, image)));
        for file in files {
            let standing = self.reader.standing_of(&file.path)?.filter(|standing| standing.key == file.key);
            match standing.map(|standing| (standing.capture, standing.state)) {
                None | Some((_, CaptureState::Ignored | CaptureState::Settling)) => {
                    self.waiting.push_back(Item::File { file, readings: 1 });
                }
                Some((capture, CaptureState::Failed)) => {
                    self.summary.known += 1;
                    self.waiting.push_back(Item::Failed(capture));
                }
                Some(_) => self.summary.known += 1,
            }
        }
        self.expected = self.waiting.len() as u64;
        Ok(())
    }

    fn run(&mut self, stop: &Receiver<()>, listener: &mut dyn Listener) -> Result<(), BuildError> {
        let mut asked = Instant::now();
        while !(self.waiting.is_empty() && self.watched.is_empty()) {
            self.hand_over()?;
            match stop.recv_timeout(LOOK) {
                Ok(()) => return Err(BuildError::Interrupted),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody can stop it any more.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
            }
            self.look(listener)?;
            listener.progress(self.done, self.expected);
            if asked.elapsed() >= ASK {
                asked = Instant::now();
                self.tell_problems(listener)?;
            }
        }
        self.summary.divided = Some(self.divide()?);
        match self.summary.divided.as_ref().map(|divided| &divided.manifests) {
            Some(Err(reason)) => Err(BuildError::Manifests { reason: reason.clone() }),
            _ => Ok(()),
        }
    }

    /// Gives the engine the next ones, once it has few left.
    fn hand_over(&mut self) -> Result<(), BuildError> {
        if self.watched.len() > WINDOW / 2 || self.waiting.is_empty() {
            return Ok(());
        }
        let next: Vec<Item> = self.waiting.drain(..(WINDOW - self.watched.len()).min(self.waiting.len())).collect();
        let (mut images, mut captures, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for item in &next {
            match item {
                Item::Again(_, image) => images.push(*image),
                Item::Failed(capture) => captures.push(*capture),
                Item::File { file, .. } => files.push(HandedFile::new(&file.path, file.key)),
            }
        }
        if !images.is_empty() {
            self.ask(Request::Reinspect { images })?;
        }
        if !captures.is_empty() {
            self.ask(Request::Retry { captures: Some(captures) })?;
        }
        if !files.is_empty() {
            self.ask(Request::Inspect { files })?;
        }
        // From here on the rows of those that it had before say what comes of them now.
        self.ask(Request::Settle)?;
        self.watched.extend(next);
        Ok(())
    }

    /// Takes note of those that came to their end.
    fn look(&mut self, listener: &mut dyn Listener) -> Result<(), BuildError> {
        for item in std::mem::take(&mut self.watched) {
            let standing = match &item {
                Item::Again(capture, _) | Item::Failed(capture) => self.reader.standing(*capture)?,
                Item::File { file, .. } => self.reader.standing_of(&file.path)?.filter(|it| it.key == file.key),
            };
            match standing {
                Some(standing) if has_ended(&item, standing.state) => self.ended(&standing, listener),
                Some(_) => self.watched.push(item),
                None => self.missing(item, listener),
            }
        }
        Ok(())
    }

    fn ended(&mut self, standing: &Standing, listener: &mut dyn Listener) {
        self.done += 1;
        match standing.state {
            CaptureState::Done => {
                self.summary.inspected += 1;
                self.summary.incomplete += u64::from(standing.incomplete);
            }
            CaptureState::Duplicate => self.summary.duplicates += 1,
            CaptureState::Failed => {
                self.summary.failed += 1;
                let reason = standing.failure.as_ref().map_or_else(|| "it failed".into(), ToString::to_string);
                listener.failed(&standing.path, standing.image, &reason);
            }
            _ => {}
        }
    }

    /// No row of this version yet, or never: a file that changes is read as it is then.
    fn missing(&mut self, item: Item, listener: &mut dyn Listener) {
        let Item::File { mut file, readings } = item else {
            self.done += 1;
            return;
        };
        match key_now(&file.path) {
            Some(key) if key != file.key && readings < READINGS => {
                file.key = key;
                self.waiting.push_front(Item::File { file, readings: readings + 1 });
            }
            Some(key) if key != file.key => {
                self.done += 1;
                self.summary.failed += 1;
                listener.failed(&file.path, None, CHANGES);
            }
            _ => self.watched.push(Item::File { file, readings }),
        }
    }

    /// What keeps the engine from its work, each once.
    fn tell_problems(&mut self, listener: &mut dyn Listener) -> Result<(), BuildError> {
        let status = status(&mut self.client)?;
        let mut problems = status.problems;
        if status.paused {
            problems.push("the engine is paused: this build waits until somebody lets it go on".into());
        }
        for problem in &problems {
            if !self.told.contains(problem) {
                listener.remark(problem);
            }
        }
        self.told = problems;
        Ok(())
    }

    fn divide(&mut self) -> Result<Divided, BuildError> {
        match self.ask(Request::Divide)? {
            Answer::Divided(divided) => Ok(*divided),
            other => Err(BuildError::Lost(RequestError::Lost(format!("it answered {other:?}")))),
        }
    }

    fn ask(&mut self, request: Request) -> Result<Answer, BuildError> {
        self.client.ask(request, PATIENCE).map_err(BuildError::Lost)
    }
}

fn has_ended(item: &Item, state: CaptureState) -> bool {
    match state {
        CaptureState::Done | CaptureState::Duplicate | CaptureState::Failed | CaptureState::Replaced => true,
        // It was no picture by its name until now; as a file that was given itself it is tried.
        CaptureState::Ignored => !matches!(item, Item::File { .. }),
        CaptureState::Settling | CaptureState::Queued | CaptureState::Running => false,
    }
}

fn status(client: &mut Client) -> Result<Status, BuildError> {
    match client.ask(Request::Status, PATIENCE).map_err(BuildError::Lost)? {
        Answer::Status(status) => Ok(*status),
        other => Err(BuildError::Lost(RequestError::Lost(format!("it answered {other:?}")))),
    }
}
