//! The train slot: samples in, a report and weights out, progress on the way.

use std::ffi::c_void;

use abi_stable::{
    StableAbi,
    std_types::{ROption, RSlice, RString, RVec},
};

use crate::{Attribute, Parameter};

/// One picture to learn from.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct Sample {
    /// The file's path as the file system has it (any bytes but NUL).
    pub path: RVec<u8>,
    pub image_id: RString,
    /// `train`, `val` or `test`.
    pub split: RString,
    /// Class by class name (`has_defect`, a kind of defect, …), as integers.
    pub labels: RVec<Attribute>,
    /// Class name and path bytes of each mask (8-bit, 0 or 255, the picture's size).
    pub masks: RVec<MaskFile>,
    /// Fitted zones, for cropping to the fibre.
    pub zones: RVec<crate::Zone>,
}

/// A mask on disk.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct MaskFile {
    pub class: RString,
    pub path: RVec<u8>,
}

/// What the host wants after an event.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    Continue,
    /// Wait, and ask again with an event named `paused` at least every second, which says what the last `batch` said.
    Pause,
    StopAfterEpoch,
    StopNow,
}

/// Something that happened: `batch`, `epoch`, `checkpoint`, `paused`, `warning`, …
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct TrainEvent {
    pub name: RString,
    pub epoch: u32,
    /// Batch within the epoch, from 1; 0 where it means nothing.
    pub batch: u32,
    /// Batches an epoch.
    pub batches: u32,
    /// Numbers by name: `loss`, `accuracy`, `learning_rate`, …
    pub values: RVec<Attribute>,
    pub message: RString,
}

/// The host's function that takes events.
pub type ProgressFn = extern "C" fn(context: *mut c_void, event: &TrainEvent) -> Control;

/// The way back to the host while training.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct Progress {
    context: *mut c_void,
    function: extern "C" fn(context: *mut c_void, event: &TrainEvent) -> Control,
}

impl Progress {
    /// # Safety
    /// `context` must be what `function` expects and stay valid as long as the training runs.
    #[must_use]
    pub unsafe fn new(context: *mut c_void, function: ProgressFn) -> Self {
        Self { context, function }
    }

    /// Tells the host and takes its wish.
    #[must_use]
    pub fn report(&self, event: &TrainEvent) -> Control {
        (self.function)(self.context, event)
    }
}

/// All that a trainer gets.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct TrainRequest<'a> {
    pub samples: RSlice<'a, Sample>,
    /// Settings of this run beyond the plug-in's parameters.
    pub settings: RSlice<'a, Parameter>,
    /// Folder, as path bytes, in which checkpoints may be written.
    pub folder: RSlice<'a, u8>,
    /// Checkpoint to go on from, as path bytes.
    pub resume: ROption<RSlice<'a, u8>>,
}

/// What a training leaves.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Default)]
pub struct TrainReport {
    /// `finished`, `stopped` or `early` …
    pub outcome: RString,
    pub values: RVec<Attribute>,
    /// The best weights, in the plug-in's own format.
    pub weights: RVec<u8>,
}
