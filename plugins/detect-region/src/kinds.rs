//! Of what kind a spot is, in this order:
//!
//! - **scratch**: long and thin, and where it lies at the cladding's edge, across that edge rather than along it;
//! - **chip**: breaks the cladding's outline ([`BROKEN`]), or lies beside it ([`BESIDE`]) where it is broken all around
//!   ([`MANY`]): glass chips when it is cleaved or ground, and then in many places. A lone spot beside a sound edge is a
//!   pit in the glass or the ceramic;
//! - **residue**: wide ([`RESIDUE_AREA`]) or loosely filling a wide box, unless it is a [`compact`] blot that stands out
//!   strongly, or seen at the coarse scale only;
//! - **pit**: mostly darker than its surroundings, as a dig scatters light out of the view;
//! - **particle**: anything else: brighter, or bright and dark side by side (a speck above the surface has a lit side).
//!
//! Thresholds were measured on annotated photographs. What a spot's neighbours say of it is not known here but where all
//! detectors' answers meet.

use ferrule_abi::{Defect, DefectKind};
use ferrule_vision::{
    ellipse::Ellipse,
    hysteresis::Strength,
    shape::{Run, Shape},
};

/// A spot so near to the cladding's outline, in micrometres, breaks it: less than the outline is known to.
const BROKEN: f64 = 1.0;
/// A spot so near to the outline, in micrometres, is a chip where the outline is broken all around.
const BESIDE: f64 = 3.5;
/// Spots at the outline from which it is broken all around. Sound ones had up to 9, broken ones from 16 on.
const MANY: usize = 12;

/// Least length in pixels of a scratch, and how many times longer than wide it is.
const SCRATCH_LENGTH: f64 = 18.0;
const SCRATCH_ELONGATION: f64 = 4.5;
/// What a scratch at the edge gains of its length in distance from the fibre's middle; a chip along the edge gains none.
const SCRATCH_ACROSS: f64 = 0.4;

/// Pixels from which a spot is a residue.
const RESIDUE_AREA: u32 = 250;
/// Box from which a loosely filled spot is a residue, and how loosely.
const RESIDUE_BOX: u32 = 500;
const RESIDUE_FILL: f64 = 0.55;

/// Greatest length of a compact blot in micrometres; digs and specks are smaller, films larger.
const COMPACT_LENGTH: f64 = 25.0;
/// Greatest ratio of its length to its width.
const COMPACT_ELONGATION: f64 = 4.0;
/// Least share that it fills of the rectangle with its moments; a film is ragged.
const COMPACT_FILL: f64 = 0.75;
/// What its strongest pixel exceeds the noise by, in standard deviations; a film is thin.
const COMPACT_SIGMA: f32 = 20.0;

/// A defect whose kind may still depend on how sound the cladding's edge is.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub defect: Defect,
    /// What it is if it is no chip.
    pub otherwise: DefectKind,
    /// How it lies to the cladding's edge.
    pub edge: Edge,
}

/// How a spot lies to the cladding's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    Apart,
    Beside,
    Across,
}

/// What a spot looks like, and where.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub shape: &'a Shape,
    pub strength: &'a Strength,
    /// Signed distances of its pixels from the cladding's outline, least and greatest, in pixels.
    pub span: Option<(f64, f64)>,
    /// Seen at the coarse scale only.
    pub faint: bool,
    pub um_per_px: f64,
}

impl Look<'_> {
    pub fn edge(&self) -> Edge {
        let nearest = match self.span {
            None => return Edge::Apart,
            Some((low, high)) => low.max(-high).max(0.0) * self.um_per_px,
        };
        match nearest {
            near if near < BROKEN => Edge::Across,
            near if near < BESIDE => Edge::Beside,
            _ => Edge::Apart,
        }
    }

    /// The kind, and the kind if it is no chip.
    pub fn kinds(&self, edge: Edge) -> (DefectKind, DefectKind) {
        let Self { shape, strength, .. } = self;
        let thin = shape.length > SCRATCH_LENGTH && shape.length > SCRATCH_ELONGATION * shape.width;
        let across = self.span.is_none_or(|(low, high)| high - low > SCRATCH_ACROSS * shape.length);
        if thin && (edge == Edge::Apart || across) {
            return (DefectKind::Scratch, DefectKind::Scratch);
        }
        let [_, _, width, height] = shape.bbox;
        let boxed = width * height;
        let loose = boxed > RESIDUE_BOX && f64::from(shape.area) < RESIDUE_FILL * f64::from(boxed);
        let wide = shape.area > RESIDUE_AREA || loose;
        let otherwise = if self.faint || wide && !self.compact() {
            DefectKind::Residue
        } else if -strength.dark > 3.0 * strength.bright {
            DefectKind::Pit
        } else {
            DefectKind::Particle
        };
        (if edge == Edge::Apart { otherwise } else { DefectKind::Chip }, otherwise)
    }

    fn compact(&self) -> bool {
        let Self { shape, strength, .. } = self;
        shape.length * self.um_per_px < COMPACT_LENGTH
            && shape.length < COMPACT_ELONGATION * shape.width
            && f64::from(shape.area) > COMPACT_FILL * shape.length * shape.width
            && strength.peak_sigma > COMPACT_SIGMA
    }
}

/// Least and greatest signed distance of the runs from the outline, in pixels; negative inside. Ends of runs are enough:
/// a run that crosses the outline has its ends on both sides of it.
pub fn span(runs: &[Run], edge: &Ellipse) -> (f64, f64) {
    let signed = |x: u32, y: u32| (edge.radius_at(f64::from(x), f64::from(y)) - 1.0) * edge.mean_radius();
    let ends = runs.iter().flat_map(|run| [signed(run.x, run.y), signed(run.end() - 1, run.y)]);
    ends.fold((f64::MAX, f64::MIN), |(low, high), off| (low.min(off), high.max(off)))
}

/// The defects with their kinds, now that all at the cladding's edge are known.
pub fn settle(mut candidates: Vec<Candidate>) -> impl Iterator<Item = Defect> {
    let broken = candidates.iter().filter(|candidate| candidate.edge != Edge::Apart).count() >= MANY;
    for candidate in &mut candidates {
        if candidate.edge == Edge::Beside && !broken {
            candidate.defect.kind = candidate.otherwise;
        }
    }
    candidates.into_iter().map(|candidate| candidate.defect)
}
