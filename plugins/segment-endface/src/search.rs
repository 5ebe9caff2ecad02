//! The search as a whole: from a picture to an end face or to the reason why there is none.

use ferrule_vision::{ellipse::Ellipse, plane::Gray, reduce::SmallPicture};

use crate::{
    cladding::{Cladding, CladdingFinder},
    core_edge::{Core, CoreFinder, CoreRules},
    frame::{Frame, FrameFinder},
    locate::{Anchor, Locator, Sizes},
    rings::{CoarseCladding, RingFinder},
    settings::Settings,
};

/// Longer side of the reduced picture.
const REDUCED_SIDE: usize = 320;
/// Rings looked at around anchors, the best covered first.
const ANCHORS: usize = 8;

/// An end face, in the full picture's pixels.
#[derive(Debug, Clone, Copy)]
pub struct EndFace {
    pub frame: Frame,
    pub cladding: Cladding,
    pub confidence: f64,
    /// +1 where the ferrule is brighter than the cladding, else -1.
    pub sign: f64,
    pub glass: Option<Ellipse>,
    pub core: Option<Core>,
}

/// Why a picture has no end face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFibre {
    NoRing,
    Faint,
    Several,
    NoFerrule,
    Oval,
}

impl NoFibre {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoRing => "no closed ring in the picture",
            Self::Faint => "a ring, but too faint or broken to be a cladding's edge",
            Self::Several => "several fibres in one picture",
            Self::NoFerrule => "no ferrule around the fibre",
            Self::Oval => "an oval, which no fibre is; the source's pixel_aspect says where pixels are not square",
        }
    }
}

/// All that the search keeps between pictures.
#[derive(Debug, Default)]
pub struct Search {
    frames: FrameFinder,
    small: SmallPicture,
    coarse: SmallPicture,
    scratch: Vec<f32>,
    locator: Locator,
    anchors: Vec<Anchor>,
    distinct: Vec<Anchor>,
    rings: RingFinder,
    found: Vec<CoarseCladding>,
    claddings: CladdingFinder,
    cores: CoreFinder,
}

impl Search {
    /// `expected` is the cladding's radius in pixels where the microscope's scale is known.
    pub fn end_face(
        &mut self,
        picture: Gray<'_>,
        expected: Option<f64>,
        settings: &Settings,
    ) -> Result<EndFace, NoFibre> {
        let frame = self.frames.find(picture);
        let window = picture.window(frame.x0, frame.y0, frame.width(), frame.height()).ok_or(NoFibre::NoRing)?;
        let factor = window.width().max(window.height()).div_ceil(REDUCED_SIDE);
        let side = frame.shorter_side() as f64 / factor as f64;
        let sizes = match expected {
            // Scales are typed in by people and drift with focus.
            Some(radius) => Sizes { smallest: 0.75 * radius / factor as f64, largest: 1.3 * radius / factor as f64 },
            None => Sizes { smallest: 0.5 * settings.min_diameter * side, largest: 0.5 * settings.max_diameter * side },
        };
        self.small.reduce(window, factor);
        self.small.smooth(&mut self.scratch);
        let best = self.coarse_cladding(sizes)?;
        let to_full = |outline: &Ellipse| {
            let (k, shift) = (factor as f64, (factor as f64 - 1.0) / 2.0);
            Ellipse {
                cx: outline.cx * k + shift,
                cy: outline.cy * k + shift,
                ax: outline.ax * k,
                by: outline.by * k,
                angle_deg: outline.angle_deg,
            }
        };
        let sign = best.ring.step.signum();
        let coarse = to_full(&best.outline);
        let mut cladding = self.claddings.refine(window, &coarse, sign as f32).ok_or(NoFibre::Faint)?;
        let glass = self.claddings.glass(window, &cladding.outline, sign as f32);
        let rules = CoreRules {
            least_contrast: settings.min_core_contrast,
            expected: (settings.core_um > 0.0).then_some(settings.core_um / settings.cladding_um),
            glass: glass.map_or(1.0, |glass| glass.mean_radius() / cladding.outline.mean_radius()),
        };
        let mut core = self.cores.find(window, &cladding.outline, &rules);
        if let Some(lit) = core.filter(|core| cladding.held && core.confidence > 0.6) {
            // Both are round, so a core that is seen through the film knows the pixels' shape better than a coarse ring.
            let shape = lit.outline.scaled(cladding.outline.mean_radius() / lit.outline.mean_radius());
            cladding = self.claddings.refine_held(window, &shape, sign as f32).unwrap_or(cladding);
            core = self.cores.find(window, &cladding.outline, &rules);
        }
        let confidence = confidence(&cladding, &best);
        if confidence < settings.min_confidence {
            return Err(NoFibre::Faint);
        }
        if !has_ferrule(window, &cladding.outline) {
            return Err(NoFibre::NoFerrule);
        }
        let shifted = |e: Ellipse| Ellipse { cx: e.cx + frame.x0 as f64, cy: e.cy + frame.y0 as f64, ..e };
        Ok(EndFace {
            frame,
            cladding: Cladding { outline: shifted(cladding.outline), ..cladding },
            confidence,
            sign,
            glass: glass.map(shifted),
            core: core.map(|core| Core { outline: shifted(core.outline), ..core }),
        })
    }

