//! Workers: child processes that hold plug-ins, decode captures and run the pipeline.

pub mod frames;
pub mod messages;
