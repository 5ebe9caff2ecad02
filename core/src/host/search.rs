//! Where libraries are looked for, in which order. Reads directories, never a library. Called by [`super::catalogue`].

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::script;

/// Directories in order of precedence; the first library that offers an id wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchPaths(Vec<SearchPath>);

/// One directory, or a single library, and why it is looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPath {
    pub origin: Origin,
    pub directory: PathBuf,
}

/// Why a directory is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The workspace's `plugins/`.
    Workspace,
    /// Named by the user, on the command line or in the environment.
    Given,
    /// `plugins/` beside the program.
    Program,
    /// `../lib/ferrule/plugins` from the program.
    Installed,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Workspace => "workspace",
            Self::Given => "plug-in path",
            Self::Program => "beside the program",
            Self::Installed => "installed",
        })
    }
}

/// A library that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub origin: Origin,
    pub path: PathBuf,
}

/// A directory that could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", directory.display())]
pub struct Unlistable {
    pub directory: PathBuf,
    pub source: io::Error,
}

impl SearchPaths {
    /// The usual order: the workspace, then what the user names, then beside the program, then where it is installed.
    #[must_use]
    pub fn usual(workspace_plugins: Option<PathBuf>, given: Vec<PathBuf>, executable: Option<&Path>) -> Self {
        let path = |origin, directory| SearchPath { origin, directory };
        let mut paths: Vec<SearchPath> =
            workspace_plugins.into_iter().map(|directory| path(Origin::Workspace, directory)).collect();
        paths.extend(given.into_iter().map(|directory| path(Origin::Given, directory)));
        // The file itself, where the program was started through a link.
        let real = executable.map(|program| program.canonicalize().unwrap_or_else(|_| program.to_owned()));
        if let Some(beside) = real.as_deref().and_then(Path::parent) {
            paths.push(path(Origin::Program, beside.join("plugins")));
            if let Some(prefix) = beside.parent() {
                paths.push(path(Origin::Installed, prefix.join("lib/ferrule/plugins")));
            }
        }
        Self(paths)
    }

    /// Only these directories, named by the user.
    #[must_use]
    pub fn only(directories: Vec<PathBuf>) -> Self {
        let path = |directory| SearchPath { origin: Origin::Given, directory };
        Self(directories.into_iter().map(path).collect())
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &SearchPath> {
        self.0.iter()
    }

    /// The libraries in all directories, in order of precedence, by name within a directory. A directory that is not
    /// there holds none.
    #[must_use]
    pub fn candidates(&self) -> (Vec<Candidate>, Vec<Unlistable>) {
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        for SearchPath { origin, directory } in &self.0 {
            match libraries(directory) {
                Ok(paths) => found.extend(paths.into_iter().map(|path| Candidate { origin: *origin, path })),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => faults.push(Unlistable { directory: directory.clone(), source }),
            }
        }
        (found, faults)
    }
}

/// Files that end in `.so`, and Python files that describe themselves; but for hidden ones and those that a copy tool is
/// still writing. A file stands for itself.
fn libraries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    if directory.is_file() {
        return Ok(vec![directory.to_owned()]);
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let plugin = match path.extension().and_then(OsStr::to_str) {
            Some("so") => true,
            Some("py") => script::describes_itself(&path),
            _ => false,
        };
        if plugin && !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_named_itself_comes_alone() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["a.so", "b.so"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        let (found, faults) = SearchPaths::only(vec![folder.path().join("b.so")]).candidates();
        assert_eq!(found, [Candidate { origin: Origin::Given, path: folder.path().join("b.so") }]);
        assert!(faults.is_empty());
    }

    #[test]
    fn libraries_come_in_order_of_precedence_and_missing_directories_hold_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for directory in ["ws/plugins", "extra", "prefix/bin/plugins", "prefix/lib/ferrule/plugins"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        for file in ["ws/plugins/b.so", "ws/plugins/a.so", "ws/plugins/.c.so", "ws/plugins/a.so.part", "extra/x.so"] {
            fs::write(at(file), "").unwrap();
        }
        fs::write(at("prefix/bin/plugins/p.so"), "").unwrap();
        fs::write(at("prefix/lib/ferrule/plugins/q.so"), "").unwrap();
        let program = at("prefix/bin/ferrule");
        let paths = SearchPaths::usual(Some(at("ws/plugins")), vec![at("extra"), at("gone")], Some(&program));
        let (found, faults) = paths.candidates();
        let names: Vec<_> = found
            .iter()
            .map(|found| (found.origin, found.path.file_name().unwrap().to_string_lossy().into_owned()))
            .collect();
        let expected = [
            (Origin::Workspace, "a.so"),
            (Origin::Workspace, "b.so"),
            (Origin::Given, "x.so"),
            (Origin::Program, "p.so"),
            (Origin::Installed, "q.so"),
        ];
        assert_eq!(names, expected.map(|(origin, name)| (origin, name.to_owned())));
        assert!(faults.is_empty());
    }
}
