//! Which captures a person wants to see, and in which order: the language of `/` on the Captures screen and of saved views.
//!
//! A filter is words that must all hold: `label:defect zone:core type:scratch conf>0.8 -file:*FT3* "lot 7"`. A bare word is
//! a part of the file's name; `-` in front turns a word around; commas are "or". What is said of a defect (`zone`, `type`,
//! `conf`, `severity`, `plugin`) must hold for one and the same defect; each such word with `-` says that no defect is so.
//! Parsed here; turned into a question to the database by [`crate::store`], which takes every value as a parameter.

mod fields;
mod order;
mod parse;
mod pattern;
#[cfg(test)]
mod tests;

use std::{fmt, ops::Range};

use jiff::{Timestamp, Zoned};

pub use self::{
    fields::{FIELDS, Field, Help, completions},
    order::{Column, Order},
    pattern::Pattern,
};
use crate::report::{CaptureState, DefectKind, Outcome, Severity, ZoneName};

/// All that is looked for; nothing means every capture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    terms: Vec<Term>,
}

/// One word of a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// As it was typed, with its `-` and without blanks around a sign.
    text: String,
    pub negated: bool,
    pub test: Test,
}

/// What one word asks. Alternatives in a list are "or"; `None` in a list means "has none".
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The file's name.
    Name(Vec<Pattern>),
    /// The whole path.
    Path(Vec<Pattern>),
    Source(Vec<Pattern>),
    Job(Vec<Pattern>),
    Port(Vec<Pattern>),
    Side(Vec<Pattern>),
    State(Vec<CaptureState>),
    /// Has a defect, has none.
    Label(Vec<Option<bool>>),
    Verdict(Vec<Option<Outcome>>),
    /// `train`, `val`, `test`.
    Split(Vec<Option<&'static str>>),
    /// Beginnings of image ids.
    Image(Vec<String>),
    /// Some plug-in's results are missing.
    Incomplete(bool),
    /// A person decided about the image.
    Reviewed(bool),
    Seen(Compare, Timestamp),
    /// A figure of the capture.
    Figure(Figure, Compare, f64),
    /// Something about one defect.
    Defect(DefectTest),
}

/// What is asked of a defect.
#[derive(Debug, Clone, PartialEq)]
pub enum DefectTest {
    Kind(Vec<DefectKind>),
    Zone(Vec<Option<ZoneName>>),
    Severity(Compare, Severity),
    /// 0 to 1.
    Confidence(Compare, f64),
    /// Who found it, without the version.
    Plugin(Vec<Pattern>),
}

/// Figures of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// How many defects were found.
    Defects,
    /// Quality of the picture, 0 to 100.
    Quality,
    /// Milliseconds in the worker.
    Milliseconds,
    /// Bytes of the file.
    Size,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

/// Why a filter is none. Says the place in the text, what is wrong there, and what can be written instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {remedy}")]
pub struct FilterError {
    /// Bytes of the filter's text.
    pub at: Range<usize>,
    pub message: String,
    pub remedy: String,
}

impl Filter {
    /// Understands a filter. `now` is what `since:2h` counts back from; its time zone is that of dates without one.
    ///
    /// # Errors
    /// A word that is none.
    pub fn parse(text: &str, now: &Zoned) -> Result<Self, FilterError> {
        parse::parse(text, now).map(|terms| Self { terms })
    }

    /// A filter that finds exactly the captures in this state.
    #[must_use]
    pub fn of_state(state: CaptureState) -> Self {
        let text = format!("state:{state}");
        Self { terms: vec![Term { text, negated: false, test: Test::State(vec![state]) }] }
    }

    /// A filter that finds exactly the captures with this label.
    #[must_use]
    pub fn of_label(label: Option<bool>) -> Self {
        let word = label.map_or("none", |has_defect| if has_defect { "defect" } else { "clean" });
        Self { terms: vec![Term { text: format!("label:{word}"), negated: false, test: Test::Label(vec![label]) }] }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The words, in the order in which they were typed.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Takes every word away that `other` says for the same field, and adds those of `other`: one label instead of another.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        let kind = |term: &Term| std::mem::discriminant(&term.test);
        self.terms.retain(|term| other.terms.iter().all(|new| kind(new) != kind(term)));
        self.terms.extend(other.terms);
        self
    }

    /// Without the words that this says of.
    #[must_use]
    pub fn without(mut self, which: impl Fn(&Test) -> bool) -> Self {
        self.terms.retain(|term| !which(&term.test));
        self
    }
}

/// As it can be typed again.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&term.text)?;
        }
        Ok(())
    }
}
