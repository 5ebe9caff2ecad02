//! The dataset's database and files: one writer thread, one beside it that divides, any number of read-only readers.
//!
//! Only the engine (and `ferrule build`, in its place) opens a [`Store`]; clients open a [`Reader`]. A result is published
//! in one order: its files are synced and renamed into place, then one transaction writes every row, then the receipt goes
//! out. Whatever is killed in between is made again; nothing is ever half there. Never touches a source.

mod admit;
mod alarms;
mod alone;
mod backup;
mod builds;
mod correlations;
mod divider;
mod error;
mod filesystem;
mod finish;
mod former;
mod heat;
mod history;
mod jobs;
mod judgements;
mod label;
mod listing;
mod load;
mod near;
mod page;
mod pages;
mod pipelines;
mod publish;
mod reader;
mod recover;
mod requeue;
mod review_queue;
mod reviews;
mod rows;
mod runs;
mod save;
mod schema;
mod split;
mod standing;
mod swaps;
mod tidy;
mod trend;
mod verify;
mod views;
mod write;
mod writer;

pub(crate) use alone::Alone;
pub use alone::AloneError;
pub use backup::{BackupError, Saved, backup};
pub use builds::{BuildRow, Period};
pub use correlations::{CorrelationRow, CorrelationWrite, Gridded};
pub use error::StoreError;
pub(crate) use filesystem::{check as refuse_network_file_system, is_network_file_system, is_scarcity};
pub use former::Former;
pub use heat::{HEAT_REACH, HEAT_SIDE, Heat};
pub use history::{InspectionKey, PipelineRow};
pub use judgements::{Judge, Judgement};
pub use listing::{CaptureQuery, Listed};
pub(crate) use load::runs_from_bytes;
pub use pages::set_aside as set_pages_aside;
pub(crate) use publish::open_regular;
pub use reader::{CaptureDetail, CaptureRow, Reader, SourceRow};
pub use review_queue::ReviewQueue;
pub use reviews::{Conflict, LabelledImage};
pub use rows::{Cell, Exhibit, Portion, Selection};
pub use runs::{EpochRow, RunRow};
pub use split::{Divided, SplitTable};
pub use standing::Standing;
pub use tidy::{Tidied, TidyPlan, TidyStep, Tidying, tidy_alone};
pub use trend::{Trend, TrendRow};
pub use verify::{Closeness, Problem, RepairError, Repaired, Report as VerifyReport, repair, verify};
pub use views::SavedView;
pub use write::{
    Admission, Admitted, Content, Finish, Finished, LibraryRefusal, PipelineChange, QueuedCapture, Receipt, Requeue,
    RunChange, SwapEnd, UnreadCapture, Write,
};

use std::{
    path::Path,
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use rusqlite::Connection;

use crate::{settings::ImageLinks, workspace::DatasetPaths};

/// Writes that wait for the writer; more make [`Store::submit`] wait.
const QUEUE: usize = 1024;

/// How long one attempt waits for somebody else's transaction (a person with `sqlite3`) before it counts as trouble.
const BUSY: Duration = Duration::from_secs(2);

/// What a store needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSettings {
    /// How pictures come into `dataset/images`.
    pub images: ImageLinks,
    /// How long an answer may wait for others to be committed with it: nothing where somebody watches, and less to be
    /// synced where nobody does.
    pub gather: Duration,
    /// Bounds what SQLite keeps for the writer, in a process that lives for weeks: pages that it reads again are in the
    /// system's memory, a few microseconds away. Long transactions are slower.
    pub frugal: bool,
}

/// Kibibytes of pages that a frugal writer keeps, as SQLite wants them said: what one result touches fits twice, and they
/// are there after minutes, not hours.
const WRITER_KIB: i64 = -512;

impl StoreSettings {
    /// Every answer is committed as soon as it is there.
    #[must_use]
    pub const fn at_once(images: ImageLinks) -> Self {
        Self { images, gather: Duration::ZERO, frugal: false }
    }
}

/// What was found when the store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Captures that were `running` and are `queued` again.
    pub requeued: u64,
    /// Captures that were about to be read again.
    pub unread: Vec<UnreadCapture>,
    /// Files of unfinished results that were removed.
    pub swept: u64,
    /// The last generation in force; 0 in a new dataset.
    pub generation: u64,
}

