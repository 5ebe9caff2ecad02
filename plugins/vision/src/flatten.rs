//! Flat-fielding: a picture minus everything a clean end face shows, and the noise that is left.
//!
//! Outside the fibre the background is a cubic surface plus a local median on a coarse grid; in and just around it the
//! median over directions in the fibre's own coordinates ([`crate::fibre`]), which takes away outlines and decoy rings.
//! Noise is measured on whatever response a detector makes of the residual, locally outside, a distance from the middle
//! inside. Planes hold `i16` in units of [`UNIT`] a gray level. Called by the detectors; keeps its buffers.

use std::ops::Range;

use multiversion::multiversion;

use crate::{
    ellipse::Ellipse,
    fibre::FibreFrame,
    grid::{CELL, Grid, NODE, Nodes},
    noise::{MEAN_OF_GAUSSIAN, Magnitudes},
    round::nearest,
    smooth::LIMIT,
    surface::Surface,
};

/// Plane units a gray level.
pub const UNIT: i16 = 32;
/// Units of a noise map a unit of the response it belongs to.
pub const NOISE_UNIT: i16 = 8;
/// Noise where nothing can be told: no response exceeds it.
pub const UNUSABLE: i16 = i16::MAX;
/// Pixels to each side whose cells' median is the background: a window of 112 pixels.
const BACKGROUND_REACH: usize = 3 * CELL;
/// Share of the cladding's radius that the fibre's coordinates reach beyond it: the glow of a sharpened edge.
const MARGIN: f32 = 0.16;
/// Pixels over which the fibre's model fades into the background.
const FADE: f32 = 8.0;
/// Pixels beyond the cladding's edge from which the larger noise counts, of the ferrule's and the fibre's.
const AROUND: f32 = 4.0;

/// Distances from the fibre's middle, in pixels, by which an outline may miss its fit: its residual is no defect.
pub const SLACK: usize = 2;

/// What noise is at least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Least {
    /// In the response's units.
    pub floor: f32,
    /// Around the fibre the worst noise counts of so many distances either side.
    pub slack: usize,
}

/// What is known of a picture: its size, which pixels count, where the fibre is.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    pub width: usize,
    pub height: usize,
    /// Not 0 where a pixel belongs to the end face.
    pub usable: &'a [u8],
    pub cladding: Option<Ellipse>,
    pub core: Option<Ellipse>,
}

/// Buffers for flattening one picture after the other.
#[derive(Debug, Clone, Default)]
pub struct Flattener {
    pub fibre: FibreFrame,
    has_fibre: bool,
    surface: Surface,
    /// What the background is off the surface.
    grid: Grid,
    spread: Grid,
    cells: Vec<f32>,
    nodes: Nodes,
    at_nodes: Vec<f32>,
    row: Vec<f32>,
    magnitudes: Magnitudes,
    sums: ColumnSums,
    /// The background's shape, what the cells are off it, and the first round's answer.
    shape: Vec<f32>,
    offsets: Vec<f32>,
    first: Vec<f32>,
}

/// A pixel of what is flattened, in units of [`UNIT`]: a plane's, or a gray level, of which no plane is made first.
pub trait Sample: Copy {
    fn units(self) -> i16;
}

impl Sample for i16 {
    #[inline(always)]
    fn units(self) -> i16 {
        self
    }
}

impl Sample for u8 {
    #[inline(always)]
    fn units(self) -> i16 {
        i16::from(self) * UNIT
    }
}

impl Flattener {
    /// The plane minus its background, within ±[`LIMIT`]; 0 where unusable.
    pub fn flatten<T: Sample>(&mut self, plane: &[T], scene: &Scene<'_>, residual: &mut Vec<i16>) {
        self.has_fibre = scene.cladding.is_some();
        if let Some(cladding) = &scene.cladding {
            let margin = MARGIN * cladding.mean_radius() as f32 + FADE;
            self.fibre.lay(scene.width, scene.height, cladding, scene.core.as_ref(), margin);
            self.fibre.measure_profiles(plane, scene.usable, scene.width);
        }
        self.background(plane, scene);
        residual.resize(plane.len(), 0);
        self.row.resize(scene.width, 0.0);
        for y in 0..scene.height {
            self.grid.nodes_into(y, &self.nodes, &mut self.cells, &mut self.at_nodes);
            // There and not in the cells' middles: it bends, most of all at the picture's border, where no cell lies beyond.
            self.surface.add_at_nodes(&self.grid, y, &self.nodes, &mut self.at_nodes);
            lay_lines(&self.at_nodes, self.nodes.apart, &mut self.row);
            let span = y * scene.width..(y + 1) * scene.width;
            if self.has_fibre {
                self.fibre.lay_model(y, FADE, &mut self.row);
            }
            subtract(&plane[span.clone()], &self.row, &scene.usable[span.clone()], &mut residual[span]);
        }
    }

