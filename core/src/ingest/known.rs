//! The captures of a source that the store already has, so that a restart over 500,000 files hashes none of them again.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use super::FileKey;

/// In the place of a key's hash.
const IGNORED: u64 = 0;

/// Path and key of every known file, as two 64-bit hashes: about 20 bytes a file whatever the length of its name.
///
/// Two paths with one hash would be told to the store again and again, which knows them; among a million files that is a
/// chance of 1 in 30 million.
#[derive(Debug, Clone, Default)]
pub struct KnownFiles {
    files: HashMap<u64, u64>,
}

impl KnownFiles {
    /// Takes note of a file.
    pub fn insert(&mut self, path: &Path, key: &FileKey) {
        self.files.insert(hash(path), hash(key));
    }

    /// Is this very version of the file known?
    #[must_use]
    pub fn holds(&self, path: &Path, key: &FileKey) -> bool {
        self.files.get(&hash(path)) == Some(&hash(key))
    }

    /// A file that is no capture, whatever becomes of it: a log that grows is one row, not a thousand.
    pub fn ignore(&mut self, path: &Path) {
        self.files.insert(hash(path), IGNORED);
    }

    #[must_use]
    pub fn is_ignored(&self, path: &Path) -> bool {
        self.files.get(&hash(path)) == Some(&IGNORED)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// Fixed keys: the values never leave the process, and an adversary who can name files gains nothing but a slow scan.
fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