    /// The best cladding of the reduced picture.
    fn coarse_cladding(&mut self, sizes: Sizes) -> Result<CoarseCladding, NoFibre> {
        // Cores are rings too, and often the sharper ones.
        // What is too large to be a cladding in this picture is looked for too, to know a cropped one.
        let any = Sizes { smallest: (0.5 * sizes.smallest).max(4.0), largest: 1.15 * sizes.largest };
        self.anchors.clear();
        self.locator.rings(&self.small, any, &mut self.anchors);
        // Half the size again: texture fades, and what is large stays.
        self.coarse.halve(&self.small);
        self.coarse.smooth(&mut self.scratch);
        let half = Sizes { smallest: (0.5 * any.smallest).max(3.0), largest: 0.5 * any.largest };
        let fine = self.anchors.len();
        self.locator.rings(&self.coarse, half, &mut self.anchors);
        for anchor in &mut self.anchors[fine..] {
            let o = anchor.outline;
            let double = |v: f64| 2.0 * v;
            anchor.outline =
                Ellipse { cx: double(o.cx) + 0.5, cy: double(o.cy) + 0.5, ax: double(o.ax), by: double(o.by), ..o };
        }
        let worth = |a: &Anchor| a.coverage * a.outline.mean_radius().sqrt();
        self.anchors.sort_unstable_by(|a, b| worth(b).total_cmp(&worth(a)));
        // Both sizes of the picture show the same rings; the better covered one stays.
        self.distinct.clear();
        for anchor in &self.anchors {
            if !self.distinct.iter().any(|other| other.is_near(&anchor.outline, 0.06)) {
                self.distinct.push(*anchor);
            }
        }
        self.distinct.truncate(ANCHORS);
        self.found.clear();
        for anchor in &self.distinct {
            let cladding = self.rings.cladding(&self.small, &anchor.outline, sizes);
            // A ring that is seen all around leads to its neighbours; an arc leads anywhere.
            self.found.extend(cladding.map(|c| CoarseCladding { score: c.score * anchor.coverage, ..c }));
        }
        let best = self.found.iter().max_by(|a, b| a.score.total_cmp(&b.score)).copied().ok_or(NoFibre::NoRing)?;
        let elsewhere = |other: &&CoarseCladding| {
            let (dx, dy) = (other.outline.cx - best.outline.cx, other.outline.cy - best.outline.cy);
            let (a, b) = (best.outline.mean_radius(), other.outline.mean_radius());
            dx.hypot(dy) > 0.8 * (a + b)
                && (0.7..1.4).contains(&(a / b))
                && other.ring.agreement > 0.9
                && other.score > 0.5 * best.score
        };
        // A bright disc inside a dark one that ends beyond what may be a cladding: the picture was cropped to its fibre.
        let encloses = |anchor: &Anchor| {
            let (own, radius) = (best.outline.mean_radius(), anchor.outline.mean_radius());
            let apart = (anchor.outline.cx - best.outline.cx).hypot(anchor.outline.cy - best.outline.cy);
            anchor.outward && anchor.coverage > 0.6 && radius > 1.08 * own && apart < 0.1 * radius
        };
        if self.found.iter().any(|other| elsewhere(&other)) {
            Err(NoFibre::Several)
        } else if best.ring.step < 0.0 && self.distinct.iter().any(encloses) {
            Err(NoFibre::NoFerrule)
        } else {
            Ok(best)
        }
    }
}

/// Probability that a person would accept the outline: closed, tight, and clear of the noise.
fn confidence(cladding: &Cladding, coarse: &CoarseCladding) -> f64 {
    let radius = cladding.outline.mean_radius();
    let closed = ((cladding.coverage - 0.3) / 0.5).clamp(0.0, 1.0);
    // Averaged rays follow what lies on the rim, so they scatter more about the same outline.
    let (loose, read) = if cladding.held { (0.06, 0.8) } else { (0.03, 1.0) };
    let tight = (-(cladding.spread_px - 0.4).max(0.0) / (loose * radius).max(2.0)).exp();
    let clear = 1.0 - (-coarse.ring.step.abs() / 4.0).exp();
    let agreed = coarse.ring.agreement;
    (closed * tight * clear * agreed * read).clamp(0.0, 1.0)
}

/// False where the fibre was cut out of its picture: painted black begins at its edge, or most of its surroundings are
/// missing.
fn has_ferrule(picture: Gray<'_>, outline: &Ellipse) -> bool {
    const DIRECTIONS: usize = 360;
    // Sensors have noise and an offset: exact black in a row of places was painted, even in a dark picture.
    let around = |at: [f64; 3]| {
        let (mut seen, mut painted) = (0, 0);
        for (dx, dy) in outline.offsets(DIRECTIONS) {
            let gray = at.map(|s| {
                let (x, y) = (outline.cx + dx * s, outline.cy + dy * s);
                let inside = x >= 0.0 && y >= 0.0 && x < picture.width() as f64 && y < picture.height() as f64;
                inside.then(|| picture.row(y as usize)[x as usize])
            });
            seen += usize::from(gray.iter().all(Option::is_some));
            painted += usize::from(gray.iter().all(|g| *g == Some(0)));
        }
        (seen, painted)
    };
    let (seen, painted) = around([1.06, 1.1, 1.14]);
    let (_, hollow) = around([0.94, 0.9, 0.86]);
    2 * seen >= DIRECTIONS && 3 * painted < seen && 2 * hollow < DIRECTIONS
}
