//! The fibre's own coordinates: distance from the middle in which core and cladding are circles, and direction.
//!
//! What belongs to a healthy fibre (core and cladding outlines, decoy rings, shading) is the same in all directions in
//! these coordinates, so the median over directions is its picture without defects, and the spread over directions at
//! one distance is its noise: large where an outline is rough, small where the glass is flat. Both are kept for a disc
//! a little wider than the cladding. Called by [`crate::flatten`].

use std::f32::consts::TAU;

use crate::{ellipse::Ellipse, noise::quiet_sigma};

/// Directions looked at.
const RAYS: usize = 384;
/// Directions for which a profile is kept; between them it is interpolated.
const SECTORS: usize = 16;
/// Arc in pixels whose median makes a profile's value: longer than a chip, shorter than what shading varies over.
const ARC: f32 = 40.0;
/// Marks samples outside of the usable picture.
const MISSING: i16 = i16::MIN;

/// Coordinates of the pixels in and around a fibre.
#[derive(Debug, Clone, Default)]
pub struct FibreFrame {
    /// Left, top, width and height of the window.
    pub window: [usize; 4],
    /// Distance from the middle a window pixel, in pixels of the mean radius; infinite beyond the disc.
    pub rho: Vec<f32>,
    /// Direction a window pixel, from 0 to [`RAYS`].
    direction: Vec<f32>,
    /// Distance of the core's outline, if there is one, and of the cladding's.
    pub core: Option<f32>,
    pub edge: f32,
    /// Distances 0 to `bins - 1` are kept.
    pub bins: usize,
    centre: (f32, f32),
    core_reach: Vec<f32>,
    edge_reach: Vec<f32>,
    samples: Vec<i16>,
    arc: Vec<i16>,
    profiles: Vec<f32>,
    raw_noise: Vec<f32>,
    /// Cosine and sine of each ray.
    rays: Vec<(f32, f32)>,
    /// Noise a distance, from the last [`Self::measure_noise`].
    pub noise: Vec<f32>,
}

impl FibreFrame {
    /// Lays the coordinates over a picture of that size; the disc reaches `margin` pixels beyond the cladding.
    pub fn lay(&mut self, width: usize, height: usize, cladding: &Ellipse, core: Option<&Ellipse>, margin: f32) {
        self.centre = (cladding.cx as f32, cladding.cy as f32);
        self.edge = cladding.mean_radius() as f32;
        self.edge_reach.clear();
        self.core_reach.clear();
        self.rays.clear();
        for ray in 0..=RAYS {
            let (sin, cos) = (ray as f64 * std::f64::consts::TAU / RAYS as f64).sin_cos();
            self.rays.push((cos as f32, sin as f32));
            self.edge_reach
                .push(reach(cladding, cladding.cx, cladding.cy, cos, sin).unwrap_or(cladding.mean_radius()) as f32);
            if let Some(core) = core {
                self.core_reach.extend(reach(core, cladding.cx, cladding.cy, cos, sin).map(|r| r as f32));
            }
        }
        // A core that does not hold the middle, or reaches out of the cladding, is no core to measure by.
        let inside = self.core_reach.len() == RAYS + 1
            && self.core_reach.iter().zip(&self.edge_reach).all(|(core, edge)| *core > 2.0 && core + 2.0 < *edge);
        self.core = core.filter(|_| inside).map(|core| core.mean_radius() as f32);
        self.bins = (self.edge + margin) as usize + 1;
        let far = self.edge_reach.iter().fold(0.0, |far: f32, r| far.max(*r)) + margin + 1.0;
        let span = |centre: f32, size: usize| {
            let low = ((centre - far).floor().max(0.0) as usize).min(size);
            let high = ((centre + far).ceil().max(0.0) as usize + 1).min(size);
            (low, high.max(low))
        };
        let ((left, right), (top, bottom)) = (span(self.centre.0, width), span(self.centre.1, height));
        self.window = [left, top, right - left, bottom - top];
        self.rho.resize((right - left) * (bottom - top), 0.0);
        self.direction.resize(self.rho.len(), 0.0);
        let mut at = 0;
        for y in top..bottom {
            for x in left..right {
                let (dx, dy) = (x as f32 - self.centre.0, y as f32 - self.centre.1);
                let r = (dx * dx + dy * dy).sqrt();
                if r > far {
                    self.rho[at] = f32::INFINITY;
                } else {
                    let direction = turn(dy, dx) * RAYS as f32;
                    self.direction[at] = direction;
                    self.rho[at] = self.distance(r, direction);
                }
                at += 1;
            }
        }
        let limit = (self.bins - 1) as f32;
        self.rho.iter_mut().filter(|rho| **rho >= limit).for_each(|rho| *rho = f32::INFINITY);
    }

