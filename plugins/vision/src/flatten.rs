//! Flat-fielding: a picture minus everything a clean end face shows, and the noise that is left.
//!
//! Outside the fibre the background is a cubic surface plus a local median on a coarse grid; in and just around it the
//! median over directions in the fibre's own coordinates ([`crate::fibre`]), which takes away outlines and decoy rings.
//! Noise is measured on whatever response a detector makes of the residual, locally outside, a distance from the middle
//! inside. Planes hold `i16` in units of [`UNIT`] a gray level. Called by the detectors; keeps its buffers.

use crate::{
    ellipse::Ellipse,
    fibre::FibreFrame,
    grid::{CELL, Grid},
    noise::{MEAN_OF_GAUSSIAN, Magnitudes},
    smooth::LIMIT,
    surface::Surface,
};

/// Plane units a gray level.
pub const UNIT: i16 = 32;
/// Units of a noise map a unit of the response it belongs to.
pub const NOISE_UNIT: i16 = 8;
/// Noise where nothing can be told: no response exceeds it.
pub const UNUSABLE: i16 = i16::MAX;
/// Cells to each side whose median is the background: a window of 112 pixels.
const BACKGROUND_REACH: usize = 3;
/// Share of the cladding's radius that the fibre's coordinates reach beyond it: the glow of a sharpened edge.
const MARGIN: f32 = 0.16;
/// Pixels over which the fibre's model fades into the background.
const FADE: f32 = 8.0;
/// Cells of the background keep this far from the cladding.
const CLEARANCE: f32 = 16.0;

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
    grid: Grid,
    spread: Grid,
    cells: Vec<f32>,
    row: Vec<f32>,
    magnitudes: Magnitudes,
}

/// A gray 8-bit picture as a plane.
pub fn widen(gray: &[u8], plane: &mut Vec<i16>) {
    plane.clear();
    plane.extend(gray.iter().map(|g| i16::from(*g) * UNIT));
}

