//! One engine a dataset: the lock beside `index.sqlite`. It also tells clients where the socket is; they look nowhere else.
//!
//! The kernel's lock on the open file says whether an engine lives, never the file's text: a lock left by a killed
//! engine heals itself.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
    process::{Pid, test_kill_process},
};
use serde::{Deserialize, Serialize};

use crate::workspace::{DatasetPaths, Workspace};

/// How long one waits for a lock that nobody alive holds: who looks has it for an instant, and so has what a killed engine
/// was just about to start.
const PASSING: Duration = Duration::from_secs(2);

/// What the lock file says of the engine that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    /// RFC 3339, UTC.
    pub started: String,
    /// Empty where nobody answers: a command, or an engine that begins.
    pub socket: PathBuf,
    pub software: String,
    /// A build, or another command that writes the dataset itself and ends.
    #[serde(default)]
    pub command: bool,
}

impl Holder {
    /// This process, as a command that writes the dataset itself and ends.
    #[must_use]
    pub fn of_command() -> Self {
        Self { command: true, ..Self::of_engine(jiff::Timestamp::now(), PathBuf::new()) }
    }

    /// This process, as an engine.
    #[must_use]
    pub fn of_engine(started: jiff::Timestamp, socket: PathBuf) -> Self {
        let software = crate::client::software();
        Self { pid: std::process::id(), started: started.to_string(), socket, software, command: false }
    }

    /// Whether there is a process of that number on this machine, whosever it is.
    fn is_alive(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
    }
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("an engine already runs for {dataset} (pid {pid}); `ferrule status` shows it, `ferrule stop` ends it")]
    Held { dataset: String, pid: String },
    #[error("another command (pid {pid}) writes {dataset}: wait for its end")]
    Building { dataset: String, pid: String },
    #[error("{path}: {source}; the dataset must be on a disk that you can write to")]
    Io { path: String, source: io::Error },
}

/// The lock, held until it is dropped or the process ends in any way.
#[derive(Debug)]
pub struct EngineLock {
    file: File,
    path: PathBuf,
}

impl EngineLock {
    /// Takes the lock of that dataset, and says in the file who has it now.
    ///
    /// # Errors
    /// Somebody else holds it, or the file cannot be made or written.
    pub fn take(paths: &DatasetPaths, holder: &Holder) -> Result<Self, LockError> {
        let path = paths.lock();
        let trouble = |source| LockError::Io { path: path.display().to_string(), source };
        let file = open(&path).map_err(trouble)?;
        let since = Instant::now();
        while !take_for_itself(&file).map_err(trouble)? {
            let holder = read(&path).ok().flatten();
            let alive = is_held(&file).map_err(trouble)? && holder.as_ref().is_some_and(Holder::is_alive);
            if alive || since.elapsed() > PASSING {
                return Err(refusal(paths, holder));
            }
            thread::sleep(Duration::from_millis(2));
        }
        let mut lock = Self { file, path };
        lock.announce(holder)?;
        Ok(lock)
    }

    /// Writes who holds it. In place, because the kernel's lock is on this very file.
    ///
    /// # Errors
    /// The disk.
    pub fn announce(&mut self, holder: &Holder) -> Result<(), LockError> {
        let text = serde_json::to_string(holder).unwrap_or_default();
        let mut write = || {
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())?;
            self.file.set_len(text.len() as u64)
        };
        write().map_err(|source| LockError::Io { path: self.path.display().to_string(), source })
    }
}

/// `false` where somebody has it, if only to look.
fn take_for_itself(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether somebody has it for themselves. Those who only look share it, so that they find nobody but its holder.
fn is_held(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            flock(file, FlockOperation::Unlock)?;
            Ok(false)
        }
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}

