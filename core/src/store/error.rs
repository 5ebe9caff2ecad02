//! What can go wrong with a dataset's database, and what the person can do.

use std::{io, path::PathBuf};

/// Opening, reading or closing a store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the dataset {} is on a network file system ({kind}), where the database's write-ahead log does not work; set \
         `dataset.path` to a folder on a local disk (captures may stay where they are)",
        path.display()
    )]
    NetworkFileSystem { path: PathBuf, kind: &'static str },
    #[error(
        "{} was written by a newer Ferrule (schema {found}, this one knows up to {known}); use that version, or another \
         `dataset.path`. Nothing was changed",
        path.display()
    )]
    NewerSchema { path: PathBuf, found: i64, known: i64 },
    #[error("{} was written by an older Ferrule; start this version's engine once, which brings it up to date", path.display())]
    OlderSchema { path: PathBuf },
    #[error("{} is not a database of Ferrule; move it away, or set another `dataset.path`. Nothing was changed", path.display())]
    Foreign { path: PathBuf },
    #[error("{} is not there yet; start the engine once (`ferrule engine`), or check `dataset.path`", path.display())]
    Missing { path: PathBuf },
    #[error("the dataset folder {} cannot be used: {source}; check that you own it and may write there", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("the database {} could not be brought to this version: {message}; nothing was changed", path.display())]
    Migration { path: PathBuf, message: String },
    #[error(
        "no copy of the database could be kept at {} before it is brought to this version: {source}; make as much room as \
         index.sqlite takes, in a folder that can be written. Nothing was changed",
        path.display()
    )]
    NotKept { path: PathBuf, source: io::Error },
    #[error("the database cannot be used: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("the database holds {what}, which this version cannot read; `ferrule verify` lists such rows")]
    Unreadable { what: String },
    #[error("the store's writer could not be started: {0}")]
    Thread(io::Error),
    #[error("{writes} writes were not stored, because {message}; the captures are inspected again at the next start")]
    Unwritten { writes: usize, message: String },
    #[error("the store's writer has ended")]
    Ended,
}