impl Flattener {
    /// The plane minus its background, within ±[`LIMIT`]; 0 where unusable.
    pub fn flatten(&mut self, plane: &[i16], scene: &Scene<'_>, residual: &mut Vec<i16>) {
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
            self.grid.row_into(y, &mut self.cells, &mut self.row);
            let span = y * scene.width..(y + 1) * scene.width;
            if self.has_fibre {
                self.lay_model_over_row(y);
            }
            let pixels = plane[span.clone()].iter().zip(&scene.usable[span.clone()]);
            for ((r, (p, usable)), background) in residual[span].iter_mut().zip(pixels).zip(&self.row) {
                let value = (p - *background as i16).clamp(-LIMIT, LIMIT);
                *r = if *usable == 0 { 0 } else { value };
            }
        }
    }

    /// Background of the ferrule on the coarse grid.
    fn background(&mut self, plane: &[i16], scene: &Scene<'_>) {
        self.grid.lay(scene.width, scene.height);
        for index in 0..self.grid.values.len() {
            if self.in_the_open(index, scene) {
                self.grid.values[index] = cell_mean(plane, scene, self.grid.columns, index).unwrap_or(f32::NAN);
            }
        }
        let surface = Surface::fit(&self.grid);
        let shape: Vec<f32> = (0..self.grid.values.len()).map(|i| surface.at(&self.grid, i) as f32).collect();
        self.grid.values.iter_mut().zip(&shape).for_each(|(v, s)| *v -= s);
        // Twice: the second round takes away the bias of the first where the background curves (Tukey's twicing).
        let offsets = self.grid.values.clone();
        self.grid.local_quantile(BACKGROUND_REACH, 0.5);
        self.grid.fill(0.0);
        self.grid.soften();
        let first = self.grid.values.clone();
        self.grid.values.iter_mut().zip(&offsets).for_each(|(v, o)| *v = o - *v);
        self.grid.local_quantile(BACKGROUND_REACH, 0.5);
        self.grid.fill(0.0);
        self.grid.soften();
        self.grid.values.iter_mut().zip(&shape).zip(&first).for_each(|((v, s), f)| *v += s + f);
    }

    /// True for cells clear of the fibre.
    fn in_the_open(&self, index: usize, scene: &Scene<'_>) -> bool {
        let (x, y) = self.grid.centre(index);
        scene.cladding.is_none_or(|c| {
            let clear = 1.0 + f64::from(CLEARANCE) / c.ax.min(c.by);
            c.radius_at(f64::from(x), f64::from(y)) > clear
        })
    }

    /// Replaces the background in `row` by the fibre's model, fading out at the disc's rim.
    fn lay_model_over_row(&mut self, y: usize) {
        let [left, top, width, height] = self.fibre.window;
        if y < top || y >= top + height {
            return;
        }
        let first = (y - top) * width;
        let rim = (self.fibre.bins - 1) as f32;
        for (x, background) in self.row[left..left + width].iter_mut().enumerate() {
            if let Some(model) = self.fibre.model(first + x) {
                let share = ((rim - self.fibre.rho[first + x]) / FADE).min(1.0);
                *background += (model - *background) * share;
            }
        }
    }

    /// Noise of a response made of the residual, a pixel, in units of 1 / [`NOISE_UNIT`] of the response's; [`UNUSABLE`]
    /// where unusable. Never below `floor` (in the response's units). Returns the noise of the whole ferrule.
    pub fn noise(&mut self, response: &[i16], scene: &Scene<'_>, floor: f32, noise: &mut Vec<i16>) -> f32 {
        let whole = self.whole_noise(response, scene).max(floor);
        self.local_noise(response, scene, whole);
        if self.has_fibre {
            self.fibre.measure_noise(response, scene.usable, scene.width, (0.6 * whole).max(floor));
        }
        noise.resize(response.len(), UNUSABLE);
        for y in 0..scene.height {
            self.spread.row_into(y, &mut self.cells, &mut self.row);
            if self.has_fibre {
                self.lay_fibre_noise_over_row(y);
            }
            let span = y * scene.width..(y + 1) * scene.width;
            for ((n, usable), value) in noise[span.clone()].iter_mut().zip(&scene.usable[span]).zip(&self.row) {
                *n = if *usable == 0 { UNUSABLE } else { (value * f32::from(NOISE_UNIT)) as i16 };
            }
        }
        whole
    }

    /// Median deviation of the response over the ferrule (over everything where that is nearly nothing).
    fn whole_noise(&mut self, response: &[i16], scene: &Scene<'_>) -> f32 {
        self.magnitudes.clear();
        for y in (1..scene.height).step_by(4) {
            let span = y * scene.width..(y + 1) * scene.width;
            let pixels = response[span.clone()].iter().zip(&scene.usable[span]);
            for (value, usable) in pixels.skip(y % 3).step_by(3) {
                if *usable != 0 {
                    self.magnitudes.add(*value);
                }
            }
        }
        self.magnitudes.sigma()
    }

    /// Mean magnitude a cell, large values cut, then a low quantile of the neighbourhood, so that dirt does not count.
    fn local_noise(&mut self, response: &[i16], scene: &Scene<'_>, whole: f32) {
        let cut = (3.0 * whole) as i16;
        self.spread.lay(scene.width, scene.height);
        for index in 0..self.spread.values.len() {
            if !self.in_the_open(index, scene) {
                continue;
            }
            let (left, top) = (index % self.spread.columns * CELL, index / self.spread.columns * CELL);
            let (mut sum, mut n) = (0, 0);
            for y in (top..(top + CELL).min(scene.height)).step_by(2) {
                let span = y * scene.width + left..y * scene.width + (left + CELL).min(scene.width);
                for (value, usable) in response[span.clone()].iter().zip(&scene.usable[span]) {
                    if *usable != 0 {
                        sum += i32::from(value.saturating_abs().min(cut));
                        n += 1;
                    }
                }
            }
            if n >= 48 {
                self.spread.values[index] = sum as f32 / n as f32 / MEAN_OF_GAUSSIAN;
            }
        }
        self.spread.local_quantile(2, 0.4);
        self.spread.fill(whole);
        self.spread.soften();
        self.spread.values.iter_mut().for_each(|v| *v = v.clamp(0.9 * whole, 2.5 * whole));
    }

    fn lay_fibre_noise_over_row(&mut self, y: usize) {
        let [left, top, width, height] = self.fibre.window;
        if y < top || y >= top + height {
            return;
        }
        let first = (y - top) * width;
        for (x, value) in self.row[left..left + width].iter_mut().enumerate() {
            if let Some(noise) = self.fibre.noise_at(first + x) {
                let outside = self.fibre.rho[first + x] > self.fibre.edge + 4.0;
                *value = if outside { value.max(noise) } else { noise };
            }
        }
    }
}

/// Mean of a cell's usable pixels; `None` if some are missing, for then the mean is not the middle's where light falls off.
fn cell_mean(plane: &[i16], scene: &Scene<'_>, columns: usize, index: usize) -> Option<f32> {
    let (left, top) = (index % columns * CELL, index / columns * CELL);
    let (mut sum, mut n) = (0, 0);
    for y in top..(top + CELL).min(scene.height) {
        let span = y * scene.width + left..y * scene.width + (left + CELL).min(scene.width);
        for (value, usable) in plane[span.clone()].iter().zip(&scene.usable[span]) {
            let counts = i32::from(*usable != 0);
            sum += i32::from(*value) * counts;
            n += counts;
        }
    }
    (n >= (CELL * CELL * 7 / 8) as i32).then(|| sum as f32 / n as f32)
}
