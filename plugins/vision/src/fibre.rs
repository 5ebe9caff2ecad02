//! The fibre's own coordinates: distance from the middle in which core and cladding are circles, and direction.
//!
//! What belongs to a healthy fibre (core and cladding outlines, decoy rings, shading) is the same in all directions in
//! these coordinates, so the median over directions is its picture without defects, and the spread over directions at
//! one distance is its noise: large where an outline is rough, small where the glass is flat. Both are kept for a disc
//! a little wider than the cladding. Called by [`crate::flatten`].

mod distances;

use std::f32::consts::TAU;

use multiversion::multiversion;

use self::distances::{CoreDistances, Distances, Place, Ray, lay_row, place, reach};
use crate::{
    ellipse::{Ellipse, Gauge},
    flatten::{Least, Sample},
    noise::{QUIETEST, sigma_of_quiet},
    order::{ABSENT, Columns, LANES},
    round::nearest,
};

/// Directions looked at.
const RAYS: usize = 384;
/// Directions for which a profile is kept; between them it is interpolated.
const SECTORS: usize = 16;
/// Steps of that interpolation from one sector to the next.
const SHADES: usize = 4;
/// Arc in pixels whose median makes a profile's value: longer than a chip, shorter than what shading varies over.
const ARC: f32 = 40.0;
/// Rays over an arc that are looked at: near the middle neighbouring ones see the same pixels.
const ARC_RAYS: usize = RAYS / SECTORS;
/// Where stretches of distances end that share an arc, below the first vector's end.
const FIRST_BINS: [usize; 4] = [6, 12, 20, LANES];
/// Rays from one sample of the noise to the next.
const NOISE_STEP: usize = 2;
/// Pixels of a row that share a direction.
const STRETCH: usize = 16;

/// Coordinates of the pixels in and around a fibre.
#[derive(Debug, Clone, Default)]
pub struct FibreFrame {
    /// Left, top, width and height of the window.
    pub window: [usize; 4],
    /// Distance from the middle a window pixel, in pixels of the mean radius; infinite beyond the disc.
    pub rho: Vec<f32>,
    /// Distance of the core's outline, if there is one, and of the cladding's.
    pub core: Option<f32>,
    pub edge: f32,
    /// Distances 0 to `bins - 1` are kept.
    pub bins: usize,
    centre: (f32, f32),
    /// Length of a row of `samples`: `bins` and a vector's worth.
    stride: usize,
    samples: Vec<i16>,
    starts: Vec<usize>,
    places: Vec<Place>,
    profiles: Vec<f32>,
    /// Value and step to the next distance, for each distance in each of `SECTORS * SHADES` directions.
    shaded: Vec<Shade>,
    raw_noise: Vec<f32>,
    rays: Vec<Ray>,
    /// Noise a distance, from the last [`Self::measure_noise`].
    pub noise: Vec<f32>,
}

/// A profile's value and the step to the next one, in one word: a vector unit fetches words from anywhere, not halves.
#[derive(Debug, Clone, Copy)]
struct Shade(i32);

impl Shade {
    fn of(value: i16, step: i16) -> Self {
        Self((i32::from(step) << 16) | i32::from(value as u16))
    }

    #[inline(always)]
    fn value(self) -> f32 {
        ((self.0 << 16) >> 16) as f32
    }

    #[inline(always)]
    fn step(self) -> f32 {
        (self.0 >> 16) as f32
    }
}

impl FibreFrame {
    /// Lays the coordinates over a picture of that size; the disc reaches `margin` pixels beyond the cladding.
    pub fn lay(&mut self, width: usize, height: usize, cladding: &Ellipse, core: Option<&Ellipse>, margin: f32) {
        self.centre = (cladding.cx as f32, cladding.cy as f32);
        self.edge = cladding.mean_radius() as f32;
        self.lay_rays(cladding, core);
        self.bins = (self.edge + margin) as usize + 1;
        self.stride = self.bins.next_multiple_of(LANES);
        let far = self.rays.iter().fold(0.0, |far: f32, ray| far.max(ray.edge)) + margin + 1.0;
        let span = |centre: f32, size: usize| {
            let low = ((centre - far).floor().max(0.0) as usize).min(size);
            let high = ((centre + far).ceil().max(0.0) as usize + 1).min(size);
            (low, high.max(low))
        };
        let ((left, right), (top, bottom)) = (span(self.centre.0, width), span(self.centre.1, height));
        self.window = [left, top, right - left, bottom - top];
        self.rho.resize((right - left) * (bottom - top), 0.0);
        if self.rho.is_empty() {
            return;
        }
        let distances = self.distances(cladding, core);
        let dx = left as f32 - self.centre.0;
        for (y, row) in self.rho.chunks_exact_mut(right - left).enumerate() {
            lay_row(&distances, dx, (top + y) as f32 - self.centre.1, (self.bins - 1) as f32, row);
        }
    }

