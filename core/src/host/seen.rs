//! Which build a library was when it was last read: a start after a crash reads none of them again, a hundred megabytes with
//! their copies.
//!
//! A file is the one that was read while its place, its size and both its times are the same; no program can set the time of
//! the last change. Of a library that changed a moment ago nothing is remembered, for it may change once more within one
//! tick of that clock. Called by [`super::catalogue`].

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::store::LibraryStore;
use crate::{ids::BuildHash, ingest::FileKey};

/// Ticks of a file system's clock are at most two seconds long (FAT).
const TICK: Duration = Duration::from_secs(3);

/// A file as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    key: FileKey,
    /// Seconds and nanoseconds since 1970, of the last change of its content or of what is said of it.
    changed: (i64, i64),
}

impl Stamp {
    /// The file's now; symlinks are followed.
    ///
    /// # Errors
    /// There is none, or nobody may look.
    pub fn of(file: &Path) -> io::Result<Self> {
        let found = fs::metadata(file)?;
        Ok(Self { key: FileKey::of(&found), changed: (found.ctime(), found.ctime_nsec()) })
    }

    /// It cannot change any more without another time of its change.
    fn has_settled(&self, now: SystemTime) -> bool {
        let changed = Duration::from_secs(self.changed.0.try_into().unwrap_or(0));
        now.duration_since(UNIX_EPOCH).is_ok_and(|now| changed + TICK < now)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    library: Stamp,
    copy: Stamp,
    build: BuildHash,
}

impl LibraryStore {
    /// The build that the library still is, if it was read before and its copy is as it was made.
    #[must_use]
    pub fn seen(&self, library: &Path) -> Option<BuildHash> {
        let seen: Seen = serde_json::from_slice(&fs::read(self.seen_path(library)).ok()?).ok()?;
        let same = Stamp::of(library).ok()? == seen.library && Stamp::of(&self.path(&seen.build)).ok()? == seen.copy;
        same.then_some(seen.build)
    }

    /// Takes note that the library was that build, and had that stamp before it was read.
    pub fn note(&self, library: &Path, stamp: Stamp, build: &BuildHash, now: SystemTime) {
        let copy = Stamp::of(&self.path(build));
        let (Ok(copy), true) = (copy, stamp.has_settled(now)) else { return };
        let seen = Seen { library: stamp, copy, build: build.clone() };
        if let Ok(text) = serde_json::to_vec(&seen)
            && let Err(error) = self.write(&self.seen_path(library), &text, 0o644)
        {
            // Only the next start is slower for it.
            tracing::warn!(%build, %error, "which build a library was could not be remembered");
        }
    }

    fn seen_path(&self, library: &Path) -> PathBuf {
        let name = blake3::hash(library.as_os_str().as_bytes()).to_hex();
        self.root().join(format!("{}.seen", &name[..32]))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, thread};

    use super::*;

    /// Long enough for the clock of the file system to go on.
    fn wait() {
        thread::sleep(Duration::from_millis(30));
    }

    fn later() -> SystemTime {
        SystemTime::now() + 2 * TICK
    }

    #[test]
    fn a_library_is_known_until_it_or_its_copy_changes() {
        let folder = tempfile::tempdir().unwrap();
        let store = LibraryStore::at(folder.path().join("store"));
        let library = folder.path().join("lib.so");
        fs::copy("/proc/self/exe", &library).unwrap();
        let read = |now| {
            let stamp = Stamp::of(&library).unwrap();
            let build = store.put_file(&library).unwrap();
            store.note(&library, stamp, &build, now);
            build
        };
        // It may be written to in this very moment.
        read(SystemTime::now());
        assert_eq!(store.seen(&library), None);
        let build = read(later());
        assert_eq!(store.seen(&library), Some(build.clone()));

        // Of the same length, and said to be as old as before.
        wait();
        let mut bytes = fs::read(&library).unwrap();
        let modified = fs::metadata(&library).unwrap().modified().unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&library, &bytes).unwrap();
        File::options().write(true).open(&library).unwrap().set_modified(modified).unwrap();
        assert_eq!(store.seen(&library), None);
        let other = read(later());
        assert_ne!(other, build);
        assert_eq!(store.seen(&library), Some(other.clone()));

        wait();
        let copy = store.path(&other);
        fs::remove_file(&copy).unwrap();
        assert_eq!(store.seen(&library), None);
        fs::write(&copy, &bytes[..100]).unwrap();
        assert_eq!(store.seen(&library), None);
        assert_eq!(read(later()), other);
        assert_eq!(fs::read(&copy).unwrap(), bytes, "a copy that was damaged is made again");
        assert_eq!(store.seen(&library), Some(other));
        assert_eq!(store.seen(&folder.path().join("another.so")), None);
    }
}
