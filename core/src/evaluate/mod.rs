//! What a pipeline is worth by pictures of which everything is known: outlines, defects, labels, confidences.
//!
//! From a file of truth (COCO) to figures: [`Truth`] (read and checked) → [`run`] (the batch of `inspect`, each answer
//! scored as it comes and let go) → [`Report`] (figures over all pictures, the same whatever their order) and the worst
//! pictures, for a contact sheet. Nothing is stored. Called by `ferrule evaluate`.

mod calibration;
mod coco;
mod defects;
mod labels;
mod mask;
mod matching;
mod outlines;
mod picture;
mod report;
mod roc;
mod run;
mod share;
#[cfg(test)]
mod tests;
mod tiles;
mod truth;

pub(crate) use matching::touch;
pub(crate) use outlines::distance;
pub(crate) use share::percentile;

pub use calibration::{Bin, Calibration};
pub use defects::{Confusion, ContrastBin, DefectFigures, Part};
pub use labels::{LabelFigures, OneKind};
pub use matching::{FoundOutcome, Matched, OVERLAP, REACH, TruthOutcome, Verdict};
pub use outlines::{CLADDING_TOLERANCE, CORE_TOLERANCE, Expected, Faint, OutlineFigures, OutlineScore};
pub use picture::PictureScore;
pub use report::{Figures, NotScored, Outlines, Pictures, Report, Worst};
pub use roc::{Point, Roc};
pub use run::{Evaluation, Folders, Listener, Task, WorstPicture, run};
pub use share::{Estimate, Share};
pub use tiles::{LEGEND, tile};
pub use truth::{TrueDefect, TrueImage, TrueOutline, TrueZone, Truth, TruthError};
