//! Whether a folder may become a dataset, or is one: nothing is written into a folder that holds something else.

use std::{fs, io, path::Path};

use super::build::BuildError;
use crate::{names, workspace::DatasetPaths};

/// What an interrupted first build may have left before there was a database.
const OURS: [&str; 10] = [
    "engine.lock",
    "images",
    "masks",
    "defects",
    ".staging",
    ".grids",
    "splits",
    "features",
    "index.sqlite-wal",
    "index.sqlite-shm",
];

/// Refuses a folder with something in it that is no dataset. One that is not there yet is fine.
pub(super) fn refuse_other(paths: &DatasetPaths) -> Result<(), BuildError> {
    let root = paths.root();
    let unusable = |source| BuildError::Folder { path: root.to_owned(), source };
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(error)),
    };
    if paths.database().exists() {
        return Ok(());
    }
    for entry in entries {
        let entry = entry.map_err(unusable)?;
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| OURS.contains(&name));
        let filled = || fs::read_dir(entry.path()).is_ok_and(|mut inside| inside.next().is_some());
        let pictures = ["images", "masks", "defects"].iter().any(|folder| name == *folder) && filled();
        if !ours || pictures {
            let found = names::display(Path::new(&name));
            return Err(BuildError::NotADataset { path: root.to_owned(), found });
        }
    }
    Ok(())
}
