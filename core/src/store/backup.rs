//! A consistent copy of a dataset, made while an engine writes it.
//!
//! The database is copied as one snapshot, then the files that its rows name. An image that was inspected again in between
//! has newer files than rows: it is found by its inspection's number, asked for after its files were copied, and the next
//! round takes a newer snapshot and that image once more. The copy is under a temporary name until it is whole.
//! Called by `ferrule backup`.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, OptionalExtension, backup};

use super::{Reader, StoreError};
use crate::{
    names,
    workspace::{DatasetPaths, Workspace},
};

/// Rounds after which an engine that inspects the same images over and over is told to be too busy.
const ROUNDS: usize = 20;
/// Images whose files are copied before their rows are asked for again.
const PAGE: usize = 200;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is there already; name a folder that is not", names::display(path))]
    Exists { path: PathBuf },
    #[error("{} is not there; make it, or mount the disk that it lies on", names::display(path))]
    NoParent { path: PathBuf },
    #[error("{}: {source}; the copy needs room and a folder that can be written", names::display(path))]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {source}; `ferrule verify` says more", names::display(path))]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the same images are inspected again and again; pause the engine (P in the workbench) and try again")]
    Busy,
    #[error("ended before the copy was whole; nothing is left of it")]
    Interrupted,
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Saved {
    pub images: u64,
    pub files: u64,
    pub bytes: u64,
}

/// Copies a dataset to `to/dataset`, and what makes it a workspace beside it: settings and models. `told` hears how many
/// images of how many are copied, and says whether to go on.
///
/// # Errors
/// `to` is there already, the disk, a file that a row names and that is not there.
pub fn backup(
    paths: &DatasetPaths,
    workspace: Option<&Workspace>,
    to: &Path,
    told: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Saved, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists { path: to.to_owned() });
    }
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = to.with_file_name(name);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Io { path, source }
    };
    if part.exists() {
        fs::remove_dir_all(&part).map_err(io(&part))?;
    }
    // That folder alone: with those above it a copy for a disk that is not mounted would fill another one.
    fs::create_dir(&part).map_err(|source| match (source.kind(), part.parent()) {
        (io::ErrorKind::NotFound, Some(parent)) => BackupError::NoParent { path: parent.to_owned() },
        _ => io(&part)(source),
    })?;
    let copied = Copier::new(paths, DatasetPaths::at(part.join("dataset")))
        .and_then(|mut copier| copier.run(told))
        .and_then(|mut saved| {
            if let Some(workspace) = workspace {
                beside(workspace, &part, &mut saved)?;
            }
            Ok(saved)
        })
        .and_then(|saved| {
            // One sync for all: a copy that is told must survive a power loss.
            File::open(&part).and_then(|folder| Ok(rustix::fs::syncfs(folder)?)).map_err(io(&part))?;
            fs::rename(&part, to).map_err(io(to))?;
            Ok(saved)
        });
    if copied.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    copied
}

/// One copy under way.
struct Copier<'a> {
    from: &'a DatasetPaths,
    to: DatasetPaths,
    reader: Reader,
    /// The inspection whose files were copied, by image.
    copied: HashMap<String, i64>,
    saved: Saved,
}

/// An image's row in the snapshot.
struct Copied {
    image: String,
    filename: String,
    inspection: i64,
    /// Its picture was tidied away.
    gone: bool,
}

impl<'a> Copier<'a> {
    fn new(from: &'a DatasetPaths, to: DatasetPaths) -> Result<Self, BackupError> {
        let reader = Reader::open(from)?;
        for folder in [to.root().to_owned(), to.images(), to.masks(), to.defects()] {
            fs::create_dir_all(&folder).map_err(|source| BackupError::Io { path: folder, source })?;
        }
        Ok(Self { from, to, reader, copied: HashMap::new(), saved: Saved::default() })
    }

    fn run(&mut self, told: &mut dyn FnMut(u64, u64) -> bool) -> Result<Saved, BackupError> {
        for _ in 0..ROUNDS {
            let snapshot = self.snapshot()?;
            if self.files(&snapshot, told)? {
                return Ok(self.saved);
            }
        }
        Err(BackupError::Busy)
    }

