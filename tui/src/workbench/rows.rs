//! What the workbench reads from the database: the rows and details it shows, and the questions it asks.
//!
//! [`Rows`] is implemented over the read-only database (`reader`) and by tests. All text in these types has been cleaned
//! by [`super::plain`]; nothing here ever writes.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf, sync::Arc};

use ferrule_core::{
    compare::Pairing,
    dataset::review::{Agreement, Review},
    filter::{Filter, Order},
    ids::{CaptureId, ImageId},
    job::Job,
    report::{CaptureState, Inspection, Outcome, Severity},
    store::{Former, Heat, Listed, ReviewQueue, SavedView, Trend},
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
    /// The worst of its defects.
    pub severity: Option<Severity>,
    /// The highest among its defects, 0 to 1.
    pub confidence: Option<f64>,
    /// 0 to 100.
    pub quality: Option<f64>,
    pub split: String,
    pub job: String,
    pub port: String,
    pub side: String,
    /// Milliseconds in the worker.
    pub ms: Option<f64>,
    /// Bytes.
    pub size: u64,
    /// A person decided about it.
    pub reviewed: bool,
}

impl Row {
    /// Of which nothing more is known.
    pub fn new(capture: CaptureId, state: CaptureState) -> Self {
        Self {
            capture,
            state,
            image: None,
            seen_at: None,
            source: String::new(),
            name: String::new(),
            has_defect: None,
            defects: None,
            verdict: None,
            incomplete: false,
            severity: None,
            confidence: None,
            quality: None,
            split: String::new(),
            job: String::new(),
            port: String::new(),
            side: String::new(),
            ms: None,
            size: 0,
            reviewed: false,
        }
    }
}

/// One capture with everything known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    pub row: Row,
    pub path: String,
    /// The path's own bytes, where the source still has that file.
    pub source_file: Option<Vec<u8>>,
    /// Why it failed or was ignored, or which capture it duplicates.
    pub message: Option<String>,
    pub inspection: Option<Inspection>,
    /// Files that hold the picture, the dataset's own copy first.
    pub pictures: Vec<PathBuf>,
    /// What people said of its content, the oldest first.
    pub reviews: Vec<Review>,
    /// What another pipeline said of it before.
    pub former: Option<Box<Before>>,
}

impl Detail {
    /// Files that hold the picture, that of the source first: what another program changes there comes in as another capture,
    /// while the dataset's copy must stay what was inspected.
    pub fn own_files(&self) -> Vec<PathBuf> {
        let source = self.source_file.iter().map(|path| PathBuf::from(OsString::from_vec(path.clone())));
        source.chain(self.pictures.iter().cloned()).collect()
    }
}

/// What was said before, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Before {
    pub former: Former,
    /// Its defects with those of the result that stands.
    pub pairing: Pairing,
}

/// Which captures a list shows, and in which order. The default is all, the newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct List {
    pub filter: Filter,
    pub order: Order,
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

/// Where in the list a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    First,
    /// What follows this capture.
    After(CaptureId),
    /// What comes just before this capture.
    Before(CaptureId),
    Last,
}

/// A stretch of the list, in its order.
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
    Review,
    /// One of two side by side: the left, or the right one.
    Pair(Hand),
}

/// One of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    Left,
    Right,
}

