//! Sees captures arrive in watched directories and says when each is complete, exactly once.
//!
//! The kernel's notices are hints, the directory is the truth: a reconcile scan finds what no notice mentioned. Called by
//! the engine, which answers for what becomes of a file. Never opens a FIFO or a device, never follows a symlink, never
//! changes anything in a source.

mod key;
mod known;

pub use key::FileKey;
pub use known::KnownFiles;

use std::{path::PathBuf, time::Instant};

use crate::settings::Source;

/// A source to watch, and which of its files the store already has.
#[derive(Debug, Clone)]
pub struct WatchedSource {
    pub source: Source,
    pub known: KnownFiles,
}

/// What ingest has to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// Captures, complete; each version of a file once.
    Complete(Vec<SeenFile>),
    /// Files that are no captures; each once.
    Ignored(Vec<IgnoredFile>),
    /// How many files of that source are not complete yet.
    Settling {
        source: String,
        count: u64,
    },
    /// The directory cannot be read; it is tried again until [`Fact::SourceBack`].
    SourceLost {
        source: String,
        message: String,
        hint: String,
    },
    SourceBack {
        source: String,
    },
}

/// A complete file.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenFile {
    pub source: String,
    /// Absolute.
    pub path: PathBuf,
    pub key: FileKey,
    /// When it was known to be complete: latency is counted from here.
    pub complete_at: Instant,
}

/// A file that is no capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredFile {
    pub source: String,
    pub path: PathBuf,
    pub key: FileKey,
    /// In words: its extension, a temporary name, …
    pub reason: String,
}
