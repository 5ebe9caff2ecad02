//! Networks on libtorch: `train-torch` learns them, `detect-torch` and `classify-torch` judge with them. The only crate that
//! names `tch`; it is loaded in workers of its own and nowhere else.
//!
//! Without the feature `libtorch` it holds only what needs none (files, figures, schedules, batches), so that these are
//! built and tested on every machine, and offers no plug-in. It knows nothing of datasets, databases or runs: the host
//! hands it a feed of pictures, and takes events.

pub mod calibration;
pub mod card;
pub mod loader;
pub mod metrics;
pub mod order;
pub mod pickle;
pub mod schedule;
pub mod settings;
pub mod tensors;

#[cfg(feature = "libtorch")]
mod checkpoint;
#[cfg(feature = "libtorch")]
mod classify;
#[cfg(feature = "libtorch")]
mod detect;
#[cfg(feature = "libtorch")]
mod device;
#[cfg(feature = "libtorch")]
mod fault;
#[cfg(feature = "libtorch")]
mod judge;
#[cfg(feature = "libtorch")]
mod loss;
#[cfg(feature = "libtorch")]
mod model;
#[cfg(feature = "libtorch")]
mod networks;
#[cfg(feature = "libtorch")]
mod optimizer;
#[cfg(feature = "libtorch")]
mod samples;
#[cfg(test)]
#[cfg(feature = "libtorch")]
mod tests;
#[cfg(feature = "libtorch")]
mod train;
#[cfg(feature = "libtorch")]
mod weights;

#[cfg(feature = "libtorch")]
ferrule_abi::export_plugins!(
    train: train::TrainTorch,
    detect: detect::DetectTorch,
    measure: classify::ClassifyTorch,
);
