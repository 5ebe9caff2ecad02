//! The order of a list of captures: by any of its columns, ties by the capture's number.

use std::{fmt, str::FromStr};

/// A column of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// When it was seen, which is the order of the captures' numbers.
    Time,
    State,
    Label,
    Source,
    Name,
    Defects,
    /// The worst severity among its defects.
    Severity,
    /// The highest confidence among its defects.
    Confidence,
    Verdict,
    Quality,
    Split,
    Job,
    Port,
    Side,
    /// Milliseconds in the worker.
    Milliseconds,
    /// Bytes.
    Size,
}

impl Column {
    pub const ALL: [Self; 16] = [
        Self::Time,
        Self::State,
        Self::Label,
        Self::Source,
        Self::Name,
        Self::Defects,
        Self::Severity,
        Self::Confidence,
        Self::Verdict,
        Self::Quality,
        Self::Split,
        Self::Job,
        Self::Port,
        Self::Side,
        Self::Milliseconds,
        Self::Size,
    ];

    /// Its word, on the screen and in saved views.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::State => "state",
            Self::Label => "label",
            Self::Source => "source",
            Self::Name => "name",
            Self::Defects => "defects",
            Self::Severity => "severity",
            Self::Confidence => "conf",
            Self::Verdict => "verdict",
            Self::Quality => "quality",
            Self::Split => "split",
            Self::Job => "job",
            Self::Port => "port",
            Self::Side => "side",
            Self::Milliseconds => "ms",
            Self::Size => "size",
        }
    }

    /// The way back; `None` for any other word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.as_str() == word)
    }
}

/// By what, and from which end. The default is the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Order {
    pub by: Column,
    pub descending: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self { by: Column::Time, descending: true }
    }
}

impl Order {
    /// From the other end.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { descending: !self.descending, ..self }
    }
}

/// `name`, and `-name` from the other end.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.by.as_str())
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (descending, word) = text.strip_prefix('-').map_or((false, text), |word| (true, word));
        let by = Column::parse(word).ok_or_else(|| format!("no column `{word}`"))?;
        Ok(Self { by, descending })
    }
}
