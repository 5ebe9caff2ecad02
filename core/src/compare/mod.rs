//! What two pipelines say of the same pictures: two sets of settings, two builds of a plug-in, or two pipelines whose
//! inspections a dataset keeps.
//!
//! Either both run over the same files without storing ([`run`]) or what was stored is read ([`stored`]). Picture by
//! picture the answers are paired (`pairing`), counted and let go (`tally`); only the pictures that differ most are kept,
//! for a list and a contact sheet. Which of the two is right it cannot know. Called by `ferrule compare` and the workbench.

mod pairing;
mod report;
mod run;
mod stored;
mod tally;
#[cfg(test)]
mod tests;
mod tiles;

pub use pairing::{CONFIDENCE_STEP, Changes, Pairing};
pub use report::{
    ChangeCounts, Changed, DefectCounts, Difference, NotCompared, Report, Shift, Shifts, Side, SideTimes, TypeChange,
    TypeCounts,
};
pub use run::{Both, Listener, run};
pub use stored::{OfBuild, Progress, UnknownPipeline, stored, stored_builds, which};
pub use tally::{Comparison, DifferingPicture};
pub use tiles::{LEGEND, tile};
