//! Files of a result: the picture into `images/`, what a worker left in staging into `masks/` and `defects/`.
//!
//! A file is written or taken under a temporary name, synced, renamed into place, and its folder synced; syncs of one batch
//! go together. Staging is filled by workers, which are not trusted: only plain names, only regular files.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read, Write as _},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
};

use rustix::{fs::OFlags, io::Errno};

use super::{StoreError, filesystem::is_scarcity, writer::Fault};
use crate::{
    ids::ImageId,
    ingest::FileKey,
    report::Failure,
    settings::ImageLinks,
    worker::messages::{ArtefactFolder, StagedFile},
    workspace::DatasetPaths,
};

/// Bytes copied and hashed at a time: few enough that the allocator keeps them, or each copy would fault in new pages.
const CHUNK: usize = 64 << 10;

/// Files synced at the same time.
const SYNCS: usize = 16;

/// Where the store makes its own files before they are renamed into place.
const OWN_STAGING: &str = "store";

/// Puts files into the dataset's folders.
#[derive(Debug)]
pub(super) struct Publisher {
    paths: DatasetPaths,
    links: ImageLinks,
    staging: PathBuf,
}

/// Files of one result on their way: made, not yet in place.
#[derive(Debug, Default)]
pub(super) struct Placement {
    moves: Vec<Move>,
    /// Of the former result, without a successor.
    stale: Vec<PathBuf>,
    /// What a worker left in staging and nobody takes.
    left: Vec<PathBuf>,
}

#[derive(Debug)]
struct Move {
    from: PathBuf,
    to: PathBuf,
    /// `None` for a symlink, and for a file that an earlier attempt moved.
    file: Option<File>,
    moved: bool,
}

/// Why a file did not come.
#[derive(Debug)]
pub(super) enum PublishError {
    /// It is the capture's fault.
    Capture(Failure),
    /// The dataset's disk does not take it.
    Disk(Fault),
}

impl Publisher {
    pub(super) fn new(paths: &DatasetPaths, links: ImageLinks) -> Result<Self, StoreError> {
        let staging = paths.staging().join(OWN_STAGING);
        fs::create_dir_all(&staging).map_err(|source| StoreError::Folder { path: staging.clone(), source })?;
        Ok(Self { paths: paths.clone(), links, staging })
    }

    pub(super) fn paths(&self) -> &DatasetPaths {
        &self.paths
    }

    /// Makes the dataset's own copy (or link) of the capture's file, which must still hold what was inspected.
    pub(super) fn picture(
        &self,
        placement: &mut Placement,
        source: &Path,
        key: &FileKey,
        image: ImageId,
        filename: &str,
    ) -> Result<(), PublishError> {
        let from = self.staging.join(image.to_string());
        let file = match self.links {
            ImageLinks::Copy => Some(copy(source, &from, image)?),
            ImageLinks::Hardlink => hard_link(source, &from, key, image)?,
            ImageLinks::Symlink => {
                clear(&from)?;
                std::os::unix::fs::symlink(source, &from).map_err(disk(&from))?;
                unchanged(source, key)?;
                None
            }
        };
        placement.moves.push(Move { from, to: self.paths.images().join(filename), file, moved: false });
        Ok(())
    }

    /// Takes the worker's files out of staging. `again` says that an earlier attempt may have moved some of them.
    pub(super) fn artefacts(
        &self,
        placement: &mut Placement,
        staging: &Path,
        files: &[StagedFile],
        image: ImageId,
        again: bool,
    ) -> Result<(), PublishError> {
        let staging = self.workers_folder(staging)?;
        if !fs::symlink_metadata(&staging).is_ok_and(|metadata| metadata.is_dir()) && !files.is_empty() && !again {
            return Err(refused(format!("the worker's folder {} is gone", staging.display())));
        }
        for staged in files {
            let name = plain_name(&staged.name, image)?;
            let (from, to) = (staging.join(name), self.folder(staged.folder).join(name));
            let moved = again && !from.exists() && to.is_file();
            let file = if moved { None } else { Some(open_staged(&from)?) };
            placement.moves.push(Move { from, to, file, moved });
        }
        Ok(())
    }

    /// Files of a former result that the new one does not replace.
    pub(super) fn stale(&self, placement: &mut Placement, folder: ArtefactFolder, name: &str) {
        placement.stale.push(self.folder(folder).join(name));
    }

    /// Is the picture of that name in place?
    pub(super) fn has_picture(&self, filename: &str) -> bool {
        self.paths.images().join(filename).is_file()
    }

