//! The shapes of defects, drawn with sub-pixel precision into small patches. A patch knows a shape's *relative* contrast
//! (strongest pixel 1); how many grey levels that is, and where it may lie, is decided by `place`.

use std::f64::consts::TAU;

use rand::Rng;

use super::{ellipse::Ellipse, profile::normal_cdf};

/// Whole pixels x0, y0, x1, y1, the last two exclusive.
pub(super) type Area = [u32; 4];

/// Relative contrast over a small part of the picture; the strongest pixel is 1.
#[derive(Debug, Clone)]
pub(super) struct Patch {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub values: Vec<f32>,
}

impl Patch {
    /// Samples `value` at the pixel centres of `bounds` within `area`; None where nothing of it shows.
    fn sample(area: Area, bounds: [f64; 4], value: impl Fn(f64, f64) -> f64) -> Option<Self> {
        let frame = Frame::within(area, bounds)?;
        let mut values = Vec::with_capacity((frame.width * frame.height) as usize);
        for y in frame.y..frame.y + frame.height {
            for x in frame.x..frame.x + frame.width {
                values.push(value(f64::from(x), f64::from(y)) as f32);
            }
        }
        frame.finish(values)
    }

    /// The pixels with at least half of the strongest contrast, as (x, y) by column, then row.
    pub fn mask(&self) -> Vec<(u32, u32)> {
        let mut mask = Vec::new();
        for dx in 0..self.width {
            let column = self.values.iter().skip(dx as usize).step_by(self.width as usize).zip(self.y..);
            mask.extend(column.filter(|(value, _)| **value >= 0.5).map(|(_, y)| (self.x + dx, y)));
        }
        mask
    }
}

struct Frame {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

impl Frame {
    fn within(area: Area, bounds: [f64; 4]) -> Option<Self> {
        let clip = |v: f64, low: u32, high: u32| v.clamp(f64::from(low), f64::from(high)) as u32;
        let (x, y) = (clip(bounds[0].floor(), area[0], area[2]), clip(bounds[1].floor(), area[1], area[3]));
        let (x1, y1) = (clip(bounds[2].ceil() + 1.0, area[0], area[2]), clip(bounds[3].ceil() + 1.0, area[1], area[3]));
        (x1 > x && y1 > y).then(|| Self { x, y, width: x1 - x, height: y1 - y })
    }

    /// Scales to a strongest value of 1.
    fn finish(self, mut values: Vec<f32>) -> Option<Patch> {
        let peak = values.iter().copied().fold(0.0_f32, f32::max);
        if peak < 1e-3 {
            return None;
        }
        for value in &mut values {
            *value /= peak;
        }
        Some(Patch { x: self.x, y: self.y, width: self.width, values })
    }
}

/// A scratch: a line of even width along points a few pixels apart.
#[derive(Debug, Clone)]
pub(super) struct Stroke {
    pub points: Vec<[f64; 2]>,
    pub width_px: f64,
    /// Blur of the optics.
    pub sigma_px: f64,
    /// Height of the opposite lip beside the line, relative to its depth.
    pub lip: f64,
    /// How much the contrast falls between its strongest places, below 0.5 so that the mask stays whole.
    pub unevenness: f64,
    pub period_px: f64,
    pub phase: f64,
}

impl Stroke {
    /// Points along a parabola through `centre`: straight where `sagitta` is 0.
    pub fn path(centre: [f64; 2], angle: f64, length: f64, sagitta: f64) -> Vec<[f64; 2]> {
        let (sin, cos) = angle.sin_cos();
        let count = (length / 4.0).ceil().max(2.0) as usize;
        let point = |i: usize| {
            let t = 2.0 * i as f64 / count as f64 - 1.0;
            let (along, across) = (t * length / 2.0, sagitta * (0.5 - t * t));
            [centre[0] + along * cos - across * sin, centre[1] + along * sin + across * cos]
        };
        (0..=count).map(point).collect()
    }

    fn across(&self, distance: f64) -> f64 {
        let half = self.width_px / 2.0;
        let line = |d: f64| normal_cdf((half - d) / self.sigma_px) - normal_cdf((-half - d) / self.sigma_px);
        (line(distance) - self.lip * line(distance - self.width_px - self.sigma_px)) / line(0.0)
    }

