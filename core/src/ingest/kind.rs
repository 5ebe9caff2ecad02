//! What a file's name says it is. Names are bytes; nothing here looks into a file.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

/// What a file may be, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Capture,
    /// Probably becomes a capture under another name.
    Temporary,
    /// Will never be one, and why.
    Foreign(String),
}

/// Endings that programs give to files that they have not finished.
const UNFINISHED: [&str; 9] = ["part", "partial", "tmp", "temp", "crdownload", "download", "filepart", "swp", "lock"];

/// `extensions` are lower case, without dots.
pub(crate) fn of_name(name: &OsStr, extensions: &[String]) -> Kind {
    let bytes = name.as_bytes();
    let (stem, extension) = split(bytes);
    let is_capture = |extension: &[u8]| extensions.iter().any(|known| extension.eq_ignore_ascii_case(known.as_bytes()));
    let is_unfinished = UNFINISHED.iter().any(|ending| extension.eq_ignore_ascii_case(ending.as_bytes()));
    // mkstemp's form, as rsync and others use it: `name.png.Xk3f9Q`.
    let is_random =
        extension.len() == 6 && extension.iter().all(u8::is_ascii_alphanumeric) && is_capture(split(stem).1);
    if bytes.starts_with(b".") || bytes.ends_with(b"~") || is_unfinished || is_random {
        Kind::Temporary
    } else if is_capture(extension) {
        Kind::Capture
    } else if extension.is_empty() {
        Kind::Foreign("it has no extension of a picture".into())
    } else {
        Kind::Foreign(format!(
            "its extension `{}` is not in capture.extensions",
            crate::names::visible(&String::from_utf8_lossy(extension))
        ))
    }
}

fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(dot) if dot > 0 => (&name[..dot], &name[dot + 1..]),
        _ => (name, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_captures_from_unfinished_and_foreign_files() {
        let extensions = ["png".to_owned(), "tif".to_owned()];
        let of = |name: &[u8]| of_name(OsStr::from_bytes(name), &extensions);
        for capture in [&b"a.png"[..], b"A.PNG", b"a b\n.Tif", b"\xff\xfe.png", b"a.part.png"] {
            assert_eq!(of(capture), Kind::Capture, "{capture:?}");
        }
        for temporary in
            [&b".a.png"[..], b".png", b"a.png.part", b"a.tmp", b"a.png~", b"a.png.Xk3f9Q", b".a.png.aB12cd"]
        {
            assert_eq!(of(temporary), Kind::Temporary, "{temporary:?}");
        }
        for foreign in [&b"Thumbs.db"[..], b"a", b"png", b"a.txt", b"a.log.abcdef", b"a."] {
            assert!(matches!(of(foreign), Kind::Foreign(_)), "{foreign:?}");
        }
    }
}
