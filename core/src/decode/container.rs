//! What a file is, and whether all of it is there, from its bytes alone. Decoders forgive a missing end by filling the
//! rest with gray; an inspection must not.

use super::DecodeError;

/// A format that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Bmp,
    Tiff,
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Formats by their first bytes.
const KNOWN: &[(&[u8], Format)] = &[
    (b"\xff\xd8\xff", Format::Jpeg),
    (PNG, Format::Png),
    (b"BM", Format::Bmp),
    (b"II*\0", Format::Tiff),
    (b"MM\0*", Format::Tiff),
    (b"II+\0", Format::Tiff),
    (b"MM\0+", Format::Tiff),
];

/// What people drop beside pictures, by its first bytes.
const STRANGERS: &[(&[u8], &str)] = &[
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a RIFF file (WebP, AVI)"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"\xd0\xcf\x11\xe0", "a Windows compound file (Thumbs.db)"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\x7fELF", "a program"),
];

/// The format of these bytes.
pub(super) fn sniff(bytes: &[u8]) -> Result<Format, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    // Space that was reserved and not written yet.
    if bytes.iter().take(64).all(|byte| *byte == 0) {
        return Err(DecodeError::Empty);
    }
    if let Some((_, format)) = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Ok(*format);
    }
    let beginning = |(magic, _): &&(&'static [u8], Format)| bytes.len() < magic.len() && magic.starts_with(bytes);
    if KNOWN.iter().any(|known| beginning(&known)) {
        return Err(DecodeError::Truncated { format: "picture" });
    }
    if let Some((_, what)) = STRANGERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(DecodeError::NoPicture(what));
    }
    let head = &bytes[..bytes.len().min(512)];
    let text = head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..));
    Err(DecodeError::NoPicture(if text { "text" } else { "bytes of no known format" }))
}

/// True if the end-of-image marker follows the scans. Entropy-coded data never contain it, thumbnails in the header do.
pub(super) fn jpeg_ends(bytes: &[u8]) -> bool {
    let (mut at, mut in_scan) = (2, false);
    loop {
        // Stray bytes before a marker are skipped, as every decoder does.
        let Some(marker) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) else {
            return false;
        };
        at += marker + 1;
        let Some(&code) = bytes.get(at) else { return false };
        match code {
            0xd9 => return true,
            // Filled, stuffed, restarts, and markers without a length.
            0xff => continue,
            0x00 | 0x01 | 0xd0..=0xd8 => at += 1,
            _ => {
                // Within a scan only markers that may stand between two scans have a length to skip.
                let Some(length) = bytes.get(at + 1..at + 3) else { return false };
                let plausible = !in_scan || matches!(code, 0xc4 | 0xda | 0xdb | 0xdd | 0xdc | 0xfe | 0xe0..=0xef);
                at += 1;
                if plausible {
                    at += usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
                    in_scan |= code == 0xda;
                }
            }
        }
    }
}

/// True if the closing chunk is there.
pub(super) fn png_ends(bytes: &[u8]) -> bool {
    let mut at = PNG.len();
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if &head[4..] == b"IEND" {
            return true;
        }
        // Length, name, data, check sum.
        at = at.saturating_add(length).saturating_add(12);
    }
    false
}

/// True if as many bytes are there as the header says. Some writers leave the size 0; those are taken at their word.
pub(super) fn bmp_ends(bytes: &[u8]) -> bool {
    let told = bytes.get(2..6).map(|size| u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize);
    told.is_some_and(|told| told <= bytes.len())
}

/// Width and height that a BMP header claims (height is negative for rows from the top); the decoder has a limit of its
/// own and words that no person asked for.
pub(super) fn bmp_claim(bytes: &[u8]) -> Option<(u64, u64)> {
    let side = |at: usize| {
        let field = bytes.get(at..at + 4)?;
        Some(u64::from(i32::from_le_bytes([field[0], field[1], field[2], field[3]]).unsigned_abs()))
    };
    // The oldest header, of 12 bytes, has sides of 16 bits: no claim that needs a limit.
    let modern = bytes.get(14).is_some_and(|size| *size >= 40);
    modern.then(|| Some((side(18)?, side(22)?))).flatten()
}

/// True if a classic TIFF's first directory names a second one.
pub(super) fn tiff_has_more_pages(bytes: &[u8]) -> bool {
    let little = bytes.starts_with(b"II");
    let number = |at: usize, size: usize| -> Option<usize> {
        let field = bytes.get(at..at.checked_add(size)?)?;
        let add = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        Some(if little { field.iter().rev().fold(0, add) } else { field.iter().fold(0, add) })
    };
    if number(2, 2) != Some(42) {
        return false;
    }
    let next = || {
        let first = number(4, 4)?;
        let entries = number(first, 2)?;
        number(first.checked_add(2 + entries * 12)?, 4)
    };
    next().is_some_and(|next| next != 0)
}
