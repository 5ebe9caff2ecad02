//! References for `detect-anomaly`: built from captures that a person calls clean, and read back to be shown.
//!
//! Pictures are inspected by the usual workers; their outlines and the picture itself, decoded here only after a worker
//! has decoded the same bytes without harm, are laid on one grid and learnt from (`ferrule_vision::reference`). Called by
//! `ferrule reference`; never by the engine.

mod build;
mod origin;
mod select;

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

pub use build::{Build, Built, Listener, build};
pub use ferrule_vision::reference::{Model, file::VERSION};
use ferrule_vision::reference::{
    file::{FileError, MOST_BYTES, decode, encode},
    learn::FEWEST,
};
pub use origin::{LeftOut, Origin, Used};

use crate::inspect::InspectError;

/// Why there is no reference.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error("no usable picture among {left_out} ({first})")]
    NoPicture { left_out: u64, first: String },
    #[error("there are no pictures in what was given")]
    Nothing,
    #[error(
        "only {usable} of {found} pictures are usable, a reference takes at least {FEWEST}; add clean captures of the \
         same kind"
    )]
    TooFew { usable: usize, found: usize },
    #[error("pictures of different fibres: {one} and {other}; build one reference for each kind")]
    Mixed { one: String, other: String },
    #[error("interrupted before the last picture; nothing was written")]
    Interrupted,
    #[error("{}: cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: FileError },
    #[error("{}: it does not say what it was built from: {reason}; build it again", path.display())]
    Words { path: PathBuf, reason: String },
}

/// Writes a reference beside its place and then into it, so that nobody reads half of one.
///
/// # Errors
/// What the file system says.
pub fn write(path: &Path, model: &Model, origin: &Origin) -> Result<(), ReferenceError> {
    let failed = |source: io::Error| ReferenceError::Write { path: path.to_owned(), source };
    let words = serde_json::to_string(origin).map_err(|error| failed(error.into()))?;
    let bytes = encode(model, &words).ok_or_else(|| failed(io::Error::other("its words are too long")))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".reference-").tempfile_in(folder).map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    // Temporary files are their owner's alone; a reference is for whoever may read the settings.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(readable).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A reference, and what it was built from.
///
/// # Errors
/// A file that cannot be read, or is no reference of this version.
pub fn read(path: &Path) -> Result<(Model, Origin), ReferenceError> {
    let unreadable = |source: io::Error| ReferenceError::Unreadable { path: path.to_owned(), source };
    // Before opening: that of a pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let (model, words) = decode(&bytes).map_err(|source| ReferenceError::File { path: path.to_owned(), source })?;
    let origin = Origin::read(words)
        .map_err(|error| ReferenceError::Words { path: path.to_owned(), reason: error.to_string() })?;
    Ok((model, origin))
}

#[cfg(test)]
mod tests;
