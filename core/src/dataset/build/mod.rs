//! `ferrule build`: files in, a dataset out. The work is the engine's, through the same parts (intake, queue, pool, store),
//! with a list of files that has an end in the place of watched folders.
//!
//! Files are read and admitted in the order of their paths, whatever the readers' order: so the rows, and with them names
//! and splits, do not depend on which worker was faster. What was done before is known by its key and not done again; what
//! was in hand when a build was killed is queued again when the store opens. Where an engine has the dataset, that engine
//! does it (`beside`). Never opens a plug-in, never decodes a picture, changes nothing in what it reads.

mod beside;
mod hear;
mod reading;
mod work;

use std::{
    io,
    path::{Path, PathBuf},
};

use crossbeam_channel::Receiver;

pub use self::beside::{Beside, run_beside};

use self::work::Work;
use super::{
    files::{self, GivenError, Listing},
    folder,
};
use crate::{
    client::{ConnectError, RequestError},
    engine::lock::{EngineLock, Holder, LockError},
    ids::{ImageId, PluginId},
    pool::{PoolError, PoolSettings},
    settings::{Settings, Source},
    store::{Divided, StoreError},
    worker::messages::{Optics, Pipeline},
    workspace::DatasetPaths,
};

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
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{0}; what it was given is inspected when it runs again, and the same command goes on from here")]
    Lost(RequestError),
    #[error("the engine has no pipeline in force{problems}; mend that, then build again")]
    NoPipeline { problems: String },
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
    let listing = list(&build.dataset, &build.settings, &build.given)?;
    let root = build.dataset.root();
    std::fs::create_dir_all(root).map_err(|source| BuildError::Folder { path: root.to_owned(), source })?;
    let _lock = EngineLock::take(&build.dataset, &Holder::of_command())?;
    room(build)?;
    let mut work = Work::begin(build, listing.files)?;
    work.summary.ignored = listing.ignored;
    for (path, reason) in &listing.unreadable {
        work.summary.failed += 1;
        listener.failed(path, None, reason);
    }
    let error = work.run(stop, listener).err();
    let (summary, closed) = work.end();
    Ok(Outcome { summary, error: error.or_else(|| closed.err().map(BuildError::from)) })
}

/// What there is to do, or why there is nothing.
fn list(dataset: &DatasetPaths, settings: &Settings, given: &[PathBuf]) -> Result<Listing, BuildError> {
    folder::refuse_other(dataset)?;
    let listing = files::list(given, &settings.capture.extensions, dataset.root())?;
    if listing.files.is_empty() && listing.unreadable.is_empty() {
        return Err(BuildError::Nothing { extensions: settings.capture.extensions.join(", ") });
    }
    Ok(listing)
}

/// Is there enough of it?
fn room(build: &Build) -> Result<(), BuildError> {
    let wanted = build.settings.dataset.min_free_mb;
    let Ok(disk) = rustix::fs::statvfs(build.dataset.root()) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
    if free >= wanted { Ok(()) } else { Err(BuildError::Room { path: build.dataset.root().to_owned(), free, wanted }) }
}

/// The source of files that lie in no configured one.
const SOURCE: &str = "files";

/// The source for files that lie in no configured one: everything, with what the command says of the optics.
pub(crate) fn files_source(configured: &[Source], optics: &Optics) -> Source {
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