    /// Background of the ferrule on the coarse grid.
    fn background<T: Sample>(&mut self, plane: &[T], scene: &Scene<'_>) {
        self.grid.lay_enough(scene.width, scene.height);
        self.nodes.lay(&self.grid, scene.width);
        let cell = self.grid.cell;
        let reach = BACKGROUND_REACH / cell;
        // Nearly whole cells: the mean of a part is not the middle's where light falls off, but without the four in the corners,
        // which the picture's border narrows on two sides, the surface would have to guess there.
        self.fill_cells(plane, scene, Counted::Values, cell * cell * 3 / 8);
        self.surface = Surface::fit(&self.grid);
        self.surface.lay(&self.grid, &mut self.shape);
        let Self { grid, shape, offsets, first, .. } = self;
        grid.values.iter_mut().zip(&*shape).for_each(|(v, s)| *v -= s);
        // Twice: the second round takes away the bias of the first where the background curves (Tukey's twicing).
        offsets.clone_from(&grid.values);
        grid.local_quantile(reach, 0.5, 1.0);
        grid.fill(0.0);
        grid.soften();
        first.clone_from(&grid.values);
        grid.values.iter_mut().zip(&*offsets).for_each(|(v, o)| *v = o - *v);
        grid.local_quantile(reach, 0.5, 1.0);
        grid.fill(0.0);
        grid.soften();
        grid.values.iter_mut().zip(&*first).for_each(|(v, f)| *v += f);
    }

    /// Means of the cells clear of the fibre over every second row: of values the background, of magnitudes the noise.
    /// Cells with fewer than `least` usable pixels there stay unknown.
    fn fill_cells<T: Sample>(&mut self, plane: &[T], scene: &Scene<'_>, counted: Counted, least: usize) {
        let Self { grid, spread, sums, .. } = self;
        let grid = match counted {
            Counted::Values => grid,
            Counted::Magnitudes(_) => spread,
        };
        // A cell's middle keeps a cell away from the cladding.
        let clear = scene.cladding.map(|c| (c.gauge(), 1.0 + grid.cell as f64 / c.ax.min(c.by)));
        for row in 0..grid.rows {
            sums.clear(grid.columns * grid.cell);
            let [top, middle, bottom] = [0, grid.cell / 2, grid.cell].map(|y| (row * grid.cell + y).min(scene.height));
            // Even ones above the cell's middle, odd ones below: their mean lies there.
            for y in (top..middle).step_by(2).chain((middle + 1..bottom).step_by(2)) {
                let span = y * scene.width..(y + 1) * scene.width;
                add_row(&plane[span.clone()], &scene.usable[span], counted, sums);
            }
            let mut index = row * grid.columns;
            sums.cells(grid.cell, |total, pixels| {
                let (x, y) = grid.centre(index);
                let open = clear.is_none_or(|(gauge, clear)| gauge.radius_at(f64::from(x), f64::from(y)) > clear);
                if open && pixels >= least as i32 {
                    grid.values[index] = total as f32 / pixels as f32;
                }
                index += 1;
            });
        }
    }

    /// Noise of a response made of the residual, a pixel, in units of 1 / [`NOISE_UNIT`] of the response's; [`UNUSABLE`]
    /// where unusable. `then` is told each row's pixels and noise while they are at hand.
    pub fn noise(
        &mut self,
        response: &[i16],
        scene: &Scene<'_>,
        least: Least,
        noise: &mut Vec<i16>,
        mut then: impl FnMut(Range<usize>, &[i16]),
    ) {
        let whole = self.whole_noise(response, scene).max(least.floor);
        self.local_noise(response, scene, whole);
        if self.has_fibre {
            let least = Least { floor: (0.6 * whole).max(least.floor), ..least };
            self.fibre.measure_noise(response, scene.usable, scene.width, least);
        }
        noise.resize(response.len(), UNUSABLE);
        for y in 0..scene.height {
            self.spread.row_into(y, &mut self.cells, &mut self.row);
            if self.has_fibre {
                self.fibre.lay_noise(y, AROUND, &mut self.row);
            }
            let span = y * scene.width..(y + 1) * scene.width;
            in_noise_units(&self.row, &scene.usable[span.clone()], &mut noise[span.clone()]);
            then(span.clone(), &noise[span]);
        }
    }