fn refusal(paths: &DatasetPaths, holder: Option<Holder>) -> LockError {
    let pid = holder.as_ref().map_or_else(|| "unknown".into(), |holder| holder.pid.to_string());
    let dataset = paths.root().display().to_string();
    if holder.is_some_and(|holder| holder.command) {
        LockError::Building { dataset, pid }
    } else {
        LockError::Held { dataset, pid }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// The engine or command that holds the dataset's lock right now, as it said itself.
///
/// # Errors
/// The lock file exists and cannot be read.
pub fn holder(paths: &DatasetPaths) -> io::Result<Option<Holder>> {
    let path = paths.lock();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Where nobody holds it, what it says is left from an engine that is gone.
    if is_held(&file)? { read(&path) } else { Ok(None) }
}

/// Leaves word in the workspace of the dataset that its engine holds. Whole or not at all: clients read it at any time.
///
/// # Errors
/// The disk.
pub fn record(workspace: &Workspace, dataset: &DatasetPaths) -> io::Result<()> {
    let path = workspace.dataset_in_force();
    let beside = path.with_extension("part");
    fs::write(&beside, dataset.root().as_os_str().as_bytes())?;
    fs::rename(beside, path)
}

/// Whether nothing is left of the dataset that the last engine of this workspace held, in its very place: a disk that is not
/// mounted. A folder within the workspace that is gone as a whole was removed by somebody who begins anew.
#[must_use]
pub fn is_gone(workspace: &Workspace, dataset: &DatasetPaths) -> bool {
    let last = fs::read(workspace.dataset_in_force());
    let missing = |path: &Path| fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    last.is_ok_and(|last| last == dataset.root().as_os_str().as_bytes())
        && missing(&dataset.database())
        && missing(&dataset.lock())
        && !(dataset.root().starts_with(workspace.root()) && missing(dataset.root()))
}

/// The dataset of the engine that runs for this workspace now, whatever its `ferrule.toml` says meanwhile. `None` where
/// none runs.
#[must_use]
pub fn running(workspace: &Workspace) -> Option<DatasetPaths> {
    let path = fs::read(workspace.dataset_in_force()).ok()?;
    let dataset = DatasetPaths::at(OsString::from_vec(path));
    holder(&dataset).ok()??;
    Some(dataset)
}

fn read(path: &Path) -> io::Result<Option<Holder>> {
    let mut text = String::new();
    File::open(path)?.read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text).ok())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn holder_of(pid: u32) -> Holder {
        Holder {
            pid,
            started: "2026-01-01T00:00:00Z".into(),
            socket: "/run/x.sock".into(),
            software: "ferrule 0".into(),
            command: false,
        }
    }

    #[test]
    fn a_second_engine_is_refused_and_told_who_holds_the_dataset() {
        let folder = tempfile::tempdir().unwrap();
        let paths = DatasetPaths::at(folder.path());
        let lock = EngineLock::take(&paths, &holder_of(1)).unwrap();
        let refusal = EngineLock::take(&paths, &holder_of(12)).unwrap_err().to_string();
        assert!(refusal.contains("pid 1)"), "{refusal}");
        assert_eq!(holder(&paths).unwrap(), Some(holder_of(1)));
        drop(lock);
        let _lock = EngineLock::take(&paths, &Holder::of_command()).unwrap();
        let refusal = EngineLock::take(&paths, &holder_of(12)).unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("another command (pid {})", std::process::id())), "{refusal}");
    }

    #[test]
    fn who_only_looks_keeps_no_engine_from_starting() {
        let folder = tempfile::tempdir().unwrap();
        let paths = DatasetPaths::at(folder.path());
        drop(EngineLock::take(&paths, &holder_of(std::process::id())).unwrap());
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let look = || {
                while !ended.load(Ordering::Relaxed) {
                    let _ = holder(&paths).unwrap();
                }
            };
            for _ in 0..2 {
                scope.spawn(look);
            }
            let take = |_| EngineLock::take(&paths, &holder_of(std::process::id())).err();
            let refusals: Vec<LockError> = (0..500).filter_map(take).collect();
            ended.store(true, Ordering::Relaxed);
            assert!(refusals.is_empty(), "{refusals:?}");
        });
    }

    #[test]
    fn a_lock_left_behind_heals_itself() {
        let folder = tempfile::tempdir().unwrap();
        let paths = DatasetPaths::at(folder.path());
        let lock = EngineLock::take(&paths, &holder_of(4711)).unwrap();
        drop(lock);
        assert_eq!(holder(&paths).unwrap(), None, "its text is still there, its holder is not");
        let _lock = EngineLock::take(&paths, &holder_of(12)).unwrap();
        assert_eq!(holder(&paths).unwrap(), Some(holder_of(12)));
    }

    #[test]
    fn a_workspace_finds_the_dataset_of_its_engine_while_that_runs() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(folder.path());
        let paths = DatasetPaths::at(folder.path().join("elsewhere"));
        for place in [workspace.private(), paths.root().to_owned()] {
            fs::create_dir(place).unwrap();
        }
        assert_eq!(running(&workspace), None);
        let lock = EngineLock::take(&paths, &holder_of(4711)).unwrap();
        record(&workspace, &paths).unwrap();
        assert_eq!(running(&workspace), Some(paths));
        drop(lock);
        assert_eq!(running(&workspace), None, "its word is left, its engine is gone");
    }
}
