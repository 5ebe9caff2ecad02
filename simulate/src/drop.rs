//! Puts one file into a directory the way a microscope does: under a temporary name, in pieces, then renamed. A picture's
//! name is therefore only ever seen on a complete file.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// Ending of the temporary name; watchers of a directory leave such files alone.
const TEMPORARY: &str = ".part";

/// Pieces of a slow write.
const PIECES: usize = 8;

/// Writes `bytes` as `folder/name`, spread over `pace` if given. `hurry` ends the pauses, not the write.
///
/// # Errors
/// The path at fault and the system's reason; the temporary file is gone then.
pub(super) fn drop_file(
    folder: &Path,
    name: &str,
    bytes: &[u8],
    pace: Option<Duration>,
    hurry: &AtomicBool,
) -> Result<(), (PathBuf, io::Error)> {
    let target = folder.join(name);
    let temporary = folder.join(format!("{name}{TEMPORARY}"));
    let written = create(&temporary).and_then(|mut file| {
        match pace {
            None => file.write_all(bytes)?,
            Some(pace) => {
                for piece in bytes.chunks(bytes.len().div_ceil(PIECES).max(1)) {
                    file.write_all(piece)?;
                    if !hurry.load(Ordering::Relaxed) {
                        thread::sleep(pace / PIECES as u32);
                    }
                }
            }
        }
        Ok(())
    });
    let renamed = written.and_then(|()| fs::rename(&temporary, &target));
    renamed.map_err(|error| {
        // Best effort: the error that matters is the one being reported.
        let _ = fs::remove_file(&temporary);
        (target, error)
    })
}

/// A new file. What lies there from an interrupted run is removed first, never followed: it might be a link that leads
/// out of the folder.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).open(path)
}
