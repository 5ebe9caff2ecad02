//! A source's folders, and which of them need to be listed again.

use std::{
    collections::HashMap,
    fs::{self, Metadata},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// A folder whose time lies closer to its listing may have changed again within one tick of the file system's clock.
/// FAT's ticks are two seconds long.
const TICK_NS: i64 = 3_000_000_000;

/// The folders as the last listing found them.
#[derive(Debug)]
pub(super) struct Tree {
    root: PathBuf,
    recursive: bool,
    folders: HashMap<PathBuf, Folder>,
    /// Counted up at each walk, to find folders that are gone.
    walk: u64,
}

#[derive(Debug)]
struct Folder {
    identity: (u64, u64),
    mtime_ns: i64,
    /// Nothing can have come since without a new time.
    trusted: bool,
    children: Vec<PathBuf>,
    walk: u64,
}

impl Tree {
    pub(super) fn new(root: PathBuf, recursive: bool) -> Self {
        Self { root, recursive, folders: HashMap::new(), walk: 0 }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The root's device and inode now; a directory that was removed and made again has another.
    pub(super) fn identity(&self) -> io::Result<(u64, u64)> {
        let metadata = fs::metadata(&self.root)?;
        if metadata.is_dir() { Ok(identity(&metadata)) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// Shows every file of the source; unless `full`, only those in folders whose time has moved.
    pub(super) fn walk(&mut self, full: bool, visit: &mut dyn FnMut(PathBuf, &Metadata)) -> io::Result<()> {
        self.walk += 1;
        let root = self.root.clone();
        // The root may be given as a symlink; nothing below it is followed.
        let metadata = fs::metadata(&root)?;
        self.enter(root, &metadata, full, visit)?;
        let walk = self.walk;
        self.folders.retain(|_, folder| folder.walk == walk);
        Ok(())
    }

    /// Shows every file in one folder below the root, which may be new.
    pub(super) fn walk_folder(
        &mut self,
        folder: PathBuf,
        metadata: &Metadata,
        visit: &mut dyn FnMut(PathBuf, &Metadata),
    ) {
        if self.recursive && !is_hidden(&folder) {
            // What cannot be listed now is listed by a later scan, or is gone.
            let _ = self.enter(folder, metadata, true, visit);
        }
    }

    fn enter(
        &mut self,
        top: PathBuf,
        metadata: &Metadata,
        full: bool,
        visit: &mut dyn FnMut(PathBuf, &Metadata),
    ) -> io::Result<()> {
        let mut next = self.list(top, metadata, full, visit)?;
        while let Some(folder) = next.pop() {
            let Ok(metadata) = fs::symlink_metadata(&folder) else { continue };
            if !metadata.is_dir() {
                continue;
            }
            match self.list(folder.clone(), &metadata, full, visit) {
                Ok(children) => next.extend(children),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(folder = %crate::names::display(&folder), %error, "a folder cannot be listed")
                }
            }
        }
        Ok(())
    }

    /// One folder's files go to `visit`, its subfolders come back.
    fn list(
        &mut self,
        path: PathBuf,
        metadata: &Metadata,
        full: bool,
        visit: &mut dyn FnMut(PathBuf, &Metadata),
    ) -> io::Result<Vec<PathBuf>> {
        let (identity, mtime_ns) = (identity(metadata), mtime_ns(metadata));
        if let Some(folder) = self.folders.get_mut(&path) {
            folder.walk = self.walk;
            if !full && folder.trusted && (folder.identity, folder.mtime_ns) == (identity, mtime_ns) {
                return Ok(folder.children.clone());
            }
        }
        let trusted = now_ns().is_some_and(|now| mtime_ns < now.saturating_sub(TICK_NS));
        let mut children = Vec::new();
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder {
                if self.recursive && !entry.file_name().as_bytes().starts_with(b".") {
                    children.push(entry.path());
                }
            } else if let Ok(metadata) = entry.metadata() {
                visit(entry.path(), &metadata);
            }
        }
        let folder = Folder { identity, mtime_ns, trusted, children: children.clone(), walk: self.walk };
        self.folders.insert(path, folder);
        Ok(children)
    }
}

fn is_hidden(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."))
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn mtime_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

fn now_ns() -> Option<i64> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_nanos()).ok())
}
