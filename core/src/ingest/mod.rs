//! Sees captures arrive in watched directories and says when each is complete, exactly once.
//!
//! The kernel's notices are hints, the directory is the truth: a reconcile scan finds what no notice mentioned. Called by
//! the engine, which answers for what becomes of a file. Never opens a FIFO or a device, never follows a symlink, never
//! changes anything in a source.

mod hints;
mod intake;
mod key;
pub(crate) mod kind;
mod known;
mod outbox;
mod recent;
mod sorted;
#[cfg(test)]
mod tests;
mod tree;
mod watcher;
mod writers;

pub use key::FileKey;
pub use known::{KnownFile, KnownFiles};

use std::{
    io,
    path::PathBuf,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Sender, bounded};
use intake::Tempo;

use crate::settings::{Capture, Source};

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

/// The watch over all sources. Dropped without [`Ingest::stop`] its threads end by themselves.
#[derive(Debug)]
pub struct Ingest {
    threads: Vec<SourceThread>,
}

#[derive(Debug)]
struct SourceThread {
    rescan: Sender<()>,
    /// Carries nothing; its end stops the thread.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Ingest {
    /// Starts a thread `ingest-<name>` for each source. Facts come in no order among sources; a full channel makes ingest
    /// wait, and what it misses meanwhile is found by the next listing.
    ///
    /// # Errors
    /// The system gives no more threads. A directory that is not there is no error: it is told, and waited for.
    pub fn start(sources: Vec<WatchedSource>, capture: &Capture, facts: &Sender<Fact>) -> io::Result<Self> {
        let tempo = Tempo {
            settle: Duration::from_millis(capture.settle_ms),
            temporary: Duration::from_secs(60),
            held_open: Duration::from_secs(60),
            old: Duration::from_secs(600),
            recent: Duration::from_secs(120),
        };
        Self::start_with(sources, capture, tempo, facts)
    }

    fn start_with(
        sources: Vec<WatchedSource>,
        capture: &Capture,
        tempo: Tempo,
        facts: &Sender<Fact>,
    ) -> io::Result<Self> {
        let reconcile = Duration::from_millis(capture.reconcile_ms);
        let threads = sources
            .into_iter()
            .map(|watched| {
                let (rescan, asked) = bounded(1);
                let (stop, stopped) = bounded(0);
                let name = format!("ingest-{}", watched.source.name);
                let out = outbox::Outbox::new(facts.clone(), stopped.clone());
                let watcher = watcher::Watcher::new(watched, capture.extensions.clone(), reconcile, tempo, out);
                // A name with a zero byte would end the process; the configuration lets none in.
                let thread =
                    thread::Builder::new().name(name.replace('\0', "")).spawn(move || watcher.run(&asked, &stopped))?;
                Ok(SourceThread { rescan, stop, thread })
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { threads })
    }

    /// Looks into every source now, believing no folder's time.
    pub fn rescan(&self) {
        for thread in &self.threads {
            // A token that waits already asks for the same.
            let _ = thread.rescan.try_send(());
        }
    }

    /// Ends the threads; no fact follows.
    pub fn stop(self) {
        let (stops, threads): (Vec<_>, Vec<_>) =
            self.threads.into_iter().map(|thread| (thread.stop, thread.thread)).unzip();
        drop(stops);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a source's thread had panicked");
            }
        }
    }
}
