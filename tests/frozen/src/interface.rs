//! The types of the interface at 1.0.0. Never to be changed: what stands here is in libraries that were built long ago.

use std::ffi::c_void;

use abi_stable::{
    StableAbi,
    library::RootModule,
    package_version_strings,
    sabi_types::VersionStrings,
    std_types::{ROption, RResult, RSlice, RStr, RString, RVec},
};

#[repr(u8)]
#[derive(StableAbi)]
pub enum Slot {
    Segment,
    Detect,
    Measure,
    Grade,
    Train,
}

#[repr(u8)]
#[derive(StableAbi)]
pub enum Profile {
    Narrow,
    Wide,
}

#[repr(u8)]
#[derive(StableAbi)]
pub enum Value {
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(RString),
}

#[repr(u8)]
#[derive(StableAbi)]
pub enum ParameterKind {
    Bool,
    Integer { low: i64, high: i64 },
    Real { low: f64, high: f64 },
    Choice { options: RVec<RString> },
    Text,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct ParameterSpec {
    pub name: RString,
    pub kind: ParameterKind,
    pub default: Value,
    pub unit: RString,
    pub help: RString,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Parameter {
    pub name: RString,
    pub value: Value,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Descriptor {
    pub id: RString,
    pub version: RString,
    pub slot: Slot,
    pub summary: RString,
    pub profile: Profile,
    pub accepts: RVec<PixelFormat>,
    pub parameters: RVec<ParameterSpec>,
    pub attributes: RVec<Attribute>,
}

#[repr(u8)]
#[derive(StableAbi)]
pub enum PixelFormat {
    Gray8,
    Gray16,
    Rgb8,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct ImageView<'a> {
    pub pixels: RSlice<'a, u8>,
    pub format: PixelFormat,
    pub width: u32,
    pub height: u32,
    pub stride: u32,
    pub um_per_px: ROption<f64>,
    pub pixel_aspect: ROption<f64>,
}

#[repr(u8)]
#[derive(StableAbi)]
pub enum ZoneName {
    Core = 1,
    Cladding = 2,
    Adhesive = 3,
    Ferrule = 4,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Ellipse {
    pub cx: f64,
    pub cy: f64,
    pub ax: f64,
    pub by: f64,
    pub angle_deg: f64,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Zone {
    pub name: ZoneName,
    pub outline: Ellipse,
    pub confidence: f64,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Segmentation {
    pub zones: RVec<Zone>,
    pub labels: RVec<u8>,
    pub attributes: RVec<Attribute>,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct SegmentationView<'a> {
    pub zones: RSlice<'a, Zone>,
    pub labels: RSlice<'a, u8>,
}

#[repr(u8)]
#[derive(StableAbi)]
pub enum DefectKind {
    Scratch,
    Pit,
    Chip,
    Particle,
    Residue,
    Anomaly,
}

#[repr(u8)]
#[derive(StableAbi)]
pub enum Severity {
    Negligible,
    Low,
    Medium,
    High,
    Critical,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct BoundingBox {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Run {
    pub y: u32,
    pub x: u32,
    pub length: u32,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Defect {
    pub kind: DefectKind,
    pub severity: Severity,
    pub confidence: f64,
    pub bbox: BoundingBox,
    pub x: f64,
    pub y: f64,
    pub area_px: u32,
    pub length_px: f64,
    pub width_px: f64,
    pub angle_deg: f64,
    pub mask: RVec<Run>,
    pub attributes: RVec<Attribute>,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Detections {
    pub defects: RVec<Defect>,
    pub attributes: RVec<Attribute>,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Attribute {
    pub name: RString,
    pub value: Value,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Feature {
    pub region: RString,
    pub name: RString,
    pub value: f64,
    pub unit: RString,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Histogram {
    pub region: RString,
    pub name: RString,
    pub low: f64,
    pub high: f64,
    pub counts: RVec<u64>,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Measurements {
    pub features: RVec<Feature>,
    pub histograms: RVec<Histogram>,
    pub attributes: RVec<Attribute>,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct GradedDefect<'a> {
    pub kind: DefectKind,
    pub severity: Severity,
    pub confidence: f64,
    pub zone: ROption<ZoneName>,
    pub x: f64,
    pub y: f64,
    pub area_px: u32,
    pub length_px: f64,
    pub width_px: f64,
    pub angle_deg: f64,
    pub mask: RSlice<'a, Run>,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct GradeInput<'a> {
    pub width: u32,
    pub height: u32,
    pub zones: RSlice<'a, Zone>,
    pub defects: RSlice<'a, GradedDefect<'a>>,
    pub um_per_px: ROption<f64>,
    pub pixel_aspect: f64,
    pub core_um: ROption<f64>,
    pub flags: RSlice<'a, RString>,
}

#[repr(u8)]
#[derive(StableAbi)]
pub enum Outcome {
    Pass,
    Fail,
    NotGraded,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct ZoneVerdict {
    pub zone: ZoneName,
    pub outcome: Outcome,
    pub rule: RString,
    pub defects: RVec<u32>,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Verdict {
    pub profile: RString,
    pub overall: Outcome,
    pub zones: RVec<ZoneVerdict>,
    pub reason: RString,
    pub attributes: RVec<Attribute>,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Sample {
    pub path: RVec<u8>,
    pub image_id: RString,
    pub split: RString,
    pub labels: RVec<Attribute>,
    pub masks: RVec<MaskFile>,
    pub zones: RVec<Zone>,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct MaskFile {
    pub class: RString,
    pub path: RVec<u8>,
}

#[repr(u8)]
#[derive(StableAbi)]
pub enum Control {
    Continue,
    Pause,
    StopAfterEpoch,
    StopNow,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct TrainEvent {
    pub name: RString,
    pub epoch: u32,
    pub batch: u32,
    pub batches: u32,
    pub values: RVec<Attribute>,
    pub message: RString,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct Progress {
    context: *mut c_void,
    function: extern "C" fn(context: *mut c_void, event: &TrainEvent) -> Control,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct TrainRequest<'a> {
    pub samples: RSlice<'a, Sample>,
    pub settings: RSlice<'a, Parameter>,
    pub folder: RSlice<'a, u8>,
    pub resume: ROption<RSlice<'a, u8>>,
}

#[repr(C)]
#[derive(StableAbi)]
pub struct TrainReport {
    pub outcome: RString,
    pub values: RVec<Attribute>,
    pub weights: RVec<u8>,
}

#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct Instance(pub usize);

#[repr(C)]
#[derive(StableAbi)]
pub struct DetectInput<'a> {
    pub image: ImageView<'a>,
    pub segmentation: SegmentationView<'a>,
}

#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginLibraryRef)))]
#[sabi(missing_field(panic))]
pub struct PluginLibrary {
    pub describe: extern "C" fn() -> RVec<Descriptor>,
    pub create: extern "C" fn(id: RStr<'_>, parameters: RSlice<'_, Parameter>) -> RResult<Instance, RString>,
    pub segment: extern "C" fn(Instance, &ImageView<'_>) -> RResult<Segmentation, RString>,
    pub detect: extern "C" fn(Instance, &DetectInput<'_>) -> RResult<Detections, RString>,
    pub detect_batch: extern "C" fn(Instance, RSlice<'_, DetectInput<'_>>) -> RVec<RResult<Detections, RString>>,
    pub measure: extern "C" fn(Instance, &DetectInput<'_>, RSlice<'_, Defect>) -> RResult<Measurements, RString>,
    pub grade: extern "C" fn(Instance, &GradeInput<'_>) -> RResult<Verdict, RString>,
    pub train: extern "C" fn(Instance, &TrainRequest<'_>, Progress) -> RResult<TrainReport, RString>,
    pub call: extern "C" fn(Instance, operation: RStr<'_>, bytes: RSlice<'_, u8>) -> RResult<RVec<u8>, RString>,
    #[sabi(last_prefix_field)]
    pub destroy: extern "C" fn(Instance),
}

impl RootModule for PluginLibraryRef {
    abi_stable::declare_root_module_statics! {PluginLibraryRef}

    const BASE_NAME: &'static str = "ferrule_plugin";
    const NAME: &'static str = "ferrule_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
