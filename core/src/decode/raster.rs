//! PNG, BMP and TIFF, through the image crate: any depth and palette becomes gray 8-bit, and the file's own format beside
//! it where somebody wants that.

use std::io::Cursor;

use image::{
    ColorType, ImageDecoder, ImageError, Limits as DecoderLimits,
    codecs::{bmp::BmpDecoder, png::PngDecoder, tiff::TiffDecoder},
};

use super::{DecodeError, Native, Picture, Wanted, check_size, container, gray_from_rgb};
use crate::{host::card::Pixels, worker::arguments::Limits};

pub(super) fn decode_png(
    bytes: &[u8],
    wanted: Wanted,
    limits: &Limits,
    picture: &mut Picture,
) -> Result<(), DecodeError> {
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), reserve(limits)).map_err(|e| fault("PNG", e))?;
    claimed(&decoder, limits)?;
    if !container::png_ends(bytes) {
        return Err(DecodeError::Truncated { format: "PNG" });
    }
    if decoder.is_apng().map_err(|e| fault("PNG", e))? {
        picture.flags.push("animated");
    }
    take(decoder, "PNG", wanted, limits, picture)
}

pub(super) fn decode_bmp(
    bytes: &[u8],
    wanted: Wanted,
    limits: &Limits,
    picture: &mut Picture,
) -> Result<(), DecodeError> {
    if let Some((width, height)) = container::bmp_claim(bytes) {
        check_size(width, height, limits)?;
    }
    let decoder = BmpDecoder::new(Cursor::new(bytes)).map_err(|e| fault("BMP", e))?;
    claimed(&decoder, limits)?;
    if !container::bmp_ends(bytes) {
        return Err(DecodeError::Truncated { format: "BMP" });
    }
    take(decoder, "BMP", wanted, limits, picture)
}

pub(super) fn decode_tiff(
    bytes: &[u8],
    wanted: Wanted,
    limits: &Limits,
    picture: &mut Picture,
) -> Result<(), DecodeError> {
    let decoder = TiffDecoder::new(Cursor::new(bytes)).map_err(|e| fault("TIFF", e))?;
    if container::tiff_has_more_pages(bytes) {
        picture.flags.push("several pages");
    }
    take(decoder, "TIFF", wanted, limits, picture)
}

/// What a decoder may reserve beside the picture itself: tables, a strip, one more copy.
fn reserve(limits: &Limits) -> DecoderLimits {
    let mut reserve = DecoderLimits::no_limits();
    // Up to 16 bytes a pixel (four samples of 32 bits).
    reserve.max_alloc = Some((limits.max_megapixels * 1e6 * 16.0) as u64 + (64 << 20));
    reserve
}

fn claimed(decoder: &impl ImageDecoder, limits: &Limits) -> Result<(u32, u32), DecodeError> {
    let (width, height) = decoder.dimensions();
    check_size(u64::from(width), u64::from(height), limits)
}

fn take(
    mut decoder: impl ImageDecoder,
    format: &'static str,
    wanted: Wanted,
    limits: &Limits,
    picture: &mut Picture,
) -> Result<(), DecodeError> {
    (picture.width, picture.height) = claimed(&decoder, limits)?;
    decoder.set_limits(reserve(limits)).map_err(|e| fault(format, e))?;
    let colour = decoder.color_type();
    let size = usize::try_from(decoder.total_bytes()).unwrap_or(usize::MAX);
    if colour == ColorType::L8 {
        picture.gray8.clear();
        picture.gray8.resize(size, 0);
        return decoder.read_image(&mut picture.gray8).map_err(|e| fault(format, e));
    }
    let mut samples = vec![0; size];
    decoder.read_image(&mut samples).map_err(|e| fault(format, e))?;
    let (native, bytes) = match colour {
        ColorType::La8 => {
            picture.gray8.clear();
            picture.gray8.extend(samples.chunks_exact(2).map(|p| p[0]));
            return Ok(());
        }
        ColorType::L16 => (Pixels::Gray16, samples),
        ColorType::La16 => {
            let luma = samples.chunks_exact(4).flat_map(|p| [p[0], p[1]]);
            (Pixels::Gray16, luma.collect())
        }
        ColorType::Rgb8 => (Pixels::Rgb8, samples),
        ColorType::Rgba8 => (Pixels::Rgb8, samples.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect()),
        ColorType::Rgb16 => (Pixels::Rgb8, shorts(&samples).map(to_byte).collect()),
        ColorType::Rgba16 => {
            let shorts: Vec<u16> = shorts(&samples).collect();
            let colours = shorts.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]);
            (Pixels::Rgb8, colours.map(to_byte).collect())
        }
        other => return Err(DecodeError::Unsupported { format, reason: format!("pixels of type {other:?}") }),
    };
    let keep = match native {
        Pixels::Gray16 => {
            picture.gray8.clear();
            picture.gray8.extend(shorts(&bytes).map(to_byte));
            wanted.gray16
        }
        _ => {
            gray_from_rgb(&bytes, &mut picture.gray8);
            wanted.rgb8
        }
    };
    picture.native = keep.then_some(Native { format: native, bytes });
    Ok(())
}

/// The image crate gives 16-bit samples in the machine's byte order.
fn shorts(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]]))
}

/// 65535 becomes 255, rounded.
fn to_byte(sample: u16) -> u8 {
    ((u32::from(sample) * 255 + 32_767) / 65_535) as u8
}

fn fault(format: &'static str, error: ImageError) -> DecodeError {
    let reason = error.to_string();
    match error {
        ImageError::Unsupported(_) => DecodeError::Unsupported { format, reason },
        ImageError::Limits(_) => {
            DecodeError::Unsupported { format, reason: "needs more memory to decode than a worker may take".into() }
        }
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format }
        }
        _ => DecodeError::Damaged { format, reason },
    }
}
