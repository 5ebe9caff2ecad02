//! Names hold anything a file system allows; this makes them safe to show and safe to store under.
//!
//! Called wherever a path or a plug-in's text reaches a person, and by the store for the names under `images/`.

use std::{
    borrow::Cow,
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::ids::ImageId;

/// Longest name under `images/`, in bytes: room for what editors and copies append within the 255 of most file systems.
const LONGEST: usize = 200;

/// A longer ending is part of the name rather than an extension.
const LONGEST_EXTENSION: usize = 16;

/// The path on one line, with everything that a terminal would obey, hide or turn around made visible: `\n`, `\x1b`,
/// `\u{202e}`; bytes that are no UTF-8 as `\xff`.
#[must_use]
pub fn display(path: &Path) -> String {
    visible_bytes(path.as_os_str().as_bytes()).into_owned()
}

/// The path's exact bytes in base 64, where [`display`] is not exact.
#[must_use]
pub fn exact(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().as_bytes();
    match visible_bytes(bytes) {
        Cow::Borrowed(_) => None,
        Cow::Owned(_) => Some(STANDARD.encode(bytes)),
    }
}

/// The path that [`display`] and [`exact`] show. `None` where the second is no base 64.
#[must_use]
pub fn path(shown: &str, exact: Option<&str>) -> Option<PathBuf> {
    match exact {
        None => Some(PathBuf::from(shown)),
        Some(exact) => Some(PathBuf::from(OsString::from_vec(STANDARD.decode(exact).ok()?))),
    }
}

/// Any text as [`display`] shows a path.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    visible_bytes(text.as_bytes())
}

/// Borrowed exactly if nothing had to be escaped.
fn visible_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes)
        && !text.chars().any(is_treacherous)
    {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\n' => shown.push_str("\\n"),
                '\r' => shown.push_str("\\r"),
                '\t' => shown.push_str("\\t"),
                char if is_treacherous(char) && char.is_ascii() => {
                    shown.push_str(&format!("\\x{:02x}", u32::from(char)))
                }
                char if is_treacherous(char) => shown.push_str(&format!("\\u{{{:04x}}}", u32::from(char))),
                char => shown.push(char),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    Cow::Owned(shown)
}

