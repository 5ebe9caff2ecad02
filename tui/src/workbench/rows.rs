//! What the workbench reads from the database: the rows and details it shows, and the questions it asks.
//!
//! [`Rows`] is implemented over the read-only database (`reader`) and by tests. All text in these types has been cleaned
//! by [`super::plain`]; nothing here ever writes.

use std::{path::PathBuf, sync::Arc};

use ferrule_core::{
    ids::{CaptureId, ImageId},
    report::{CaptureState, Inspection, Outcome},
};
use jiff::Timestamp;

/// One capture in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub capture: CaptureId,
    pub image: Option<ImageId>,
    pub state: CaptureState,
    pub seen_at: Option<Timestamp>,
    pub source: String,
    /// The file's name, without its folder.
    pub name: String,
    pub has_defect: Option<bool>,
    pub defects: Option<u32>,
    pub verdict: Option<Outcome>,
    /// Some plug-in's results are missing.
    pub incomplete: bool,
}

/// One capture with everything known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    pub row: Row,
    pub path: String,
    /// Why it failed or was ignored, or which capture it duplicates.
    pub message: Option<String>,
    pub inspection: Option<Inspection>,
    /// Files that hold the picture, the dataset's own copy first.
    pub pictures: Vec<PathBuf>,
}

/// Which captures a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub state: Option<CaptureState>,
    pub label: Option<Label>,
    /// A part of the file's name or of its path.
    pub text: String,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a capture was labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    Defect,
    Clean,
    None,
}

impl Label {
    pub fn of(has_defect: Option<bool>) -> Self {
        match has_defect {
            Some(true) => Self::Defect,
            Some(false) => Self::Clean,
            None => Self::None,
        }
    }
}

/// Where in the list, newest first, a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The newest.
    First,
    /// Those older than this capture.
    OlderThan(CaptureId),
    /// Those next newer than this capture.
    NewerThan(CaptureId),
    /// The oldest.
    Last,
}

/// A stretch of the list, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    pub rows: Vec<Row>,
    /// Fewer rows came than were asked for: the list ends on that side.
    pub ends: bool,
}

/// Who asked for a detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetailFor {
    Live,
    Browse,
}

/// A question to the database. The latest of its kind wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsRequest {
    /// A page of the Captures list; `ticket` tells answers to an older filter apart.
    Page {
        ticket: u64,
        filter: Filter,
        place: Place,
        limit: usize,
        urgent: bool,
    },
    /// The newest captures, for the Live screen.
    Recent {
        limit: usize,
    },
    Detail {
        asker: DetailFor,
        capture: CaptureId,
        urgent: bool,
    },
}

/// The database's answer.
#[derive(Debug)]
pub enum RowsAnswer {
    Page {
        ticket: u64,
        place: Place,
        page: Page,
    },
    Recent(Vec<Row>),
    /// `None` when there is no such capture any more.
    Detail {
        asker: DetailFor,
        capture: CaptureId,
        detail: Option<Arc<Detail>>,
    },
    /// One line for a person.
    Failed(String),
}

/// A database that can be asked. Errors are one line for a person.
pub trait Rows {
    fn page(&mut self, filter: &Filter, place: Place, limit: usize) -> Result<Page, String>;
    fn detail(&mut self, capture: CaptureId) -> Result<Option<Detail>, String>;
}