    /// Distance of the point `r` pixels from the centre in that direction.
    fn distance(&self, r: f32, direction: f32) -> f32 {
        let ray = (direction as usize).min(RAYS - 1);
        let t = direction - ray as f32;
        let edge = self.edge_reach[ray] + (self.edge_reach[ray + 1] - self.edge_reach[ray]) * t;
        if r >= edge {
            return self.edge + r - edge;
        }
        let Some(core_rho) = self.core else { return r / edge * self.edge };
        let core = self.core_reach[ray] + (self.core_reach[ray + 1] - self.core_reach[ray]) * t;
        if r < core { r / core * core_rho } else { core_rho + (r - core) / (edge - core) * (self.edge - core_rho) }
    }

    /// Inverse of [`Self::distance`] on a ray: pixels from the centre.
    fn reach_of(&self, rho: f32, ray: usize) -> f32 {
        let edge = self.edge_reach[ray];
        if rho >= self.edge {
            return edge + rho - self.edge;
        }
        let Some(core_rho) = self.core else { return rho / self.edge * edge };
        let core = self.core_reach[ray];
        if rho < core_rho {
            rho / core_rho * core
        } else {
            core + (rho - core_rho) / (self.edge - core_rho) * (edge - core)
        }
    }

    /// The picture's point `r` pixels from the centre on a ray.
    fn point(&self, r: f32, ray: usize) -> (f32, f32) {
        let (cos, sin) = self.rays[ray];
        (self.centre.0 + r * cos, self.centre.1 + r * sin)
    }

    /// Samples a plane along all rays into `samples`, ray by ray.
    fn sample(&mut self, plane: &[i16], usable: &[u8], width: usize) {
        let height = plane.len() / width;
        let mut samples = std::mem::take(&mut self.samples);
        samples.clear();
        for ray in 0..RAYS {
            for bin in 0..self.bins {
                let (x, y) = self.point(self.reach_of(bin as f32, ray), ray);
                samples.push(bilinear(plane, usable, width, height, x, y));
            }
        }
        self.samples = samples;
    }

    /// Medians over directions of a plane; [`Self::model`] reads them.
    pub fn measure_profiles(&mut self, plane: &[i16], usable: &[u8], width: usize) {
        self.sample(plane, usable, width);
        self.profiles.clear();
        self.profiles.resize(SECTORS * self.bins, f32::NAN);
        let apart = RAYS / SECTORS;
        for bin in 0..self.bins {
            let wanted = (ARC * RAYS as f32 / (TAU * bin as f32 + 1.0)) as usize;
            let rays = wanted.clamp(apart, RAYS);
            let sectors = if rays == RAYS { 1 } else { SECTORS };
            for sector in 0..sectors {
                let from = sector * apart + apart / 2 + RAYS - rays / 2;
                self.arc.clear();
                let column = (from..from + rays).map(|ray| self.samples[ray % RAYS * self.bins + bin]);
                self.arc.extend(column.filter(|v| *v != MISSING));
                if self.arc.len() >= 8 {
                    let middle = self.arc.len() / 2;
                    self.profiles[sector * self.bins + bin] = f32::from(*self.arc.select_nth_unstable(middle).1);
                }
            }
            for sector in sectors..SECTORS {
                self.profiles[sector * self.bins + bin] = self.profiles[bin];
            }
            self.complete(bin);
        }
    }

    /// Gives sectors without samples (a fibre cut by the frame) the mean of the others.
    fn complete(&mut self, bin: usize) {
        let known = (0..SECTORS).map(|s| self.profiles[s * self.bins + bin]).filter(|v| !v.is_nan());
        let (sum, n) = known.fold((0.0, 0), |(sum, n), v| (sum + v, n + 1));
        let mean = if n > 0 { sum / n as f32 } else { 0.0 };
        for sector in 0..SECTORS {
            let value = &mut self.profiles[sector * self.bins + bin];
            if value.is_nan() {
                *value = mean;
            }
        }
    }

