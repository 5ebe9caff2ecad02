//! The engine: the process that owns a workspace. It watches sources, hands captures to workers, has their results
//! stored, and tells its clients.
//!
//! One thread, the main loop, owns all state (`state::Engine`); everything that can wait for a disk, a child or a
//! client has a thread of its own and sends facts here. The engine never opens a plug-in, never decodes a picture, and
//! changes nothing in a source.
//!
//! | file | idea |
//! | --- | --- |
//! | `access` | whose a workspace is, and who may read it |
//! | `lock` | one engine a dataset |
//! | `socket` | clients |
//! | `hashing` | a file's identity |
//! | `intake` | from a complete file to a committed row |
//! | `dispatch` | from the queue to a worker and back |
//! | `queue` | the window of the queue that is in memory |
//! | `awaited` | what is kept of a capture until its end is known |
//! | `receipts` | what is committed becomes an event |
//! | `heap` | memory that goes back to the system |
//! | `reload` | configuration and plug-ins that change while it runs |
//! | `swaps` | what becomes of a changed pipeline |
//! | `room` | a disk that is nearly full |
//! | `requests` | what clients ask |
//! | `splits` | sides of the split, when there is nothing better to do |
//! | `tidy` | what `[dataset.keep]` lets go |
//! | `handed` | what commands have it write, because nobody else may |
//! | `figures` | rates and times |
//! | `plugins` | what clients hear of plug-ins |
//! | `training` | the one training that runs |
//! | `alarms` | what is judged of all that, and told |

pub mod access;
mod alarms;
mod awaited;
mod dispatch;
mod figures;
mod handed;
pub(crate) mod hashing;
mod heap;
mod hints;
pub(crate) mod intake;
pub mod lock;
mod plugins;
pub(crate) mod queue;
mod receipts;
mod reload;
mod requests;
mod room;
pub mod socket;
mod splits;
mod state;
mod swaps;
mod tidy;
mod training;

use std::path::PathBuf;

pub use heap::keep_together as keep_memory_together;

use crossbeam_channel::{Receiver, Sender};

use crate::{
    alarm::{AlarmCall, AlarmCallEnd},
    config::{Configuration, ConfigurationError},
    host::{SearchPaths, trust::Distrust},
    names::display,
    store::{self, Reader, Store, StoreError, StoreSettings},
    worker::arguments::WorkerProgram,
    workspace::{DatasetPaths, Workspace},
};

use self::{
    lock::{EngineLock, Holder, LockError},
    socket::Socket,
};

/// Who reads the database at once, at most: the main loop, a division, and the plan of a tidying.
const READERS: usize = 3;

/// What the process that becomes the engine knows, and this library must be told.
#[derive(Debug)]
pub struct EngineSettings {
    pub workspace: Workspace,
    /// Folders for plug-ins beyond the workspace's own, in order.
    pub search: SearchPaths,
    /// How to start a worker.
    pub program: WorkerProgram,
    /// Folders for the socket, the first that can be used is taken: `$XDG_RUNTIME_DIR/ferrule`, `/tmp/ferrule-<uid>`.
    pub runtime: Vec<PathBuf>,
    /// Commands of alarms go out here: this library starts no process but workers, so whoever is the engine's process runs
    /// them. Full, the next one is not run, and that is told.
    pub alarm_calls: Sender<AlarmCall>,
    /// How they ended.
    pub alarm_calls_ended: Receiver<AlarmCallEnd>,
    /// A message or its closing ends the engine after what is in hand (SIGTERM, SIGINT).
    pub stop: Receiver<()>,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "{dataset}: the dataset of this workspace is gone; is its disk mounted? To begin a new one there remove {record}"
    )]
    Gone { dataset: String, record: String },
    #[error("settings and dataset must be nobody else's to change: {0}")]
    Access(#[from] Distrust),
    #[error("no socket for clients: {0}; set XDG_RUNTIME_DIR to a folder of yours")]
    Socket(std::io::Error),
    #[error("{path}: {source}; check that the workspace is yours and writable")]
    Folder { path: String, source: std::io::Error },
    #[error("the engine had to end: {0}")]
    Broken(String),
    #[error("no thread for {what}: {source}")]
    Thread { what: &'static str, source: std::io::Error },
}

/// Runs the engine of that workspace until it is told to stop. A program that is nothing else calls
/// [`keep_memory_together`] first.
///
/// # Errors
/// The configuration is wrong, another engine runs, the dataset cannot be used. Nothing was changed then.
pub fn run(settings: EngineSettings) -> Result<(), EngineError> {
    // SAFETY: there are no threads yet that could call SQLite.
    unsafe { store::set_pages_aside() };
    let configuration = Configuration::load(&settings.workspace)?;
    let dataset = DatasetPaths::at(&configuration.settings.dataset.path);
    if lock::is_gone(&settings.workspace, &dataset) {
        let record = settings.workspace.dataset_in_force();
        return Err(EngineError::Gone { dataset: display(dataset.root()), record: display(&record) });
    }
    access::check(&settings.workspace, &dataset)?;
    let folder = |path: PathBuf| move |source| EngineError::Folder { path: path.display().to_string(), source };
    access::make_dataset(dataset.root()).map_err(folder(dataset.root().to_owned()))?;
    access::make_private(&settings.workspace.private()).map_err(folder(settings.workspace.private()))?;
    // Clients wait for its socket from now on.
    let lock = EngineLock::take(&dataset, &Holder::of_engine(jiff::Timestamp::now(), PathBuf::new()))?;
    lock::record(&settings.workspace, &dataset).map_err(folder(settings.workspace.dataset_in_force()))?;
    let at_once = StoreSettings::at_once(configuration.settings.dataset.images);
    let (store, recovery) = Store::open(&dataset, StoreSettings { frugal: true, ..at_once })?;
    Reader::set_descriptors_aside(&dataset, READERS)?;
    tracing::info!(requeued = recovery.requeued, swept = recovery.swept, "store opened");
    let (sender, clients) = crossbeam_channel::bounded(256);
    let name = socket_name(&dataset);
    let socket = Socket::listen(settings.runtime.clone(), name, sender).map_err(EngineError::Socket)?;
    let engine = state::Engine::new(settings, configuration, dataset, lock, store, recovery, clients)?;
    engine.run(socket)
}

/// Short, whatever the dataset's path: a socket's address holds about 100 bytes.
fn socket_name(dataset: &DatasetPaths) -> String {
    let path = std::fs::canonicalize(dataset.root()).unwrap_or_else(|_| dataset.root().to_owned());
    format!("{}.sock", crate::ids::ImageId::of(path.as_os_str().as_encoded_bytes()))
}
