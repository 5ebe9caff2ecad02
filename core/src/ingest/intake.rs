//! One source's files between being seen and being complete.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use super::{
    FileKey, IgnoredFile, KnownFiles, SeenFile,
    kind::{self, Kind},
    outbox::Outbox,
    recent::Recent,
    writers::has_writer,
};

/// How long things are waited for. The settings say the first; the others are here so that tests need not wait for them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tempo {
    /// A file that stood still for so long, with no writer, is complete.
    pub settle: Duration,
    /// A temporary name that stood still for so long was left behind.
    pub temporary: Duration,
    /// A file that stood still for so long is complete though someone holds it open.
    pub held_open: Duration,
    /// A file last changed so long ago is not being written: an archive need not settle.
    pub old: Duration,
    /// A complete file is looked at in each scan for so long: microscopes add metadata afterwards.
    pub recent: Duration,
}

/// How a file came to attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Its writer closed it, or it was renamed into place.
    Closed,
    /// It is there.
    Seen,
}

/// A file that is not complete.
#[derive(Debug)]
struct Settling {
    key: FileKey,
    kind: Kind,
    /// Since when it stands still.
    since: Instant,
    due: Instant,
}

/// What is known of a source's files.
#[derive(Debug)]
pub(super) struct Intake {
    source: String,
    extensions: Vec<String>,
    tempo: Tempo,
    /// Leases tell of writers: not on a network file system.
    leases: bool,
    known: KnownFiles,
    /// A tree: a table would keep the room that a burst needed.
    settling: BTreeMap<PathBuf, Settling>,
    /// How many of them may become captures.
    captures: u64,
    recent: Recent,
    next_due: Option<Instant>,
}

impl Intake {
    pub(super) fn new(source: String, extensions: Vec<String>, known: KnownFiles, tempo: Tempo, leases: bool) -> Self {
        Self {
            source,
            extensions,
            tempo,
            leases,
            known,
            settling: BTreeMap::new(),
            captures: 0,
            recent: Recent::default(),
            next_due: None,
        }
    }

    /// Captures that are not complete.
    pub(super) fn settling(&self) -> u64 {
        self.captures
    }

    /// When [`Intake::check`] is wanted.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.next_due
    }

    /// The source is gone, and its unfinished files with it.
    pub(super) fn forget_unfinished(&mut self) {
        self.settling.clear();
        self.recent.clear();
        (self.captures, self.next_due) = (0, None);
    }

    /// Takes note of a file that is there.
    pub(super) fn see(&mut self, path: PathBuf, metadata: &Metadata, sight: Sight, out: &mut Outbox) {
        let key = FileKey::of(metadata);
        let kind = if metadata.is_file() {
            kind::of_name(path.file_name().unwrap_or_default(), &self.extensions)
        } else if metadata.is_symlink() {
            Kind::Foreign("it is a symbolic link".into())
        } else {
            Kind::Foreign("it is not a regular file".into())
        };
        if self.known.holds(&path, &key) || (kind != Kind::Capture && self.known.is_ignored(&path)) {
            self.unsettle(&path);
            return;
        }
        let is_old = metadata
            .modified()
            .is_ok_and(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age >= self.tempo.old));
        // Some writers make an empty file, close it, and come back.
        let is_done = is_old || (sight == Sight::Closed && key.size > 0);
        match kind {
            Kind::Capture if is_done && !self.is_written(&path) => self.complete(path, key, out),
            Kind::Temporary | Kind::Foreign(_) if is_old => self.ignore(path, key, kind, out),
            kind => self.settle(path, key, kind),
        }
    }

    /// A file that was seen is not there any more.
    pub(super) fn gone(&mut self, path: &Path) {
        self.unsettle(path);
    }

    /// Looks at the files whose time has come.
    pub(super) fn check(&mut self, now: Instant, out: &mut Outbox) {
        if self.next_due.is_none_or(|due| due > now) {
            return;
        }
        let due: Vec<PathBuf> =
            self.settling.iter().filter(|(_, file)| file.due <= now).map(|(path, _)| path.clone()).collect();
        for path in due {
            self.check_one(path, now, out);
        }
        self.next_due = self.settling.values().map(|file| file.due).min();
    }

    /// Looks again at files that were complete a while ago.
    pub(super) fn check_recent(&mut self, now: Instant, out: &mut Outbox) {
        let most = self.tempo.recent;
        self.recent.forget(|at| now.duration_since(at) > most);
        let mut changed = Vec::new();
        self.recent.each(|path| {
            let Ok(metadata) = fs::symlink_metadata(path) else { return };
            if !self.known.holds(path, &FileKey::of(&metadata)) {
                changed.push((path.to_owned(), metadata));
            }
        });
        for (path, metadata) in changed {
            self.see(path, &metadata, Sight::Seen, out);
        }
    }

    fn check_one(&mut self, path: PathBuf, now: Instant, out: &mut Outbox) {
        let Some(file) = self.settling.get(&path) else { return };
        let (key, since, kind) = (file.key, file.since, file.kind.clone());
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            self.unsettle(&path);
            return;
        };
        if FileKey::of(&metadata) != key {
            self.see(path, &metadata, Sight::Seen, out);
            return;
        }
        let stood = now.duration_since(since);
        match kind {
            Kind::Capture if stood < self.tempo.held_open && self.is_written(&path) => {
                // A file held open for long is asked about less and less often.
                let due = now + self.tempo.settle.max(stood / 4);
                if let Some(file) = self.settling.get_mut(&path) {
                    file.due = due;
                }
            }
            Kind::Capture => self.complete(path, key, out),
            kind => self.ignore(path, key, kind, out),
        }
    }

    fn is_written(&self, path: &Path) -> bool {
        self.leases && has_writer(path) == Some(true)
    }

    /// A file that stands still keeps its time; one that changed begins anew.
    fn settle(&mut self, path: PathBuf, key: FileKey, kind: Kind) {
        if self.settling.get(&path).is_some_and(|file| file.key == key) {
            return;
        }
        let wait = if kind == Kind::Temporary { self.tempo.temporary } else { self.tempo.settle };
        let since = Instant::now();
        let due = since + wait;
        self.unsettle(&path);
        self.captures += u64::from(kind == Kind::Capture);
        self.settling.insert(path, Settling { key, kind, since, due });
        self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
    }

    fn unsettle(&mut self, path: &Path) {
        if let Some(file) = self.settling.remove(path) {
            self.captures -= u64::from(file.kind == Kind::Capture);
        }
    }

    fn complete(&mut self, path: PathBuf, key: FileKey, out: &mut Outbox) {
        self.unsettle(&path);
        self.known.insert(&path, &key);
        let complete_at = Instant::now();
        self.recent.push(&path, complete_at);
        out.complete(SeenFile { source: self.source.clone(), path, key, complete_at });
    }

    fn ignore(&mut self, path: PathBuf, key: FileKey, kind: Kind, out: &mut Outbox) {
        self.unsettle(&path);
        self.known.ignore(&path);
        let reason = match kind {
            Kind::Foreign(reason) => reason,
            _ => "its name is a temporary file's".into(),
        };
        out.ignored(IgnoredFile { source: self.source.clone(), path, key, reason });
    }
}
