//! Plug-ins that are Python files: a function over a NumPy array, served by an interpreter of its own.
//!
//! The host finds a `.py` file among the plug-ins and asks this library, in a wide worker, to serve it; a file can also be
//! named by the parameter `script` of `python-segment`, `python-detect` or `python-measure`. The interpreter is a child of
//! the worker and lives as long as the instance: it is in the worker's sandbox and process group, and ends with it. A
//! picture goes to it through memory that both share (`sheet`), questions and answers as lines of JSON (`interpreter`).
//! An exception costs the answer; an interpreter that dies takes the worker with it, so that the host sees who died of what.
//!
//! What a file must hold is said in this folder's `README.md`.

mod answers;
mod interpreter;
mod plugins;
mod questions;
mod sheet;

pub use plugins::{PythonDetect, PythonMeasure, PythonSegment};

ferrule_abi::export_plugins!(segment: PythonSegment, detect: PythonDetect, measure: PythonMeasure);