/// Does this character do something to a line rather than stand in it? Controls, marks that turn the direction of writing
/// (Unicode TR 36, 3.1), and what takes no room.
fn is_treacherous(char: char) -> bool {
    char.is_control()
        || matches!(u32::from(char),
            0x00AD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
            | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
            | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

/// The name of a capture's picture under `images/`: UTF-8 without control characters, no leading `= + - @ .` (a
/// spreadsheet would calculate with it, an option parser or `ls` would misread it), every other byte as `%XX`, at most
/// 200 bytes. `%` itself becomes `%25`, so that the file's own name can be read back.
#[must_use]
pub fn image_filename(source: &Path, suffix: &str) -> String {
    let bytes = source.file_name().map_or(&b"capture"[..], |name| name.as_bytes());
    let dot = bytes.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0);
    let extension = dot.map_or(&[][..], |dot| &bytes[dot..]);
    let (stem, extension) = match storable(extension, false) {
        text if text.len() <= LONGEST_EXTENSION => (&bytes[..bytes.len() - extension.len()], text),
        _ => (bytes, String::new()),
    };
    let mut name = storable(stem, true);
    cut(&mut name, LONGEST.saturating_sub(extension.len() + suffix.len()));
    name.push_str(suffix);
    name.push_str(&extension);
    name
}

/// The suffix that makes a name this image's own.
#[must_use]
pub fn own_suffix(image: ImageId) -> String {
    format!("-{image}")
}

fn storable(bytes: &[u8], leads: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            let misleads = leads && text.is_empty() && matches!(char, '=' | '+' | '-' | '@' | '.');
            if misleads || char == '%' || is_treacherous(char) {
                char.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
            } else {
                text.push(char);
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
    }
    text
}

/// Shortens to that many bytes, between characters and not within a `%XX`.
fn cut(text: &mut String, longest: usize) {
    if text.len() <= longest {
        return;
    }
    let mut end = text.floor_char_boundary(longest);
    // Every `%` here begins an escape of three bytes.
    if let Some(mark) = text[..end].rfind('%').filter(|mark| mark + 3 > end) {
        end = mark;
    }
    text.truncate(end);
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, path::PathBuf};

    use proptest::prelude::*;

    use super::*;

    fn path(bytes: &[u8]) -> PathBuf {
        PathBuf::from(OsStr::from_bytes(bytes))
    }

    #[test]
    fn plain_names_are_shown_and_stored_as_they_are() {
        for name in ["a.png", "Ferrule 12 µm.tif", "光纤.PNG", "a,b\"c.png"] {
            assert_eq!(display(Path::new(name)), name);
            assert_eq!(exact(Path::new(name)), None);
            assert_eq!(image_filename(Path::new(name), ""), name);
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_made_visible() {
        let shown = |bytes: &[u8]| display(&path(bytes));
        assert_eq!(shown(b"a\nb\t\x1b[31m\x7f"), r"a\nb\t\x1b[31m\x7f");
        assert_eq!(shown(b"\xff\xfe.png"), r"\xff\xfe.png");
        assert_eq!(shown("gnp.\u{202e}evil\u{200b}\u{85}".as_bytes()), r"gnp.\u{202e}evil\u{200b}\u{0085}");
        assert_eq!(exact(&path(b"a\n")).as_deref(), Some("YQo="));
    }

    #[test]
    fn what_a_spreadsheet_or_a_shell_would_take_amiss_is_not_stored() {
        let stored = |bytes: &[u8]| image_filename(&path(bytes), "");
        assert_eq!(stored(b"=1+1.png"), "%3D1+1.png");
        assert_eq!(stored(b"-rf.png"), "%2Drf.png");
        assert_eq!(stored(b"a\nb.png"), "a%0Ab.png");
        assert_eq!(stored(b"\xff.png"), "%FF.png");
        assert_eq!(stored(b"50%.png"), "50%25.png");
        assert_eq!(image_filename(Path::new("/"), ""), "capture");
        let image = ImageId::of(b"x");
        assert_eq!(image_filename(Path::new("/a/b.png"), &own_suffix(image)), format!("b-{image}.png"));
    }

    /// Undoes `%XX`.
    fn decoded(text: &str) -> Vec<u8> {
        let bytes = text.as_bytes();
        let (mut at, mut plain) = (0, Vec::new());
        while at < bytes.len() {
            if bytes[at] == b'%' {
                plain.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
                at += 3;
            } else {
                plain.push(bytes[at]);
                at += 1;
            }
        }
        plain
    }

    fn name_bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![any::<u8>(), Just(b'.'), Just(b'%'), b'a'..=b'z'];
        let character = any::<char>().prop_map(|char| char.to_string().into_bytes());
        prop::collection::vec(prop_oneof![byte.prop_map(|byte| vec![byte]), character], 1..255)
            .prop_map(|parts| parts.concat())
            .prop_map(|bytes| bytes.into_iter().filter(|byte| !matches!(byte, 0 | b'/')).take(255).collect::<Vec<u8>>())
            .prop_filter("a name", |bytes| !bytes.is_empty() && bytes != b"." && bytes != b"..")
    }

    proptest! {
        #[test]
        fn shown_text_holds_nothing_that_acts(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let shown = display(&path(&bytes));
            prop_assert!(!shown.chars().any(is_treacherous));
            prop_assert_eq!(exact(&path(&bytes)).is_none(), shown.as_bytes() == bytes);
        }

        #[test]
        fn stored_names_keep_the_policy(bytes in name_bytes(), own in any::<bool>()) {
            let suffix = if own { own_suffix(ImageId::of(&bytes)) } else { String::new() };
            let name = image_filename(&path(&bytes), &suffix);
            prop_assert!(!name.is_empty() && name.len() <= 200, "{}", name);
            prop_assert!(!name.starts_with(['=', '+', '-', '@', '.']) , "{}", name);
            prop_assert!(!name.contains('/') && !name.chars().any(is_treacherous));
            prop_assert_eq!(name.matches(&suffix).count() > 0, true);
        }

        #[test]
        fn short_stored_names_lead_back_to_the_file(bytes in name_bytes().prop_filter("short", |bytes| bytes.len() <= 60)) {
            prop_assert_eq!(decoded(&image_filename(&path(&bytes), "")), bytes);
        }
    }
}
