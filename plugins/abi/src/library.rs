//! The root module: a prefix type of plain `extern "C"` functions. [`crate::export_plugins!`] fills it.

use abi_stable::{
    StableAbi,
    library::RootModule,
    package_version_strings,
    sabi_types::VersionStrings,
    std_types::{RResult, RSlice, RStr, RString, RVec},
};

use crate::{
    Defect, Descriptor, Detections, GradeInput, ImageView, Measurements, Parameter, Progress, Segmentation,
    SegmentationView, TrainReport, TrainRequest, Verdict,
};

/// A plug-in that was created; opaque to the host. One thread at a time may call it.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance(pub usize);

/// One picture of a batch.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct DetectInput<'a> {
    pub image: ImageView<'a>,
    pub segmentation: SegmentationView<'a>,
}

/// What a plug-in library exports. Errors are one line for a person.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginLibraryRef)))]
#[sabi(missing_field(panic))]
pub struct PluginLibrary {
    /// The plug-ins in this library.
    pub describe: extern "C" fn() -> RVec<Descriptor>,
    /// Makes an instance of the plug-in with that id; the parameters given are laid over its defaults and checked.
    pub create: extern "C" fn(id: RStr<'_>, parameters: RSlice<'_, Parameter>) -> RResult<Instance, RString>,
    pub segment: extern "C" fn(Instance, &ImageView<'_>) -> RResult<Segmentation, RString>,
    pub detect: extern "C" fn(Instance, &DetectInput<'_>) -> RResult<Detections, RString>,
    /// One answer a picture, in order.
    pub detect_batch: extern "C" fn(Instance, RSlice<'_, DetectInput<'_>>) -> RVec<RResult<Detections, RString>>,
    pub measure: extern "C" fn(Instance, &DetectInput<'_>, RSlice<'_, Defect>) -> RResult<Measurements, RString>,
    pub grade: extern "C" fn(Instance, &GradeInput<'_>) -> RResult<Verdict, RString>,
    pub train: extern "C" fn(Instance, &TrainRequest<'_>, Progress) -> RResult<TrainReport, RString>,
    /// Whatever this interface does not foresee; operations are named by the plug-in's documentation.
    pub call: extern "C" fn(Instance, operation: RStr<'_>, bytes: RSlice<'_, u8>) -> RResult<RVec<u8>, RString>,
    /// Ends an instance; it must not be used afterwards.
    #[sabi(last_prefix_field)]
    pub destroy: extern "C" fn(Instance),
}

impl RootModule for PluginLibraryRef {
    abi_stable::declare_root_module_statics! {PluginLibraryRef}

    const BASE_NAME: &'static str = "ferrule_plugin";
    const NAME: &'static str = "ferrule_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
