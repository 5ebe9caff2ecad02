//! What a bug report needs: facts about this machine and a workspace, each with what to do where something is amiss.
//!
//! Called by `ferrule doctor`, which adds the terminal. Looks only: opens the database read-only, loads no plug-in into
//! this process, repairs nothing. A fact that cannot be had is a notice, never an error.

mod hardware;
mod kernel;
pub mod logout;
mod storage;

use serde::{Deserialize, Serialize};

pub use hardware::{gpu, libtorch};
pub use kernel::{inotify, kernel, sandbox};
pub use storage::{database, disk};

/// How a fact stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    /// Works, but worth knowing.
    Notice,
    /// Something will not work.
    Problem,
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// `engine`, `kernel`, `plug-ins`, `database`, …
    pub area: String,
    pub name: String,
    pub state: State,
    pub value: String,
    /// What to do; always there for a problem.
    pub remedy: Option<String>,
}

impl Finding {
    #[must_use]
    pub fn ok(area: &str, name: &str, value: impl Into<String>) -> Self {
        Self { area: area.into(), name: name.into(), state: State::Ok, value: value.into(), remedy: None }
    }

    #[must_use]
    pub fn notice(area: &str, name: &str, value: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Notice, remedy: Some(remedy.into()), ..Self::ok(area, name, value) }
    }

    #[must_use]
    pub fn problem(area: &str, name: &str, value: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Problem, remedy: Some(remedy.into()), ..Self::ok(area, name, value) }
    }
}

/// The first line of a small file, such as those under `/proc`; `None` where it cannot be read.
fn first_line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().next().map(|line| line.trim().to_owned())
}
