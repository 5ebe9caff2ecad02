//! Numbers about a picture.

use abi_stable::{
    StableAbi,
    std_types::{RString, RVec},
};

use crate::Value;

/// A named value beside an answer: the way in which answers grow without a new layout.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Attribute {
    pub name: RString,
    pub value: Value,
}

/// One number about one region.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Feature {
    /// A zone's name, or `image` for the whole picture.
    pub region: RString,
    pub name: RString,
    /// Finite; a value that does not exist (the mean of no pixels) is left out.
    pub value: f64,
    /// `gray`, `px`, `um`, `deg`, `ratio`, `count`, or empty for a bare number.
    pub unit: RString,
}

/// Counts in equal bins from `low` (of the first) to `high` (of the last bin's end).
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Histogram {
    pub region: RString,
    pub name: RString,
    pub low: f64,
    pub high: f64,
    pub counts: RVec<u64>,
}

/// What a measuring plug-in says. The host understands the attribute `flag` (text, may occur several times: `dark`,
/// `saturated`, `blurred`, `cut`, …) as a remark on the capture's quality, and the features `image/quality_score` (0 to 100),
/// `image/focus` (0 to 1) and `image/has_defect` (1 or 0: a classifier's word on the whole picture, which is its label).
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Measurements {
    pub features: RVec<Feature>,
    pub histograms: RVec<Histogram>,
    pub attributes: RVec<Attribute>,
}