    /// The database as it is now.
    fn snapshot(&self) -> Result<Connection, BackupError> {
        let path = self.to.database();
        for leftover in [path.clone(), path.with_extension("sqlite-wal"), path.with_extension("sqlite-shm")] {
            if leftover.exists() {
                fs::remove_file(&leftover).map_err(|source| BackupError::Io { path: leftover, source })?;
            }
        }
        let mut copy = Connection::open(&path)?;
        // In one step: in several, every commit of the engine would begin it anew.
        backup::Backup::new(self.reader.connection(), &mut copy)?.step(-1)?;
        // Nobody writes the copy: without a log it is one file.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        drop(copy);
        Ok(Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
    }

    /// Copies what the snapshot names and is not copied yet. True when everything that it names is as it says.
    fn files(&mut self, snapshot: &Connection, told: &mut dyn FnMut(u64, u64) -> bool) -> Result<bool, BackupError> {
        let count: i64 = snapshot.query_row("SELECT count(*) FROM images", [], |row| row.get(0))?;
        // A dataset of an older version is copied as it is; it has no pictures that were tidied away.
        let knows = "SELECT EXISTS (SELECT 1 FROM pragma_table_info('images') WHERE name = 'gone')";
        let gone = if snapshot.query_row(knows, [], |row| row.get(0))? { "gone" } else { "0" };
        let mut page = snapshot.prepare(&format!(
            "SELECT image_id, filename, inspection_id, {gone} FROM images WHERE image_id > ?1 ORDER BY image_id LIMIT ?2"
        ))?;
        let (mut after, mut whole, mut done) = (String::new(), true, 0);
        loop {
            let rows: Vec<Copied> = page
                .query_map((&after, PAGE as i64), |row| {
                    Ok(Copied { image: row.get(0)?, filename: row.get(1)?, inspection: row.get(2)?, gone: row.get(3)? })
                })?
                .collect::<Result<_, _>>()?;
            let Some(last) = rows.last() else { break };
            after.clone_from(&last.image);
            done += rows.len() as u64;
            for row in &rows {
                let known = self.copied.get(&row.image) == Some(&row.inspection);
                whole &= known || self.image(snapshot, row)?;
            }
            if !told(done, count.unsigned_abs()) {
                return Err(BackupError::Interrupted);
            }
        }
        self.saved.images = done;
        Ok(whole)
    }

    /// One image's files. False where it has been inspected again since the snapshot.
    fn image(&mut self, snapshot: &Connection, row: &Copied) -> Result<bool, BackupError> {
        let picture = (self.from.images().join(&row.filename), self.to.images().join(&row.filename));
        let mut files = if row.gone { Vec::new() } else { vec![picture] };
        let mut artefacts = snapshot.prepare_cached("SELECT folder, name FROM artefacts WHERE image_id = ?1")?;
        let mut names = artefacts.query([&row.image])?;
        while let Some(found) = names.next()? {
            let (folder, name): (String, String) = (found.get(0)?, found.get(1)?);
            files.push((self.from.root().join(&folder).join(&name), self.to.root().join(&folder).join(&name)));
        }
        let mut outcome = Ok(());
        for (from, to) in &files {
            outcome = copy(from, to).map(|bytes| {
                self.saved.files += 1;
                self.saved.bytes += bytes;
            });
            if outcome.is_err() {
                break;
            }
        }
        let now: Option<i64> = self
            .reader
            .connection()
            .prepare_cached("SELECT inspection_id FROM images WHERE image_id = ?1")?
            .query_row([&row.image], |found| found.get(0))
            .optional()?;
        if now != Some(row.inspection) {
            return Ok(false);
        }
        // Nothing was exchanged under it: what could not be copied is not there.
        outcome?;
        self.copied.insert(row.image.clone(), row.inspection);
        Ok(true)
    }
}

/// Settings and models.
fn beside(workspace: &Workspace, part: &Path, saved: &mut Saved) -> Result<(), BackupError> {
    let mut files = vec![workspace.configuration()];
    let models = workspace.root().join("models");
    if let Ok(entries) = fs::read_dir(&models) {
        files.extend(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()));
    }
    for file in files.into_iter().filter(|file| file.is_file()) {
        let to = part.join(file.strip_prefix(workspace.root()).unwrap_or(&file));
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(|source| BackupError::Io { path: folder.to_owned(), source })?;
        }
        saved.bytes += copy(&file, &to)?;
        saved.files += 1;
    }
    Ok(())
}

/// Copies one file, as a reflink where the file system has them. A link to a picture becomes the picture.
fn copy(from: &Path, to: &Path) -> Result<u64, BackupError> {
    let read = |source| BackupError::Read { path: from.to_owned(), source };
    let written = |source| BackupError::Io { path: to.to_owned(), source };
    let mut original = File::open(from).map_err(read)?;
    let length = original.metadata().map_err(read)?.len();
    let mut copy = File::create(to).map_err(written)?;
    if rustix::fs::ioctl_ficlone(&copy, &original).is_ok() {
        return Ok(length);
    }
    io::copy(&mut original, &mut copy).map_err(written)
}
