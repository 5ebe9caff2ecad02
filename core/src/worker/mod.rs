//! Workers: child processes that hold plug-ins, decode captures and run the pipeline.

pub mod arguments;
pub mod frames;
pub mod launch;
pub mod messages;
pub mod sandbox;
