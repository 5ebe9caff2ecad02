//! Workers: child processes that hold plug-ins, decode captures and run the pipeline.

pub mod messages;
