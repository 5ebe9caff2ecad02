//! One picture, decided but not yet painted: geometry, light, noise and defects, all drawn from (preset, seed, index).
//! Planning is cheap (no pixel of the background is touched), so the truth of a picture is known without painting it.

use std::f64::consts::TAU;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    ellipse::{Ellipse, Outline},
    look::{self, Glass},
    place::{self, Drawn},
    preset::{Microscope, Preset},
    profile::{Profile, RISE_PER_SIGMA},
    spread::{choose, evenly},
    truth::{CoreZone, Truth, Visibility, Zones},
};

/// Light on the ferrule: `level · (1 − falloff · (r/reach)^(2·power))` around its centre.
#[derive(Debug, Clone, Copy)]
pub(super) struct LightField {
    pub centre: [f64; 2],
    pub aspect: f64,
    pub level: f64,
    pub falloff: f64,
    /// Square of the distance of the farthest corner from the light's centre.
    pub reach2: f64,
    pub power: i32,
}

impl LightField {
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let (dx, dy) = ((x - self.centre[0]) / self.aspect, y - self.centre[1]);
        self.level * (1.0 - self.falloff * ((dx * dx + dy * dy) / self.reach2).powi(self.power))
    }
}

/// Noise of a camera: a constant part and one that grows with the light, its neighbouring pixels correlated.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoiseModel {
    pub read_variance: f64,
    pub shot_variance_per_grey: f64,
    /// Between a pixel and the next.
    pub correlation: f64,
}

/// The relief that polishing leaves on the ferrule's ceramic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grain {
    /// Standard deviation, relative to the light.
    pub share: f64,
    /// From one grain to the next.
    pub period_px: f64,
}

impl NoiseModel {
    /// With the error of rounding to whole grey levels (variance 1/12): what a person measures in the file.
    pub fn measured_sigma(&self, grey: f64) -> f64 {
        (self.read_variance + self.shot_variance_per_grey * grey.max(0.0) + 1.0 / 12.0).sqrt()
    }
}

/// A planned picture.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub size: [u32; 2],
    pub valid: [u32; 4],
    pub cladding: Ellipse,
    pub core: Ellipse,
    pub outer: Profile,
    pub inner: Profile,
    pub light: LightField,
    pub noise: NoiseModel,
    pub grain: Grain,
    pub sigma_px: f64,
    /// Pixels a micrometre, along y.
    pub px_per_um: f64,
    pub jpeg_quality: u8,
    /// Quality of the JPEG that the microscope has made of the picture, whatever format it is written in later.
    pub camera_jpeg: Option<u8>,
    pub defects: Vec<Drawn>,
    facts: Facts,
}

#[derive(Debug, Clone)]
struct Facts {
    fibre: String,
    aspect: f64,
    noise_sigma: f64,
    grain_sigma: f64,
    edge_px: f64,
    core_step: f64,
    double_ring: bool,
}

/// The generator of a picture's decisions (`stream` 0) or of its noise (`stream` 1).
pub(super) fn generator(preset: &Preset, seed: u64, index: u64, stream: u64) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new_derive_key("ferrule simulate picture");
    hasher.update(&seed.to_le_bytes()).update(&index.to_le_bytes()).update(preset.name.as_bytes());
    let mut rng = ChaCha8Rng::from_seed(*hasher.finalize().as_bytes());
    rng.set_stream(stream);
    rng
}

/// Steps of the even sequences: no two of them, nor 1, are rational multiples of each other.
mod step {
    pub const CLEAN: f64 = 0.618_033_988_749_895;
    pub const MICROSCOPE: f64 = 0.414_213_562_373_095;
    pub const FIBRE: f64 = 0.732_050_807_568_877;
    pub const LOOK: f64 = 0.645_751_311_064_591;
    pub const KIND: f64 = 0.316_624_790_355_400;
}

