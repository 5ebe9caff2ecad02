//! The kernel's notices, as far as they matter: files closed after writing or renamed into place, new names, new folders.
//!
//! The handler runs on notify's own thread and only notes paths, each once, up to a bound; beyond it "scan now" says it
//! all. A notice is never believed: whoever takes it looks at the file.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, CreateKind, Flag, ModifyKind, RenameMode},
};

/// Notices kept at most, about 10 MB of paths.
const MOST: usize = 65_536;

/// Paths with news.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// True where its writer is done: closed after writing, or renamed into place.
    pub paths: HashMap<PathBuf, bool>,
    /// Notices were lost.
    pub overflow: bool,
}

/// A watched directory; ends the watch when dropped.
pub(super) struct Watch {
    shared: Arc<Mutex<Hints>>,
    /// Holds one token while there is something to take.
    pub wake: Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches the directory from now on.
    pub(super) fn start(directory: &Path, recursive: bool) -> notify::Result<Self> {
        let shared = Arc::new(Mutex::new(Hints::default()));
        let (token, wake) = bounded(1);
        let noted = Arc::clone(&shared);
        let handler = move |event| note(&noted, &token, event);
        let mut watcher = RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false))?;
        let mode = if recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        watcher.watch(directory, mode)?;
        Ok(Self { shared, wake, _watcher: watcher })
    }

    /// All that was noted since the last time.
    pub(super) fn take(&self) -> Hints {
        std::mem::take(&mut *self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn note(shared: &Mutex<Hints>, token: &Sender<()>, event: notify::Result<Event>) {
    let Ok(event) = event else {
        // What notify could not read may have been anything.
        shared.lock().unwrap_or_else(PoisonError::into_inner).overflow = true;
        let _ = token.try_send(());
        return;
    };
    let lost = event.flag() == Some(Flag::Rescan);
    let closed = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => true,
        // A hard link into place has nothing but this; a folder may hold files already.
        EventKind::Create(CreateKind::File | CreateKind::Folder | CreateKind::Any | CreateKind::Other) => false,
        _ if lost => false,
        _ => return,
    };
    {
        let mut hints = shared.lock().unwrap_or_else(PoisonError::into_inner);
        for path in event.paths {
            if hints.paths.len() < MOST {
                *hints.paths.entry(path).or_default() |= closed;
            } else {
                hints.overflow = true;
            }
        }
        hints.overflow |= lost;
    }
    let _ = token.try_send(());
}
