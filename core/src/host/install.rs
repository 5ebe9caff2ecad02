//! Puts a library into a plug-in folder and takes it away again, so that whoever looks there at any moment finds the
//! former file or the new one, whole.
//!
//! Knows nothing of what is in a library: [`super::catalogue::admit`] has said that before. Called by the commands that
//! install, roll back and remove.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::trust::{self, Distrust};

/// Why a folder does not have the library, or still has it.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("nothing would be taken from there: {0}")]
    Distrust(#[from] Distrust),
    #[error("{}: {source}; make it yours to write, or install into another workspace", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Writes the library into the folder, which is made where it is missing: under another name first, synced, then renamed.
///
/// # Errors
/// A folder that others can write, or that cannot be written at all. The former file is there unchanged then.
pub fn put(folder: &Path, name: &OsStr, bytes: &[u8]) -> Result<PathBuf, InstallError> {
    let trouble = |path: &Path| {
        let path = path.to_owned();
        move |source| InstallError::Io { path, source }
    };
    if !folder.is_dir() {
        fs::DirBuilder::new().mode(0o755).create(folder).map_err(trouble(folder))?;
        // Whatever the umask.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).map_err(trouble(folder))?;
    }
    trust::check_directory(folder)?;
    let path = folder.join(name);
    let write = || -> io::Result<()> {
        // A dot file: nobody takes it for a library.
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        sync(folder)
    };
    write().map_err(trouble(&path))?;
    Ok(path)
}

/// Takes a library away. Workers that hold it hold their own copy.
///
/// # Errors
/// A folder that cannot be written.
pub fn take_away(path: &Path) -> Result<(), InstallError> {
    let remove = || -> io::Result<()> {
        fs::remove_file(path)?;
        path.parent().map_or(Ok(()), sync)
    };
    remove().map_err(|source| InstallError::Io { path: path.to_owned(), source })
}

/// A rename is lasting once its folder is.
fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_put_whole_readable_by_all_and_writable_by_its_owner() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("plugins");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for content in ["one", "another, longer"] {
            let path = put(&folder, OsStr::new("pits.so"), content.as_bytes()).unwrap();
            assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), (content, 0o644));
        }
        assert_eq!(mode(&folder), 0o755);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing half written stays");
        take_away(&folder.join("pits.so")).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused_before_anything_is_put_there() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let refused = put(root.path(), OsStr::new("pits.so"), b"code").unwrap_err().to_string();
        assert!(refused.contains("Run: chmod"), "{refused}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
