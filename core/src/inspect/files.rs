//! The files of a batch: those that were named, and the pictures in folders that were named, one folder's names in memory
//! at a time. Opens nothing; a pipe is told from a file before anyone reads it.

use std::{
    collections::VecDeque,
    fs, io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use crate::report::Failure;

/// A file to answer for.
#[derive(Debug)]
pub(super) struct Found {
    pub path: PathBuf,
    /// In bytes; or why it is not worth trying.
    pub size: Result<u64, Failure>,
}

/// All of them, in order: as given, and by name within a folder.
#[derive(Debug)]
pub(super) struct Files {
    given: VecDeque<PathBuf>,
    /// What is left of the folders we are in, the innermost last.
    folders: Vec<std::vec::IntoIter<PathBuf>>,
    /// The folder that was given, until a picture turned up in it.
    empty: Option<PathBuf>,
    extensions: Vec<String>,
}

impl Files {
    pub fn new(given: Vec<PathBuf>, extensions: Vec<String>) -> Self {
        Self { given: given.into(), folders: Vec::new(), empty: None, extensions }
    }

    fn is_picture(&self, path: &Path) -> bool {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| self.extensions.contains(&extension.to_lowercase()))
    }

    /// Steps into a folder, or says why that cannot be.
    fn enter(&mut self, folder: &Path) -> Result<(), Failure> {
        let entries = fs::read_dir(folder).and_then(|entries| {
            let paths = entries.map(|entry| entry.map(|entry| entry.path()));
            paths.collect::<io::Result<Vec<PathBuf>>>()
        });
        let mut paths = entries.map_err(|error| unreadable(format!("the folder cannot be listed: {error}")))?;
        paths.retain(|path| !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")));
        paths.sort();
        self.folders.push(paths.into_iter());
        Ok(())
    }

    /// The next picture in the folders we are in.
    fn next_in_folders(&mut self) -> Option<Found> {
        loop {
            let Some(path) = self.folders.last_mut()?.next() else {
                self.folders.pop();
                continue;
            };
            // A link to a folder may lead in circles.
            let is_folder = fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir());
            if is_folder {
                if let Err(failure) = self.enter(&path) {
                    return Some(Found { path, size: Err(failure) });
                }
            } else if self.is_picture(&path) {
                let size = size_of(&path);
                return Some(Found { path, size });
            }
        }
    }
}

impl Iterator for Files {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.next_in_folders() {
                self.empty = None;
                return Some(found);
            }
            if let Some(path) = self.empty.take() {
                let kinds = self.extensions.join(", ");
                return Some(Found { path, size: Err(unreadable(format!("no pictures in this folder ({kinds})"))) });
            }
            let path = self.given.pop_front()?;
            if !path.is_dir() {
                let size = size_of(&path);
                return Some(Found { path, size });
            }
            match self.enter(&path) {
                Ok(()) => self.empty = Some(path),
                Err(failure) => return Some(Found { path, size: Err(failure) }),
            }
        }
    }
}

fn size_of(path: &Path) -> Result<u64, Failure> {
    let about = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => unreadable("there is no such file".into()),
        _ => unreadable(error.to_string()),
    })?;
    let kind = about.file_type();
    let other = if kind.is_file() {
        return Ok(about.len());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(unreadable(format!("{other}, not a file")))
}

pub(super) fn unreadable(message: String) -> Failure {
    Failure { stage: "read".into(), plugin: None, message, transient: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(given: &[&Path]) -> Vec<(PathBuf, Result<u64, String>)> {
        let files = Files::new(given.iter().map(|path| path.to_path_buf()).collect(), vec!["png".into(), "jpg".into()]);
        files.map(|found| (found.path, found.size.map_err(|failure| failure.message))).collect()
    }

    #[test]
    fn folders_give_their_pictures_by_name_and_files_come_as_they_are_given() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("in/b")).unwrap();
        fs::create_dir(at("in/.hidden")).unwrap();
        for name in ["in/c.PNG", "in/a.jpg", "in/b/z.png", "in/Thumbs.db", "in/.x.png", "in/.hidden/y.png", "odd.db"] {
            fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("in/b/loop.png")).unwrap();
        let found = list(&[&at("odd.db"), &at("in"), &at("in/a.jpg")]);
        let names: Vec<_> =
            found.iter().map(|(path, _)| path.strip_prefix(folder.path()).unwrap().to_owned()).collect();
        let expected = ["odd.db", "in/a.jpg", "in/b/loop.png", "in/b/z.png", "in/c.PNG", "in/a.jpg"];
        assert_eq!(names, expected.map(PathBuf::from));
        assert_eq!(found[0].1, Ok(6));
        assert_eq!(found[2].1.as_ref().unwrap_err(), "a folder, not a file");
    }

    #[test]
    fn what_is_no_file_is_answered_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("empty")).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(at("s.png")).unwrap();
        let found = list(&[&at("gone.png"), &at("empty"), &at("s.png"), Path::new("/dev/null")]);
        let reasons: Vec<_> = found.into_iter().map(|(_, size)| size.unwrap_err()).collect();
        assert_eq!(reasons[0], "there is no such file");
        assert!(reasons[1].contains("no pictures"), "{}", reasons[1]);
        assert_eq!(reasons[2..], ["a socket, not a file", "a device, not a file"]);
        drop(socket);
    }
}
