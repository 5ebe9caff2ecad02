//! Batch inspection without storing: files in, answers out in the same order, through the same workers as the engine's.
//!
//! It keeps nothing but a window of answers that wait for an earlier one, so a batch of any size streams. Every file gets
//! exactly one answer. Called by `ferrule inspect`; never touches a dataset.

mod files;
mod line;
pub(crate) mod overlay;

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
};

use crossbeam_channel::{Receiver, never, select};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use self::files::{Files, Found};
pub use self::line::Line;
use crate::{
    decode, names,
    pipeline::artefacts,
    pool::{AfterRefusal, Finished, Pool, PoolError, PoolSettings, Report, Task},
    report::{Failure, Inspection},
    settings::Source,
    worker::messages::{Optics, Pipeline},
};

/// Answers that may wait for an earlier one: a capture that hangs must not stop the others for long, nor pile them up.
const WINDOW: usize = 256;

/// Starts that fail one after the other before a batch gives up; the pool itself never does.
const HOPELESS: u32 = 3;

/// What to inspect with, and what to leave on disk.
#[derive(Debug, Clone)]
pub struct Batch {
    pub pool: PoolSettings,
    pub pipeline: Pipeline,
    /// Lower case, without dots: which files of a folder are pictures. A file that is named itself is always tried.
    pub extensions: Vec<String>,
    /// What is known of every picture.
    pub optics: Optics,
    /// Sources whose pictures are known better.
    pub sources: Vec<Source>,
    /// `<image_id>_defect_mask.png` goes here.
    pub masks: Option<PathBuf>,
    /// `<image_id>_overlay.png` goes here.
    pub overlay: Option<PathBuf>,
}

/// One file's answer.
#[derive(Debug)]
pub struct Answered {
    /// As it was given, or as it was found in the folder that was given.
    pub path: PathBuf,
    /// Known even for a picture that does not decode.
    pub image_id: Option<crate::ids::ImageId>,
    pub result: Result<Inspection, Failure>,
}

/// What came of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub answered: u64,
    pub failed: u64,
    pub incomplete: u64,
    /// Stopped before the last file.
    pub interrupted: bool,
}

/// Why a batch ends before its end.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("{}: cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("no worker can load the pipeline: {}{reason}", plugin.as_ref().map(|id| format!("{id}: ")).unwrap_or_default())]
    NoWorker { plugin: Option<crate::ids::PluginId>, reason: String },
    #[error("the supervisor of workers has ended; the log says why")]
    PoolGone,
    #[error("no thread can be started: {0}")]
    Thread(io::Error),
}

/// Who listens to a batch.
pub trait Listener {
    /// An answer, in the order of the files. False ends the batch: nobody wants to hear more.
    fn answer(&mut self, answer: &Answered) -> bool;
    /// A line about something other than a file: a worker that died, a plug-in set aside.
    fn remark(&mut self, remark: &str);
}

/// The files that a batch would answer for, in order: those given, and the pictures in folders given.
#[must_use]
pub fn listed(given: Vec<PathBuf>, extensions: &[String]) -> Vec<PathBuf> {
    Files::new(given, extensions.to_vec()).map(|found| found.path).collect()
}

/// Inspects files, and what lies in folders, in the order given. A message on `stop` ends it after what is in hand.
///
/// # Errors
/// No worker, or nowhere to write to. A file that cannot be inspected is an answer.
pub fn run(
    batch: Batch,
    given: Vec<PathBuf>,
    stop: &Receiver<()>,
    listener: &mut dyn Listener,
) -> Result<Summary, InspectError> {
    for folder in batch.masks.iter().chain(&batch.overlay) {
        fs::create_dir_all(folder).map_err(|source| InspectError::Write { path: folder.clone(), source })?;
    }
    let pool = Pool::start(batch.pool.clone(), batch.pipeline.clone(), 1)?;
    let files = Files::new(given, batch.extensions.clone());
    let mut run =
        Run { batch, pool, files: Some(files), window: VecDeque::new(), first: 0, refusals: 0, mask: Vec::new() };
    let (mut summary, mut stop) = (Summary::default(), stop.clone());
    loop {
        run.hand_out();
        while let Some(answer) = run.next_answer() {
            summary.count(&answer);
            if !listener.answer(&answer) {
                summary.interrupted = true;
                return Ok(summary);
            }
        }
        if run.window.is_empty() && run.files.is_none() {
            return Ok(summary);
        }
        // Cloned, so that a report can be taken up with the pool in hand.
        let reports = run.pool.reports().clone();
        select! {
            recv(reports) -> report => run.take(report.map_err(|_| InspectError::PoolGone)?, listener)?,
            recv(stop) -> asked => match asked {
                Err(_) => stop = never(),
                // Asked twice: what is in hand is let go.
                Ok(()) if summary.interrupted => return Ok(summary),
                Ok(()) => summary.interrupted = run.files.take().is_some(),
            }
        }
    }
}

impl Summary {
    fn count(&mut self, answer: &Answered) {
        self.answered += 1;
        match &answer.result {
            Err(_) => self.failed += 1,
            Ok(inspection) => self.incomplete += u64::from(!inspection.incomplete.is_empty()),
        }
    }
}

struct Run {
    batch: Batch,
    pool: Pool,
    /// `None` once there is nothing more to hand out.
    files: Option<Files>,
    /// In order; a task's id is its place since the beginning.
    window: VecDeque<Place>,
    first: u64,
    refusals: u32,
    /// Kept from one picture to the next.
    mask: Vec<u8>,
}

struct Place {
    path: PathBuf,
    answer: Option<Answered>,
}

