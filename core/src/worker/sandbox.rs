//! What a worker takes away from itself before it loads the first plug-in.

use serde::{Deserialize, Serialize};

/// What is in force in a worker; `ferrule doctor` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxReport {
    /// Killed by the kernel when its engine dies.
    pub dies_with_engine: bool,
    pub no_new_privileges: bool,
    /// Version of the kernel's Landlock interface that confines writing to staging; `None` where there is none.
    pub landlock_abi: Option<u32>,
    /// System calls that start, kill, trace or connect are refused.
    pub seccomp: bool,
    /// Limit of the data segment.
    pub memory_mb: Option<u64>,
    /// First to go when the machine runs out of memory.
    pub killed_first: bool,
    /// What could not be had, one line each.
    pub missing: Vec<String>,
}
