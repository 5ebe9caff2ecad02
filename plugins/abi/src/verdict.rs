//! Grading: what a verdict is made from, and what it says.

use abi_stable::{
    StableAbi,
    std_types::{ROption, RSlice, RString, RVec},
};

use crate::{Attribute, DefectKind, Run, Severity, Zone, ZoneName};

/// A defect as the grader sees it, after merging, with its zone. Numbers mean what they mean in [`crate::Defect`].
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq)]
pub struct GradedDefect<'a> {
    pub kind: DefectKind,
    pub severity: Severity,
    pub confidence: f64,
    /// The innermost zone of the segmentation it touches; `RNone` outside all zones.
    pub zone: ROption<ZoneName>,
    pub x: f64,
    pub y: f64,
    pub area_px: u32,
    pub length_px: f64,
    pub width_px: f64,
    pub angle_deg: f64,
    /// Its pixels, for rules whose zones are not the segmentation's; in rising order of (y, x).
    pub mask: RSlice<'a, Run>,
}

/// All that a grader gets. Geometry and scale decide; pixels do not.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct GradeInput<'a> {
    /// Size of the picture: what lies outside was not seen.
    pub width: u32,
    pub height: u32,
    pub zones: RSlice<'a, Zone>,
    pub defects: RSlice<'a, GradedDefect<'a>>,
    /// Micrometres a pixel along y; without it nothing can be graded.
    pub um_per_px: ROption<f64>,
    /// Width of a pixel divided by its height; 1 when unknown.
    pub pixel_aspect: f64,
    /// Diameter of the core in micrometres, where the source's fibre is known.
    pub core_um: ROption<f64>,
    /// Remarks on the capture's quality (`dark`, `blurred`, …).
    pub flags: RSlice<'a, RString>,
}

/// The end of a grading.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Pass,
    Fail,
    NotGraded,
}

/// What one zone's rules say.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub struct ZoneVerdict {
    pub zone: ZoneName,
    pub outcome: Outcome,
    /// The rule that failed, in words; empty when none did.
    pub rule: RString,
    /// Places in [`GradeInput::defects`] of the defects that broke it.
    pub defects: RVec<u32>,
}

/// A verdict on an end face. It never decides what is stored.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The grading profile's name.
    pub profile: RString,
    pub overall: Outcome,
    pub zones: RVec<ZoneVerdict>,
    /// Why it was not graded; empty otherwise.
    pub reason: RString,
    pub attributes: RVec<Attribute>,
}
