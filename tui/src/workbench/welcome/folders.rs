//! Folders that what is typed could become, and whether one can be watched. Runs on a thread of its own: a network mount
//! may take its time.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::workbench::jobs::slot::Replaceable;

/// A question. The latest of its kind wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoldersRequest {
    Complete(String),
    Check(String),
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoldersAnswer {
    /// What was typed becomes `to`; where several fit, those are named.
    Completed {
        typed: String,
        to: String,
        among: Vec<String>,
    },
    Fits(String),
    Wrong(String),
}

impl Replaceable for FoldersRequest {
    fn kind(&self) -> u8 {
        match self {
            Self::Complete(_) => 0,
            Self::Check(_) => 1,
        }
    }

    fn urgent(&self) -> bool {
        true
    }
}

/// The folder that `init` makes by itself.
const OWN: &str = "captures";

/// Answers for a workspace at `root`.
pub fn answer(root: &Path, asked: FoldersRequest) -> FoldersAnswer {
    match asked {
        FoldersRequest::Complete(typed) => complete(root, typed),
        FoldersRequest::Check(typed) => check(root, typed),
    }
}

fn complete(root: &Path, typed: String) -> FoldersAnswer {
    let (folder, begun) = typed.rsplit_once('/').map_or(("", typed.as_str()), |(folder, begun)| (folder, begun));
    let prefix = &typed[..typed.len() - begun.len()];
    let within = if prefix.is_empty() { root.to_owned() } else { below(root, &format!("{folder}/")) };
    let entries = fs::read_dir(&within).into_iter().flatten().flatten();
    let mut among: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(begun) && (begun.starts_with('.') || !name.starts_with('.')))
        .map(|name| name + "/")
        .collect();
    among.sort();
    let common = among.iter().cloned().reduce(|one, other| {
        one.chars().zip(other.chars()).take_while(|(one, other)| one == other).map(|(letter, _)| letter).collect()
    });
    let to = common.map_or_else(|| typed.clone(), |common| format!("{prefix}{common}"));
    if among.len() == 1 {
        among.clear();
    }
    FoldersAnswer::Completed { typed, to, among }
}

fn check(root: &Path, typed: String) -> FoldersAnswer {
    let wrong = |reason: String| FoldersAnswer::Wrong(reason);
    if typed.is_empty() {
        return wrong("which folder? Tab shows those that there are".into());
    }
    if typed.starts_with('~') {
        return wrong("~ is not understood here: begin with / or with a folder below this one".into());
    }
    let path = below(root, &typed);
    match fs::metadata(&path) {
        Ok(found) if found.is_dir() => FoldersAnswer::Fits(typed),
        Ok(_) => wrong(format!("{} is no folder", path.display())),
        Err(_) if typed.trim_end_matches('/') == OWN => FoldersAnswer::Fits(typed),
        Err(error) => wrong(format!("{}: {error}; make it first, or choose another", path.display())),
    }
}

fn below(root: &Path, typed: &str) -> PathBuf {
    root.join(typed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_completed_to_what_they_share_and_files_are_none() {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["scope-1/line", "scope-2", "other", ".hidden"] {
            fs::create_dir_all(root.path().join(name)).expect("a folder");
        }
        fs::write(root.path().join("scope.txt"), "").expect("a file");
        let to = |typed: &str| match answer(root.path(), FoldersRequest::Complete(typed.into())) {
            FoldersAnswer::Completed { to, among, .. } => (to, among.len()),
            other => panic!("{other:?}"),
        };
        assert_eq!(to("sc"), ("scope-".into(), 2));
        assert_eq!(to("scope-1"), ("scope-1/".into(), 0));
        assert_eq!(to("scope-1/"), ("scope-1/line/".into(), 0));
        assert_eq!(to("nothing"), ("nothing".into(), 0));
        assert_eq!(to(""), ("".into(), 3));
        let absolute = format!("{}/oth", root.path().display());
        assert_eq!(to(&absolute).0, format!("{}/other/", root.path().display()));
        let check = |typed: &str| answer(root.path(), FoldersRequest::Check(typed.into()));
        assert_eq!(check("scope-2"), FoldersAnswer::Fits("scope-2".into()));
        assert_eq!(check("captures"), FoldersAnswer::Fits("captures".into()));
        for wrong in ["", "~/x", "scope.txt", "missing"] {
            assert!(matches!(check(wrong), FoldersAnswer::Wrong(_)), "{wrong}");
        }
    }
}