    /// The healthy fibre at a window pixel; `None` beyond the disc.
    #[must_use]
    pub fn model(&self, index: usize) -> Option<f32> {
        let rho = self.rho[index];
        if rho == f32::INFINITY {
            return None;
        }
        let (bin, t) = (rho as usize, rho.fract());
        let along = self.direction[index] * (SECTORS as f32 / RAYS as f32) + SECTORS as f32 - 0.5;
        let (sector, s) = (along as usize, along.fract());
        let at = |sector: usize| {
            let row = &self.profiles[sector % SECTORS * self.bins..][..self.bins];
            row[bin] + (row[bin + 1] - row[bin]) * t
        };
        let (a, b) = (at(sector), at(sector + 1));
        Some(a + (b - a) * s)
    }

    /// Spread over directions of a response (whose quiet value is 0) a distance, into `noise`; never below `floor`.
    pub fn measure_noise(&mut self, response: &[i16], usable: &[u8], width: usize, floor: f32) {
        let height = response.len() / width;
        let mut arc = std::mem::take(&mut self.arc);
        let mut raw = std::mem::take(&mut self.raw_noise);
        raw.clear();
        for bin in 0..self.bins {
            arc.clear();
            // Neighbouring rays are less than a pixel apart near the middle.
            let step = if bin < 30 { 4 } else { 2 };
            for ray in (bin % step..RAYS).step_by(step) {
                let r = self.reach_of(bin as f32, ray);
                let (x, y) = self.point(r, ray);
                let (x, y) = (x.round(), y.round());
                if x >= 0.0 && y >= 0.0 && (x as usize) < width && (y as usize) < height {
                    let i = y as usize * width + x as usize;
                    if usable[i] != 0 {
                        arc.push(response[i].saturating_abs());
                    }
                }
            }
            raw.push(quiet_sigma(&mut arc).max(floor));
        }
        self.noise.clear();
        for bin in 0..raw.len() {
            let near = &raw[bin.saturating_sub(2)..(bin + 3).min(raw.len())];
            self.noise.push(near.iter().fold(0.0, |worst: f32, v| worst.max(*v)));
        }
        (self.arc, self.raw_noise) = (arc, raw);
    }

    /// Noise at a window pixel after [`Self::measure_noise`]; `None` beyond the disc.
    #[must_use]
    pub fn noise_at(&self, index: usize) -> Option<f32> {
        let rho = self.rho[index];
        (rho < f32::INFINITY).then(|| self.noise[rho as usize])
    }
}

/// Distance from a point inside an ellipse to its outline along a direction.
fn reach(ellipse: &Ellipse, x: f64, y: f64, cos: f64, sin: f64) -> Option<f64> {
    let q = ellipse.gauge();
    let (dx, dy) = (x - ellipse.cx, y - ellipse.cy);
    let a = q.xx * cos * cos + 2.0 * q.xy * cos * sin + q.yy * sin * sin;
    let b = q.xx * dx * cos + q.xy * (dx * sin + dy * cos) + q.yy * dy * sin;
    let c = q.xx * dx * dx + 2.0 * q.xy * dx * dy + q.yy * dy * dy - 1.0;
    (c < 0.0).then(|| (-b + (b * b - a * c).sqrt()) / a)
}

/// Direction of a vector as a share of a full turn, from 0 to 1: atan2 by a polynomial, good to a thousandth of a degree
/// (Hastings, Approximations for Digital Computers, 1955, sheet 13).
fn turn(y: f32, x: f32) -> f32 {
    let (ax, ay) = (x.abs(), y.abs());
    let a = ax.min(ay) / ax.max(ay).max(1e-20);
    let s = a * a;
    let poly = ((((-0.011_721_2 * s + 0.052_653_32) * s - 0.116_432_87) * s + 0.193_543_46) * s - 0.332_623_47) * s
        + 0.999_977_26;
    let mut angle = poly * a / TAU;
    if ay > ax {
        angle = 0.25 - angle;
    }
    if x < 0.0 {
        angle = 0.5 - angle;
    }
    if y < 0.0 {
        angle = 1.0 - angle;
    }
    angle.clamp(0.0, 1.0 - f32::EPSILON)
}