/// The one writer of a dataset. Dropped it does what [`Store::close`] does, but nobody hears of what was not stored.
#[derive(Debug)]
pub struct Store {
    /// The writes' way in; and what tells the writer, by its end, that nobody waits for its next attempt.
    input: Option<(Sender<Write>, Sender<()>)>,
    receipts: Receiver<Receipt>,
    writer: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Store {
    /// Opens the dataset, makes what is missing, mends what a killed engine left, and starts the thread `store-writer`.
    ///
    /// The caller holds the dataset's lock: a second writer would sweep what the first one is making.
    ///
    /// # Errors
    /// A network file system, a newer schema, a foreign file, or a folder that cannot be written; nothing is changed then.
    pub fn open(paths: &DatasetPaths, settings: StoreSettings) -> Result<(Self, Recovery), StoreError> {
        let mut connection = connect(paths)?;
        let recovery = recover::recover(&mut connection, paths)?;
        if settings.frugal {
            connection.pragma_update(None, "cache_size", WRITER_KIB)?;
        }
        let publisher = publish::Publisher::new(paths, settings.images)?;
        let (writes, inbox) = bounded(QUEUE);
        // Unbounded, because an engine that waits in `submit` reads no receipts; there is at most one a write.
        let (outbox, receipts) = unbounded();
        let (open, held) = bounded(0);
        let divider = divider::Divider::start(paths, outbox.clone())?;
        let writer = writer::Writer::new(connection, publisher, divider, outbox, held, settings.gather);
        let writer = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(&inbox))
            .map_err(StoreError::Thread)?;
        Ok((Self { input: Some((writes, open)), receipts, writer: Some(writer) }, recovery))
    }

    /// Hands a write over; waits while the writer is behind. Its receipt follows on [`Store::receipts`].
    ///
    /// # Errors
    /// [`StoreError::Ended`] if the writer is gone.
    pub fn submit(&self, write: Write) -> Result<(), StoreError> {
        let (writes, _) = self.input.as_ref().ok_or(StoreError::Ended)?;
        writes.send(write).map_err(|_| StoreError::Ended)
    }

    /// Like [`Store::submit`], but gives the write back rather than wait; for a thread that has to stay awake in trouble.
    ///
    /// # Errors
    /// [`StoreError::Ended`] if the writer is gone.
    pub fn try_submit(&self, write: Write) -> Result<Option<Write>, StoreError> {
        let (writes, _) = self.input.as_ref().ok_or(StoreError::Ended)?;
        match writes.try_send(write) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(write)) => Ok(Some(write)),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Ended),
        }
    }

    /// What was committed, in the order of the writes.
    #[must_use]
    pub fn receipts(&self) -> &Receiver<Receipt> {
        &self.receipts
    }

    /// Stores what was handed over, and ends the writer. Receipts not yet read can be taken from a clone of the receiver.
    ///
    /// # Errors
    /// [`StoreError::Unwritten`] if the disk would not take it.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), StoreError> {
        self.input = None;
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(StoreError::Ended),
        }
    }
}

impl Drop for Store {
    /// The dataset is free for another writer afterwards.
    fn drop(&mut self) {
        if self.writer.is_some()
            && let Err(error) = self.end()
        {
            tracing::error!(%error, "the store was dropped");
        }
    }
}

/// A name lasts once its folder is synced: rows must not outlive the folders of their files.
fn sync_names(paths: &DatasetPaths) -> Result<(), StoreError> {
    let sync = |folder: &Path| std::fs::File::open(folder).and_then(|open| open.sync_all());
    sync(paths.root()).map_err(|source| StoreError::Folder { path: paths.root().to_owned(), source })?;
    // The dataset's own name; a folder above that may not be read is somebody else's care.
    if let Some(above) = paths.root().parent()
        && let Err(error) = sync(above)
    {
        tracing::debug!(folder = %above.display(), %error, "a folder cannot be synced");
    }
    Ok(())
}

/// The writing connection: folders made, file system and schema checked, migrated.
fn connect(paths: &DatasetPaths) -> Result<Connection, StoreError> {
    let mut looked = None;
    for folder in [paths.root().to_owned(), paths.images(), paths.masks(), paths.defects(), paths.staging()] {
        make_folder(&folder)?;
        if folder == paths.root() {
            filesystem::check(&folder)?;
            looked = schema::refuse_unknown(&paths.database())?;
        }
    }
    sync_names(paths)?;
    let mut connection = Connection::open(paths.database())?;
    connection.busy_timeout(BUSY)?;
    // The first look takes back what was being made when the power went; now it is known whose it is.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    drop(looked);
    schema::refuse_unknown(&paths.database())?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A `done` that was told must survive a power loss.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.set_prepared_statement_cache_capacity(128);
    schema::migrate(&mut connection, &paths.database())?;
    Ok(connection)
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(path).map_err(|source| StoreError::Folder { path: path.to_owned(), source })
}
