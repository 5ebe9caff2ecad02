//! The captures of a source that the store already has, so that a restart over 500,000 files hashes none of them again.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use super::{FileKey, sorted::Sorted};

/// Bits that stand for a file's version; those above them stand for its path.
const VERSION_BITS: u32 = 28;
/// In the place of a version.
const IGNORED: u64 = 0;
/// Newly known files that wait to be sorted in; a table of them is never larger.
const FRESH: usize = 1792;

/// A file and its version, as one number.
///
/// Two of a million files with one number for their paths (some seven pairs) are told to the store again and again, which
/// knows them. A file that is rewritten is not seen to be in one case of 270 million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownFile(pub(super) u64);

impl KnownFile {
    #[must_use]
    pub fn of(path: &Path, key: &FileKey) -> Self {
        Self::with(path, (hash(key) >> (u64::BITS - VERSION_BITS)).max(IGNORED + 1))
    }

    fn with(path: &Path, version: u64) -> Self {
        Self(hash(path) >> VERSION_BITS << VERSION_BITS | version)
    }

    /// The number of its path.
    pub(super) fn path(self) -> u64 {
        self.0 >> VERSION_BITS
    }
}

/// Every known file in eight bytes, whatever the length of its name; on a disk, where there is one to keep them on.
#[derive(Debug, Clone, Default)]
pub struct KnownFiles {
    sorted: Sorted,
    /// Those that came since, by path. They win.
    fresh: HashMap<u64, KnownFile>,
    /// Where the others are written down.
    folder: Option<PathBuf>,
}

impl KnownFiles {
    /// Moves them, and those that come, into a file of that folder which has no name and goes with the process. Where it
    /// cannot be written they stay in memory.
    #[must_use]
    pub fn kept_in(mut self, folder: PathBuf) -> Self {
        self.folder = Some(folder);
        self.sort_in();
        self
    }

    /// Takes note of a file.
    pub fn insert(&mut self, path: &Path, key: &FileKey) {
        self.note(KnownFile::of(path, key));
    }

    /// Is this very version of the file known?
    #[must_use]
    pub fn holds(&self, path: &Path, key: &FileKey) -> bool {
        self.has(KnownFile::of(path, key))
    }

    /// A file that is no capture, whatever becomes of it: a log that grows is one row, not a thousand.
    pub fn ignore(&mut self, path: &Path) {
        self.note(KnownFile::with(path, IGNORED));
    }

    #[must_use]
    pub fn is_ignored(&self, path: &Path) -> bool {
        self.has(KnownFile::with(path, IGNORED))
    }

    fn has(&self, file: KnownFile) -> bool {
        let path = file.path();
        let known = self.fresh.get(&path).copied().or_else(|| self.sorted.of_path(path));
        known == Some(file)
    }

    fn note(&mut self, file: KnownFile) {
        self.fresh.insert(file.path(), file);
        if self.fresh.len() >= FRESH {
            self.sort_in();
        }
    }

    fn sort_in(&mut self) {
        let mut fresh: Vec<KnownFile> = self.fresh.drain().map(|(_, file)| file).collect();
        fresh.sort_unstable_by_key(|file| file.path());
        let all = || merged(self.sorted.iter(), &fresh);
        let on_disk = self.folder.as_deref().and_then(|folder| {
            let written = Sorted::on_disk(all(), folder);
            written.inspect_err(|error| tracing::debug!(%error, "known files stay in memory")).ok()
        });
        self.sorted = on_disk.unwrap_or_else(|| Sorted::Memory(in_memory(all())));
    }
}

impl FromIterator<KnownFile> for KnownFiles {
    /// All at once; of several with one path the last counts.
    fn from_iter<T: IntoIterator<Item = KnownFile>>(files: T) -> Self {
        let mut sorted: Vec<KnownFile> = files.into_iter().collect();
        sorted.sort_by_key(|file| file.path());
        sorted.dedup_by(|later, kept| {
            let same = later.path() == kept.path();
            if same {
                *kept = *later;
            }
            same
        });
        sorted.shrink_to_fit();
        Self { sorted: Sorted::Memory(sorted), ..Self::default() }
    }
}

/// Both in order, as one; those that came since win.
fn merged(before: impl Iterator<Item = KnownFile>, fresh: &[KnownFile]) -> impl Iterator<Item = KnownFile> {
    let (mut before, mut fresh) = (before.peekable(), fresh.iter().copied().peekable());
    std::iter::from_fn(move || {
        let Some(next) = fresh.peek() else { return before.next() };
        if let Some(known) = before.next_if(|known| known.path() < next.path()) {
            return Some(known);
        }
        before.next_if(|known| known.path() == next.path());
        fresh.next()
    })
}

/// With no room for more.
fn in_memory(files: impl Iterator<Item = KnownFile>) -> Vec<KnownFile> {
    let mut files: Vec<KnownFile> = files.collect();
    files.shrink_to_fit();
    files
}

/// Fixed keys: the values never leave the process, and an adversary who can name files gains nothing but a slow scan.
fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn key(n: u64) -> FileKey {
        FileKey { dev: 1, inode: n, size: 1000, mtime_ns: 5 }
    }

    fn name(n: u64) -> String {
        format!("/captures/{n}.png")
    }

    fn known(files: std::ops::Range<u64>) -> KnownFiles {
        files.map(|n| KnownFile::of(Path::new(&name(n)), &key(n))).collect()
    }

    #[test]
    fn the_last_version_of_a_file_is_the_one_that_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("nowhere");
        let start = || known(0..5000);
        for mut known in [start(), start().kept_in(folder.path().into()), start().kept_in(nowhere)] {
            // Over some that were there and some that were not, and so often that they are sorted in.
            for n in 4000..9000 {
                known.insert(Path::new(&name(n)), &key(n + 100_000));
            }
            known.ignore(Path::new(&name(7)));
            for n in 0..9000 {
                let (is, was) = if n < 4000 { (key(n), key(n + 100_000)) } else { (key(n + 100_000), key(n)) };
                assert_eq!(known.holds(Path::new(&name(n)), &is), n != 7, "{n}");
                assert!(!known.holds(Path::new(&name(n)), &was), "{n}");
                assert_eq!(known.is_ignored(Path::new(&name(n))), n == 7);
            }
            assert!(!known.holds(Path::new(&name(9000)), &key(9000)));
            known.insert(Path::new(&name(7)), &key(7));
            assert!(known.holds(Path::new(&name(7)), &key(7)) && !known.is_ignored(Path::new(&name(7))));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left to find");
    }

    /// Bytes for a hundred thousand files, all of which are still known.
    fn memory_of(mut known: KnownFiles) -> usize {
        for n in 0..100_000 {
            known.insert(Path::new(&name(n)), &key(n));
        }
        // A pair or none has one number for two paths.
        let held = (0..100_000).filter(|n| known.holds(Path::new(&name(*n)), &key(*n))).count();
        assert!(held >= 99_998, "{held}");
        assert!(known.fresh.capacity() < 2 * FRESH + 1);
        known.sorted.memory()
    }

    #[test]
    fn a_hundred_thousand_files_take_eight_bytes_each_and_next_to_none_where_they_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        assert!(memory_of(KnownFiles::default()) <= 800_000);
        assert!(memory_of(KnownFiles::default().kept_in(folder.path().into())) <= 800_000 / 500);
    }
}
