//! A reference: what clean end faces of one kind look like, place by place, and how a capture deviates from it.
//!
//! Everything lies on a square grid in cladding radii around the fibre ([`frame`]), so that captures that are shifted, of
//! another scale or seen through other pixels fall on one another. A model holds a median and a robust spread a cell
//! ([`learn`]), is a file of its own ([`mod@file`]), and a capture is compared in its light ([`light`], [`compare`]). Knows no
//! files, no plug-in interface and no opinion about what a defect is. Called by core (building) and `detect-anomaly`.

pub mod align;
pub mod compare;
pub mod file;
pub mod frame;
pub mod learn;
pub mod light;

/// Plane units a gray level.
pub const UNIT: f32 = 32.0;
/// A cell of which nothing is known.
pub const UNKNOWN: i16 = i16::MIN;
/// What a grid covers to each side of the fibre's middle, in cladding radii: all that IEC 61300-3-35 gives rules for on a
/// telecom fibre, which ends at 250 µm across.
pub const EXTENT: f64 = 2.0;
/// Finest and coarsest grid, in cells a cladding radius.
pub const CELLS: std::ops::RangeInclusive<u32> = 24..=128;

/// The grid of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Cells a cladding radius, in [`CELLS`].
    pub cells: u32,
}

impl Layout {
    /// The grid for captures whose cladding has this radius in pixels: a cell a pixel, as far as [`CELLS`] goes.
    #[must_use]
    pub fn for_radius(radius_px: f64) -> Self {
        Self { cells: (radius_px.round() as u32).clamp(*CELLS.start(), *CELLS.end()) }
    }

    /// Cells from the middle one to the border.
    #[must_use]
    pub fn reach(self) -> usize {
        (EXTENT * f64::from(self.cells)).ceil() as usize
    }

    /// Cells a row.
    #[must_use]
    pub fn side(self) -> usize {
        2 * self.reach() + 1
    }

    /// Place of a cell's middle in cladding radii.
    #[must_use]
    pub fn place(self, index: usize) -> (f64, f64) {
        let (side, reach) = (self.side(), self.reach() as f64);
        let along = |i: usize| (i as f64 - reach) / f64::from(self.cells);
        (along(index % side), along(index / side))
    }

    /// The places of all cells, in their order.
    pub fn places(self) -> impl Iterator<Item = (f64, f64)> {
        let (side, reach, scale) = (self.side(), self.reach() as f64, 1.0 / f64::from(self.cells));
        let along = move |i: usize| (i as f64 - reach) * scale;
        (0..side).flat_map(move |y| (0..side).map(move |x| (along(x), along(y))))
    }

    /// The cell at a place in cladding radii; `None` outside.
    #[must_use]
    pub fn cell(self, (u, v): (f64, f64)) -> Option<usize> {
        let along = |at: f64| {
            let cell = (at * f64::from(self.cells)).round() + self.reach() as f64;
            (cell >= 0.0 && cell < self.side() as f64).then_some(cell as usize)
        };
        Some(along(v)? * self.side() + along(u)?)
    }
}

/// What clean captures of one kind look like.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub layout: Layout,
    /// The core's radius in cladding radii; `None` where the captures show no core.
    pub core_ratio: Option<f64>,
    /// Captures that it was learnt from.
    pub captures: u32,
    /// Gray level a cell in 1 / [`UNIT`]; [`UNKNOWN`] where too few captures reach.
    pub median: Vec<i16>,
    /// Standard deviation a cell between captures, in the same unit; never 0 where the median is known.
    pub spread: Vec<i16>,
}

/// The part of the end face that a cell belongs to; each has a light of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Core,
    Cladding,
    Around,
}

impl Part {
    pub const ALL: [Self; 3] = [Self::Core, Self::Cladding, Self::Around];

    /// The part at that distance from the middle, in cladding radii.
    #[must_use]
    pub fn at(radius: f64, core_ratio: Option<f64>) -> Self {
        if core_ratio.is_some_and(|core| radius < core) {
            Self::Core
        } else if radius < 1.0 {
            Self::Cladding
        } else {
            Self::Around
        }
    }
}

/// Cells between a place and the nearest outline of core or cladding.
#[must_use]
pub fn cells_off_outline(layout: Layout, core_ratio: Option<f64>, radius: f64) -> f64 {
    let off = |outline: f64| (radius - outline).abs() * f64::from(layout.cells);
    core_ratio.map_or(f64::MAX, off).min(off(1.0))
}

/// Distance of a place from the middle: [`f64::hypot`] guards against overflow, which takes ten times as long.
#[must_use]
pub fn radius_of((u, v): (f64, f64)) -> f64 {
    (u * u + v * v).sqrt()
}

/// The middle value; 0 of nothing. Reorders.
pub(crate) fn median(values: &mut [f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    let (below, at, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    let at = *at;
    if below.len() < middle || values.len() % 2 == 1 {
        return at;
    }
    let under = values[..middle].iter().copied().fold(f32::MIN, f32::max);
    f32::midpoint(at, under)
}

/// Median absolute deviation as the standard deviation of a Gaussian. Reorders.
pub(crate) fn deviation(values: &mut [f32], middle: f32) -> f32 {
    const OF_GAUSSIAN: f32 = 1.482_6;
    values.iter_mut().for_each(|value| *value = (*value - middle).abs());
    OF_GAUSSIAN * median(values)
}
