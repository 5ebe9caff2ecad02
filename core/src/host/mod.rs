//! Plug-ins: finding, trusting, storing, probing, loading and choosing them.
//!
//! The engine's process never opens a library: it reads files and asks a child. Only workers and probes load.

pub mod card;
pub mod loader;
pub mod probe;
