//! The engine: the process that owns a workspace.

pub mod lock;
