//! Which files a build takes, in which order. Unlike a watched source the list has an end; what counts as a capture is the
//! same (`ingest::kind`). Opens no file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    ingest::{
        FileKey,
        kind::{self, Kind},
    },
    names,
};

/// A file to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// Absolute, links resolved: one file has one path, however it was given.
    pub path: PathBuf,
    pub key: FileKey,
}

/// All of them, by path.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub files: Vec<Listed>,
    /// Files in folders that are no pictures by their names.
    pub ignored: u64,
    /// Folders and files in folders that cannot be looked at, and why.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Why there is no list: a mistake in what was given.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    #[error("{given}: there is no such file or folder")]
    Missing { given: String },
    #[error("{given}: no file has a name like that")]
    NoMatch { given: String },
    #[error("{given}: {reason}")]
    Unusable { given: String, reason: String },
    #[error("{given} lies in the dataset itself; give the folder that the pictures came from")]
    Own { given: String },
}

/// Lists files as they are given, pictures in folders and what lies below them, and what patterns match.
/// Whatever lies in `dataset` is left out.
pub(super) fn list(given: &[PathBuf], extensions: &[String], dataset: &Path) -> Result<Listing, GivenError> {
    let dataset = fs::canonicalize(dataset).unwrap_or_else(|_| dataset.to_owned());
    let mut walk = Walk { listing: Listing::default(), extensions, dataset: &dataset };
    for given in given {
        match fs::canonicalize(given) {
            Ok(path) => walk.take(given, path)?,
            Err(_) if is_pattern(given) => {
                for found in matches(given)? {
                    walk.take_match(given, &found)?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(GivenError::Missing { given: names::display(given) });
            }
            Err(error) => return Err(unusable(given, &error)),
        }
    }
    let mut listing = walk.listing;
    listing.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    listing.files.dedup_by(|a, b| a.path == b.path);
    Ok(listing)
}

struct Walk<'a> {
    listing: Listing,
    extensions: &'a [String],
    dataset: &'a Path,
}

impl Walk<'_> {
    /// Something that was given itself: a file is tried whatever its name.
    fn take(&mut self, given: &Path, path: PathBuf) -> Result<(), GivenError> {
        if path.starts_with(self.dataset) {
            return Err(GivenError::Own { given: names::display(given) });
        }
        let metadata = fs::metadata(&path).map_err(|error| unusable(given, &error))?;
        if metadata.is_file() {
            self.listing.files.push(Listed { path, key: FileKey::of(&metadata) });
        } else if metadata.is_dir() {
            // A folder that was given must be readable; one below it is told of.
            fs::read_dir(&path).map_err(|error| unusable(given, &error))?;
            self.enter(path);
        } else {
            return Err(unusable(given, &io::Error::other("neither a file nor a folder")));
        }
        Ok(())
    }

    /// Something that a pattern matched: a file is taken if it is a picture by its name.
    fn take_match(&mut self, given: &Path, found: &Path) -> Result<(), GivenError> {
        let is_picture = found.file_name().is_some_and(|name| kind::of_name(name, self.extensions) == Kind::Capture);
        if !found.is_dir() && !is_picture {
            self.listing.ignored += 1;
            return Ok(());
        }
        self.take(given, fs::canonicalize(found).map_err(|error| unusable(given, &error))?)
    }

    fn enter(&mut self, top: PathBuf) {
        let mut folders = vec![top];
        while let Some(folder) = folders.pop() {
            let listed = fs::read_dir(&folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
            let entries = match listed {
                Ok(entries) => entries,
                Err(error) => {
                    self.listing.unreadable.push((folder, format!("the folder cannot be listed: {error}")));
                    continue;
                }
            };
            for entry in entries {
                let path = entry.path();
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_folder {
                    let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                    if !hidden && path != self.dataset {
                        folders.push(path);
                    }
                } else if kind::of_name(&entry.file_name(), self.extensions) == Kind::Capture {
                    self.picture(path);
                } else {
                    self.listing.ignored += 1;
                }
            }
        }
    }

    /// A link stands for the file that it leads to; one to a folder may lead in circles.
    fn picture(&mut self, path: PathBuf) {
        let found = fs::canonicalize(&path).and_then(|target| Ok((fs::metadata(&target)?, target)));
        match found {
            Ok((metadata, target)) if metadata.is_file() && !target.starts_with(self.dataset) => {
                self.listing.files.push(Listed { path: target, key: FileKey::of(&metadata) });
            }
            Ok(_) => self.listing.ignored += 1,
            Err(error) => self.listing.unreadable.push((path, error.to_string())),
        }
    }
}

fn is_pattern(given: &Path) -> bool {
    given.to_str().is_some_and(|text| text.contains(['*', '?', '[']))
}

fn matches(given: &Path) -> Result<Vec<PathBuf>, GivenError> {
    let shown = names::display(given);
    let pattern = given.to_str().unwrap_or_default();
    let wrong = |reason: String| GivenError::Unusable { given: shown.clone(), reason };
    // A dot file is not meant by a star.
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
    let found = glob::glob_with(pattern, options).map_err(|error| wrong(error.to_string()))?;
    let found: Vec<PathBuf> = found.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() { Err(GivenError::NoMatch { given: shown }) } else { Ok(found) }
}

fn unusable(given: &Path, error: &io::Error) -> GivenError {
    GivenError::Unusable { given: names::display(given), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_files_patterns_and_links_give_each_file_once_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let at = |name: &str| root.join(name);
        for name in ["a/deep", "b", "a/.hidden", "out"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in [
            "a/2.png",
            "a/1.JPG",
            "a/deep/3.tif",
            "a/.x.png",
            "a/Thumbs.db",
            "a/.hidden/y.png",
            "b/4.png",
            "b/odd",
            "out/5.png",
        ] {
            fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(at("b/4.png"), at("a/link.png")).unwrap();
        std::os::unix::fs::symlink(&root, at("a/circle.png")).unwrap();
        let given = [root.clone(), at("b/*.png"), at("b/odd")];
        let listing = list(&given, &["png".into(), "jpg".into(), "tif".into()], &at("out")).unwrap();
        let names: Vec<_> = listing.files.iter().map(|file| file.path.strip_prefix(&root).unwrap()).collect();
        assert_eq!(names, ["a/1.JPG", "a/2.png", "a/deep/3.tif", "b/4.png", "b/odd"].map(Path::new));
        assert_eq!((listing.ignored, listing.unreadable.len()), (4, 0), "{listing:?}");
    }

    #[test]
    fn what_is_given_and_is_not_there_is_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("out")).unwrap();
        let refusal = |name: &str| list(&[at(name)], &["png".into()], &at("out")).unwrap_err().to_string();
        assert!(refusal("gone").contains("no such file"));
        assert!(refusal("*.png").contains("no file has a name like that"));
        assert!(refusal("out").contains("in the dataset itself"));
    }
}