impl Scene {
    /// Decides picture `index`.
    pub fn plan(preset: &Preset, seed: u64, index: u64) -> Self {
        let rng = &mut generator(preset, seed, index, 0);
        let offset = seed as f64 * 0.754_877_666;
        let weights: Vec<f64> = preset.microscopes.iter().map(|microscope| microscope.weight).collect();
        let microscope = &preset.microscopes[choose(&weights, evenly(index, step::MICROSCOPE, offset))];
        let mut scene = Self::empty(microscope, index, offset, rng);
        if let Some(defects) = &preset.defects
            && evenly(index, step::CLEAN, offset) >= preset.clean
        {
            scene.defects = place::defects(&scene, defects, evenly(index, step::KIND, offset), rng);
        }
        scene
    }

    fn empty(m: &Microscope, index: u64, offset: f64, rng: &mut ChaCha8Rng) -> Self {
        let [width, height] = m.size.map(f64::from);
        let [left, top, right, bottom] = m.border_px;
        let valid = [left, top, m.size[0] - right, m.size[1] - bottom];
        let area = valid.map(f64::from);
        let fibre = &m.fibres[(evenly(index, step::FIBRE, offset) * m.fibres.len() as f64) as usize % m.fibres.len()];

        let sigma_px = m.edge.rise_px.draw(rng) / RISE_PER_SIGMA;
        // A fibre too big for the frame is seen through a weaker lens, so that its whole outline stays in the picture.
        let room = 0.5 * ((area[2] - area[0]) / m.pixel_aspect).min(area[3] - area[1]) - 4.0 - 4.0 * sigma_px;
        let radius_px = (fibre.cladding_um / 2.0 / m.um_per_px.draw(rng)).min(room / 1.02);
        let px_per_um = radius_px / (fibre.cladding_um / 2.0);

        let outline = Outline {
            radius_px,
            aspect: m.pixel_aspect,
            ellipticity: m.ellipticity.draw(rng),
            tilt: TAU * rng.random::<f64>(),
        };
        let (away, toward) = (m.off_centre.draw(rng) * radius_px, TAU * rng.random::<f64>());
        let (half_w, half_h) = Ellipse::new(0.0, 0.0, outline).half_extent();
        let keep = 4.0 + 4.0 * sigma_px;
        let (cx, cy) = ((width - 1.0) / 2.0 + away * toward.cos(), (height - 1.0) / 2.0 + away * toward.sin());
        let cladding = Ellipse::new(
            within(cx, area[0] + keep + half_w, area[2] - 1.0 - keep - half_w),
            within(cy, area[1] + keep + half_h, area[3] - 1.0 - keep - half_h),
            outline,
        );

        let core_radius = fibre.core_um / 2.0 * px_per_um;
        let (shift, turn) = (m.core_offset_um.draw(rng) * px_per_um, TAU * rng.random::<f64>());
        // Never so far that core and cladding edges would meet.
        let shift = shift.min(0.2 * (radius_px - core_radius));
        let core = Ellipse::new(
            cladding.cx + m.pixel_aspect * shift * turn.cos(),
            cladding.cy + shift * turn.sin(),
            Outline { radius_px: core_radius, ..outline },
        );

        let level = m.light.cladding.draw(rng);
        let shares: Vec<f64> = m.looks.iter().map(|look| look.share).collect();
        let core_look = &m.looks[choose(&shares, evenly(index, step::LOOK, offset))];
        let glass = Glass { radius_px: cladding.mean_radius(), core_px: core.mean_radius(), sigma_px, level };
        let (edge, double_ring) = look::cladding_edge(m, glass, px_per_um, rng);
        let core_edge = look::core_edge(core_look, glass, rng);

        let light = light(m, area, rng);
        let noise_sigma = m.noise.sigma.draw(rng);
        let shot = m.noise.shot_share.draw(rng);
        let noise = NoiseModel {
            read_variance: noise_sigma * noise_sigma * (1.0 - shot),
            shot_variance_per_grey: noise_sigma * noise_sigma * shot / light.level,
            correlation: m.noise.correlation.draw(rng),
        };
        let grain_sigma = m.grain.sigma.draw(rng);
        let grain = Grain { share: grain_sigma / light.level, period_px: m.grain.period_um.draw(rng) * px_per_um };
        let jpeg_quality = m.jpeg_quality.draw(rng).round() as u8;
        let camera_jpeg = (rng.random::<f64>() < m.camera_jpeg).then_some(jpeg_quality);
        Self {
            size: m.size,
            valid,
            cladding,
            core,
            outer: edge.profile(),
            inner: core_edge.profile(),
            light,
            noise,
            grain,
            sigma_px,
            px_per_um,
            jpeg_quality,
            camera_jpeg,
            defects: Vec::new(),
            facts: Facts {
                fibre: fibre.name.clone(),
                aspect: m.pixel_aspect,
                noise_sigma,
                grain_sigma,
                edge_px: sigma_px * RISE_PER_SIGMA,
                core_step: core_edge.contrast * light.at(core.cx, core.cy),
                double_ring,
            },
        }
    }

