//! JPEG: luma straight from the coefficients, for end faces are gray whatever the file says. zune-jpeg takes files with a
//! stray byte before a marker, as some microscopes write them.

use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::{JpegDecoder, errors::DecodeErrors};

use super::{DecodeError, Native, Picture, Wanted, check_size, container, gray_from_rgb};
use crate::{host::card::Pixels, worker::arguments::Limits};

const FORMAT: &str = "JPEG";

pub(super) fn decode(bytes: &[u8], wanted: Wanted, limits: &Limits, picture: &mut Picture) -> Result<(), DecodeError> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options());
    let headers = decoder.decode_headers();
    // The size first: a decoder that stumbles over a huge claim would hide it behind its own words.
    if let Some((width, height)) = decoder.dimensions() {
        (picture.width, picture.height) = check_size(width as u64, height as u64, limits)?;
    }
    // A file without its end gets that said, whatever the decoder stumbles over.
    if !container::jpeg_ends(bytes) {
        return Err(DecodeError::Truncated { format: FORMAT });
    }
    headers.map_err(fault)?;
    let colour = decoder.input_colorspace().unwrap_or(ColorSpace::YCbCr);
    let pixels = picture.width as usize * picture.height as usize;
    // Luma is one of these two's own components; of anything else (RGB, CMYK, YCCK) it must be computed.
    let has_luma = matches!(colour, ColorSpace::Luma | ColorSpace::YCbCr);
    if has_luma {
        decode_as(bytes, ColorSpace::Luma, pixels, &mut picture.gray8)?;
    }
    let keep_rgb = wanted.rgb8 && colour != ColorSpace::Luma;
    if keep_rgb || !has_luma {
        let mut rgb = Vec::new();
        decode_as(bytes, ColorSpace::RGB, 3 * pixels, &mut rgb)?;
        if !has_luma {
            gray_from_rgb(&rgb, &mut picture.gray8);
        }
        picture.native = keep_rgb.then_some(Native { format: Pixels::Rgb8, bytes: rgb });
    }
    Ok(())
}

fn options() -> DecoderOptions {
    // Limits are checked here, in pixels; what a file may call itself is not the decoder's business.
    DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX)
}

fn decode_as(bytes: &[u8], colour: ColorSpace, size: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options().jpeg_set_out_colorspace(colour));
    decoder.decode_headers().map_err(fault)?;
    out.clear();
    out.resize(size, 0);
    // The buffer is sized from a first reading of the same header.
    if decoder.output_buffer_size() != Some(size) {
        return Err(DecodeError::Unsupported { format: FORMAT, reason: format!("cannot be read as {colour:?}") });
    }
    decoder.decode_into(out).map_err(fault)
}

fn fault(error: DecodeErrors) -> DecodeError {
    match error {
        DecodeErrors::ExhaustedData => DecodeError::Truncated { format: FORMAT },
        DecodeErrors::Unsupported(scheme) => DecodeError::Unsupported { format: FORMAT, reason: format!("{scheme:?}") },
        other => DecodeError::Damaged { format: FORMAT, reason: format!("{other:?}") },
    }
}
