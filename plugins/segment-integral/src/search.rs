//! From a picture to an end face, or to the reason why there is none.
//!
//! Circles of the small picture (`operator`) become ellipses in a larger one (`edges`); around each the closed outlines
//! are listed (`profile`) and the outermost that counts is the cladding; its edge is read again in the full picture, and
//! the core's inside it.

use ferrule_vision::{
    direct_fit::{ConsensusFit, Shape},
    ellipse::Ellipse,
    plane::Gray,
    reduce::SmallPicture,
};

use crate::{
    core::{Core, find_core},
    edges::{EdgeReader, Reading},
    operator::{Circle, RingOperator},
    profile::{Profile, Ring, Span},
    settings::Settings,
};

/// Longer sides of the two reduced pictures.
const SMALL_SIDE: usize = 96;
const MIDDLE_SIDE: usize = 320;
/// A cladding's step is at least this share of the strongest one around (a core's may be far stronger), more by this much
/// for what is missing of its agreement and visibility, and at least so many gray levels.
const LEAST_SHARE: f64 = 0.12;
const SHARE_FOR_DOUBT: f64 = 0.4;
const LEAST_STEP: f64 = 1.5;
/// Glass ends sharply: this share of the step lies within a few pixels of the edge, or the outline is a cloud's.
const SHARP: f64 = 0.8;
/// Within this share of a stronger outline's radius, and at least so many pixels, an opposite step is its halo.
const HALO: (f64, f64) = (0.06, 3.0);

/// An end face, in the picture's pixels.
#[derive(Debug, Clone, Copy)]
pub struct EndFace {
    pub cladding: ConsensusFit,
    pub confidence: f64,
    /// +1 where the ferrule is brighter than the cladding, else -1.
    pub sign: f32,
    /// True where the edge had to be read from averaged rays.
    pub covered: bool,
    pub core: Option<Core>,
}

/// Why a picture has no end face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFibre {
    NoOutline,
    Doubtful,
    Several,
    NoFerrule,
    Oval,
}

impl NoFibre {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoOutline => "no closed outline in the picture",
            Self::Doubtful => "an outline, but too faint or broken to be a cladding's",
            Self::Several => "several fibres in one picture",
            Self::NoFerrule => "no ferrule around the fibre",
            Self::Oval => "an oval, which no fibre is; the source's pixel_aspect says where pixels are not square",
        }
    }
}

/// An outline in the middle picture, and how much it looks like a cladding.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    outline: Ellipse,
    ring: Ring,
    score: f64,
    /// True for a bright disc in a dark one that is too large to be a cladding: a core whose picture was cropped.
    enclosed: bool,
}

/// All that is kept between pictures.
#[derive(Debug, Default)]
pub struct Search {
    small: SmallPicture,
    middle: SmallPicture,
    scratch: Vec<f32>,
    operator: RingOperator,
    circles: Vec<Circle>,
    pub(crate) edges: EdgeReader,
    pub(crate) profile: Profile,
    pub(crate) rings: Vec<Ring>,
    candidates: Vec<Candidate>,
}

impl Search {
    /// `expected` is the cladding's radius in pixels where the microscope's scale is known.
    pub fn end_face(
        &mut self,
        picture: Gray<'_>,
        expected: Option<f64>,
        settings: &Settings,
    ) -> Result<EndFace, NoFibre> {
        let (longer, shorter) = (picture.width().max(picture.height()), picture.width().min(picture.height()));
        let radii = match expected {
            // Scales are typed in by people and drift with focus.
            Some(radius) => (0.75 * radius, 1.3 * radius),
            None => (0.5 * settings.min_diameter * shorter as f64, 0.5 * settings.max_diameter * shorter as f64),
        };
        let factors = (longer.div_ceil(SMALL_SIDE), longer.div_ceil(MIDDLE_SIDE));
        self.small.reduce(picture, factors.0);
        self.middle.reduce(picture, factors.1);
        self.middle.smooth(&mut self.scratch);
        let per_small = factors.0 as f64;
        // Cores are outlines too, and often the clearer ones.
        let core = 0.5 * radii.0 / per_small;
        let largest = (radii.1 / per_small).min(0.6 * self.small.width.min(self.small.height) as f64);
        self.operator.circles(&self.small, core, largest, &mut self.circles);
        let to_middle = Change::between(factors.0, factors.1);
        self.list_candidates(to_middle, (radii.0 / factors.1 as f64, radii.1 / factors.1 as f64));
        let best = self.best()?;
        let coarse = Change::between(factors.1, 1).of(&best.outline);
        self.refine(picture, &coarse, &best, settings)
    }