/// A question to the database. The latest of its kind wins.
#[derive(Debug, Clone, PartialEq)]
pub enum RowsRequest {
    /// A page of the Captures list; `ticket` tells answers to an older filter apart.
    Page {
        ticket: u64,
        list: List,
        place: Place,
        limit: usize,
        urgent: bool,
    },
    /// How many captures the list has.
    Count {
        ticket: u64,
        filter: Filter,
    },
    /// Every capture of the list, at most so many: to mark them.
    Matching {
        ticket: u64,
        filter: Filter,
        limit: usize,
        marking: Marking,
    },
    /// Where the defects of the newest captures that match lie.
    Heat {
        ticket: u64,
        filter: Filter,
        most: usize,
    },
    /// Views that people saved.
    Views,
    /// Captures that this reviewer is to decide about.
    Queue {
        ticket: u64,
        queue: ReviewQueue,
        reviewer: String,
        limit: usize,
    },
    /// How far reviewers agree.
    Agreements,
    /// The newest captures, for the Live screen.
    Recent {
        limit: usize,
    },
    /// The newest jobs.
    Jobs {
        limit: usize,
    },
    /// Figures of the newest captures, for the charts.
    Trend {
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
    Count {
        ticket: u64,
        count: u64,
    },
    Matching {
        ticket: u64,
        found: Vec<Listed>,
        marking: Marking,
    },
    Heat {
        ticket: u64,
        heat: Arc<Heat>,
    },
    Views(Vec<SavedView>),
    Queue {
        ticket: u64,
        captures: Vec<CaptureId>,
    },
    Agreements(Vec<Agreement>),
    Recent(Vec<Row>),
    Trend(Trend),
    Jobs(Vec<Job>),
    /// `None` when there is no such capture any more.
    Detail {
        asker: DetailFor,
        capture: CaptureId,
        detail: Option<Arc<Detail>>,
    },
    /// One line for a person.
    Failed(String),
}

/// What is done with the marks of all captures of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    Set,
    Invert,
}

/// A database that can be asked. Errors are one line for a person.
pub trait Rows {
    fn page(&mut self, list: &List, place: Place, limit: usize) -> Result<Page, String>;
    fn count(&mut self, filter: &Filter) -> Result<u64, String>;
    fn matching(&mut self, filter: &Filter, limit: usize) -> Result<Vec<Listed>, String>;
    fn heat(&mut self, filter: &Filter, most: usize) -> Result<Heat, String>;
    fn views(&mut self) -> Result<Vec<SavedView>, String>;
    fn queue(&mut self, queue: ReviewQueue, reviewer: &str, limit: usize) -> Result<Vec<CaptureId>, String>;
    fn agreements(&mut self) -> Result<Vec<Agreement>, String>;
    fn trend(&mut self, limit: usize) -> Result<Trend, String>;
    fn jobs(&mut self, limit: usize) -> Result<Vec<Job>, String>;
    fn detail(&mut self, capture: CaptureId) -> Result<Option<Detail>, String>;
}

/// Asks the database what was asked for.
pub fn answer(rows: &mut dyn Rows, request: &RowsRequest) -> Result<RowsAnswer, String> {
    Ok(match request {
        RowsRequest::Page { ticket, list, place, limit, .. } => {
            RowsAnswer::Page { ticket: *ticket, place: *place, page: rows.page(list, *place, *limit)? }
        }
        RowsRequest::Count { ticket, filter } => RowsAnswer::Count { ticket: *ticket, count: rows.count(filter)? },
        RowsRequest::Matching { ticket, filter, limit, marking } => {
            RowsAnswer::Matching { ticket: *ticket, found: rows.matching(filter, *limit)?, marking: *marking }
        }
        RowsRequest::Heat { ticket, filter, most } => {
            RowsAnswer::Heat { ticket: *ticket, heat: Arc::new(rows.heat(filter, *most)?) }
        }
        RowsRequest::Views => RowsAnswer::Views(rows.views()?),
        RowsRequest::Queue { ticket, queue, reviewer, limit } => {
            RowsAnswer::Queue { ticket: *ticket, captures: rows.queue(*queue, reviewer, *limit)? }
        }
        RowsRequest::Agreements => RowsAnswer::Agreements(rows.agreements()?),
        RowsRequest::Recent { limit } => RowsAnswer::Recent(rows.page(&List::default(), Place::First, *limit)?.rows),
        RowsRequest::Jobs { limit } => RowsAnswer::Jobs(rows.jobs(*limit)?),
        RowsRequest::Trend { limit } => RowsAnswer::Trend(rows.trend(*limit)?),
        RowsRequest::Detail { asker, capture, .. } => {
            RowsAnswer::Detail { asker: *asker, capture: *capture, detail: rows.detail(*capture)?.map(Arc::new) }
        }
    })
}