    /// Directions and the outlines' distances there; forgets a core that is no core to measure by.
    fn lay_rays(&mut self, cladding: &Ellipse, core: Option<&Ellipse>) {
        let (outer, inner) = (cladding.gauge(), core.map(Ellipse::gauge));
        if self.rays.len() != RAYS {
            self.rays.clear();
            self.rays.extend((0..RAYS).map(|ray| {
                let (sin, cos) = (ray as f64 * std::f64::consts::TAU / RAYS as f64).sin_cos();
                Ray { cos: cos as f32, sin: sin as f32, core: 0.0, edge: 0.0 }
            }));
        }
        let mut measurable = true;
        for ray in &mut self.rays {
            let (cos, sin) = (f64::from(ray.cos), f64::from(ray.sin));
            ray.edge = reach(&outer, (0.0, 0.0), cos, sin).unwrap_or(cladding.mean_radius()) as f32;
            if let (Some(core), Some(gauge)) = (core, &inner) {
                let off = (cladding.cx - core.cx, cladding.cy - core.cy);
                ray.core = reach(gauge, off, cos, sin).unwrap_or(0.0) as f32;
                // A core that does not hold the middle, or reaches out of the cladding, is none.
                measurable &= ray.core > 2.0 && ray.core + 2.0 < ray.edge;
            }
        }
        self.core = core.filter(|_| measurable).map(|core| core.mean_radius() as f32);
    }

    fn distances(&self, cladding: &Ellipse, core: Option<&Ellipse>) -> Distances {
        let form = |q: &Gauge| [q.xx as f32, 2.0 * q.xy as f32, q.yy as f32];
        let core = self.core.zip(core).map(|(radius, core)| {
            let (q, dx, dy) = (core.gauge(), cladding.cx - core.cx, cladding.cy - core.cy);
            CoreDistances {
                radius,
                a: form(&q),
                b: [(q.xx * dx + q.xy * dy) as f32, (q.xy * dx + q.yy * dy) as f32],
                c: (q.xx * dx * dx + 2.0 * q.xy * dx * dy + q.yy * dy * dy - 1.0) as f32,
            }
        });
        Distances { edge: self.edge, cladding: form(&cladding.gauge()), core }
    }

    /// Samples of a plane along a ray, a distance each.
    fn places(&mut self, ray: usize, width: usize, height: usize) {
        let mut places = std::mem::take(&mut self.places);
        places.resize(self.bins, Place { index: u32::MAX, u: 0.0, v: 0.0 });
        let ray = self.rays[ray];
        let core = self.core.map(|rho| (rho, ray.core));
        place(&ray, core, self.edge, self.centre, (width, height), &mut places);
        self.places = places;
    }

    /// Samples a plane along all rays into `samples`, ray by ray.
    fn sample<T: Sample>(&mut self, plane: &[T], usable: &[u8], width: usize) {
        let height = plane.len() / width;
        self.samples.clear();
        self.samples.resize(RAYS * self.stride, ABSENT);
        for ray in 0..RAYS {
            self.places(ray, width, height);
            let out = &mut self.samples[ray * self.stride..];
            for (sample, place) in out.iter_mut().zip(&self.places) {
                let at = place.index as usize;
                // What is usable has usable neighbours, or such as are a pixel from being usable.
                if usable.get(at).is_none_or(|usable| *usable == 0) {
                    continue;
                }
                let (Some(top), Some(bottom)) = (plane.get(at..at + 2), plane.get(at + width..at + width + 2)) else {
                    continue;
                };
                let [a, b, c, d] = [top[0], top[1], bottom[0], bottom[1]].map(|sample| f32::from(sample.units()));
                let (upper, lower) = (a + (b - a) * place.u, c + (d - c) * place.u);
                *sample = nearest(upper + (lower - upper) * place.v) as i16;
            }
        }
    }