    /// Removes these once all is committed: their result is not wanted.
    pub(super) fn leave_in_staging(&self, placement: &mut Placement, staging: Option<&Path>, files: &[StagedFile]) {
        let Some(folder) = staging.and_then(|folder| self.workers_folder(folder).ok()) else { return };
        let plain = files.iter().filter(|file| Path::new(&file.name).file_name() == Some(file.name.as_ref()));
        placement.left.extend(plain.map(|file| folder.join(&file.name)));
    }

    /// Syncs all files, renames them into place, and syncs the folders.
    pub(super) fn place(&self, placements: &[Placement]) -> Result<(), Fault> {
        let moves = || placements.iter().flat_map(|placement| &placement.moves).filter(|step| !step.moved);
        let files: Vec<_> = moves().filter_map(|step| Some((step.from.as_path(), step.file.as_ref()?))).collect();
        sync(&files)?;
        let mut folders = BTreeSet::new();
        for step in moves() {
            fs::rename(&step.from, &step.to).map_err(|error| trouble(&step.to, &error))?;
            check_moved(step)?;
            folders.extend(step.to.parent());
        }
        let open = |folder| File::open(folder).map(|open| (folder, open)).map_err(|error| trouble(folder, &error));
        let folders: Vec<(&Path, File)> = folders.into_iter().map(open).collect::<Result<_, _>>()?;
        sync(&folders.iter().map(|(folder, open)| (*folder, open)).collect::<Vec<_>>())
    }

    /// After the commit: removes what nothing refers to any more. What cannot be removed is for `ferrule verify`.
    pub(super) fn tidy(&self, placements: &[Placement]) {
        for placement in placements {
            for path in &placement.stale {
                if let Err(error) = fs::remove_file(path) {
                    tracing::debug!(path = %path.display(), %error, "a stale artefact stays");
                }
            }
            for path in &placement.left {
                if let Err(error) = fs::remove_file(path) {
                    tracing::debug!(path = %path.display(), %error, "a file stays in staging");
                }
            }
        }
    }

    fn folder(&self, folder: ArtefactFolder) -> PathBuf {
        match folder {
            ArtefactFolder::Masks => self.paths.masks(),
            ArtefactFolder::Defects => self.paths.defects(),
        }
    }

    /// A worker's folder lies inside staging and nowhere else.
    fn workers_folder(&self, folder: &Path) -> Result<PathBuf, PublishError> {
        let inside = folder.strip_prefix(self.paths.staging()).is_ok_and(|rest| {
            rest.components().next().is_some()
                && rest.components().all(|part| matches!(part, std::path::Component::Normal(_)))
        });
        if inside { Ok(folder.to_owned()) } else { Err(refused(format!("{} is not in staging", folder.display()))) }
    }
}

/// Syncs all of them at once. One after the other each would wait for a commit of the file system and a flush of its own;
/// together they share them: on ext4 and a busy machine six took a fifth to a tenth of the time, sixty a fortieth.
fn sync(files: &[(&Path, &File)]) -> Result<(), Fault> {
    let threads = files.len().min(SYNCS);
    let every =
        |first: usize| files.iter().skip(first).step_by(threads).try_for_each(|(path, file)| sync_one(path, file));
    thread::scope(|scope| {
        let every = &every;
        let others: Vec<_> = (1..threads)
            .map(|first| (first, thread::Builder::new().name("sync".into()).spawn_scoped(scope, move || every(first))))
            .collect();
        let mut ended = if threads > 0 { every(0) } else { Ok(()) };
        for (first, other) in others {
            // Without a thread to be had it is done here.
            let synced = match other.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(synced)) => synced,
                Ok(Err(_)) | Err(_) => every(first),
            };
            ended = ended.and(synced);
        }
        ended
    })
}

fn sync_one(path: &Path, file: &File) -> Result<(), Fault> {
    file.sync_all().map_err(|error| trouble(path, &error))
}

/// The folder's name in the database.
pub(super) fn folder_name(folder: ArtefactFolder) -> &'static str {
    match folder {
        ArtefactFolder::Masks => "masks",
        ArtefactFolder::Defects => "defects",
    }
}

/// `<image_id>_<word>.<extension>`, nothing else: the name becomes part of a path.
fn plain_name(name: &str, image: ImageId) -> Result<&str, PublishError> {
    let sound = name.strip_prefix(&format!("{image}_")).is_some_and(|rest| {
        !rest.is_empty()
            && name.len() <= 128
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    });
    if sound { Ok(name) } else { Err(refused(format!("the worker named a file {name:?}"))) }
}

