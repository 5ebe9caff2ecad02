//! The captures of a source that the store already has, so that a restart over 500,000 files hashes none of them again.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use super::FileKey;

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
pub struct KnownFile(u64);

impl KnownFile {
    #[must_use]
    pub fn of(path: &Path, key: &FileKey) -> Self {
        Self::with(path, (hash(key) >> (u64::BITS - VERSION_BITS)).max(IGNORED + 1))
    }

    fn with(path: &Path, version: u64) -> Self {
        Self(hash(path) >> VERSION_BITS << VERSION_BITS | version)
    }

    fn path(self) -> u64 {
        self.0 >> VERSION_BITS
    }
}

/// Every known file in eight bytes, whatever the length of its name.
#[derive(Debug, Clone, Default)]
pub struct KnownFiles {
    /// In order, one for each path, and no room for more.
    sorted: Vec<KnownFile>,
    /// Those that came since, by path. They win.
    fresh: HashMap<u64, KnownFile>,
}

impl KnownFiles {
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

    #[must_use]
    pub fn len(&self) -> usize {
        let replaced = self.fresh.values().filter(|file| self.place(**file).is_ok()).count();
        self.sorted.len() + self.fresh.len() - replaced
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty() && self.fresh.is_empty()
    }

    fn has(&self, file: KnownFile) -> bool {
        match self.fresh.get(&file.path()) {
            Some(fresh) => *fresh == file,
            None => self.place(file).is_ok_and(|place| self.sorted[place] == file),
        }
    }

    /// Where the file's path is, or would be.
    fn place(&self, file: KnownFile) -> Result<usize, usize> {
        self.sorted.binary_search_by_key(&file.path(), |known| known.path())
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
        let mut sorted = Vec::with_capacity(self.sorted.len() + fresh.len());
        let mut before = self.sorted.iter().copied().peekable();
        for file in fresh {
            sorted.extend(std::iter::from_fn(|| before.next_if(|known| known.path() < file.path())));
            before.next_if(|known| known.path() == file.path());
            sorted.push(file);
        }
        sorted.extend(before);
        self.sorted = sorted;
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
        Self { sorted, fresh: HashMap::new() }
    }
}

/// Fixed keys: the values never leave the process, and an adversary who can name files gains nothing but a slow scan.
fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> FileKey {
        FileKey { dev: 1, inode: n, size: 1000, mtime_ns: 5 }
    }

    fn name(n: u64) -> String {
        format!("/captures/{n}.png")
    }

    #[test]
    fn the_last_version_of_a_file_is_the_one_that_is_known() {
        let mut known: KnownFiles = (0..5000).map(|n| KnownFile::of(Path::new(&name(n)), &key(n))).collect();
        // Over some that were there and some that were not, and so often that they are sorted in.
        for n in 4000..9000 {
            known.insert(Path::new(&name(n)), &key(n + 100_000));
        }
        known.ignore(Path::new(&name(7)));
        assert_eq!(known.len(), 9000);
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

    #[test]
    fn a_hundred_thousand_files_take_eight_bytes_each() {
        let mut known = KnownFiles::default();
        for n in 0..100_000 {
            known.insert(Path::new(&name(n)), &key(n));
        }
        assert!(known.sorted.capacity() <= 100_000 && known.fresh.capacity() < 2 * FRESH + 1);
        assert_eq!(size_of::<KnownFile>(), 8);
        // A pair or none has one number for two paths.
        assert!(known.len() >= 99_998, "{}", known.len());
    }
}