    /// Median deviation of the response over the ferrule (over everything where that is nearly nothing).
    fn whole_noise(&mut self, response: &[i16], scene: &Scene<'_>) -> f32 {
        self.magnitudes.clear();
        for y in (1..scene.height).step_by(8) {
            let span = y * scene.width..(y + 1) * scene.width;
            let (row, usable) = (&response[span.clone()], &scene.usable[span]);
            for x in (y % 3..scene.width).step_by(3).filter(|x| usable[*x] != 0) {
                self.magnitudes.add(row[x]);
            }
        }
        self.magnitudes.sigma()
    }

    /// Mean magnitude a cell, large values cut, then a low quantile of the neighbourhood, so that dirt does not count.
    fn local_noise(&mut self, response: &[i16], scene: &Scene<'_>, whole: f32) {
        self.spread.lay(scene.width, scene.height);
        self.fill_cells(response, scene, Counted::Magnitudes((3.0 * whole) as i16), 48);
        let Self { spread, .. } = self;
        spread.values.iter_mut().for_each(|v| *v /= MEAN_OF_GAUSSIAN);
        spread.local_quantile(2, 0.4, f32::from(NOISE_UNIT));
        spread.fill(whole);
        spread.soften();
        spread.values.iter_mut().for_each(|v| *v = v.clamp(0.9 * whole, 2.5 * whole));
    }
}

/// Sums over the usable pixels of each column of a row of cells, in lists of their own, so that a vector register holds
/// one kind.
#[derive(Debug, Clone, Default)]
struct ColumnSums {
    totals: Vec<i32>,
    pixels: Vec<i16>,
}

/// What is added up.
#[derive(Debug, Clone, Copy)]
enum Counted {
    Values,
    /// Up to that many.
    Magnitudes(i16),
}

impl ColumnSums {
    /// Starts anew, with room for a last cell that the picture cuts.
    fn clear(&mut self, columns: usize) {
        self.totals.clear();
        self.totals.resize(columns, 0);
        self.pixels.clear();
        self.pixels.resize(columns, 0);
    }

    /// Tells the sum and the number of pixels of each cell of that side.
    fn cells(&self, side: usize, mut told: impl FnMut(i32, i32)) {
        let mut tell = |totals: &[i32], pixels: &[i16]| {
            told(totals.iter().sum(), pixels.iter().map(|n| i32::from(*n)).sum());
        };
        if side == CELL {
            let cells = self.totals.as_chunks::<CELL>().0.iter().zip(self.pixels.as_chunks::<CELL>().0);
            cells.for_each(|(totals, pixels)| tell(totals, pixels));
        } else {
            self.totals.chunks_exact(side).zip(self.pixels.chunks_exact(side)).for_each(|(t, p)| tell(t, p));
        }
    }
}

/// Adds a row of a plane to the sums of its columns.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn add_row<T: Sample>(plane: &[T], usable: &[u8], counted: Counted, sums: &mut ColumnSums) {
    match counted {
        Counted::Values => add(plane, usable, |value| value, sums),
        Counted::Magnitudes(cut) => add(plane, usable, |value| value.saturating_abs().min(cut), sums),
    }
}

#[inline(always)]
fn add<T: Sample>(plane: &[T], usable: &[u8], counted: impl Fn(i16) -> i16, sums: &mut ColumnSums) {
    let pixels = plane.iter().zip(usable);
    for ((total, pixel), (value, usable)) in sums.totals.iter_mut().zip(&mut sums.pixels).zip(pixels) {
        // Of every pixel, and then taken or not: without a branch.
        let (value, counts) = (counted(value.units()), *usable != 0);
        *total += i32::from(if counts { value } else { 0 });
        *pixel += i16::from(counts);
    }
}

