//! The kernel's hints that configuration or plug-ins changed, so that a swap need not wait for the next look.
//!
//! Only hints: what changed is found out by looking, and a look is due every second anyway, for file systems that tell
//! nothing and for folders that are not there yet.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crossbeam_channel::{Receiver, bounded, never};
use notify::{
    Config, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};

/// Watches folders, without what is below them.
#[derive(Debug)]
pub(super) struct Hints {
    /// `None` where the kernel refuses; then only looking is left.
    watcher: Option<RecommendedWatcher>,
    /// By inode: another folder may come to stand in the place of one.
    watched: BTreeMap<PathBuf, u64>,
    stirred: Receiver<()>,
}

impl Hints {
    pub fn new() -> Self {
        let (token, stirred) = bounded(1);
        let handler = move |event: notify::Result<notify::Event>| {
            // Looking opens folders and libraries, which must not call for the next look.
            let reading = event.is_ok_and(|event| match event.kind {
                EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
                EventKind::Access(_) => true,
                _ => false,
            });
            if !reading {
                // One token is enough, however much happens.
                let _ = token.try_send(());
            }
        };
        let watcher = RecommendedWatcher::new(handler, Config::default()).ok();
        // The handler that would hint is gone with a watcher that was refused, and an ended channel is ready for ever: the
        // engine would turn to it alone.
        let stirred = if watcher.is_some() { stirred } else { never() };
        Self { watcher, watched: BTreeMap::new(), stirred }
    }

    /// Something happened in a folder.
    pub fn stirred(&self) -> &Receiver<()> {
        &self.stirred
    }

    /// Watches those of the folders that are there and not watched yet.
    pub fn watch<'a>(&mut self, folders: impl IntoIterator<Item = &'a Path>) {
        let Some(watcher) = &mut self.watcher else { return };
        for folder in folders {
            let Ok(inode) = fs::metadata(folder).map(|found| found.ino()) else { continue };
            if self.watched.get(folder) != Some(&inode) {
                // A watch on what was there before may linger; it hears nothing any more.
                let _ = watcher.unwatch(folder);
                if watcher.watch(folder, RecursiveMode::NonRecursive).is_ok() {
                    self.watched.insert(folder.to_owned(), inode);
                }
            }
        }
    }
}
