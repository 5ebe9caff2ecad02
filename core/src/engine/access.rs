//! Who may do what to a workspace, checked before an engine does anything: what names programs or holds results must be
//! nobody else's to change, and what only its owner needs is nobody else's to read.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::Path,
};

use crate::{
    host::trust::{self, Distrust},
    workspace::{DatasetPaths, Workspace},
};

/// Settings name an interpreter and plug-ins, which run with the user's rights; what lies in the dataset is read by
/// everybody who trusts its results. A folder that is not there yet is made private.
///
/// # Errors
/// The first file or folder that somebody else could change, with the command that mends it.
pub(super) fn check(workspace: &Workspace, dataset: &DatasetPaths) -> Result<(), Distrust> {
    trust::check(&workspace.configuration())?;
    for folder in [workspace.private(), dataset.root().to_owned()] {
        if folder.exists() {
            trust::check_directory(&folder)?;
        }
    }
    Ok(())
}

/// Makes a folder that its owner alone enters; one that others may read is shut. For logs, copies of plug-ins, and what an
/// engine that is started says.
///
/// # Errors
/// The disk, or a folder of somebody else.
pub fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if fs::metadata(folder)?.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Makes the dataset's folder, closed to others; one that is there stays as its owner wants it.
pub(super) fn make_dataset(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_datasets_that_others_could_change_are_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let (workspace, dataset) = (Workspace::at(folder.path()), DatasetPaths::at(folder.path().join("dataset")));
        fs::write(workspace.configuration(), "").unwrap();
        make_dataset(dataset.root()).unwrap();
        make_private(&workspace.private()).unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        check(&workspace, &dataset).unwrap();
        for (path, bad, good) in [
            (workspace.configuration(), 0o666, 0o644),
            (folder.path().to_owned(), 0o777, 0o755),
            (dataset.root().to_owned(), 0o777, 0o700),
            (workspace.private(), 0o777, 0o700),
        ] {
            mode(&path, bad);
            let refused = check(&workspace, &dataset).unwrap_err().to_string();
            assert!(refused.contains("Run: chmod"), "{}: {refused}", path.display());
            mode(&path, good);
            check(&workspace, &dataset).unwrap();
        }
    }

    #[test]
    fn what_only_the_owner_needs_is_shut_even_where_it_was_open() {
        let folder = tempfile::tempdir().unwrap();
        let private = folder.path().join("a/b");
        fs::create_dir_all(&private).unwrap();
        fs::set_permissions(&private, fs::Permissions::from_mode(0o755)).unwrap();
        make_private(&private).unwrap();
        assert_eq!(fs::metadata(&private).unwrap().mode() & 0o777, 0o700);
    }
}