    /// Distance from the middle beyond which nothing is drawn.
    pub fn reach(&self) -> f64 {
        let lip = if self.lip > 0.0 { self.width_px + self.sigma_px } else { 0.0 };
        self.width_px / 2.0 + 3.5 * self.sigma_px + lip
    }

    /// Full width at half of the contrast.
    pub fn full_width(&self) -> f64 {
        // Searched on the side away from the lip, where the line falls steadily.
        let (mut low, mut high) = (0.0, self.reach());
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if self.across(-middle) > 0.5 { low = middle } else { high = middle }
        }
        2.0 * low
    }

    pub fn length(&self) -> f64 {
        self.points.windows(2).map(|pair| (pair[1][0] - pair[0][0]).hypot(pair[1][1] - pair[0][1])).sum()
    }

    pub fn patch(&self, area: Area) -> Option<Patch> {
        let reach = self.reach();
        let bounds = self.points.iter().fold([f64::MAX, f64::MAX, f64::MIN, f64::MIN], |b, p| {
            [b[0].min(p[0] - reach), b[1].min(p[1] - reach), b[2].max(p[0] + reach), b[3].max(p[1] + reach)]
        });
        let frame = Frame::within(area, bounds)?;
        let size = (frame.width * frame.height) as usize;
        // Nearest signed distance and the place along the line, for pixels near it only.
        let mut nearest: Vec<(f32, f32)> = vec![(f32::MAX, 0.0); size];
        let mut along = 0.0;
        for pair in self.points.windows(2) {
            let ([x0, y0], [x1, y1]) = (pair[0], pair[1]);
            let (dx, dy) = (x1 - x0, y1 - y0);
            let length = dx.hypot(dy).max(1e-9);
            let near = [x0.min(x1) - reach, y0.min(y1) - reach, x0.max(x1) + reach, y0.max(y1) + reach];
            let part = [frame.x, frame.y, frame.x + frame.width, frame.y + frame.height];
            if let Some(part) = Frame::within(part, near) {
                for y in part.y..part.y + part.height {
                    for x in part.x..part.x + part.width {
                        let (px, py) = (f64::from(x) - x0, f64::from(y) - y0);
                        let t = ((px * dx + py * dy) / (length * length)).clamp(0.0, 1.0);
                        let distance = (px - t * dx).hypot(py - t * dy).copysign(dx * py - dy * px) as f32;
                        let cell = &mut nearest[((y - frame.y) * frame.width + x - frame.x) as usize];
                        if distance.abs() < cell.0.abs() {
                            *cell = (distance, (along + t * length) as f32);
                        }
                    }
                }
            }
            along += length;
        }
        let value = |&(distance, along): &(f32, f32)| {
            if f64::from(distance.abs()) > reach {
                return 0.0;
            }
            let wave = (TAU * f64::from(along) / self.period_px + self.phase).sin();
            (self.across(f64::from(distance)) * (1.0 - self.unevenness * 0.5 * (1.0 - wave))) as f32
        };
        let values = nearest.iter().map(value).collect();
        frame.finish(values)
    }
}

/// A compact defect with an irregular outline.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub centre: [f64; 2],
    pub radius_px: f64,
    pub sigma_px: f64,
    /// Diffraction: height of the opposite rim around it, relative to its contrast.
    pub rim: f64,
    /// Relative amplitude and phase of the outline's waves, from two a turn.
    waves: [(f64, f64); 4],
    longer: f64,
    angle: f64,
}

impl Blob {
    pub fn new(centre: [f64; 2], radius_px: f64, sigma_px: f64, roughness: f64, rng: &mut impl Rng) -> Self {
        let wave = |k: usize, rng: &mut dyn rand::RngCore| {
            (roughness * rng.random::<f64>() / (k as f64 + 1.0), TAU * rng.random::<f64>())
        };
        Self {
            centre,
            radius_px,
            sigma_px,
            rim: 0.0,
            waves: std::array::from_fn(|k| wave(k, rng)),
            longer: 1.0 + roughness * rng.random::<f64>(),
            angle: TAU * rng.random::<f64>(),
        }
    }

