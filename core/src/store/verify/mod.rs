//! Does a dataset hold together? Its database, its rows against each other, its files against their rows, and back.
//!
//! Reads only, also while an engine writes: what looks wrong is looked at once more at the end, for a result may have been
//! on its way. Rows are read in pages, so a million of them take no more memory than a thousand. [`repair`] moves aside
//! what is broken or nobody's and queues again what is missing; that wants the dataset's lock. Called by `ferrule verify`.

mod files;
mod repair;

use std::{fmt, path::PathBuf, time::SystemTime};

use rusqlite::Connection;

pub(super) use self::files::{Folder, is_owned};
pub use self::repair::{RepairError, Repaired, repair};
use super::{Reader, StoreError};
use crate::{ids::ImageId, names, workspace::DatasetPaths};

/// Problems that are kept and told; those beyond are counted.
const MOST: usize = 10_000;
/// Rows read at once.
const PAGE: usize = 500;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// What SQLite itself says of the file.
    Database(String),
    /// A row that refers to one that is not there.
    Reference { table: String, row: Option<i64>, parent: String },
    /// A kept count that is not the number of rows.
    Count { state: String, kept: i64, rows: i64 },
    /// A capture that is done, and a content without a result.
    NoResult { image: ImageId },
    /// A row whose file is not there.
    Missing { image: ImageId, file: PathBuf },
    /// A file that is not what its row says.
    Broken { image: ImageId, file: PathBuf, reason: String },
    /// A file without a row.
    Orphan { file: PathBuf },
    /// A row that cannot be read.
    Unreadable { what: String },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(said) => write!(f, "database: {}", names::visible(said)),
            Self::Reference { table, row, parent } => {
                let row = row.map_or_else(|| "a row".to_owned(), |row| format!("row {row}"));
                write!(f, "reference: {row} of {table} refers to a row of {parent} that is not there")
            }
            Self::Count { state, kept, rows } => write!(f, "count: {kept} captures are said to be {state}, {rows} are"),
            Self::NoResult { image } => write!(f, "no result: the capture of {image} is done, its result is not there"),
            Self::Missing { file, .. } => write!(f, "missing: {}", names::display(file)),
            Self::Broken { file, reason, .. } => write!(f, "broken: {}: {reason}", names::display(file)),
            Self::Orphan { file } => write!(f, "orphan: {} belongs to no image", names::display(file)),
            Self::Unreadable { what } => write!(f, "unreadable: {}", names::visible(what)),
        }
    }
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closeness {
    /// Read every picture and compare its content with its name's hash; otherwise only files' ends are read.
    pub contents: bool,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub images: u64,
    pub files: u64,
    pub problems: Vec<Problem>,
    /// Found, and beyond what is kept.
    pub more: u64,
}

impl Report {
    fn add(&mut self, problem: Problem) {
        if self.problems.len() < MOST {
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }
}

/// Looks at everything. `told` hears how many images of how many were looked at, and says whether to go on.
///
/// # Errors
/// The database cannot be opened, or a question cannot be asked; `None` where the listener ended it.
pub fn verify(
    paths: &DatasetPaths,
    closeness: Closeness,
    told: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Option<Report>, StoreError> {
    let began = SystemTime::now();
    let reader = Reader::open(paths)?;
    reader.refuse_older()?;
    let connection = reader.connection();
    let mut report = Report::default();
    database(connection, &mut report)?;
    rows(connection, &mut report)?;
    let count = reader.image_count()?;
    if !images(connection, paths, closeness, &mut report, &mut |done| told(done, count.max(done)))? {
        return Ok(None);
    }
    for folder in Folder::ALL {
        files::orphans(connection, paths, folder, began, &mut report)?;
    }
    // A result that was published meanwhile is none of them.
    let first = std::mem::take(&mut report.problems);
    for problem in first {
        if files::stands(connection, paths, closeness, &problem)? {
            report.problems.push(problem);
        }
    }
    Ok(Some(report))
}

/// SQLite's own checks.
fn database(connection: &Connection, report: &mut Report) -> Result<(), StoreError> {
    let mut integrity = connection.prepare("PRAGMA integrity_check(100)")?;
    let mut said = integrity.query([])?;
    while let Some(row) = said.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            report.add(Problem::Database(line));
        }
    }
    let mut references = connection.prepare("PRAGMA foreign_key_check")?;
    let mut said = references.query([])?;
    while let Some(row) = said.next()? {
        report.add(Problem::Reference { table: row.get(0)?, row: row.get(1)?, parent: row.get(2)? });
    }
    Ok(())
}

/// Rows against each other.
fn rows(connection: &Connection, report: &mut Report) -> Result<(), StoreError> {
    let mut counts = connection.prepare(
        "SELECT k.state, k.captures, (SELECT count(*) FROM captures c WHERE c.state = k.state) AS n
         FROM capture_counts k WHERE k.captures <> n",
    )?;
    let mut wrong = counts.query([])?;
    while let Some(row) = wrong.next()? {
        report.add(Problem::Count { state: row.get(0)?, kept: row.get(1)?, rows: row.get(2)? });
    }
    let mut without = connection.prepare(
        "SELECT image_id FROM captures WHERE state = 'done' AND image_id NOT IN (SELECT image_id FROM images)",
    )?;
    let mut without = without.query([])?;
    while let Some(row) = without.next()? {
        let text: String = row.get(0)?;
        report.add(match text.parse() {
            Ok(image) => Problem::NoResult { image },
            Err(error) => Problem::Unreadable { what: format!("captures.image_id: {error}") },
        });
    }
    Ok(())
}

/// Every image's picture and artefacts. False where the listener ended it.
fn images(
    connection: &Connection,
    paths: &DatasetPaths,
    closeness: Closeness,
    report: &mut Report,
    told: &mut dyn FnMut(u64) -> bool,
) -> Result<bool, StoreError> {
    let mut page = connection
        .prepare("SELECT image_id, filename, gone FROM images WHERE image_id > ?1 ORDER BY image_id LIMIT ?2")?;
    let mut artefacts = connection.prepare("SELECT folder, name FROM artefacts WHERE image_id = ?1")?;
    let mut after = String::new();
    loop {
        let found: Vec<(String, String, bool)> = page
            .query_map((&after, PAGE as i64), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let Some((last, ..)) = found.last() else { return Ok(true) };
        after.clone_from(last);
        for (id, filename, gone) in found {
            report.images += 1;
            let image: ImageId = match id.parse() {
                Ok(image) => image,
                Err(error) => {
                    report.add(Problem::Unreadable { what: format!("images.image_id: {error}") });
                    continue;
                }
            };
            let mut all = if gone { Vec::new() } else { vec![(Folder::Images, filename)] };
            let mut rows = artefacts.query([&id])?;
            while let Some(row) = rows.next()? {
                let folder: String = row.get(0)?;
                all.extend(
                    Folder::of(&folder).map(|folder| Ok::<_, rusqlite::Error>((folder, row.get(1)?))).transpose()?,
                );
            }
            for (folder, name) in all {
                report.files += 1;
                let problem = files::check(paths, folder, image, &name, closeness);
                problem.into_iter().for_each(|problem| report.add(problem));
            }
        }
        if !told(report.images) {
            return Ok(false);
        }
    }
}