fn open_staged(path: &Path) -> Result<File, PublishError> {
    let file = open_regular(path).map_err(|error| {
        let told =
            |transient| Failure { transient, ..refusal(format!("the worker's file {}: {error}", path.display())) };
        match error.kind() {
            _ if is_scarcity(&error) => disk(path)(error),
            // A result of the same picture that was not wanted may have been removed just now, and this one's files with it.
            io::ErrorKind::NotFound => PublishError::Capture(told(true)),
            _ => PublishError::Capture(told(false)),
        }
    })?;
    // A second name would let whoever holds it change the file later.
    match file.metadata() {
        Ok(metadata) if metadata.nlink() == 1 => Ok(file),
        Ok(_) => Err(refused(format!("the worker's file {} has a second name", path.display()))),
        Err(error) => Err(refused(format!("the worker's file {}: {error}", path.display()))),
    }
}

/// Opens a file for reading that is one: not a symlink, not a FIFO (which would wait), not a device.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// What was opened and synced is what was renamed.
fn check_moved(step: &Move) -> Result<(), Fault> {
    let Some(file) = &step.file else { return Ok(()) };
    let (opened, placed) = (
        file.metadata().map_err(|error| trouble(&step.to, &error))?,
        fs::symlink_metadata(&step.to).map_err(|error| trouble(&step.to, &error))?,
    );
    if (opened.dev(), opened.ino()) == (placed.dev(), placed.ino()) {
        return Ok(());
    }
    let _ = fs::remove_file(&step.to);
    Err(Fault::Refused(format!("{} was exchanged while it was published", step.from.display())))
}

/// Copies the file, as a reflink where the file system has them, and proves that the copy is what was inspected.
fn copy(source: &Path, to: &Path, image: ImageId) -> Result<File, PublishError> {
    let mut original = open_regular(source).map_err(|error| unread(source, &error))?;
    clear(to)?;
    let mut copy =
        fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).open(to).map_err(disk(to))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; CHUNK];
    let cloned = rustix::fs::ioctl_ficlone(&copy, &original).is_ok();
    loop {
        let from = if cloned { &mut copy } else { &mut original };
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unread(source, &error)),
        };
        hasher.update(&buffer[..length]);
        if !cloned {
            copy.write_all(&buffer[..length]).map_err(disk(to))?;
        }
    }
    if ImageId::from_hash(&hasher.finalize()) == image {
        Ok(copy)
    } else {
        let _ = fs::remove_file(to);
        Err(changed(source))
    }
}

/// Links the file, or copies it where it cannot be linked.
fn hard_link(source: &Path, to: &Path, key: &FileKey, image: ImageId) -> Result<Option<File>, PublishError> {
    clear(to)?;
    match fs::hard_link(source, to) {
        Ok(()) => {
            let same = unchanged(to, key);
            if same.is_err() {
                let _ = fs::remove_file(to);
            }
            same.map(Some)
        }
        Err(error)
            if matches!(
                Errno::from_io_error(&error),
                Some(Errno::XDEV | Errno::PERM | Errno::MLINK | Errno::OPNOTSUPP)
            ) =>
        {
            copy(source, to, image).map(Some)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(unread(source, &error)),
        Err(error) => Err(disk(to)(error)),
    }
}

/// The file, if it still is the version that was seen.
fn unchanged(path: &Path, key: &FileKey) -> Result<File, PublishError> {
    let file = open_regular(path).map_err(|error| unread(path, &error))?;
    let metadata = file.metadata().map_err(|error| unread(path, &error))?;
    if FileKey::of(&metadata) == *key { Ok(file) } else { Err(changed(path)) }
}

fn clear(path: &Path) -> Result<(), PublishError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(path)(error)),
        _ => Ok(()),
    }
}

fn refused(message: String) -> PublishError {
    PublishError::Capture(refusal(message))
}

fn refusal(message: String) -> Failure {
    Failure { stage: "artefacts".into(), plugin: None, message, transient: false }
}

fn unread(path: &Path, error: &io::Error) -> PublishError {
    if is_scarcity(error) {
        return PublishError::Disk(trouble(path, error));
    }
    let message = format!("the file {} could not be copied into the dataset: {error}", path.display());
    PublishError::Capture(Failure { stage: "copy".into(), plugin: None, message, transient: true })
}

fn changed(path: &Path) -> PublishError {
    let message = format!("the file {} changed after it was inspected", path.display());
    PublishError::Capture(Failure { stage: "copy".into(), plugin: None, message, transient: true })
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> PublishError + '_ {
    move |error| PublishError::Disk(trouble(path, &error))
}

pub(super) fn trouble(path: &Path, error: &io::Error) -> Fault {
    let hint = match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT) => "make room on the disk that holds the dataset",
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
            "the engine has no more descriptors or memory: raise its limits (ulimit -n)"
        }
        Some(Errno::ROFS | Errno::ACCESS | Errno::PERM) => "make the dataset folder writable again",
        _ => "check the disk that holds the dataset: has it room and quota, is it writable",
    };
    Fault::Trouble { message: format!("{} cannot be written: {error}", path.display()), hint: hint.into() }
}