    /// Medians over directions of a plane (of values not below 0); [`Self::lay_model`] reads them.
    pub fn measure_profiles<T: Sample>(&mut self, plane: &[T], usable: &[u8], width: usize) {
        self.sample(plane, usable, width);
        self.profiles.clear();
        self.profiles.resize(SECTORS * self.stride, f32::NAN);
        let mut from = 0;
        while from < self.bins {
            // Arcs turn less the further out: fast near the middle, where a vector of distances must be taken apart.
            let (first, to) = (from / LANES * LANES, FIRST_BINS.into_iter().find(|to| *to > from));
            let to = to.unwrap_or(first + LANES);
            let wanted = (ARC * RAYS as f32 / (TAU * ((from + to) / 2) as f32 + 1.0)) as usize;
            // Near the middle an arc is most of a turn and its median everything there is: it is worth more samples.
            let rays = if from < LANES { 4 * ARC_RAYS } else { ARC_RAYS };
            let step = wanted.clamp(ARC_RAYS, RAYS).div_ceil(rays);
            let sectors = if step * rays >= RAYS { 1 } else { SECTORS };
            let lanes = from - first..to - first;
            for sector in 0..sectors {
                let centre = sector * ARC_RAYS + ARC_RAYS / 2 + RAYS - rays * step / 2;
                self.starts.clear();
                self.starts.extend((0..rays).map(|k| (centre + k * step) % RAYS * self.stride + first));
                let columns = Columns::of(&self.samples, &self.starts);
                let medians = columns.nth(&columns.counts.map(|n| n / 2));
                let counts = columns.counts;
                let out = &mut self.profiles[sector * self.stride + from..][..to - from];
                for (value, lane) in out.iter_mut().zip(lanes.clone()) {
                    *value = if counts[lane] >= 8 { f32::from(medians[lane]) } else { f32::NAN };
                }
            }
            for sector in sectors..SECTORS {
                self.profiles.copy_within(from..to, sector * self.stride + from);
            }
            from = to;
        }
        self.complete();
        self.shade();
    }

    /// Gives sectors without samples (a fibre cut by the frame) the mean of the others.
    fn complete(&mut self) {
        for bin in 0..self.bins {
            let known = (0..SECTORS).map(|s| self.profiles[s * self.stride + bin]).filter(|v| !v.is_nan());
            let (sum, n) = known.fold((0.0, 0), |(sum, n), v| (sum + v, n + 1));
            if n == SECTORS {
                continue;
            }
            let mean = if n > 0 { sum / n as f32 } else { 0.0 };
            for sector in 0..SECTORS {
                let value = &mut self.profiles[sector * self.stride + bin];
                if value.is_nan() {
                    *value = mean;
                }
            }
        }
    }

    /// Interpolates the profiles between sectors.
    fn shade(&mut self) {
        self.shaded.clear();
        for shade in 0..SECTORS * SHADES {
            let along = (shade as f32 + 0.5) / SHADES as f32 + SECTORS as f32 - 0.5;
            let (sector, share) = (along as usize, along.fract());
            let profile = |sector: usize| &self.profiles[sector % SECTORS * self.stride..][..self.bins];
            let (a, b) = (profile(sector), profile(sector + 1));
            let value = |bin: usize| nearest(a[bin] + (b[bin] - a[bin]) * share) as i16;
            let next = |bin: usize| value((bin + 1).min(self.bins - 1));
            self.shaded.extend((0..self.bins).map(|bin| Shade::of(value(bin), next(bin) - value(bin))));
        }
    }

    /// Replaces `row`, the background in picture row `y`, by the healthy fibre, fading out over the last `fade` pixels.
    pub fn lay_model(&self, y: usize, fade: f32, row: &mut [f32]) {
        let [left, top, width, height] = self.window;
        if y < top || y >= top + height {
            return;
        }
        let rho = &self.rho[(y - top) * width..][..width];
        let (dx, dy) = (left as f32 - self.centre.0, y as f32 - self.centre.1);
        lay_profile(rho, (dx, dy), &self.shaded, self.bins, fade, &mut row[left..left + width]);
    }

    /// Spread over directions of a response (whose quiet value is 0) a distance, into `noise`.
    pub fn measure_noise(&mut self, response: &[i16], usable: &[u8], width: usize, least: Least) {
        let height = response.len() / width;
        let rows = RAYS / NOISE_STEP;
        self.samples.clear();
        self.samples.resize(rows * self.stride, ABSENT);
        for (row, ray) in (0..RAYS).step_by(NOISE_STEP).enumerate() {
            self.places(ray, width, height);
            let out = &mut self.samples[row * self.stride..];
            for (sample, place) in out.iter_mut().zip(&self.places) {
                let nearest = place.index as usize + usize::from(place.u > 0.5) + usize::from(place.v > 0.5) * width;
                if usable.get(nearest).is_some_and(|usable| *usable != 0) {
                    *sample = response[nearest].saturating_abs().min(ABSENT - 1);
                }
            }
        }
        self.raw_noise.clear();
        for first in (0..self.bins).step_by(LANES) {
            self.starts.clear();
            self.starts.extend((0..rows).map(|row| row * self.stride + first));
            let columns = Columns::of(&self.samples, &self.starts);
            let quiet = columns.nth(&columns.counts.map(|n| (f32::from(n) * QUIETEST) as i16));
            let sigmas = quiet.iter().zip(columns.counts).map(|(q, n)| if n > 0 { sigma_of_quiet(*q) } else { 0.0 });
            self.raw_noise.extend(sigmas.map(|sigma| sigma.max(least.floor)).take(self.bins - first));
        }
        self.noise.clear();
        for bin in 0..self.bins {
            let near = &self.raw_noise[bin.saturating_sub(least.slack)..(bin + least.slack + 1).min(self.bins)];
            self.noise.push(near.iter().fold(0.0, |worst: f32, v| worst.max(*v)));
        }
    }

