//! Captures drawn for the detectors' tests: falloff, a fibre with soft outlines and a decoy ring, correlated noise, and
//! defects of stated contrast. Shared with `detect-scratch`.

#![allow(dead_code, reason = "each test binary draws other things")]

use ferrule_abi::{
    Defect, Detections, Detector, Ellipse, ImageView, Parameter, Parameters, Plugin, RSlice, SegmentationView, Zone,
    ZoneName,
};

pub const WIDTH: usize = 520;
pub const HEIGHT: usize = 440;
const CENTRE: (f64, f64) = (250.3, 214.6);
pub const CLADDING: f64 = 90.0;
pub const CORE: f64 = 36.0;

/// A capture in the making, in gray levels.
pub struct Drawn {
    gray: Vec<f64>,
    bars: bool,
    noise: f64,
    seed: u64,
}

impl Drawn {
    /// A clean end face with noise of that standard deviation.
    pub fn clean(seed: u64, noise: f64) -> Self {
        let ring = |r: f64, at: f64, soft: f64| 1.0 / (1.0 + ((r - at) / soft).exp());
        let gray = (0..WIDTH * HEIGHT).map(|i| {
            let (x, y) = ((i % WIDTH) as f64, (i / WIDTH) as f64);
            let r = (x - CENTRE.0).hypot(y - CENTRE.1);
            let core = (x - CENTRE.0 - 1.2).hypot(y - CENTRE.1 + 0.7);
            let off = ((x - 260.0) / 300.0).powi(2) + ((y - 200.0) / 260.0).powi(2);
            let decoy = 6.0 * (-((r - 0.57 * CLADDING) / 1.5).powi(2)).exp();
            let glow = 12.0 * (-((r - CLADDING - 4.0) / 3.0).powi(2)).exp();
            (170.0 - 70.0 * ring(r, CLADDING, 1.0) + 40.0 * ring(core, CORE, 1.2) + decoy + glow) * (1.0 - 0.22 * off)
        });
        Self { gray: gray.collect(), bars: false, noise, seed }
    }

    /// The same with black bars at the left and at the top.
    pub fn barred(mut self) -> Self {
        self.bars = true;
        self
    }

    fn add(&mut self, by: impl Fn(f64, f64) -> f64) {
        for (i, g) in self.gray.iter_mut().enumerate() {
            *g += by((i % WIDTH) as f64, (i / WIDTH) as f64);
        }
    }

    /// A round spot of that contrast and width at half height.
    pub fn spot(mut self, at: (f64, f64), contrast: f64, fwhm: f64) -> Self {
        let s = fwhm / 2.355;
        self.add(|x, y| contrast * (-((x - at.0).powi(2) + (y - at.1).powi(2)) / (2.0 * s * s)).exp());
        self
    }

    /// A patch with a sharp outline.
    pub fn patch(mut self, at: (f64, f64), half: (f64, f64), contrast: f64) -> Self {
        self.add(|x, y| if ((x - at.0) / half.0).hypot((y - at.1) / half.1) < 1.0 { contrast } else { 0.0 });
        self
    }

