//! Plug-ins: finding, trusting, storing, probing, loading and choosing them.
//!
//! The engine's process never opens a library: it reads files and asks a child. Only workers and probes load.

pub mod assemble;
pub mod card;
pub mod catalogue;
pub mod elf;
pub mod install;
mod layout;
pub mod loader;
pub mod probe;
pub mod script;
pub mod search;
mod seen;
pub mod store;
pub mod trust;

pub use assemble::{AssemblyError, assemble, parameter_files};
pub use catalogue::{Available, Catalogue, Policy, Refusal, Refused, Scripted, admit, is_script};
pub use script::Script;
pub use search::{Origin, SearchPaths};
pub use store::LibraryStore;