    /// Grey level at a place, without defects and noise.
    pub fn background(&self, x: f64, y: f64) -> f64 {
        self.reflection(x, y) * self.light.at(x, y)
    }

    /// What the end face gives back, the ferrule being 1.
    pub fn reflection(&self, x: f64, y: f64) -> f64 {
        f64::from(self.outer.at(self.cladding.distance(x, y))) + f64::from(self.inner.at(self.core.distance(x, y)))
    }

    /// Standard deviation of what hides a defect of the brightness `grey` at a place: the camera's noise, and on the
    /// ferrule its grain.
    pub fn noise_at(&self, x: f64, y: f64, grey: f64) -> f64 {
        let grain = if self.cladding.distance(x, y) > 0.0 { self.grain.share * grey } else { 0.0 };
        self.noise.measured_sigma(grey).hypot(grain)
    }

    /// What is true of the picture. Coordinates to a ten-thousandth, as they are written.
    pub fn truth(&self) -> Truth {
        Truth {
            width: self.size[0],
            height: self.size[1],
            zones: Zones {
                core: CoreZone {
                    zone: self.core.zone().rounded(),
                    visibility: Visibility::of_step(self.facts.core_step),
                },
                cladding: self.cladding.zone().rounded(),
            },
            defects: self.defects.iter().map(|drawn| drawn.truth.clone()).collect(),
            valid_area: self.valid,
            fibre: self.facts.fibre.clone(),
            um_per_px: rounded(1.0 / self.px_per_um),
            pixel_aspect: self.facts.aspect,
            noise_sigma: rounded(self.facts.noise_sigma),
            grain_sigma: rounded(self.facts.grain_sigma),
            camera_jpeg: self.camera_jpeg,
            edge_px: rounded(self.facts.edge_px),
            double_ring: self.facts.double_ring,
        }
    }
}

/// To a ten-thousandth.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// Like `clamp`, but gives the middle where the bounds have crossed.
fn within(value: f64, low: f64, high: f64) -> f64 {
    if low <= high { value.clamp(low, high) } else { 0.5 * (low + high) }
}

fn light(m: &Microscope, area: [f64; 4], rng: &mut ChaCha8Rng) -> LightField {
    let (width, height) = ((area[2] - area[0]) / m.pixel_aspect, area[3] - area[1]);
    let (away, toward) = (m.light.off_centre.draw(rng) * 0.5 * width.hypot(height), TAU * rng.random::<f64>());
    let centre = [
        0.5 * (area[0] + area[2]) + m.pixel_aspect * away * toward.cos(),
        0.5 * (area[1] + area[3]) + away * toward.sin(),
    ];
    let far = |x: f64, y: f64| ((x - centre[0]) / m.pixel_aspect).powi(2) + (y - centre[1]).powi(2);
    let corners = [far(area[0], area[1]), far(area[2], area[1]), far(area[0], area[3]), far(area[2], area[3])];
    LightField {
        centre,
        aspect: m.pixel_aspect,
        level: m.light.ferrule.draw(rng),
        falloff: m.light.falloff.draw(rng),
        reach2: corners.into_iter().fold(1.0, f64::max),
        power: m.light.power.draw(rng).round() as i32,
    }
}