    /// The cladding around each circle, where its surroundings look like an end face.
    fn list_candidates(&mut self, change: Change, (smallest, largest): (f64, f64)) {
        self.candidates.clear();
        let Some(picture) = self.middle.plane() else { return };
        for circle in &self.circles {
            let start = change.of(&Ellipse::circle(circle.x, circle.y, circle.radius));
            let radius = start.mean_radius();
            let reading = Reading {
                reach_px: (0.22 * radius).max(4.0),
                step_px: 1.0,
                side_px: (0.08 * radius).clamp(2.0, 5.0),
                average: 2,
                share: 0.95,
                tolerance_px: (0.05 * radius).max(1.2),
            };
            let fit = self.edges.outline(picture, &start, circle.sign, Shape::Free, &reading);
            // Where rays do not agree, the circle itself is what is known.
            let around = fit.filter(|fit| fit.inlier_share > 0.5).map_or(start, |fit| fit.outline);
            let radius = around.mean_radius();
            let span = Span {
                from: 2.0 / radius,
                to: (1.3 * largest / radius).max(1.0),
                step_px: 1.0,
                side: 0.08,
                least_px: 2.0,
                most_px: 6.0,
                edge_px: 0.0,
            };
            self.profile.rings(picture, &around, &span, &mut self.rings);
            let strongest = self.rings.iter().map(|ring| ring.step.abs() * ring.agreement).fold(0.0, f64::max);
            let counts = |ring: &&Ring| {
                let size = ring.scale * radius;
                let share = LEAST_SHARE + SHARE_FOR_DOUBT * (1.0 - ring.agreement * ring.visible);
                size >= smallest
                    && size <= largest
                    && ring.step.abs() >= (share * strongest).max(LEAST_STEP)
                    && ring.step.abs() > 3.0 * ring.error
                    && !is_halo(&self.rings, ring, radius)
            };
            let Some(ring) = self.rings.iter().filter(counts).max_by(|a, b| a.scale.total_cmp(&b.scale)) else {
                continue;
            };
            let outline = around.scaled(ring.scale);
            let enclosed = ring.step < 0.0
                && self.rings.iter().any(|outer| outer.step > LEAST_STEP && outer.scale * radius > largest);
            let score = ring.agreement.powi(2) * ring.step.abs().min(60.0) * outline.mean_radius().sqrt();
            self.candidates.push(Candidate { outline, ring: *ring, score, enclosed });
        }
    }

    fn best(&self) -> Result<Candidate, NoFibre> {
        let best = self.candidates.iter().max_by(|a, b| a.score.total_cmp(&b.score)).ok_or(NoFibre::NoOutline)?;
        let elsewhere = |other: &Candidate| {
            let apart = (other.outline.cx - best.outline.cx).hypot(other.outline.cy - best.outline.cy);
            let (own, radius) = (best.outline.mean_radius(), other.outline.mean_radius());
            apart > 0.8 * (own + radius)
                && (0.7..1.4).contains(&(radius / own))
                && other.ring.agreement > 0.9
                && other.score > 0.5 * best.score
        };
        if self.candidates.iter().any(elsewhere) {
            Err(NoFibre::Several)
        } else if best.enclosed {
            Err(NoFibre::NoFerrule)
        } else {
            Ok(*best)
        }
    }

