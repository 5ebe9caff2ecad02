//! The slots over one picture, in a worker: decode, segment, detect, merge, measure, grade, artefacts.
//!
//! Plug-ins do the seeing; here their answers are checked, joined and put into the words of [`crate::report`]. A plug-in
//! that errs or lies costs its own results, never the others'. Nothing here runs in the engine's process.

pub mod artefacts;
pub mod check;
pub mod company;
pub mod consensus;
pub mod judge;
pub mod merge;
pub mod remote;
pub mod run;
pub mod runs;
pub mod tools;
pub mod zones;
