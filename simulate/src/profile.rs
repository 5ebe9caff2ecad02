//! How brightness changes across an edge of the fibre, as a table over the distance from that edge.
//!
//! Light does not step at a polished glass edge: there is a dark ring, a bright halo (diffraction, and the sharpening
//! of cameras), sometimes a glue line and a second ring. The truth says where the gradient is *steepest*, so a table is
//! shifted until its steepest point lies at distance 0 exactly; no blur is applied afterwards that could move it.

use std::f64::consts::{SQRT_2, TAU};

/// Table entries a pixel; linear interpolation between them is then good to a thousandth of a grey level.
const STEPS_PER_PX: f64 = 16.0;

/// Ratio of a 10-90 % rise to the sigma of the Gaussian that blurs a step.
pub(super) const RISE_PER_SIGMA: f64 = 2.563_103;

/// Standard normal distribution function (Abramowitz and Stegun 7.1.26, error below 1.5e-7).
pub(super) fn normal_cdf(x: f64) -> f64 {
    let z = x.abs() / SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let tail =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let erf = 1.0 - tail * (-z * z).exp();
    0.5 * (1.0 + if x < 0.0 { -erf } else { erf })
}

fn bell(x: f64, sigma: f64) -> f64 {
    (-0.5 * (x / sigma) * (x / sigma)).exp()
}

/// A decay that begins at 0, `exp(-x / decay)`, as optics with a Gaussian blur of `sigma` show it. Without the blur its
/// kink at 0 would put the steepest gradient where no grid of pixels can show it.
fn blurred_decay(x: f64, sigma: f64, decay: f64) -> f64 {
    let ratio = sigma / decay;
    normal_cdf(x / sigma - ratio) * (0.5 * ratio * ratio - x / decay).min(40.0).exp()
}

/// Brightness over the signed distance from an edge.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    from: f64,
    values: Vec<f32>,
}

impl Profile {
    /// Tabulates `brightness` over `from..to`, shifted so that its steepest point within `search` pixels of 0 is at 0.
    fn tabulate(from: f64, to: f64, search: f64, brightness: impl Fn(f64) -> f64) -> Self {
        // Over one pixel, as no picture shows a finer gradient.
        let slope = |x: f64| (brightness(x + 0.5) - brightness(x - 0.5)).abs();
        let at = |i: i32| f64::from(i) * 0.01;
        let reach = (search * 100.0) as i32;
        let mut best = (0.0, slope(0.0));
        for i in -reach..=reach {
            let here = slope(at(i));
            // A margin above rounding: where nothing is steeper, the shift stays 0.
            if here > best.1 * (1.0 + 1e-9) {
                best = (at(i), here);
            }
        }
        let count = ((to - from) * STEPS_PER_PX).ceil() as usize + 2;
        let values = (0..count).map(|i| brightness(from + i as f64 / STEPS_PER_PX + best.0) as f32).collect();
        Self { from, values }
    }

    /// Brightness at a distance; beyond the table's ends the end values hold.
    pub fn at(&self, distance: f64) -> f32 {
        let place = ((distance - self.from) * STEPS_PER_PX).max(0.0);
        let index = place as usize;
        match (self.values.get(index), self.values.get(index + 1)) {
            (Some(&low), Some(&high)) => low + (high - low) * (place - index as f64) as f32,
            _ => self.values.last().copied().unwrap_or(0.0),
        }
    }

    /// The distance beyond which nothing changes any more.
    pub fn reach(&self) -> f64 {
        self.from + self.values.len() as f64 / STEPS_PER_PX
    }
}

/// The glue line between glass and ferrule, seen as a second ring inside the outer edge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glue {
    /// From the glass edge to the outer edge.
    pub gap_px: f64,
    /// Brightness of the line, the ferrule being 1.
    pub level: f64,
}

/// The cladding's edge. Levels are relative to the ferrule, which is 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct CladdingEdge {
    pub radius_px: f64,
    pub level: f64,
    pub sigma_px: f64,
    /// How far the dark ring goes below the cladding.
    pub ring: f64,
    /// How far the halo goes above the ferrule.
    pub halo: f64,
    pub glue: Option<Glue>,
    /// A thin ring inside the cladding: (share of the radius, height). A decoy, not a zone.
    pub decoy: Option<(f64, f64)>,
}

impl CladdingEdge {
    /// 1 on the ferrule, the cladding's level inside.
    pub fn profile(&self) -> Profile {
        let s = self.sigma_px;
        let brightness = |x: f64| {
            let mut value = self.level + (1.0 - self.level) * normal_cdf(x / s);
            // Both bells have an inflection at 0, where the step is steepest: the ring deepens the edge, it does not move it.
            value += self.halo * bell(x - s, s) - self.ring * bell(x + s, s);
            if let Some(glue) = self.glue {
                let line = normal_cdf((x + glue.gap_px) / s) - normal_cdf((x + 2.0 * s) / s);
                value += (glue.level - self.level) * line.max(0.0) - self.ring * bell(x + glue.gap_px + s, s);
            }
            if let Some((share, height)) = self.decoy {
                value += height * bell(x + (1.0 - share) * self.radius_px, 1.0);
            }
            value
        };
        Profile::tabulate(-self.radius_px, 8.0 * s, 1.5 * s + 1.0, brightness)
    }
}

/// The core's edge and what the core looks like inside. Heights are relative to the ferrule.
#[derive(Debug, Clone, Copy)]
pub(super) struct CoreEdge {
    pub radius_px: f64,
    /// Core minus cladding; negative for a core darker than its cladding.
    pub contrast: f64,
    pub sigma_px: f64,
    /// Rise from the rim to the middle, relative to the contrast.
    pub dome: f64,
    /// Height of concentric ripples (graded-index layers), relative to the contrast.
    pub ripple: f64,
    /// Light scattered into the cladding: (height relative to the contrast, decay in pixels, at least `sigma_px`).
    pub glow: (f64, f64),
}

impl CoreEdge {
    /// What the core adds to the cladding's brightness.
    pub fn profile(&self) -> Profile {
        let (s, radius) = (self.sigma_px, self.radius_px);
        let brightness = |x: f64| {
            let r = ((x + radius) / radius).clamp(0.0, 1.5);
            let inside = normal_cdf(-x / s);
            let within = normal_cdf(-(x + 3.0 * s) / s);
            let shape = 1.0 + within * (self.dome * (1.0 - r * r) + self.ripple * (3.5 * TAU * r).cos());
            let glow = self.glow.0 * blurred_decay(x, s, self.glow.1);
            self.contrast * (inside * shape + glow)
        };
        Profile::tabulate(-radius, 8.0 * s + 6.0 * self.glow.1, 1.5 * s + 0.5, brightness)
    }
}
