//! Workers: child processes that hold plug-ins, decode captures and run the pipeline.

pub mod arguments;
pub mod child;
mod filter;
pub mod frames;
mod grid;
pub mod launch;
pub mod line;
pub mod memory;
pub mod messages;
pub mod sandbox;
mod serve;
pub(crate) mod talk;
pub mod turns;
