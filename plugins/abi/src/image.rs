//! The picture as a plug-in sees it: borrowed pixels, never owned.

use abi_stable::{
    StableAbi,
    std_types::{ROption, RSlice},
};

/// How a pixel is stored. Samples wider than a byte are in the machine's byte order.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// One byte, 0 black, 255 white.
    Gray8,
    /// Two bytes, 0 black, 65535 white.
    Gray16,
    /// Three bytes, red, green, blue.
    Rgb8,
}

impl PixelFormat {
    /// Bytes that one pixel takes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Gray8 => 1,
            Self::Gray16 => 2,
            Self::Rgb8 => 3,
        }
    }
}

/// A borrowed picture. The host promises that `pixels` holds at least `(height - 1) * stride + width * bytes` bytes and
/// that both sides are at least 1.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct ImageView<'a> {
    /// Rows from top to bottom, `stride` bytes apart.
    pub pixels: RSlice<'a, u8>,
    pub format: PixelFormat,
    /// Pixels a row, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
    /// Bytes from one row's first pixel to the next row's.
    pub stride: u32,
    /// Micrometres a pixel along y (and along x divided by `pixel_aspect`), where the microscope's settings give it.
    pub um_per_px: ROption<f64>,
    /// Width of a pixel divided by its height, where known. A round fibre on pixels of aspect `a` is an ellipse with
    /// `ax / by = 1 / a`.
    pub pixel_aspect: ROption<f64>,
}

impl<'a> ImageView<'a> {
    /// Wraps a gray 8-bit picture without padding; `None` unless `pixels.len() == width * height` and both are positive.
    #[must_use]
    pub fn gray8(pixels: &'a [u8], width: u32, height: u32) -> Option<Self> {
        let wanted = (width as usize).checked_mul(height as usize)?;
        (wanted > 0 && pixels.len() == wanted).then_some(Self {
            pixels: pixels.into(),
            format: PixelFormat::Gray8,
            width,
            height,
            stride: width,
            um_per_px: ROption::RNone,
            pixel_aspect: ROption::RNone,
        })
    }

    /// The bytes of row `y`, without padding. Panics if `y >= height`, as slicing does.
    #[must_use]
    pub fn row(&self, y: u32) -> &'a [u8] {
        let start = y as usize * self.stride as usize;
        &self.pixels.as_slice()[start..start + self.width as usize * self.format.bytes()]
    }

    /// All pixels of a gray 8-bit picture when rows follow each other without padding.
    #[must_use]
    pub fn as_gray8(&self) -> Option<&'a [u8]> {
        let contiguous = self.format == PixelFormat::Gray8 && self.stride == self.width;
        contiguous.then(|| &self.pixels.as_slice()[..self.width as usize * self.height as usize])
    }
}
