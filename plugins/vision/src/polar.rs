//! A picture unrolled around an ellipse: rays in the ellipse's own frame, so that its outline is a straight line.
//!
//! Row `i` of a patch is the ray at parameter `2 pi i / rays`; column `j` lies at normalised radius `first + j * step`
//! (1 is the outline). Never allocates once its buffers have grown. Called by the segmenter.

use multiversion::multiversion;

use crate::{ellipse::Ellipse, plane::Plane, round::nearest};

/// Which samples to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolarGrid {
    pub rays: usize,
    /// Normalised radius of the first sample.
    pub first: f64,
    /// Normalised radius from one sample to the next.
    pub step: f64,
    pub steps: usize,
}

impl PolarGrid {
    /// Normalised radii `from` to `to`, `step_px` pixels apart on an ellipse of that size.
    #[must_use]
    pub fn between(from: f64, to: f64, step_px: f64, outline: &Ellipse, rays: usize) -> Self {
        let step = step_px / outline.mean_radius().max(1e-9);
        // An absurd outline must not ask for absurd memory; no picture has longer rays than this.
        let steps = (((to - from) / step).ceil().max(0.0) as usize + 1).min(16_384);
        Self { rays, first: from, step, steps }
    }

    /// Normalised radius of a (fractional) column.
    #[must_use]
    pub fn radius(&self, column: f64) -> f64 {
        self.first + column * self.step
    }
}

/// Samples along rays.
#[derive(Debug, Default)]
pub struct PolarPatch {
    grid: Option<PolarGrid>,
    samples: Vec<f32>,
    inside: Vec<usize>,
}

impl PolarPatch {
    /// Samples the picture bilinearly. Beyond the picture's edge a ray repeats its last sample; [`Self::inside`] says
    /// where that begins. The outline's centre should lie in the picture: rays of one outside hold nothing.
    pub fn resample<T: Copy + Into<f32>>(&mut self, picture: Plane<'_, T>, outline: &Ellipse, grid: PolarGrid) {
        self.grid = Some(grid);
        self.samples.resize(grid.rays * grid.steps, 0.0);
        self.inside.clear();
        if grid.steps == 0 || grid.rays == 0 {
            return;
        }
        let mut offsets = outline.offsets(grid.rays);
        for out in self.samples.chunks_exact_mut(grid.steps) {
            let (dx, dy) = offsets.next().unwrap_or_default();
            let inside = steps_inside(picture.width(), picture.height(), outline, (dx, dy), &grid);
            let (valid, beyond) = out.split_at_mut(inside);
            sample_ray(picture, outline, (dx, dy), &grid, valid);
            beyond.fill(valid.last().copied().unwrap_or(0.0));
            self.inside.push(inside);
        }
    }

    /// The samples of one ray.
    ///
    /// # Panics
    /// If there is no such ray, as slicing does.
    #[must_use]
    pub fn ray(&self, ray: usize) -> &[f32] {
        let steps = self.steps();
        &self.samples[ray * steps..(ray + 1) * steps]
    }

    /// How many of a ray's samples lie in the picture.
    ///
    /// # Panics
    /// As [`Self::ray`].
    #[must_use]
    pub fn inside(&self, ray: usize) -> usize {
        self.inside[ray]
    }

    /// Number of rays.
    #[must_use]
    pub fn rays(&self) -> usize {
        self.inside.len()
    }

    /// Samples a ray.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.grid.map_or(0, |grid| grid.steps)
    }
}

/// Leading samples of the ray that lie between the centres of the outermost pixels.
fn steps_inside(width: usize, height: usize, outline: &Ellipse, (dx, dy): (f64, f64), grid: &PolarGrid) -> usize {
    let within = |s: f64| {
        let (x, y) = (outline.cx + dx * s, outline.cy + dy * s);
        x >= 0.0 && y >= 0.0 && x <= (width - 1) as f64 && y <= (height - 1) as f64
    };
    if !within(grid.first) {
        return 0;
    }
    // The first side that the ray crosses.
    let exit = |centre: f64, slope: f64, last: f64| {
        if slope > 1e-12 {
            (last - centre) / slope
        } else if slope < -1e-12 {
            -centre / slope
        } else {
            f64::INFINITY
        }
    };
    let s = exit(outline.cx, dx, (width - 1) as f64).min(exit(outline.cy, dy, (height - 1) as f64));
    let mut steps = ((((s - grid.first) / grid.step).floor() + 1.0).max(0.0) as usize).min(grid.steps);
    while steps > 0 && !within(grid.radius((steps - 1) as f64)) {
        steps -= 1;
    }
    steps
}

