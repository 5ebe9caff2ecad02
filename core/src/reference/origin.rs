//! What a reference was built from: the words in its file, as JSON. They decide nothing; a person reads them.

use serde::{Deserialize, Serialize};

use crate::names;

/// Pictures left out that are named one by one; the others are counted.
const MOST_LEFT_OUT: usize = 256;
/// Longest reason, in characters.
const LONGEST: usize = 200;

/// Where a reference comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `ferrule` and its version.
    pub software: String,
    /// RFC 3339, UTC.
    pub built_at: String,
    /// The pipeline that found the outlines.
    pub pipeline: String,
    /// The fibre type that all pictures' sources name, where they do.
    pub fibre: Option<String>,
    pub used: Vec<Used>,
    pub left_out: Vec<LeftOut>,
    /// Left out beyond those that are named.
    pub more_left_out: u64,
}

/// A picture that it was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The file's name, safe to print.
    pub name: String,
    pub image_id: String,
}

/// A picture that was given and not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The file's name, safe to print.
    pub name: String,
    pub image_id: Option<String>,
    pub reason: String,
}

impl Origin {
    /// Reads the words of a file, which may be anybody's: what they say is made safe to print.
    ///
    /// # Errors
    /// They are not such words.
    pub(super) fn read(words: &str) -> Result<Self, serde_json::Error> {
        let mut origin: Self = serde_json::from_str(words)?;
        let safe = |text: &mut String| *text = names::visible(text).into_owned();
        [&mut origin.software, &mut origin.built_at, &mut origin.pipeline].into_iter().for_each(safe);
        origin.fibre.iter_mut().for_each(safe);
        for used in &mut origin.used {
            [&mut used.name, &mut used.image_id].into_iter().for_each(safe);
        }
        for left in &mut origin.left_out {
            [&mut left.name, &mut left.reason].into_iter().chain(&mut left.image_id).for_each(safe);
        }
        Ok(origin)
    }

    /// Names the first of those left out and counts the others.
    pub(super) fn leave_out(&mut self, left_out: Vec<LeftOut>) {
        self.more_left_out = left_out.len().saturating_sub(MOST_LEFT_OUT) as u64;
        self.left_out = left_out.into_iter().take(MOST_LEFT_OUT).collect();
        for left in &mut self.left_out {
            left.reason = left.reason.chars().take(LONGEST).collect();
        }
    }
}
