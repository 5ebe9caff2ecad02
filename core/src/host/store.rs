//! Private copies of plug-in libraries, named by their content: `<build hash>.so`, mode 0555; and of the files that their
//! parameters name, `<hash>.file`.
//!
//! What is loaded is never the installed file: overwriting or truncating a mapped file kills the process that maps it,
//! and the loader serves a path that it knows from its cache. A copy is whole, synced and read-only before it has its
//! name, and never changes after that. Previous builds stay, for going back. Called by [`super::catalogue`].

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::elf::{self, ElfError};
use crate::ids::BuildHash;

/// A folder of copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryStore {
    root: PathBuf,
}

/// Why a library has no copy.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Elf(#[from] ElfError),
    #[error("the library cannot be read: {0}")]
    Read(#[source] io::Error),
    #[error("the plug-in store {} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl LibraryStore {
    /// The store in this folder, made at the first copy.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where the copy of a build is, or would be.
    #[must_use]
    pub fn path(&self, build: &BuildHash) -> PathBuf {
        self.root.join(format!("{build}.so"))
    }

    /// Where what a probe said of a build is remembered.
    #[must_use]
    pub fn card_path(&self, build: &BuildHash) -> PathBuf {
        self.root.join(format!("{build}.json"))
    }

    /// Where it is written down which Python file, below the store, was that build.
    #[must_use]
    pub fn script_path(&self, build: &BuildHash) -> PathBuf {
        self.root.join(format!("{build}.py-file"))
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes a copy of the library at `path`, unless that build is already there.
    ///
    /// # Errors
    /// A file that is no whole library for this machine; a store that cannot be written.
    pub fn put_file(&self, path: &Path) -> Result<BuildHash, StoreError> {
        let bytes = fs::read(path).map_err(StoreError::Read)?;
        self.put(&bytes)
    }

    /// Takes a copy of these bytes, unless they are already there.
    ///
    /// # Errors
    /// As [`Self::put_file`].
    pub fn put(&self, bytes: &[u8]) -> Result<BuildHash, StoreError> {
        elf::check(bytes)?;
        let build = BuildHash::of(bytes);
        let path = self.path(&build);
        // A copy that a full disk or a power loss cut short has the wrong content under the right name.
        let whole = |there: Vec<u8>| BuildHash::of(&there) == build;
        if !fs::read(&path).is_ok_and(whole) {
            self.write(&path, bytes, 0o555)?;
        }
        Ok(build)
    }

    /// Takes a copy of a file that a parameter names, unless that content is already there; the content's hash, and where
    /// the copy lies.
    ///
    /// # Errors
    /// What is no regular file or cannot be read; a store that cannot be written.
    pub fn keep(&self, path: &Path) -> io::Result<(blake3::Hash, PathBuf)> {
        let hash = content(path)?;
        let copy = self.root.join(format!("{hash}.file"));
        let size = |path: &Path| fs::metadata(path).map(|found| found.len());
        if size(&copy).is_ok_and(|there| size(path).is_ok_and(|here| here == there)) {
            return Ok((hash, copy));
        }
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&self.root)?;
        let mut new = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.root)?;
        io::copy(&mut fs::File::open(path)?, &mut new)?;
        if content(new.path())? != hash {
            return Err(io::Error::other("it is being written; try again"));
        }
        new.as_file().set_permissions(fs::Permissions::from_mode(0o444))?;
        new.as_file().sync_all()?;
        new.persist(&copy)?;
        fs::File::open(&self.root)?.sync_all()?;
        Ok((hash, copy))
    }

    /// Writes a file of the store so that it is whole or not there at all.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), StoreError> {
        let write = || -> io::Result<()> {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(&self.root)?;
            let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.root)?;
            file.write_all(bytes)?;
            file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            fs::File::open(&self.root)?.sync_all()
        };
        write().map_err(|source| StoreError::Write { path: path.to_owned(), source })
    }
}

/// The hash of a regular file.
pub(super) fn content(path: &Path) -> io::Result<blake3::Hash> {
    // Before opening: that of a pipe would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(blake3::Hasher::new().update_reader(fs::File::open(path)?)?.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> Vec<u8> {
        fs::read("/proc/self/exe").unwrap()
    }

    #[test]
    fn a_copy_is_named_by_its_content_read_only_and_survives_the_original() {
        let folder = tempfile::tempdir().unwrap();
        let store = LibraryStore::at(folder.path().join("store"));
        let original = folder.path().join("lib.so");
        let bytes = library();
        fs::write(&original, &bytes).unwrap();
        let build = store.put_file(&original).unwrap();
        fs::write(&original, "overwritten").unwrap();
        let copy = store.path(&build);
        assert_eq!(BuildHash::of(&fs::read(&copy).unwrap()), build);
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o555);
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        let before = inode(&copy);
        assert_eq!(store.put(&bytes).unwrap(), build);
        assert_eq!(inode(&copy), before, "a build that is there is not written again");
    }

    #[test]
    fn a_damaged_copy_is_made_again_and_nothing_half_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = LibraryStore::at(folder.path());
        let bytes = library();
        let build = store.put(&bytes).unwrap();
        fs::remove_file(store.path(&build)).unwrap();
        fs::write(store.path(&build), &bytes[..1000]).unwrap();
        store.put(&bytes).unwrap();
        assert_eq!(fs::read(store.path(&build)).unwrap().len(), bytes.len());
        assert!(matches!(store.put(&bytes[..bytes.len() - 1]), Err(StoreError::Elf(ElfError::Incomplete { .. }))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