    /// Replaces `row`, the noise in picture row `y`, by the fibre's after [`Self::measure_noise`]; around the cladding,
    /// `clear` pixels from its edge, by the larger of both.
    pub fn lay_noise(&self, y: usize, clear: f32, row: &mut [f32]) {
        let [left, top, width, height] = self.window;
        if y < top || y >= top + height {
            return;
        }
        let rho = &self.rho[(y - top) * width..][..width];
        lay_noise(rho, &self.noise, self.edge + clear, &mut row[left..left + width]);
    }

    /// Clears a plane within `reach` pixels of the cladding's edge.
    pub fn blank_edge(&self, reach: f32, width: usize, values: &mut [i16]) {
        let [left, top, columns, _] = self.window;
        for (y, rho) in self.rho.chunks_exact(columns.max(1)).enumerate() {
            blank_row(rho, self.edge, reach, &mut values[(top + y) * width + left..][..columns]);
        }
    }
}

/// Clears what lies within `reach` of a distance.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn blank_row(rho: &[f32], distance: f32, reach: f32, values: &mut [i16]) {
    for (value, rho) in values.iter_mut().zip(rho) {
        *value = if (rho - distance).abs() < reach { 0 } else { *value };
    }
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn lay_profile(rho: &[f32], (dx, dy): (f32, f32), shaded: &[Shade], bins: usize, fade: f32, row: &mut [f32]) {
    let (rim, share) = ((bins - 1) as f32, 1.0 / fade);
    let lay = |first: usize, rho: &[f32], row: &mut [f32]| {
        let direction = turn(dy, dx + first as f32 + STRETCH as f32 / 2.0 - 0.5) * (SECTORS * SHADES) as f32;
        let profile = &shaded[(direction as usize).min(SECTORS * SHADES - 1) * bins..][..bins];
        let Some(last) = profile.len().checked_sub(1) else { return };
        for (background, rho) in row.iter_mut().zip(rho) {
            let kept = rho.min(rim);
            let bin = (nearest(kept - 0.5).max(0) as usize).min(last);
            let shade = profile[bin];
            let model = shade.value() + shade.step() * (kept - bin as i32 as f32);
            // Beyond the disc the distance is infinite and the share nothing.
            *background += (model - *background) * ((rim - rho) * share).clamp(0.0, 1.0);
        }
    };
    let (stretches, tail) = rho.as_chunks::<STRETCH>();
    let (rows, rest) = row.as_chunks_mut::<STRETCH>();
    for (i, (rho, row)) in stretches.iter().zip(rows).enumerate() {
        if rho.iter().fold(f32::INFINITY, |least, rho| rho.min(least)) < rim {
            lay(i * STRETCH, rho, row);
        }
    }
    lay(stretches.len() * STRETCH, tail, rest);
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn lay_noise(rho: &[f32], noise: &[f32], around: f32, row: &mut [f32]) {
    let Some(last) = noise.len().checked_sub(1) else { return };
    let rim = last as f32;
    for (value, rho) in row.iter_mut().zip(rho) {
        let found = noise[(nearest(rho.min(rim) - 0.5).max(0) as usize).min(last)];
        let within = if *rho > around { value.max(found) } else { found };
        *value = if *rho < rim { within } else { *value };
    }
}

/// Direction of a vector as a share of a full turn, from 0 to 1: atan2 by a polynomial, good to a thousandth of a degree
/// (Hastings, Approximations for Digital Computers, 1955, sheet 13).
#[inline(always)]
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
                let rho = frame.distances(&cladding, Some(&core)).at(px, py);
                prop_assert!((rho - wanted).abs() < 0.05, "{rho} instead of {wanted}");
            }
            for ray in [0, 77, 200] {
                frame.places(ray, 200, 200);
                for rho in [3, 25, 40, 55] {
                    let place = frame.places[rho];
                    let (x, y) = ((place.index % 200) as f32 + place.u, (place.index / 200) as f32 + place.v);
                    let back = frame.distances(&cladding, Some(&core)).at(x - cx as f32, y - cy as f32);
                    prop_assert!((back - rho as f32).abs() < 1e-2, "{back} instead of {rho}");
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
        let [left, top, width, height] = frame.window;
        let mut row = vec![0.0; 200];
        for y in top..top + height {
            frame.lay_model(y, 1e-3, &mut row);
            for x in left..left + width {
                let rho = frame.rho[(y - top) * width + x - left];
                let truth = f32::from(clean[y * 200 + x]);
                let model = row[x];
                assert!(rho == f32::INFINITY || (model - truth).abs() < 60.0, "{model} for {truth} at rho {rho}");
            }
        }
    }
}
