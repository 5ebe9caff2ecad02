//! Alarms: rules of `[[alarm]]` judged over what an engine sees, and what stands until a person has acknowledged it.
//!
//! An alarm has the states of ANSI/ISA-18.2: it holds or is over, and it was acknowledged or not. It is gone once it is
//! over *and* acknowledged, so that nobody misses what happened while nobody looked; while it stands, its condition coming
//! and going rings no second time. `watch` judges one rule, `board` keeps what stands. Pure: both are given the clock and
//! the facts, start nothing and write nothing. Called by the engine alone, so that alarms need no client.

mod board;
#[cfg(test)]
mod tests;
mod watch;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

pub use board::Board;
pub use watch::{Around, Ended};

/// What a rule looks at. The threshold's unit is the kind's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// Percent of the captures of the window that have a defect.
    DefectRate,
    /// Captures one after the other whose verdict is fail.
    FailsInARow,
    /// Captures of the window that could not be inspected.
    Failures,
    /// Minutes without a new capture.
    Silence,
    /// Plug-ins set aside.
    Quarantined,
    /// MiB that are free for the dataset, or fewer.
    DiskLow,
}

impl AlarmKind {
    pub const ALL: [Self; 6] =
        [Self::DefectRate, Self::FailsInARow, Self::Failures, Self::Silence, Self::Quarantined, Self::DiskLow];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DefectRate => "defect_rate",
            Self::FailsInARow => "fails_in_a_row",
            Self::Failures => "failures",
            Self::Silence => "silence",
            Self::Quarantined => "quarantined",
            Self::DiskLow => "disk_low",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it can be about one source alone.
    #[must_use]
    pub const fn is_about_captures(self) -> bool {
        !matches!(self, Self::Quarantined | Self::DiskLow)
    }
}

impl fmt::Display for AlarmKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One `[[alarm]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmRule {
    /// Unique among rules; by default the kind's.
    pub name: String,
    pub kind: AlarmKind,
    /// In the kind's unit; 0 never raises.
    pub threshold: u32,
    pub window: Duration,
    /// The one source that it is about; `None` for all together.
    pub source: Option<String>,
    /// What is run when it is raised: a program and its arguments, no shell. Empty for nothing.
    pub command: Vec<String>,
    /// Clients ring.
    pub bell: bool,
}

/// An alarm that stands, or stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// The rule's name.
    pub rule: String,
    pub kind: AlarmKind,
    /// What was so when it was raised, in one line.
    pub message: String,
    /// RFC 3339, UTC.
    pub raised_at: String,
    /// When its condition ended; `None` while it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_at: Option<String>,
    /// Who acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<String>,
    /// Clients ring when it is raised.
    pub bell: bool,
}

/// What became of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmStep {
    Raised,
    Over,
    Acknowledged,
}

/// A command to be run for an alarm that was raised: the engine's process is asked for it and says how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmCall {
    /// A program and its arguments, as configured; never empty.
    pub command: Vec<String>,
    pub alarm: Alarm,
}

/// How a command of an alarm ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmCallEnd {
    /// The rule's name.
    pub rule: String,
    /// What went wrong, in one line with its remedy.
    pub fault: Option<String>,
}