    /// A line of that contrast and width at half height through points.
    pub fn line(mut self, points: &[(f64, f64)], contrast: f64, fwhm: f64) -> Self {
        let s = fwhm / 2.355;
        let distance = |x: f64, y: f64| {
            let segments = points.windows(2).map(|w| {
                let (dx, dy) = (w[1].0 - w[0].0, w[1].1 - w[0].1);
                let t = (((x - w[0].0) * dx + (y - w[0].1) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
                (x - w[0].0 - t * dx).hypot(y - w[0].1 - t * dy)
            });
            segments.fold(f64::MAX, f64::min)
        };
        self.add(|x, y| contrast * (-distance(x, y).powi(2) / (2.0 * s * s)).exp());
        self
    }

    /// The capture in 8 bits: noise that a lens and a codec have smoothed over about two pixels, then rounding.
    pub fn pixels(&self) -> Vec<u8> {
        let mut state = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let raw: Vec<f64> = (0..WIDTH * HEIGHT).map(|_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0).collect();
        let at = |x: usize, y: usize| raw[y.min(HEIGHT - 1) * WIDTH + x.min(WIDTH - 1)];
        let taps = [0.25, 0.5, 0.25];
        (0..WIDTH * HEIGHT)
            .map(|i| {
                let (x, y) = (i % WIDTH, i / WIDTH);
                if self.bars && (x < 11 || y < 7) {
                    return 9;
                }
                let mut noise = 0.0;
                for (v, a) in taps.iter().enumerate() {
                    for (u, b) in taps.iter().enumerate() {
                        noise += a * b * at((x + u).saturating_sub(1), (y + v).saturating_sub(1));
                    }
                }
                // The kernel leaves 3/8 of the deviation.
                (self.gray[i] + noise * self.noise / 0.375).round().clamp(0.0, 255.0) as u8
            })
            .collect()
    }

    pub fn labels() -> Vec<u8> {
        let (core, cladding) = outlines();
        (0..WIDTH * HEIGHT)
            .map(|i| {
                let (x, y) = ((i % WIDTH) as f64, (i / WIDTH) as f64);
                if core.radius_at(x, y) <= 1.0 {
                    ZoneName::Core as u8
                } else if cladding.radius_at(x, y) <= 1.0 {
                    ZoneName::Cladding as u8
                } else {
                    ZoneName::Ferrule as u8
                }
            })
            .collect()
    }

    /// What a detector says of the capture.
    pub fn seen_by(&self, detector: &mut impl Detector) -> Vec<Defect> {
        let (core, cladding) = outlines();
        let zones = [
            Zone { name: ZoneName::Core, outline: core, confidence: 0.9 },
            Zone { name: ZoneName::Cladding, outline: cladding, confidence: 0.9 },
        ];
        look(detector, &self.pixels(), &zones, &Self::labels()).defects.into_vec()
    }
}

/// Runs a detector on pixels of the drawn size.
pub fn look(detector: &mut impl Detector, pixels: &[u8], zones: &[Zone], labels: &[u8]) -> Detections {
    let image = ImageView::gray8(pixels, WIDTH as u32, HEIGHT as u32).unwrap();
    let segmentation = SegmentationView { zones: RSlice::from_slice(zones), labels: RSlice::from_slice(labels) };
    let found = detector.detect(&image, &segmentation).unwrap();
    for defect in &found.defects {
        well_formed(defect);
    }
    found
}

/// What the interface promises of every defect.
fn well_formed(d: &Defect) {
    assert!((0.0..=1.0).contains(&d.confidence) && d.length_px.is_finite() && d.width_px > 0.0);
    assert!(d.angle_deg > -90.0 && d.angle_deg <= 90.0);
    assert_eq!(d.area_px, d.mask.iter().map(|r| r.length).sum::<u32>());
    assert!(!d.mask.is_empty() && d.mask.windows(2).all(|w| w[0].y < w[1].y || w[0].x + w[0].length < w[1].x));
    for run in &d.mask {
        assert!(run.x >= d.bbox.x && run.x + run.length <= d.bbox.x + d.bbox.width);
        assert!(run.y >= d.bbox.y && run.y < d.bbox.y + d.bbox.height);
    }
}

/// Outlines of core and cladding as a segmenter gives them: right to a fraction of a pixel, not exactly.
fn outlines() -> (Ellipse, Ellipse) {
    let circle = |cx: f64, cy: f64, r: f64| Ellipse { cx, cy, ax: r, by: r, angle_deg: 0.0 };
    (circle(CENTRE.0 + 1.3, CENTRE.1 - 0.8, CORE + 0.1), circle(CENTRE.0 - 0.1, CENTRE.1 + 0.2, CLADDING - 0.2))
}

/// A point at that distance and direction from the fibre's middle.
pub fn around(radius: f64, degrees: f64) -> (f64, f64) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    (CENTRE.0 + radius * cos, CENTRE.1 + radius * sin)
}

/// A detector with its defaults, or with some parameters set.
pub fn detector<T: Plugin>(given: &[Parameter]) -> Result<T, ferrule_abi::PluginError> {
    T::create(&Parameters::resolve(&T::descriptor(), given)?)
}
