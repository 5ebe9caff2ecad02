//! Settings from files: the shipped `config/ferrule.toml` with a workspace's file laid over it, every value with its origin.
//!
//! Called by the engine (at start and when the file changes) and by the command line. Never reads the environment and
//! never guesses: whatever is not understood is a [`Mistake`] of one line, and the caller keeps the last good settings.

mod alarms;
pub mod edit;
mod kind;
mod nearest;
mod schema;
mod sections;
mod sheet;
mod sources;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

pub(crate) use nearest::nearest;
pub use schema::schema;

use crate::{names, settings::Settings, workspace::Workspace};

/// The defaults: every key, its value and why.
pub const SHIPPED: &str = include_str!("../../../config/ferrule.toml");

/// Settings in force, and where each comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    pub settings: Settings,
    /// In the order of the shipped file; keys as `section.key`, sources as `capture[1].key`.
    pub values: Vec<ValueShown>,
}

/// One value as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueShown {
    pub key: String,
    /// As written in its file, on one line.
    pub value: String,
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The shipped file.
    Default,
    File {
        file: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
        }
    }
}

/// One thing that a file says wrongly: `<file>:<line>: <key>: expected <what>, found <what>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// Empty where the file is no TOML at all.
    pub key: String,
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        // Key and message may quote the file, in which anything can stand.
        if !self.key.is_empty() {
            write!(f, "{}: ", names::visible(&self.key))?;
        }
        f.write_str(&names::visible(&self.message))
    }
}

/// Why there are no new settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// Correct these lines. In the order of the file, never empty.
    #[error("{}", first_of(.0))]
    Mistakes(Vec<Mistake>),
    /// Make the file readable, or make a workspace there (`ferrule init`).
    #[error("{}: cannot be read: {source}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
}

fn first_of(mistakes: &[Mistake]) -> String {
    match mistakes {
        [] => "the configuration is wrong".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

impl Configuration {
    /// The settings of this workspace.
    ///
    /// # Errors
    /// When its file cannot be read or says something wrong.
    pub fn load(workspace: &Workspace) -> Result<Self, ConfigurationError> {
        Self::read(&workspace.configuration(), workspace.root())
    }

    /// The settings of this file; its relative paths lie under `root`.
    ///
    /// # Errors
    /// When it cannot be read or says something wrong.
    pub fn read(file: &Path, root: &Path) -> Result<Self, ConfigurationError> {
        // Bytes first: a file in another encoding is a mistake with a line, not an unreadable file.
        let bytes =
            std::fs::read(file).map_err(|source| ConfigurationError::Unreadable { file: file.to_owned(), source })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            ConfigurationError::Mistakes(vec![Mistake {
                file: file.to_owned(),
                line: sound.iter().filter(|byte| **byte == b'\n').count() + 1,
                key: String::new(),
                message: "expected UTF-8 text, found other bytes".into(),
            }])
        })?;
        Self::of(&text, file, root)
    }

    /// The settings that this text makes of the shipped ones; its relative paths lie under `root`.
    ///
    /// # Errors
    /// Every mistake of the text.
    pub fn of(text: &str, file: &Path, root: &Path) -> Result<Self, ConfigurationError> {
        sheet::read(Some((text, file)), root).map(|(configuration, _)| configuration)
    }

    /// The shipped settings, as for a workspace at `root` whose file says nothing.
    ///
    /// # Errors
    /// Never for the file that ships; a test reads it.
    pub fn shipped(root: &Path) -> Result<Self, ConfigurationError> {
        sheet::read(None, root).map(|(configuration, _)| configuration)
    }
}
