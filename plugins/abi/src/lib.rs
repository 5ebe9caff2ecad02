//! The stable interface between Ferrule and its plug-ins.
//!
//! A plug-in author depends on this crate and nothing else of Ferrule: implement [`Segmenter`], [`Detector`],
//! [`Measurer`], [`Grader`] or [`Trainer`] for a plain Rust type, name it in [`export_plugins!`], build a `cdylib`.
//! The macro writes the root module of `extern "C"` functions ([`PluginLibrary`]) and catches every panic. Plug-ins in C
//! include `include/ferrule_plugin.h` instead and name nothing of this crate; [`c`] is that header for the host.
//!
//! Layouts are checked by abi_stable when a library is loaded. The interface is frozen at 1.0.0 (`tests/frozen` is a
//! plug-in of that day, which must go on working); how it grows without refusing old plug-ins: new inputs travel as
//! [`Parameter`]s, new outputs as [`Attribute`]s, new abilities as operations of [`PluginLibrary::call`].
//!
//! Conventions for all coordinates: pixel centres are integers, (0, 0) is the centre of the top-left pixel, x points
//! right, y points down, angles turn from +x toward +y, lengths are in pixels unless a name says otherwise.
//!
//! This crate must never name an image kernel, the host, or a file system.

// abi_stable's derive expands to these; both are harmless and known (upstream is no longer maintained).
#![allow(non_local_definitions, clippy::missing_safety_doc)]

pub mod c;
mod defect;
mod descriptor;
mod export;
mod feature;
mod image;
mod library;
mod training;
mod verdict;
mod zone;

#[doc(hidden)]
pub use abi_stable;
pub use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};

pub use defect::{BoundingBox, Defect, DefectKind, Detections, Run, Severity};
pub use descriptor::{
    Descriptor, Parameter, ParameterKind, ParameterSpec, Parameters, Profile, Slot, UNIT_FILE, Value,
};
#[doc(hidden)]
pub use export::{__library, Entry};
pub use export::{Detector, Grader, Measurer, Plugin, PluginError, Segmenter, Trainer};
pub use feature::{Attribute, Feature, Histogram, Measurements};
pub use image::{ImageView, PixelFormat};
pub use library::{DetectInput, Instance, PluginLibrary, PluginLibraryRef};
pub use training::{Control, MaskFile, Progress, ProgressFn, Sample, TrainEvent, TrainReport, TrainRequest};
pub use verdict::{GradeInput, GradedDefect, Outcome, Verdict, ZoneVerdict};
pub use zone::{Ellipse, LABEL_NONE, Segmentation, SegmentationView, Zone, ZoneName};