impl Run {
    fn hand_out(&mut self) {
        while self.pool.capacity() > 0 && self.window.len() < WINDOW {
            let Some(found) = self.files.as_mut().and_then(Files::next) else {
                self.files = None;
                return;
            };
            let answer = self.submit(&found).err().map(|failure| self.failed(found.path.clone(), failure));
            self.window.push_back(Place { path: found.path, answer });
        }
    }

    fn submit(&self, found: &Found) -> Result<(), Failure> {
        let bytes = found.size.clone()?;
        let unreachable = |error: io::Error| files::unreadable(error.to_string());
        let path = std::path::absolute(&found.path).map_err(unreachable)?;
        let task = Task {
            id: self.first + self.window.len() as u64,
            optics: self.batch.optics_of(&path),
            path,
            bytes,
            expected: None,
            artefacts: None,
        };
        self.pool.submit(task).map_err(|_| files::unreadable("the workers have ended".into()))
    }

    fn next_answer(&mut self) -> Option<Answered> {
        let answer = self.window.front_mut()?.answer.take()?;
        self.window.pop_front();
        self.first += 1;
        Some(answer)
    }

    fn take(&mut self, report: Report, listener: &mut dyn Listener) -> Result<(), InspectError> {
        match report {
            Report::Finished(finished) => {
                self.refusals = 0;
                let place = finished.id.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
                let Some(path) = place.and_then(|place| self.window.get(place)).map(|place| place.path.clone()) else {
                    return Ok(());
                };
                let answer = self.finished(path, *finished)?;
                if let Some(place) = place.and_then(|place| self.window.get_mut(place)) {
                    place.answer = Some(answer);
                }
            }
            Report::Refused { plugin, reason, then: AfterRefusal::TryAgain { .. }, .. } => {
                self.refusals += 1;
                if self.refusals >= HOPELESS {
                    return Err(InspectError::NoWorker { plugin, reason });
                }
            }
            Report::Died(death) => {
                let whose = death.plugin.as_ref().map_or_else(|| "no plug-in's".to_owned(), |id| format!("{id}'s"));
                listener.remark(&format!("worker {} died in {whose} turn: {}", death.pid, death.cause));
            }
            Report::Quarantined { plugin, reason } => listener.remark(&format!("{plugin} is set aside: {reason}")),
            Report::Returned { .. }
            | Report::Started { .. }
            | Report::Released { .. }
            | Report::Replaced { .. }
            | Report::Refused { .. } => {}
        }
        Ok(())
    }

    fn finished(&mut self, path: PathBuf, finished: Finished) -> Result<Answered, InspectError> {
        let inspection = match finished.result {
            Ok(inspection) => inspection,
            Err(failure) => return Ok(self.failed(path, failure)),
        };
        let (width, height) = (inspection.width, inspection.height);
        if let Some(folder) = &self.batch.masks {
            let path = folder.join(format!("{}_defect_mask.png", inspection.image_id));
            draw_mask(&inspection, &mut self.mask);
            let written = fs::File::create(&path)
                .and_then(|file| artefacts::write_png(io::BufWriter::new(file), &self.mask, width, height));
            written.map_err(|source| InspectError::Write { path, source })?;
        }
        if let Some(folder) = &self.batch.overlay
            && let Some(pixels) = overlay::draw(&path, &inspection, &self.batch.pool.limits)
        {
            let file = folder.join(format!("{}_overlay.png", inspection.image_id));
            write_overlay(&file, &pixels, width, height)?;
        }
        Ok(Answered { path, image_id: Some(inspection.image_id), result: Ok(inspection) })
    }

    /// A picture that cannot be inspected still has an identity, if it can be read.
    fn failed(&self, path: PathBuf, failure: Failure) -> Answered {
        let readable = failure.stage != "read";
        let read = || decode::read(&path, None, &self.batch.pool.limits, &mut Vec::new()).ok();
        let image_id = if readable { read() } else { None };
        Answered { path, image_id, result: Err(failure) }
    }
}

impl Batch {
    /// What is known of the picture at this absolute path: its source's word, else the batch's.
    fn optics_of(&self, path: &Path) -> Optics {
        let around = self.sources.iter().filter(|source| path.starts_with(&source.path));
        let Some(source) = around.max_by_key(|source| source.path.components().count()) else { return self.optics };
        let given = &self.optics;
        Optics {
            um_per_px: given.um_per_px.or(source.um_per_px),
            pixel_aspect: given.pixel_aspect.or(source.pixel_aspect),
            cladding_um: given.cladding_um.or(source.cladding_um),
            core_um: given.core_um.or(source.core_um),
        }
    }
}

/// One byte a pixel: the place of the defect in the list, from 1, the surest on top; all from the 255th on share 255.
fn draw_mask(inspection: &Inspection, mask: &mut Vec<u8>) {
    mask.clear();
    mask.resize(inspection.width as usize * inspection.height as usize, 0);
    for (i, defect) in inspection.defects.iter().enumerate().rev() {
        artefacts::draw(&defect.mask, inspection.width, u8::try_from(i + 1).unwrap_or(u8::MAX), mask);
    }
}

fn write_overlay(file: &Path, pixels: &[u8], width: u32, height: u32) -> Result<(), InspectError> {
    let mut png = Vec::new();
    let encoder = PngEncoder::new(&mut png);
    let encoded = encoder.write_image(pixels, width, height, ExtendedColorType::Rgb8).map_err(io::Error::other);
    let written = encoded.and_then(|()| fs::write(file, png));
    written.map_err(|source| InspectError::Write { path: file.to_owned(), source })
}

impl Answered {
    /// The path on one line, safe to print.
    #[must_use]
    pub fn shown(&self) -> String {
        names::display(&self.path)
    }
}
