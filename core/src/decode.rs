//! From a file to pixels, in a worker, under limits: what a picture claims is checked before anything is reserved for it.
//!
//! The format is read from the content, never from the name. A file that is not all there yet is told from one that is
//! wrong ([`Failure::transient`]), because captures are taken while microscopes still write. Called by the pipeline's
//! run; never by the engine, since decoders meet hostile bytes.

mod container;
mod jpeg;
mod raster;

use std::{
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::{host::card::Pixels, ids::ImageId, report::Failure, worker::arguments::Limits};

/// A decoded picture. Buffers are kept from one picture to the next.
#[derive(Debug, Default)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    /// Always there, `width * height`.
    pub gray8: Vec<u8>,
    /// The picture in its own format, where that is another one and was wanted.
    pub native: Option<Native>,
    /// `animated`, `several pages`: only the first frame was taken.
    pub flags: Vec<&'static str>,
}

/// Pixels in the file's own format, rows without padding; 16-bit samples in the machine's byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Native {
    pub format: Pixels,
    pub bytes: Vec<u8>,
}

/// Which formats beside gray 8-bit are of use to somebody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    pub gray16: bool,
    pub rgb8: bool,
}

/// Why there are no pixels.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the file is empty")]
    Empty,
    #[error("{0}, which is no picture that can be read (PNG, JPEG, BMP, TIFF)")]
    NoPicture(&'static str),
    #[error("the {format} file ends before its picture does")]
    Truncated { format: &'static str },
    #[error("the {format} file is damaged: {reason}")]
    Damaged { format: &'static str, reason: String },
    #[error("a kind of {format} that is not supported: {reason}")]
    Unsupported { format: &'static str, reason: String },
    #[error(
        "claims {width} x {height} pixels ({megapixels:.1} megapixels), at most {most} megapixels are taken \
             (workers.max_megapixels)"
    )]
    TooLarge { width: u64, height: u64, megapixels: f64, most: f64 },
    #[error("a picture without pixels ({width} x {height})")]
    NoPixels { width: u64, height: u64 },
}

impl DecodeError {
    /// Whether the file may only need time to be written.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Empty | Self::Truncated { .. } | Self::Damaged { .. })
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        let (message, transient) = (error.to_string(), error.is_transient());
        Self { stage: "decode".into(), plugin: None, message, transient }
    }
}

fn unreadable(message: impl Into<String>, transient: bool) -> Failure {
    Failure { stage: "read".into(), plugin: None, message: message.into(), transient }
}

/// Reads a whole file once into `bytes` and says what it is. Pipes, devices and folders are refused without waiting.
///
/// # Errors
/// What the file system says; a file over the limit; content that is not `expected`.
pub fn read(path: &Path, expected: Option<ImageId>, limits: &Limits, bytes: &mut Vec<u8>) -> Result<ImageId, Failure> {
    bytes.clear();
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => unreadable("the file is gone", true),
        io::ErrorKind::PermissionDenied => unreadable("no permission to read it", false),
        _ => unreadable(error.to_string(), true),
    };
    // Opening a pipe would wait for a writer, and a terminal would become ours.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(broken)?;
    let about = file.metadata().map_err(broken)?;
    if !about.is_file() {
        return Err(unreadable("not a regular file", false));
    }
    let most = limits.max_file_mb.saturating_mul(1 << 20);
    let too_large = |size: u64| {
        let (size, most) = (size.div_ceil(1 << 20), limits.max_file_mb);
        unreadable(format!("the file has {size} MB, at most {most} MB are taken (workers.max_file_mb)"), false)
    };
    if about.len() > most {
        return Err(too_large(about.len()));
    }
    bytes.reserve(usize::try_from(about.len()).unwrap_or(0));
    // One byte more than the limit, to notice a file that grows while it is read.
    file.take(most.saturating_add(1)).read_to_end(bytes).map_err(broken)?;
    if bytes.len() as u64 > most {
        return Err(too_large(bytes.len() as u64));
    }
    let found = ImageId::of(bytes);
    match expected {
        Some(expected) if expected != found => Err(unreadable("the file changed while it was read", true)),
        _ => Ok(found),
    }
}

/// Decodes `bytes` into `picture`, whose buffers are used again. Of several frames or pages the first is taken.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode(bytes: &[u8], wanted: Wanted, limits: &Limits, picture: &mut Picture) -> Result<(), DecodeError> {
    picture.native = None;
    picture.flags.clear();
    match container::sniff(bytes)? {
        container::Format::Jpeg => jpeg::decode(bytes, wanted, limits, picture),
        container::Format::Png => raster::decode_png(bytes, wanted, limits, picture),
        container::Format::Bmp => raster::decode_bmp(bytes, wanted, limits, picture),
        container::Format::Tiff => raster::decode_tiff(bytes, wanted, limits, picture),
    }
}

/// Refuses what a header claims before anything is reserved for it.
fn check_size(width: u64, height: u64, limits: &Limits) -> Result<(u32, u32), DecodeError> {
    if width == 0 || height == 0 {
        return Err(DecodeError::NoPixels { width, height });
    }
    let megapixels = width as f64 * height as f64 / 1e6;
    let sides = (u32::try_from(width), u32::try_from(height));
    match sides {
        (Ok(width), Ok(height)) if megapixels <= limits.max_megapixels => Ok((width, height)),
        _ => Err(DecodeError::TooLarge { width, height, megapixels, most: limits.max_megapixels }),
    }
}

/// Luma after ITU-R BT.601, the weights that JPEG itself uses, so that a colour PNG and JPEG of one scene agree.
fn gray_from_rgb(rgb: &[u8], gray: &mut Vec<u8>) {
    gray.clear();
    gray.extend(rgb.chunks_exact(3).map(|p| {
        let sum = 19_595 * u32::from(p[0]) + 38_470 * u32::from(p[1]) + 7_471 * u32::from(p[2]);
        ((sum + 32_768) >> 16) as u8
    }));
}

#[cfg(test)]
mod tests;