fn bilinear(plane: &[i16], usable: &[u8], width: usize, height: usize, x: f32, y: f32) -> i16 {
    if !(x >= 0.0 && y >= 0.0) {
        return MISSING;
    }
    let (left, top) = (x as usize, y as usize);
    if left + 1 >= width || top + 1 >= height {
        return MISSING;
    }
    let i = top * width + left;
    if usable[i] == 0 || usable[i + 1] == 0 || usable[i + width] == 0 || usable[i + width + 1] == 0 {
        return MISSING;
    }
    let (u, v) = (x - left as f32, y - top as f32);
    let p = |i: usize| f32::from(plane[i]);
    let upper = p(i) + (p(i + 1) - p(i)) * u;
    let lower = p(i + width) + (p(i + width + 1) - p(i + width)) * u;
    (upper + (lower - upper) * v).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_direction_is_that_of_atan2(x in -500.0..500.0f32, y in -500.0..500.0f32) {
            prop_assume!(x.hypot(y) > 0.1);
            let exact = (y.atan2(x) / TAU).rem_euclid(1.0);
            let off = (turn(y, x) - exact).abs();
            prop_assert!(off.min(1.0 - off) < 1e-5);
        }

        #[test]
        fn outlines_are_circles_in_the_fibres_coordinates(
            cx in 90.0..110.0f64, cy in 90.0..110.0f64, ax in 50.0..70.0f64, by in 50.0..70.0f64,
            dx in -4.0..4.0f64, dy in -4.0..4.0f64, t in 0.0..6.0f64,
        ) {
            let cladding = Ellipse { cx, cy, ax, by, angle_deg: 12.0 };
            let core = Ellipse { cx: cx + dx, cy: cy + dy, ax: ax * 0.4, by: by * 0.4, angle_deg: 12.0 };
            let mut frame = FibreFrame::default();
            frame.lay(200, 200, &cladding, Some(&core), 10.0);
            for (outline, wanted) in [(cladding, frame.edge), (core, frame.core.unwrap())] {
                let (ox, oy) = outline.offset_at(t);
                let (px, py) = ((outline.cx + ox - cx) as f32, (outline.cy + oy - cy) as f32);
                let rho = frame.distance(px.hypot(py), turn(py, px) * RAYS as f32);
                prop_assert!((rho - wanted).abs() < 0.05, "{rho} instead of {wanted}");
            }
            for ray in [0, 77, 200] {
                for rho in [3.0, 25.0, 40.0, 65.0] {
                    prop_assert!((frame.distance(frame.reach_of(rho, ray), ray as f32) - rho).abs() < 1e-2);
                }
            }
        }
    }

    #[test]
    fn the_model_of_a_fibre_with_a_pit_is_the_fibre_without() {
        let (cladding, core) = (Ellipse::circle(100.0, 100.0, 60.0), Ellipse::circle(101.0, 99.0, 25.0));
        let clean: Vec<i16> = (0..200 * 200)
            .map(|i| {
                let (x, y) = ((i % 200) as f64, (i / 200) as f64);
                let level = |outline: &Ellipse| (8.0 * (1.0 - outline.radius_at(x, y))).clamp(0.0, 1.0);
                (3000.0 - 1000.0 * level(&cladding) + 500.0 * level(&core)) as i16
            })
            .collect();
        let mut dirty = clean.clone();
        for (x, y) in [(100, 60), (120, 100), (140, 131), (101, 101)] {
            for dy in 0..5 {
                dirty[(y + dy) * 200 + x..][..5].fill(500);
            }
        }
        let mut frame = FibreFrame::default();
        frame.lay(200, 200, &cladding, Some(&core), 12.0);
        frame.measure_profiles(&dirty, &vec![1; clean.len()], 200);
        let [left, top, width, _] = frame.window;
        for i in 0..frame.rho.len() {
            let Some(model) = frame.model(i) else { continue };
            let truth = f32::from(clean[(top + i / width) * 200 + left + i % width]);
            assert!((model - truth).abs() < 60.0, "{model} for {truth} at rho {}", frame.rho[i]);
        }
    }
}