/// Joins nodes that far apart by straight lines.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn lay_lines(nodes: &[f32], apart: usize, row: &mut [f32]) {
    if apart != NODE {
        row.copy_from_slice(&nodes[..row.len()]);
        return;
    }
    let lay = |ends: &[f32], stretch: &mut [f32]| {
        let step = (ends[1] - ends[0]) / NODE as f32;
        stretch.iter_mut().enumerate().for_each(|(k, value)| *value = ends[0] + step * k as f32);
    };
    let (stretches, tail) = row.as_chunks_mut::<NODE>();
    lay(&nodes[stretches.len()..], tail);
    stretches.iter_mut().zip(nodes.windows(2)).for_each(|(stretch, ends)| lay(ends, stretch));
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn subtract<T: Sample>(plane: &[T], background: &[f32], usable: &[u8], residual: &mut [i16]) {
    for ((r, (p, usable)), background) in residual.iter_mut().zip(plane.iter().zip(usable)).zip(background) {
        // A background fitted to nothing but noise may lie far outside the picture's own values.
        let value = p.units().saturating_sub(nearest(*background) as i16).clamp(-LIMIT, LIMIT);
        *r = if *usable == 0 { 0 } else { value };
    }
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn in_noise_units(row: &[f32], usable: &[u8], noise: &mut [i16]) {
    for ((n, usable), value) in noise.iter_mut().zip(usable).zip(row) {
        let value = nearest((value * f32::from(NOISE_UNIT)).min(f32::from(UNUSABLE))) as i16;
        *n = if *usable == 0 { UNUSABLE } else { value };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn light_that_drops_in_the_corners_is_taken_off_alike_on_all_sides_of_any_picture() {
        for (width, height) in [(160, 120), (256, 256), (640, 480), (1152, 864)] {
            let (cx, cy) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
            let radius = |at: usize| ((at % width) as f64 - cx).hypot((at / width) as f64 - cy);
            let fibre = 0.25 * height as f64;
            let level = |r: f64| if r < fibre { 80.0 } else { 190.0 };
            let light = |r: f64| level(r) * (1.0 - 0.25 * (r / cx.hypot(cy)).powi(6));
            let plane: Vec<i16> =
                (0..width * height).map(|at| (f64::from(UNIT) * light(radius(at))).round() as i16).collect();
            let cladding = Ellipse { cx, cy, ax: fibre, by: fibre, angle_deg: 0.0 };
            let usable = vec![1; plane.len()];
            let scene = Scene { width, height, usable: &usable, cladding: Some(cladding), core: None };
            let (mut flattener, mut residual) = (Flattener::default(), Vec::new());
            flattener.flatten(&plane, &scene, &mut residual);
            let mean = |rows: &[i16]| rows.iter().map(|r| f64::from(*r)).sum::<f64>() / rows.len() as f64;
            let (top, bottom) = residual.split_at(width * height / 2);
            let (top, bottom) = (mean(&top[..6 * width]), mean(&bottom[bottom.len() - 6 * width..]));
            assert!((top - bottom).abs() < 4.0, "{width}x{height}: {top} above, {bottom} below");
            let outside = residual.iter().enumerate().filter(|(at, _)| radius(*at) > 1.3 * fibre + 8.0);
            let worst = outside.map(|(_, r)| r.abs()).max().unwrap_or(0);
            assert!(worst < 3 * UNIT / 2, "{width}x{height}: {worst} of {UNIT} a gray level are left");
        }
    }

    proptest! {
        #[test]
        fn cells_are_summed_pixel_by_pixel(
            (pixels, width) in (1..70usize, 1..17usize).prop_flat_map(|(w, h)|
                (proptest::collection::vec((any::<i16>(), 0..3u8), w * h), Just(w))),
            cut in proptest::option::of(0..3000i16),
            side in proptest::sample::select(vec![CELL, 8, 4]),
        ) {
            let (plane, usable): (Vec<i16>, Vec<u8>) = pixels.iter().copied().unzip();
            let mut sums = ColumnSums::default();
            sums.clear(width.next_multiple_of(side));
            let counted = cut.map_or(Counted::Values, Counted::Magnitudes);
            for (values, usable) in plane.chunks_exact(width).zip(usable.chunks_exact(width)) {
                add_row(values, usable, counted, &mut sums);
            }
            let mut plain = vec![(0, 0); width.div_ceil(side)];
            for (i, (value, _)) in pixels.iter().enumerate().filter(|(_, (_, usable))| *usable != 0) {
                let (total, pixels) = &mut plain[i % width / side];
                *total += cut.map_or(i32::from(*value), |cut| i32::from(*value).abs().min(i32::from(cut)));
                *pixels += 1;
            }
            let mut told = Vec::new();
            sums.cells(side, |total, pixels| told.push((total, pixels)));
            prop_assert_eq!(told, plain);
        }
    }
}
