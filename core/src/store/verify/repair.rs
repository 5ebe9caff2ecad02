//! Mends what [`super::verify`] found: nothing is deleted. Broken files and those without a row go to `orphans/`, images
//! whose files are missing or broken go back into the queue, kept counts are counted again.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::Problem;
use crate::{
    ids::ImageId,
    names,
    settings::ImageLinks,
    store::{Alone, AloneError, Receipt, Requeue, StoreError, Write, connect},
    workspace::DatasetPaths,
};

/// Why nothing, or not all, was mended.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    #[error(transparent)]
    Alone(#[from] AloneError),
    #[error("{}: {source}; it could not be moved to {}", names::display(file), names::display(to))]
    Move { file: PathBuf, to: PathBuf, source: io::Error },
}

/// What was mended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Images that are inspected again.
    pub queued: u64,
    /// Files that were moved to `orphans/`.
    pub moved: u64,
    pub counted: bool,
    /// Problems that only a backup mends.
    pub left: u64,
}

/// Mends what can be. The dataset must be nobody else's meanwhile.
///
/// # Errors
/// An engine or another command has the dataset; the disk.
pub fn repair(paths: &DatasetPaths, images: ImageLinks, problems: &[Problem]) -> Result<Repaired, RepairError> {
    let alone = Alone::take(paths)?;
    let mut repaired = Repaired::default();
    let mut again: BTreeSet<ImageId> = BTreeSet::new();
    for problem in problems {
        match problem {
            Problem::Broken { image, file, .. } => {
                set_aside(paths, file)?;
                repaired.moved += 1;
                again.insert(*image);
            }
            Problem::Missing { image, .. } | Problem::NoResult { image } => {
                again.insert(*image);
            }
            Problem::Orphan { file } => {
                set_aside(paths, file)?;
                repaired.moved += 1;
            }
            Problem::Count { .. } => repaired.counted = true,
            Problem::Database(_) | Problem::Reference { .. } | Problem::Unreadable { .. } => repaired.left += 1,
        }
    }
    if repaired.counted {
        recount(paths).map_err(AloneError::from)?;
    }
    if !again.is_empty() {
        let wanted = again.len() as u64;
        repaired.queued = queue(&alone, images, again)?;
        // Of an image whose files were all rewritten since, nobody has the content any more.
        repaired.left += wanted.saturating_sub(repaired.queued);
    }
    Ok(repaired)
}

/// Out of the way, under a name that is free.
fn set_aside(paths: &DatasetPaths, file: &Path) -> Result<(), RepairError> {
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default();
    let into = paths.orphans().join(folder);
    let name = file.file_name().unwrap_or_default();
    let mut to = into.join(name);
    let moved = fs::create_dir_all(&into).and_then(|()| {
        for number in 2.. {
            if to.symlink_metadata().is_err() {
                break;
            }
            to = into.join(format!("{number}-{}", name.to_string_lossy()));
        }
        fs::rename(file, &to)
    });
    match moved {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(RepairError::Move { file: file.to_owned(), to, source: error })
        }
        _ => Ok(()),
    }
}

fn recount(paths: &DatasetPaths) -> Result<(), StoreError> {
    connect(paths)?.execute(
        "UPDATE capture_counts
         SET captures = (SELECT count(*) FROM captures c WHERE c.state = capture_counts.state)",
        [],
    )?;
    Ok(())
}

fn queue(alone: &Alone, images: ImageLinks, again: BTreeSet<ImageId>) -> Result<u64, AloneError> {
    alone.write(images, |write| match write(Write::Requeue(Requeue::Images(again.into_iter().collect())))? {
        Receipt::Requeued { queued, .. } => Ok(queued),
        _ => Ok(0),
    })
}
