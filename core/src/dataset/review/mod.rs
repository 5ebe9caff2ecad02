//! What people decided about images and defects, as a file that other tools read and write: CSV, and COCO for Label Studio,
//! CVAT and the like.
//!
//! A review of a defect carries its own type, box and mask, so that it outlives the inspection it was made on. Reads and
//! writes files; storing is the store's, through [`crate::store::Write::Reviews`].

mod agreement;
mod coco;
mod csv;
mod take;

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use self::{
    agreement::Agreement,
    coco::write as write_coco,
    csv::write as write_csv,
    take::{TakeError, take},
};
use crate::{
    evaluate::TruthError,
    ids::ImageId,
    names,
    report::DefectKind,
    store::{Reader, StoreError},
};

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Of an image: there is a defect in it.
    Defect,
    /// Of an image: there is none.
    Clean,
    /// Of an image: no decision any more; the label is the pipeline's again.
    Withdrawn,
    /// Of a defect: it is one, of this type.
    Confirmed,
    /// Of a defect: it is none.
    Rejected,
    /// A defect that was not found.
    Missed,
    /// Of a defect: no decision any more.
    Retracted,
}

impl Decision {
    pub const ALL: [Self; 7] =
        [Self::Defect, Self::Clean, Self::Withdrawn, Self::Confirmed, Self::Rejected, Self::Missed, Self::Retracted];

    /// As the database and files have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Defect => "defect",
            Self::Clean => "clean",
            Self::Withdrawn => "withdrawn",
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Missed => "missed",
            Self::Retracted => "retracted",
        }
    }

    /// The way back; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.as_str() == text)
    }

    /// The image's label that it means.
    #[must_use]
    pub const fn label(self) -> Option<bool> {
        match self {
            Self::Defect => Some(true),
            Self::Clean => Some(false),
            _ => None,
        }
    }

    /// It is about one defect, not the whole image.
    #[must_use]
    pub const fn is_of_defect(self) -> bool {
        matches!(self, Self::Confirmed | Self::Rejected | Self::Missed | Self::Retracted)
    }
}

impl Decision {
    /// Whether the defect is one by this word; `None` where nothing is said of it.
    #[must_use]
    pub const fn stance(self) -> Option<bool> {
        match self {
            Self::Confirmed | Self::Missed => Some(true),
            Self::Rejected => Some(false),
            _ => None,
        }
    }
}

/// One decision of one person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Review {
    pub image: ImageId,
    pub reviewer: String,
    /// RFC 3339, UTC. `None`: now, unless the same is in force already.
    pub at: Option<String>,
    pub decision: Decision,
    /// What a decision about a defect is about.
    pub defect: Option<ReviewedDefect>,
    pub note: Option<String>,
}

/// The defect as the person saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewedDefect {
    /// As an inspection named it; `None` is found by overlap, or is a new one.
    pub defect_id: Option<String>,
    #[serde(rename = "type")]
    pub kind: DefectKind,
    /// x, y, width, height in pixels.
    pub bbox: [u32; 4],
    /// Runs (y, x, length) in rising order; empty where only the box is known.
    pub mask: Vec<[u32; 3]>,
}

/// What a file holds.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    pub reviews: Vec<Review>,
    /// Records that are left out, and why; one line each.
    pub faults: Vec<String>,
}

/// What storing reviews came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewed {
    pub added: u64,
    /// The dataset had them.
    pub known: u64,
    /// Left out, and why.
    pub refused: Vec<String>,
}

/// Why there is no file, or nothing in it.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Coco(#[from] TruthError),
    #[error("{}: cannot be read: {reason}", names::display(path))]
    Unreadable { path: PathBuf, reason: String },
    #[error(
        "{}: it has no column `{column}`; a list needs image_id or filename, and decision or has_defect",
        names::display(path)
    )]
    Column { path: PathBuf, column: &'static str },
    #[error("{}: {source}", names::display(path))]
    Write { path: PathBuf, source: io::Error },
}

/// Reads a file: COCO where its name ends in `.json`, else CSV. What says nothing of the reviewer is `reviewer`'s.
///
/// # Errors
/// It cannot be read or is neither. A record that is wrong is a fault of that record.
pub fn read(path: &Path, reviewer: &str, reader: &Reader) -> Result<Imported, ReviewError> {
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    if is_json { coco::read(path, reviewer, reader) } else { csv::read(path, reviewer, reader) }
}
