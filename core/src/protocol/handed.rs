//! A file that a command hands to the engine.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{ingest::FileKey, names};

/// Which file, and which version of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandedFile {
    /// Absolute, escaped for display.
    pub path: String,
    /// The exact bytes, where the escaped form is not exact.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path_b64: Option<String>,
    /// The version that is meant: another one by now is not read.
    pub key: FileKey,
}

impl HandedFile {
    #[must_use]
    pub fn new(path: &Path, key: FileKey) -> Self {
        Self { path: names::display(path), path_b64: names::exact(path), key }
    }

    /// Its path. `None` where it is no absolute one.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        names::path(&self.path, self.path_b64.as_deref()).filter(|path| path.is_absolute())
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::*;

    #[test]
    fn any_name_comes_through_a_line_as_it_is() {
        let key = FileKey { dev: u64::MAX, inode: 2, size: 3, mtime_ns: -4 };
        for name in [&b"/raw/a b.png"[..], b"/raw/\xff\n\x1b[31m.png", b"/raw/\\x41.png"] {
            let path = Path::new(OsStr::from_bytes(name));
            let line = serde_json::to_string(&HandedFile::new(path, key)).unwrap();
            let back: HandedFile = serde_json::from_str(&line).unwrap();
            assert_eq!((back.path().as_deref(), back.key), (Some(path), key), "{line}");
        }
        assert_eq!(HandedFile::new(Path::new("raw/a.png"), key).path(), None, "from wherever the engine stands?");
    }
}
