//! What `ferrule evaluate --json` prints: one object, keys in the order of these fields. `docs/evaluate.md` tells people
//! what each figure means; the rules stand with the modules that apply them.

use serde::Serialize;

use super::{
    defects::DefectFigures,
    labels::LabelFigures,
    outlines::{OutlineFigures, OutlineScore},
    picture::PictureScore,
};
use crate::ids::PipelineId;

/// The whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The truth file, as a person would read its path.
    pub truth: String,
    pub pipeline: PipelineId,
    pub pictures: Pictures,
    #[serde(flatten)]
    pub figures: Figures,
    /// Worst first; none that is all right.
    pub worst: Vec<Worst>,
    /// Pictures that do not count, or count as nothing found, and why; in the order of the truth file.
    pub failed: Vec<NotScored>,
    /// Records of the truth file that were left out, and why.
    pub faults: Vec<String>,
    /// What is otherwise worth knowing.
    pub remarks: Vec<String>,
    /// Ended before the last picture: the figures are of those before.
    pub interrupted: bool,
}

/// How many pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pictures {
    /// In the truth file.
    pub listed: u64,
    pub scored: u64,
    /// Scored as nothing found, because they could not be inspected.
    pub failed: u64,
    /// Not scored: there is no such file, or it is another picture.
    pub missing: u64,
}

/// What is counted over all scored pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    pub outlines: Outlines,
    pub defects: DefectFigures,
    pub images: LabelFigures,
}

/// Both zones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlines {
    pub cladding: OutlineFigures,
    pub core: OutlineFigures,
}

/// One of the worst pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worst {
    pub file: String,
    /// See [`PictureScore::badness`].
    pub badness: u64,
    pub missed: u64,
    pub false_alarms: u64,
    pub mislabelled: bool,
    /// Pixels; `None` where it is not known or not found.
    pub cladding_error: Option<f64>,
    pub core_error: Option<f64>,
}

/// A picture without a fair score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotScored {
    pub file: String,
    pub error: String,
}

impl Figures {
    /// Over these pictures, in whatever order they come.
    #[must_use]
    pub fn of(mut pictures: Vec<PictureScore>) -> Self {
        // Sums of floating point numbers depend on their order.
        pictures.sort_by(|a, b| a.name.cmp(&b.name));
        let zone = |zone: fn(&PictureScore) -> Option<OutlineScore>| {
            OutlineFigures::of(&pictures.iter().filter_map(zone).collect::<Vec<_>>())
        };
        Self {
            outlines: Outlines { cladding: zone(|picture| picture.cladding), core: zone(|picture| picture.core) },
            defects: DefectFigures::of(&pictures),
            images: LabelFigures::of(&pictures),
        }
    }
}

impl Worst {
    /// What a list says of a picture.
    #[must_use]
    pub(super) fn of(score: &PictureScore) -> Self {
        let error = |zone: &Option<OutlineScore>| zone.map(|zone| zone.error).filter(|error| error.is_finite());
        Self {
            file: crate::names::visible(&score.name).into_owned(),
            badness: score.badness(),
            missed: score.missed(),
            false_alarms: score.false_alarms(),
            mislabelled: score.is_mislabelled(),
            cladding_error: error(&score.cladding),
            core_error: error(&score.core),
        }
    }
}
