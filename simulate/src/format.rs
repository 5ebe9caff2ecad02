//! File formats and file names of simulated pictures. Encodes to memory; writes nothing.

use std::{fmt, str::FromStr};

use image::{
    ExtendedColorType, GrayImage, ImageEncoder, ImageError,
    codecs::{
        bmp::BmpEncoder,
        jpeg::JpegEncoder,
        png::{CompressionType, FilterType, PngEncoder},
        tiff::TiffEncoder,
    },
};

/// What the pictures are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Png,
    /// With the artefacts of the quality that the preset draws.
    Jpg,
    Tif,
    Bmp,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Png, Self::Jpg, Self::Tif, Self::Bmp];

    /// The file extension.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpg => "jpg",
            Self::Tif => "tif",
            Self::Bmp => "bmp",
        }
    }

    /// A picture as a file's bytes.
    pub(super) fn encode(self, picture: &GrayImage, jpeg_quality: u8) -> Result<Vec<u8>, ImageError> {
        let (width, height) = picture.dimensions();
        let mut bytes = Vec::with_capacity(picture.as_raw().len() + 4096);
        let gray = ExtendedColorType::L8;
        match self {
            // Noise does not compress: the fastest setting loses a few per cent of size.
            Self::Png => PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Sub)
                .write_image(picture, width, height, gray)?,
            Self::Jpg => JpegEncoder::new_with_quality(&mut bytes, jpeg_quality.clamp(1, 100))
                .write_image(picture, width, height, gray)?,
            Self::Bmp => BmpEncoder::new(&mut bytes).write_image(picture, width, height, gray)?,
            Self::Tif => {
                TiffEncoder::new(std::io::Cursor::new(&mut bytes)).write_image(picture, width, height, gray)?
            }
        }
        Ok(bytes)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "png" => Ok(Self::Png),
            "jpg" | "jpeg" => Ok(Self::Jpg),
            "tif" | "tiff" => Ok(Self::Tif),
            "bmp" => Ok(Self::Bmp),
            _ => Err(format!("no picture format `{text}`: expected png, jpg, tif or bmp")),
        }
    }
}

/// Connectors on a panel; a job photographs both sides of each.
const PORTS: u64 = 12;

/// The name of picture `index`: `J<job>_P<port>_<side>_<index>.<extension>`, as in `J0421_P07_A_000123.png`. A job is
/// twelve ports with sides A and B, so 24 pictures; the first job's number comes from the seed.
#[must_use]
pub fn file_name(seed: u64, index: u64, format: Format) -> String {
    let job = 100 + (seed % 97) * 61 + index / (2 * PORTS);
    let (port, side) = (index / 2 % PORTS + 1, if index.is_multiple_of(2) { 'A' } else { 'B' });
    format!("J{job:04}_P{port:02}_{side}_{index:06}.{}", format.extension())
}