    /// Radius of a disc that holds all that is drawn.
    pub fn reach(&self) -> f64 {
        let swing: f64 = self.waves.iter().map(|wave| wave.0).sum();
        self.radius_px * self.longer * (1.0 + swing) + self.sigma_px * if self.rim > 0.0 { 6.0 } else { 3.5 }
    }

    fn bounds(&self) -> [f64; 4] {
        let ([x, y], r) = (self.centre, self.reach());
        [x - r, y - r, x + r, y + r]
    }

    fn value(&self, x: f64, y: f64) -> f64 {
        let (sin, cos) = self.angle.sin_cos();
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        let (u, v) = ((dx * cos + dy * sin) / self.longer, -dx * sin + dy * cos);
        let turn = v.atan2(u);
        let waves = self.waves.iter().zip(2..).map(|((height, phase), k)| height * (f64::from(k) * turn + phase).cos());
        let outside = u.hypot(v) - self.radius_px * (1.0 + waves.sum::<f64>());
        let z = outside / self.sigma_px;
        normal_cdf(-z) - self.rim * (-0.5 * (z - 2.5) * (z - 2.5)).exp()
    }

    pub fn patch(&self, area: Area) -> Option<Patch> {
        Patch::sample(area, self.bounds(), |x, y| self.value(x, y))
    }

    /// The part of it that lies inside `glass`: a chip breaks the glass, not the ferrule.
    pub fn patch_inside(&self, area: Area, glass: &Ellipse) -> Option<Patch> {
        Patch::sample(area, self.bounds(), |x, y| {
            self.value(x, y) * normal_cdf(-(glass.distance(x, y) + self.sigma_px) / self.sigma_px)
        })
    }
}

/// A film: soft discs run together, with a faint texture.
#[derive(Debug, Clone)]
pub(super) struct Smear {
    pub discs: Vec<([f64; 2], f64)>,
    /// Waves of the texture: direction times wave number, and phase.
    waves: [([f64; 2], f64); 3],
}

impl Smear {
    /// About `size_px` long, wiped in one direction.
    pub fn new(centre: [f64; 2], size_px: f64, rng: &mut impl Rng) -> Self {
        let angle = TAU * rng.random::<f64>();
        let (sin, cos) = angle.sin_cos();
        let count = rng.random_range(4..9);
        let disc = |i: i32, rng: &mut dyn rand::RngCore| {
            let along = (f64::from(i) / f64::from(count - 1) - 0.5) * 0.7 * size_px;
            let across = (rng.random::<f64>() - 0.5) * 0.25 * size_px;
            let at = [centre[0] + along * cos - across * sin, centre[1] + along * sin + across * cos];
            (at, size_px * (0.12 + 0.12 * rng.random::<f64>()))
        };
        let discs = (0..count).map(|i| disc(i, rng)).collect();
        let waves = std::array::from_fn(|_| {
            let (turn, number) = (TAU * rng.random::<f64>(), TAU / (size_px * (0.15 + 0.3 * rng.random::<f64>())));
            ([number * turn.cos(), number * turn.sin()], TAU * rng.random::<f64>())
        });
        Self { discs, waves }
    }

    fn value(&self, x: f64, y: f64) -> f64 {
        let mut left = 1.0;
        for &([cx, cy], radius) in &self.discs {
            let r = ((x - cx).hypot(y - cy) / radius - 0.6) / 0.7;
            let t = 1.0 - r.clamp(0.0, 1.0);
            left *= 1.0 - t * t * (3.0 - 2.0 * t);
        }
        if left >= 1.0 {
            return 0.0;
        }
        let wave = |&([kx, ky], phase): &([f64; 2], f64)| (kx * x + ky * y + phase).sin();
        (1.0 - left) * (0.85 + 0.05 * self.waves.iter().map(wave).sum::<f64>())
    }

    pub fn patch(&self, area: Area) -> Option<Patch> {
        let bounds = self.discs.iter().fold([f64::MAX, f64::MAX, f64::MIN, f64::MIN], |b, &([x, y], r)| {
            let r = 1.3 * r;
            [b[0].min(x - r), b[1].min(y - r), b[2].max(x + r), b[3].max(y + r)]
        });
        Patch::sample(area, bounds, |x, y| self.value(x, y))
    }
}
