//! The interface for plug-ins in C: `include/ferrule_plugin.h` as `repr(C)` types, for the host that loads them.
//!
//! The header is the documentation: units, ownership, threads, errors. A test holds sizes, offsets and codes of both to
//! each other. Pointers may be null only where the header says so; whoever reads what a plug-in wrote checks first.
//! Plug-ins in Rust have no use for this: they implement the traits of this crate.

use std::ffi::{c_char, c_void};

use crate::{BoundingBox, Ellipse, Run};

mod codes;

pub use codes::{Code, FORMATS, ParameterCode, TypeCode};

/// The symbol that a library exports: a [`Plugin`], not a pointer to one.
pub const SYMBOL: &str = "ferrule_plugin_v1";

/// The version of the interface that these types are. A table of another version has another layout from its third
/// member on.
pub const VERSION: u32 = 1;

/// What a function of a plug-in returns where it has answered.
pub const OK: i32 = 0;

/// What [`Host::fail`] returns.
pub const FAILED: i32 = 1;

/// `FerruleValue`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Value {
    /// A [`TypeCode`].
    pub r#type: u32,
    pub boolean: u32,
    pub integer: i64,
    pub real: f64,
    pub text: *const c_char,
}

/// `FerruleNamedValue`: a parameter's value, or an attribute.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NamedValue {
    pub name: *const c_char,
    pub value: Value,
}

/// `FerruleParameterSpec`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ParameterSpec {
    pub name: *const c_char,
    pub unit: *const c_char,
    pub help: *const c_char,
    /// A [`ParameterCode`].
    pub kind: u32,
    pub default_bool: u32,
    pub default_integer: i64,
    pub low_integer: i64,
    pub high_integer: i64,
    pub default_real: f64,
    pub low_real: f64,
    pub high_real: f64,
    pub default_text: *const c_char,
    pub options: *const *const c_char,
    pub option_count: usize,
}

/// `FerruleDescriptor`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    pub id: *const c_char,
    pub version: *const c_char,
    pub summary: *const c_char,
    pub slot: u32,
    pub profile: u32,
    /// Bits of [`FORMATS`].
    pub accepts: u32,
    pub parameters: *const ParameterSpec,
    pub parameter_count: usize,
}

/// `FerruleImage`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Image {
    pub pixels: *const u8,
    pub format: u32,
    pub width: u32,
    pub height: u32,
    pub stride: u32,
    /// NaN where unknown.
    pub um_per_px: f64,
    /// NaN where unknown.
    pub pixel_aspect: f64,
}

/// `FerruleZone`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Zone {
    pub outline: Ellipse,
    pub confidence: f64,
    pub name: u32,
}

/// `FerruleSegmentation`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Segmentation {
    pub zones: *const Zone,
    pub zone_count: usize,
    pub labels: *const u8,
}

/// `FerruleDefect`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Defect {
    pub kind: u32,
    pub severity: u32,
    pub confidence: f64,
    pub bbox: BoundingBox,
    pub x: f64,
    pub y: f64,
    pub length_px: f64,
    pub width_px: f64,
    pub angle_deg: f64,
    pub area_px: u32,
    pub mask: *const Run,
    pub run_count: usize,
    pub attributes: *const NamedValue,
    pub attribute_count: usize,
}

/// `FerruleGradedDefect`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct GradedDefect {
    pub kind: u32,
    pub severity: u32,
    pub confidence: f64,
    pub x: f64,
    pub y: f64,
    pub length_px: f64,
    pub width_px: f64,
    pub angle_deg: f64,
    pub area_px: u32,
    /// 0 outside all zones.
    pub zone: u32,
    pub mask: *const Run,
    pub run_count: usize,
}

/// `FerruleGradeInput`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct GradeInput {
    pub width: u32,
    pub height: u32,
    pub zones: *const Zone,
    pub zone_count: usize,
    pub defects: *const GradedDefect,
    pub defect_count: usize,
    /// NaN where unknown.
    pub um_per_px: f64,
    pub pixel_aspect: f64,
    /// NaN where unknown.
    pub core_um: f64,
    pub flags: *const *const c_char,
    pub flag_count: usize,
}

/// `FerruleFeature`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    pub region: *const c_char,
    pub name: *const c_char,
    pub unit: *const c_char,
    pub value: f64,
}

/// `FerruleHistogram`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Histogram {
    pub region: *const c_char,
    pub name: *const c_char,
    pub low: f64,
    pub high: f64,
    pub counts: *const u64,
    pub bin_count: usize,
}

/// `FerruleZoneVerdict`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ZoneVerdict {
    pub zone: u32,
    pub outcome: u32,
    pub rule: *const c_char,
    pub defects: *const u32,
    pub defect_count: usize,
}

/// `FerruleVerdict`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    pub outcome: u32,
    pub profile: *const c_char,
    pub reason: *const c_char,
}

/// A function of [`Host`] that takes a copy of what it is shown.
pub type Tell<T> = unsafe extern "C" fn(host: *const Host, told: *const T);

/// `FerruleHost`: the way back to the host during a call. May grow at its end.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// Bytes of this structure.
    pub size: u32,
    /// [`VERSION`].
    pub version: u32,
    pub context: *mut c_void,
    pub fail: unsafe extern "C" fn(host: *const Self, message: *const c_char) -> i32,
    pub add_plugin: Tell<Descriptor>,
    pub add_zone: Tell<Zone>,
    pub set_labels: unsafe extern "C" fn(host: *const Self, labels: *const u8, count: usize),
    pub add_defect: Tell<Defect>,
    pub add_feature: Tell<Feature>,
    pub add_histogram: Tell<Histogram>,
    pub add_zone_verdict: Tell<ZoneVerdict>,
    pub set_verdict: Tell<Verdict>,
    pub add_attribute: Tell<NamedValue>,
}

/// `FerrulePlugin::create`.
pub type Create = unsafe extern "C" fn(
    id: *const c_char,
    parameters: *const NamedValue,
    parameter_count: usize,
    host: *const Host,
) -> *mut c_void;

/// `FerrulePlugin::segment`.
pub type Segment = unsafe extern "C" fn(instance: *mut c_void, image: *const Image, host: *const Host) -> i32;

/// `FerrulePlugin::detect`.
pub type Detect = unsafe extern "C" fn(
    instance: *mut c_void,
    image: *const Image,
    segmentation: *const Segmentation,
    host: *const Host,
) -> i32;

/// `FerrulePlugin::measure`.
pub type Measure = unsafe extern "C" fn(
    instance: *mut c_void,
    image: *const Image,
    segmentation: *const Segmentation,
    defects: *const Defect,
    defect_count: usize,
    host: *const Host,
) -> i32;

/// `FerrulePlugin::grade`.
pub type Grade = unsafe extern "C" fn(instance: *mut c_void, input: *const GradeInput, host: *const Host) -> i32;

/// `FerrulePlugin`: the table that a library exports as [`SYMBOL`]. May grow at its end.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Plugin {
    /// Bytes of this structure as the plug-in was built with it.
    pub size: u32,
    /// [`VERSION`].
    pub version: u32,
    pub describe: Option<unsafe extern "C" fn(host: *const Host) -> i32>,
    pub create: Option<Create>,
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    pub segment: Option<Segment>,
    pub detect: Option<Detect>,
    pub measure: Option<Measure>,
    pub grade: Option<Grade>,
}
