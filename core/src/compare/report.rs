//! What `ferrule compare --json` prints: one object, keys in the order of these fields. `a` is the pipeline that was
//! named first.

use serde::Serialize;

use crate::{
    ids::PipelineId,
    report::{DefectKind, Outcome},
};

/// The whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub a: Side,
    pub b: Side,
    /// Pictures that both answered.
    pub pictures: u64,
    /// Of these, those of which they say anything different.
    pub differing: u64,
    pub has_defect: Vec<Changed<Option<bool>>>,
    pub verdict: Vec<Changed<Outcome>>,
    pub defects: DefectCounts,
    /// Pieces, in either, of what is in both.
    pub fragments: u64,
    pub changes: ChangeCounts,
    /// In the order of the types; none that neither found.
    pub by_type: Vec<TypeCounts>,
    pub type_changes: Vec<TypeChange>,
    pub outlines: Shifts,
    pub ms: SideTimes,
    /// Those that differ most, the most first.
    pub most: Vec<Difference>,
    /// Pictures that one or both could not inspect, in the order given.
    pub failed: Vec<NotCompared>,
    pub remarks: Vec<String>,
    /// Ended before the last picture.
    pub interrupted: bool,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// As it was named.
    pub name: String,
    pub pipeline: PipelineId,
    /// `id version (build)` of its plug-ins, slot by slot.
    pub plugins: Vec<String>,
}

/// So many pictures went from one answer to the other (or stayed, where they are equal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Changed<T> {
    pub a: T,
    pub b: T,
    pub pictures: u64,
}

/// Defects of all pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DefectCounts {
    pub a: u64,
    pub b: u64,
    /// In both, and said alike.
    pub same: u64,
    /// In both, but not said alike.
    pub changed: u64,
    /// Only in `a`.
    pub gone: u64,
    /// Only in `b`.
    pub new: u64,
}

/// What is not said alike; one defect can count in several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ChangeCounts {
    #[serde(rename = "type")]
    pub kind: u64,
    pub severity: u64,
    pub confidence: u64,
    pub zone: u64,
}

/// One type: what is new by `b`'s word, everything else by `a`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TypeCounts {
    #[serde(rename = "type")]
    pub kind: DefectKind,
    #[serde(flatten)]
    pub counts: DefectCounts,
}

/// So many defects of one type became another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TypeChange {
    pub a: DefectKind,
    pub b: DefectKind,
    pub defects: u64,
}

/// How the outlines moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Shifts {
    pub cladding: Shift,
    pub core: Shift,
}

/// One zone's outline in both: mean distance over all directions, in pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Shift {
    pub both: u64,
    pub only_a: u64,
    pub only_b: u64,
    pub median_px: Option<f64>,
    pub p95_px: Option<f64>,
    pub largest_px: Option<f64>,
}

/// Mean milliseconds a picture, stage by stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SideTimes {
    pub a: crate::report::Timings,
    pub b: crate::report::Timings,
}

/// One picture that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub file: String,
    /// One for each defect that is gone, new or changed, four for another label, two for another verdict.
    pub weight: u64,
    pub changed: u64,
    pub gone: u64,
    pub new: u64,
    pub fragments: u64,
    pub has_defect: [Option<bool>; 2],
    pub verdict: [Outcome; 2],
}

/// A picture that one or both could not inspect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCompared {
    pub file: String,
    pub a: Option<String>,
    pub b: Option<String>,
}
