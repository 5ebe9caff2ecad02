//! From listed files to admissions, in the order of their paths: readers answer in any order, rows come in this one.

use std::time::Instant;

use jiff::Timestamp;

use super::{BuildError, work::Work};
use crate::{
    dataset::files::Listed,
    engine::hashing::{Hashed, Hashers, Reading},
    ingest::{FileKey, SeenFile},
    report::Failure,
    store::{Admission, Content, UnreadCapture, Write},
};

/// Files being read, or waiting for an earlier one that is.
const WINDOW: usize = 256;
/// Admissions in one write, unless nothing else is there to do.
const BATCH: usize = 64;
/// Captures admitted before a worker is free for them; the rest wait as files on disk do.
const ADMITTED_AHEAD: u64 = 4096;
/// Readings of a file that changes meanwhile.
pub(super) const READINGS: u32 = 3;
/// Said of one that still does.
pub(super) const CHANGES: &str = "it changes while it is read; build again when it is complete";

/// A file that is being read.
pub(super) struct InHand {
    seen: SeenFile,
    readings: u32,
    content: Option<Content>,
}

impl Work<'_> {
    /// Asks for the identities of the next files, in order.
    pub(super) fn read_on(&mut self) {
        while self.window.len() < WINDOW && self.waiting < ADMITTED_AHEAD {
            let Some((source, Listed { path, key })) = self.files.pop() else { return };
            let seen = SeenFile { source, path, key, complete_at: Instant::now() };
            self.hashers.ask(seen.clone());
            self.window.push_back(InHand { seen, readings: 1, content: None });
        }
    }

    /// Files that could not be read before: as they are now.
    pub(super) fn read_unread(&mut self, unread: Vec<UnreadCapture>) {
        self.expected += unread.len() as u64;
        for UnreadCapture { source, path, key } in unread {
            let seen = SeenFile { source, key: key_now(&path).unwrap_or(key), path, complete_at: Instant::now() };
            self.hashers.ask(seen.clone());
            self.window.push_back(InHand { seen, readings: 1, content: None });
        }
    }

    /// Takes what was read, and admits what has no earlier file before it.
    pub(super) fn read(&mut self, first: Hashed) -> Result<(), BuildError> {
        let more: Vec<Hashed> = self.hashers.answers().try_iter().collect();
        for hashed in std::iter::once(first).chain(more) {
            let Some(file) = self.window.iter_mut().find(|file| file.seen.path == hashed.file.path) else { continue };
            file.content = match hashed.content {
                Reading::Content(image) => Some(Content::Hashed(image)),
                Reading::Unreadable(failure) => Some(Content::Unreadable(failure)),
                Reading::Changed => read_again(file, &self.hashers),
            };
        }
        let ready = self.window.iter().take_while(|file| file.content.is_some()).count();
        // Together, unless there is nothing else to do meanwhile.
        let enough = ready >= BATCH || ready == self.window.len() || self.waiting == 0;
        if ready == 0 || !enough {
            return Ok(());
        }
        let mut admissions = Vec::with_capacity(ready);
        for InHand { seen, content, .. } in self.window.drain(..ready) {
            let Some(content) = content else { continue };
            let tags = self.sources.tags(&seen.source, &seen.path);
            let (source, path, key) = (seen.source, seen.path, seen.key);
            admissions.push(Admission { source, path, key, seen_at: Timestamp::now(), content, tags });
        }
        self.waiting += admissions.len() as u64;
        self.write(Write::Admit(admissions))
    }
}

/// Another version by now: that one, if it stands still at last.
fn read_again(file: &mut InHand, hashers: &Hashers) -> Option<Content> {
    if file.readings < READINGS
        && let Some(key) = key_now(&file.seen.path)
    {
        file.seen.key = key;
        file.readings += 1;
        hashers.ask(file.seen.clone());
        return None;
    }
    let message = CHANGES.into();
    Some(Content::Unreadable(Failure { stage: "read".into(), plugin: None, message, transient: true }))
}

pub(super) fn key_now(path: &std::path::Path) -> Option<FileKey> {
    std::fs::symlink_metadata(path).ok().map(|found| FileKey::of(&found))
}
