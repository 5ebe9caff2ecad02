//! Defects as a detector reports them.

use abi_stable::{StableAbi, std_types::RVec};

use crate::Attribute;

/// What a defect is. The zone it lies in is the host's to say.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum DefectKind {
    /// Long and thin, straight or curved.
    Scratch,
    /// A dig in the surface.
    Pit,
    /// A broken edge of the glass.
    Chip,
    /// Loose, compact dirt.
    Particle,
    /// A smear or film.
    Residue,
    /// Deviates from a reference, kind unknown.
    Anomaly,
}

impl DefectKind {
    pub const ALL: [Self; 6] = [Self::Scratch, Self::Pit, Self::Chip, Self::Particle, Self::Residue, Self::Anomaly];

    /// The kind's name as databases and files write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scratch => "scratch",
            Self::Pit => "pit",
            Self::Chip => "chip",
            Self::Particle => "particle",
            Self::Residue => "residue",
            Self::Anomaly => "anomaly",
        }
    }
}

/// How much a defect matters; ordered, the worst last.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Severity {
    Negligible,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const ALL: [Self; 5] = [Self::Negligible, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The severity as databases and files write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Negligible => "NEGLIGIBLE",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

/// A box of whole pixels; holds columns `x .. x + width` and rows `y .. y + height`.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BoundingBox {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// `length` pixels of a mask in row `y`, from column `x` on.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Run {
    pub y: u32,
    pub x: u32,
    pub length: u32,
}

/// One defect.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Defect {
    pub kind: DefectKind,
    pub severity: Severity,
    /// Probability, 0 to 1, that a person would agree that something is there.
    pub confidence: f64,
    /// Tight around the mask.
    pub bbox: BoundingBox,
    /// Centroid of the mask.
    pub x: f64,
    pub y: f64,
    /// Pixels of the mask.
    pub area_px: u32,
    /// Length along the longest direction (along the curve for a scratch).
    pub length_px: f64,
    /// Mean width across it.
    pub width_px: f64,
    /// Direction of the length, from +x toward +y, in (-90, 90].
    pub angle_deg: f64,
    /// The mask: runs in rising order of (y, x), not empty, not overlapping, inside the picture.
    pub mask: RVec<Run>,
    /// What else the detector knows: `contrast_sigma`, `polarity`, …
    pub attributes: RVec<Attribute>,
}

/// What a detector says of one picture. Nothing found is a normal answer.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Detections {
    pub defects: RVec<Defect>,
    pub attributes: RVec<Attribute>,
}
