//! A borrowed picture: rows of samples with a stride. Kernels take it instead of four loose arguments.

/// `height` rows of `width` samples, `stride` samples apart.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a, T> {
    samples: &'a [T],
    width: usize,
    height: usize,
    stride: usize,
}

/// An 8-bit gray picture.
pub type Gray<'a> = Plane<'a, u8>;

impl<'a, T> Plane<'a, T> {
    /// Wraps samples; `None` if a side is zero, rows overlap or the slice is too short.
    #[must_use]
    pub fn new(samples: &'a [T], width: usize, height: usize, stride: usize) -> Option<Self> {
        if width == 0 || height == 0 || stride < width {
            return None;
        }
        let needed = (height - 1).checked_mul(stride)?.checked_add(width)?;
        (samples.len() >= needed).then_some(Self { samples, width, height, stride })
    }

    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Samples of row `y`.
    ///
    /// # Panics
    /// If there is no such row, as slicing does.
    #[must_use]
    pub fn row(&self, y: usize) -> &'a [T] {
        &self.samples[y * self.stride..y * self.stride + self.width]
    }

    /// A window of it; `None` if it is empty or reaches outside.
    #[must_use]
    pub fn window(&self, x: usize, y: usize, width: usize, height: usize) -> Option<Self> {
        if x.checked_add(width)? > self.width || y.checked_add(height)? > self.height {
            return None;
        }
        Self::new(self.samples.get(y * self.stride + x..)?, width, height, self.stride)
    }

    pub(crate) const fn samples(&self) -> &'a [T] {
        self.samples
    }

    pub(crate) const fn stride(&self) -> usize {
        self.stride
    }
}