/// Samples placed before they are read: placing takes vectors, reading does not.
const GROUP: usize = 32;

/// All samples lie inside the picture; a position on the last row or column counts as the end of the pixel before it.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn sample_ray<T: Copy + Into<f32>>(
    picture: Plane<'_, T>,
    outline: &Ellipse,
    (dx, dy): (f64, f64),
    grid: &PolarGrid,
    out: &mut [f32],
) {
    let (samples, stride) = (picture.samples(), picture.stride());
    if picture.width() < 2 || picture.height() < 2 {
        out.fill(samples[0].into());
        return;
    }
    let (last_x, last_y) = ((picture.width() - 2) as i32, (picture.height() - 2) as i32);
    let (x0, y0) = ((outline.cx + dx * grid.first) as f32, (outline.cy + dy * grid.first) as f32);
    let (sx, sy) = ((dx * grid.step) as f32, (dy * grid.step) as f32);
    let (mut at, mut shares) = ([0i32; GROUP], [[0.0f32; GROUP]; 2]);
    let mut corners = [[0.0f32; GROUP]; 4];
    for (group, out) in out.chunks_mut(GROUP).enumerate() {
        let first = (group * GROUP) as f32;
        for i in 0..GROUP {
            let (x, y) = (x0 + sx * (first + i as f32), y0 + sy * (first + i as f32));
            let (column, row) = (nearest(x - 0.5).clamp(0, last_x), nearest(y - 0.5).clamp(0, last_y));
            at[i] = row * stride as i32 + column;
            (shares[0][i], shares[1][i]) = (x.max(0.0) - column as f32, y.max(0.0) - row as f32);
        }
        for (i, at) in at.iter().take(out.len()).enumerate() {
            let at = *at as usize;
            let (upper, lower) = (&samples[at..at + 2], &samples[at + stride..at + stride + 2]);
            corners[0][i] = upper[0].into();
            corners[1][i] = upper[1].into();
            corners[2][i] = lower[0].into();
            corners[3][i] = lower[1].into();
        }
        let [a, b, c, d] = &corners;
        for (i, value) in out.iter_mut().enumerate() {
            let (top, bottom) = (a[i] + shares[0][i] * (b[i] - a[i]), c[i] + shares[0][i] * (d[i] - c[i]));
            *value = top + shares[1][i] * (bottom - top);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Bilinear sampling reproduces a plane exactly, whatever the ellipse; and it never reads outside.
        #[test]
        fn a_tilted_plane_is_read_exactly(
            cx in -5.0..45.0f64, cy in -5.0..35.0f64, ax in 1.0..40.0f64, by in 1.0..40.0f64,
            angle in -45.0..45.0f64, first in 0.0..1.5f64,
        ) {
            let pixels: Vec<f32> = (0..40 * 30).map(|i| 3.0 * (i % 40) as f32 - 2.0 * (i / 40) as f32).collect();
            let picture = Plane::new(&pixels, 40, 30, 40).unwrap();
            let outline = Ellipse { cx, cy, ax, by, angle_deg: angle };
            let grid = PolarGrid { rays: 24, first, step: 0.05, steps: 30 };
            let mut patch = PolarPatch::default();
            patch.resample(picture, &outline, grid);
            for ray in 0..24 {
                let (dx, dy) = outline.offset_at(std::f64::consts::TAU * ray as f64 / 24.0);
                let at = |j: usize| {
                    let s = grid.radius(j as f64);
                    (cx + dx * s, cy + dy * s)
                };
                for j in 0..patch.inside(ray) {
                    let (x, y) = at(j);
                    prop_assert!((f64::from(patch.ray(ray)[j]) - (3.0 * x - 2.0 * y)).abs() < 1e-2);
                }
                if patch.inside(ray) < 30 {
                    let (x, y) = at(patch.inside(ray));
                    prop_assert!(x < 1e-6 || y < 1e-6 || x > 39.0 - 1e-6 || y > 29.0 - 1e-6);
                }
            }
        }
    }
}
