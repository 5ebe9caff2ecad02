//! One source's thread: takes hints, lists the directory from time to time, and keeps both going when the directory goes.

use std::{
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, never, select};

use super::{
    Fact, WatchedSource,
    hints::{Hints, Watch},
    intake::{Intake, Sight, Tempo},
    outbox::Outbox,
    tree::Tree,
};
use crate::store::is_network_file_system;

/// A listing may take half a percent of a core: it waits for so many times its own length.
const SHARE: u32 = 200;

/// Between two listings that believe no folder's time.
const FULL: Duration = Duration::from_secs(180);

/// A settling count is told at most so often.
const TELL: Duration = Duration::from_millis(250);

pub(super) struct Watcher {
    source: String,
    poll: bool,
    recursive: bool,
    reconcile: Duration,
    tree: Tree,
    intake: Intake,
    out: Outbox,
    watch: Option<Watch>,
    /// The directory that is watched; another one may come to stand in its place.
    identity: Option<(u64, u64)>,
    lost: Option<String>,
    next_scan: Instant,
    next_full: Instant,
    /// After a refusal by the kernel, for instance for want of watches.
    next_watch: Instant,
    told: (u64, Instant),
}

impl Watcher {
    pub(super) fn new(
        watched: WatchedSource,
        extensions: Vec<String>,
        reconcile: Duration,
        tempo: Tempo,
        out: Outbox,
    ) -> Self {
        let WatchedSource { source, known } = watched;
        let now = Instant::now();
        let leases = !source.poll && !is_network_file_system(&source.path);
        Self {
            intake: Intake::new(source.name.clone(), extensions, known, tempo, leases),
            tree: Tree::new(source.path, source.recursive),
            source: source.name,
            poll: source.poll,
            recursive: source.recursive,
            reconcile,
            out,
            watch: None,
            identity: None,
            lost: None,
            next_scan: now,
            next_full: now,
            next_watch: now,
            told: (0, now),
        }
    }

    /// Until the engine wants no more. A token in `rescan` asks for a full look now.
    pub(super) fn run(mut self, rescan: &Receiver<()>, stop: &Receiver<()>) {
        while !self.out.ended {
            let now = Instant::now();
            if now >= self.next_scan {
                self.scan(now >= self.next_full);
            }
            self.intake.check(Instant::now(), &mut self.out);
            self.out.flush();
            self.tell_settling();
            let quiet = never();
            let wake = self.watch.as_ref().map_or(&quiet, |watch| &watch.wake);
            select! {
                recv(wake) -> _ => self.take_hints(),
                recv(rescan) -> _ => (self.next_scan, self.next_full) = (now, now),
                recv(stop) -> _ => return,
                default(self.next_wake().saturating_duration_since(Instant::now())) => {}
            }
        }
    }

    fn next_wake(&self) -> Instant {
        let settling = self.intake.next_due().unwrap_or(self.next_scan);
        let telling = if self.intake.settling() == self.told.0 { self.next_scan } else { self.told.1 + TELL };
        self.next_scan.min(settling).min(telling)
    }

    fn take_hints(&mut self) {
        let Some(Hints { paths, overflow }) = self.watch.as_ref().map(Watch::take) else { return };
        if overflow {
            // Folders made meanwhile may be unwatched: begin the watch again, and look everywhere.
            self.watch = None;
            (self.next_scan, self.next_full) = (Instant::now(), Instant::now());
            return;
        }
        for (path, closed) in paths {
            self.take_hint(path, closed);
        }
    }

    fn take_hint(&mut self, path: PathBuf, closed: bool) {
        let Self { tree, intake, out, .. } = self;
        if path == tree.root() {
            return;
        }
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                tree.walk_folder(path, &metadata, &mut |path, metadata| intake.see(path, metadata, Sight::Seen, out));
            }
            Ok(metadata) => {
                let sight = if closed { Sight::Closed } else { Sight::Seen };
                intake.see(path, &metadata, sight, out);
            }
            Err(_) => intake.gone(&path),
        }
    }

    fn scan(&mut self, full: bool) {
        let (began, waited) = (Instant::now(), self.out.waited);
        let result = self.look(full || self.poll);
        let now = Instant::now();
        let cost = now.duration_since(began).saturating_sub(self.out.waited.saturating_sub(waited)) * SHARE;
        self.next_scan = now + self.reconcile.max(cost);
        if full {
            self.next_full = now + FULL.max(cost);
        }
        match result {
            Ok(()) => {
                if self.lost.take().is_some() {
                    self.out.send(Fact::SourceBack { source: self.source.clone() });
                }
            }
            Err(error) => self.lose(&error),
        }
    }

    /// Watches first and lists then: what comes in between is seen twice rather than never.
    fn look(&mut self, full: bool) -> io::Result<()> {
        let identity = self.tree.identity()?;
        let changed = self.identity.replace(identity) != Some(identity);
        if changed {
            self.watch = None;
            self.next_watch = Instant::now();
        }
        if self.watch.is_none() && !self.poll && Instant::now() >= self.next_watch {
            self.begin_watch();
        }
        let Self { tree, intake, out, .. } = self;
        tree.walk(full || changed, &mut |path, metadata| intake.see(path, metadata, Sight::Seen, out))?;
        intake.check_recent(Instant::now(), out);
        Ok(())
    }

    fn begin_watch(&mut self) {
        match Watch::start(self.tree.root(), self.recursive) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => {
                // Listing finds everything too, only later.
                self.next_watch = Instant::now() + FULL;
                tracing::warn!(
                    source = %self.source, %error,
                    hint = "raise fs.inotify.max_user_watches, or set poll = true for this source",
                    "the directory is listed instead of watched"
                );
            }
        }
    }

    fn lose(&mut self, error: &io::Error) {
        (self.watch, self.identity) = (None, None);
        self.intake.forget_unfinished();
        let path = crate::names::display(self.tree.root());
        let message = format!("the directory {path} cannot be read: {error}");
        if self.lost.as_ref() == Some(&message) {
            return;
        }
        let hint = match error.kind() {
            io::ErrorKind::NotFound => {
                "mount or make it, or correct `path` of this source; it is looked for all the time"
            }
            io::ErrorKind::PermissionDenied => "let the engine's user read it (chmod u+rx)",
            io::ErrorKind::NotADirectory => "`path` of a source is a directory, not a file",
            _ => "check the disk or the mount; it is looked for all the time",
        };
        self.out.send(Fact::SourceLost { source: self.source.clone(), message: message.clone(), hint: hint.into() });
        self.lost = Some(message);
    }

    fn tell_settling(&mut self) {
        let (count, now) = (self.intake.settling(), Instant::now());
        if count != self.told.0 && (count == 0 || now >= self.told.1 + TELL) {
            self.told = (count, now);
            self.out.send(Fact::Settling { source: self.source.clone(), count });
        }
    }
}