    /// The cladding's edge in the full picture, and the core inside it.
    fn refine(
        &mut self,
        picture: Gray<'_>,
        coarse: &Ellipse,
        best: &Candidate,
        settings: &Settings,
    ) -> Result<EndFace, NoFibre> {
        let sign = best.ring.step.signum() as f32;
        let mut free = None;
        let mut start = *coarse;
        for (reach, least, side) in [(0.12, 8.0, 4.0f64), (0.05, 6.0, 3.0)] {
            let radius = start.mean_radius();
            let reading = Reading {
                reach_px: (reach * radius).max(least),
                step_px: (radius / 150.0).clamp(0.5, 2.0),
                side_px: side.max(0.016 * radius),
                average: 1,
                share: 0.5,
                tolerance_px: (0.01 * radius).max(1.2),
            };
            free = self.edges.outline(picture, &start, sign, Shape::Free, &reading);
            let Some(fit) = free else { break };
            start = fit.outline;
        }
        let sharpness = self.edges.jump() / (SHARP * best.ring.step.abs());
        let mut covered = false;
        if free.is_none_or(|fit| fit.inlier_share < 0.5) {
            // Under a film a single ray sees the film: rays over 30 degrees, and the coarse outline's shape.
            let radius = coarse.mean_radius();
            let reading = Reading {
                reach_px: (0.14 * radius).max(8.0),
                step_px: (radius / 150.0).clamp(0.5, 2.0),
                side_px: (0.06 * radius).max(4.0),
                average: 10,
                share: 0.8,
                tolerance_px: (0.03 * radius).max(2.0),
            };
            let held = self.edges.outline(picture, coarse, sign, Shape::Like(*coarse), &reading);
            if let Some(held) = held.filter(|held| free.is_none_or(|free| held.inlier_share > free.inlier_share + 0.1))
            {
                free = Some(held);
                covered = true;
            }
        }
        let cladding = free.ok_or(NoFibre::Doubtful)?;
        let confidence = confidence(&cladding, &best.ring, covered) * sharpness.clamp(0.0, 1.0);
        if confidence < settings.min_confidence {
            return Err(NoFibre::Doubtful);
        }
        if !has_ferrule(picture, &cladding.outline) {
            return Err(NoFibre::NoFerrule);
        }
        let core = find_core(self, picture, &cladding.outline, settings);
        Ok(EndFace { cladding, confidence, sign, covered, core })
    }
}

/// True for the far flank of a line along a stronger outline: diffraction, not a zone's end.
fn is_halo(rings: &[Ring], ring: &Ring, radius: f64) -> bool {
    rings.iter().any(|inner| {
        let gap = (ring.scale - inner.scale) * radius;
        inner.step.signum() != ring.step.signum()
            && inner.step.abs() > 1.2 * ring.step.abs()
            && gap > 0.0
            && gap < (HALO.0 * ring.scale * radius).max(HALO.1)
    })
}

/// From one reduced picture's pixels to another's: sample i of a reduction by k stands for place `i k + (k - 1) / 2`.
#[derive(Debug, Clone, Copy)]
struct Change {
    factor: f64,
    shift: f64,
}

impl Change {
    fn between(from: usize, to: usize) -> Self {
        let (from, to) = (from as f64, to as f64);
        Self { factor: from / to, shift: 0.5 * (from - to) / to }
    }

    fn of(&self, outline: &Ellipse) -> Ellipse {
        let scaled = outline.scaled(self.factor);
        Ellipse { cx: outline.cx * self.factor + self.shift, cy: outline.cy * self.factor + self.shift, ..scaled }
    }
}

/// Probability that the outline is right: seen all around, tight, and clear of the noise.
fn confidence(cladding: &ConsensusFit, ring: &Ring, covered: bool) -> f64 {
    let closed = ((cladding.inlier_share - 0.35) / 0.4).clamp(0.0, 1.0);
    let clear = 1.0 - (-ring.step.abs() / 4.0).exp();
    let sure = 1.0 - (-ring.step.abs() / (3.0 * ring.error).max(1e-9)).exp();
    let read = if covered { 0.75 } else { 1.0 };
    (closed * clear * sure * ring.agreement.powi(3) * read).clamp(0.0, 1.0)
}

/// False where the fibre was cut out of its picture: most of its surroundings are missing, or painted black, which a
/// sensor's noise and offset never leave in a row of places.
fn has_ferrule(picture: Gray<'_>, outline: &Ellipse) -> bool {
    const DIRECTIONS: usize = 240;
    let count = |scales: [f64; 3]| {
        let (mut seen, mut painted) = (0, 0);
        for (dx, dy) in outline.offsets(DIRECTIONS) {
            let gray = scales.map(|s| {
                let (x, y) = (outline.cx + dx * s, outline.cy + dy * s);
                let inside = x >= 0.0 && y >= 0.0 && x < picture.width() as f64 && y < picture.height() as f64;
                inside.then(|| picture.row(y as usize)[x as usize])
            });
            seen += usize::from(gray.iter().all(Option::is_some));
            painted += usize::from(gray.iter().all(|gray| *gray == Some(0)));
        }
        (seen, painted)
    };
    let (seen, painted) = count([1.06, 1.1, 1.14]);
    let (_, hollow) = count([0.94, 0.9, 0.86]);
    2 * seen >= DIRECTIONS && 3 * painted < seen && 2 * hollow < DIRECTIONS
}
