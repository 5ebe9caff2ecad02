//! Read-only look at a dataset: for the workbench and `ferrule status`, from any process, while the engine writes.
//!
//! Pages are cut by key, not by offset: the millionth row costs what the first does.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, types::Type};

use super::{StoreError, load, schema, write::QueuedCapture};
use crate::{
    ids::{CaptureId, ImageId, PipelineId},
    ingest::{FileKey, KnownFile, KnownFiles},
    protocol::Counts,
    report::{CaptureState, Failure, Inspection, Outcome, Severity},
    workspace::DatasetPaths,
};

/// Kibibytes of pages that a frugal reader keeps, as SQLite wants them said: the way from the root to where it reads.
const FRUGAL_KIB: i64 = -256;

/// A read-only connection. Each question sees the last commit.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

/// A capture as a line in a table.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureRow {
    pub capture: CaptureId,
    pub source: String,
    pub path: PathBuf,
    pub state: CaptureState,
    pub image: Option<ImageId>,
    pub duplicate_of: Option<CaptureId>,
    pub replaced_by: Option<CaptureId>,
    /// Bytes.
    pub size: u64,
    /// Named groups of the source's `name_pattern`.
    pub tags: BTreeMap<String, String>,
    /// RFC 3339, UTC.
    pub seen_at: String,
    pub done_at: Option<String>,
    /// Why it failed or was ignored.
    pub failure: Option<Failure>,
    /// What is known of its content, from whichever capture was inspected.
    pub has_defect: Option<bool>,
    pub verdict: Option<Outcome>,
    pub defects: Option<u32>,
    /// Some plug-in's results are missing.
    pub incomplete: bool,
    /// Milliseconds in the worker.
    pub ms: Option<f64>,
    /// `train`, `val` or `test`.
    pub split: Option<String>,
    /// 0 to 100.
    pub quality: Option<f64>,
    /// The highest confidence among its defects.
    pub confidence: Option<f64>,
    /// The worst severity among its defects.
    pub severity: Option<Severity>,
    /// A person decided about its content.
    pub reviewed: bool,
}

/// A capture with its inspection.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureDetail {
    pub row: CaptureRow,
    /// The current inspection of its content; masks are in the defects.
    pub inspection: Option<Inspection>,
    /// Name under `images/`.
    pub filename: Option<String>,
    pub pipeline: Option<PipelineId>,
    pub generation: Option<u64>,
    /// How many inspections its content has had, failed ones too.
    pub inspections: u64,
}

/// A watched directory as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    pub name: String,
    pub path: PathBuf,
    /// In the configuration that the engine last read.
    pub watched: bool,
}

impl Reader {
    /// Opens an existing dataset.
    ///
    /// # Errors
    /// A database that is missing, foreign or newer than this build.
    pub fn open(paths: &DatasetPaths) -> Result<Self, StoreError> {
        let path = paths.database();
        if !path.exists() {
            return Err(StoreError::Missing { path });
        }
        schema::refuse_unknown(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(Duration::from_secs(2))?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self { connection })
    }

    /// Opens so many at once and closes them. SQLite keeps the descriptors of closed connections for those that follow (to
    /// close one would release the locks of the whole process), so an engine that begins with as many as it will ever have
    /// beside each other has the same number of them for good.
    ///
    /// # Errors
    /// As of [`Reader::open`].
    pub fn set_descriptors_aside(paths: &DatasetPaths, at_once: usize) -> Result<(), StoreError> {
        (0..at_once).map(|_| Self::open(paths)).collect::<Result<Vec<_>, _>>().map(drop)
    }

    /// One for a process that lives for weeks: what it read stays in the system's memory, hardly any of it in the process's.
    ///
    /// # Errors
    /// As of [`Reader::open`].
    pub fn frugal(paths: &DatasetPaths) -> Result<Self, StoreError> {
        let reader = Self::open(paths)?;
        reader.connection.pragma_update(None, "cache_size", FRUGAL_KIB)?;
        Ok(reader)
    }

    /// Captures by state; reads eight rows whatever the number of captures.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        let mut select = self.connection.prepare_cached("SELECT state, captures FROM capture_counts")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            *counts.of_mut(state_from(row, 0)?) = row.get::<_, i64>(1)?.unsigned_abs();
        }
        counts.add_up();
        Ok(counts)
    }

    /// Captures waiting for a worker, oldest first, after that one.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn queued_page(&self, after: CaptureId, limit: usize) -> Result<Vec<QueuedCapture>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT c.capture_id, c.image_id, s.name, c.path FROM captures c JOIN sources s USING (source_id)
             WHERE c.state = 'queued' AND c.capture_id > ?1 ORDER BY c.capture_id LIMIT ?2",
        )?;
        let rows = select.query_map([after.0, limit_of(limit)], |row| {
            Ok(QueuedCapture {
                capture: CaptureId(row.get(0)?),
                image: image_from(row, 1)?.ok_or_else(|| unreadable(1, "a queued capture without content"))?,
                source: row.get(2)?,
                path: path_from(row, 3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The capture with its content's current inspection.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn capture(&self, capture: CaptureId) -> Result<Option<CaptureDetail>, StoreError> {
        self.refuse_older()?;
        let sql = format!("{} WHERE c.capture_id = ?1", super::page::COLUMNS);
        let row = self.connection.prepare_cached(&sql)?.query_row([capture.0], super::page::capture_row).optional()?;
        let Some(row) = row else { return Ok(None) };
        let mut detail =
            CaptureDetail { row, inspection: None, filename: None, pipeline: None, generation: None, inspections: 0 };
        let Some(image) = detail.row.image.map(|image| image.to_string()) else { return Ok(Some(detail)) };
        detail.inspections = self
            .connection
            .prepare_cached("SELECT count(*) FROM inspections WHERE image_id = ?1")?
            .query_row([&image], |row| row.get::<_, i64>(0))?
            .unsigned_abs();
        let current = self
            .connection
            .prepare_cached(
                "SELECT i.filename, i.inspection_id, n.pipeline_id, n.generation
                 FROM images i JOIN inspections n USING (inspection_id) WHERE i.image_id = ?1",
            )?
            .query_row([&image], |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(3)?))
            })
            .optional()?;
        if let Some((filename, id, pipeline, generation)) = current {
            detail.filename = Some(filename);
            detail.inspection = load::load(&self.connection, id)?;
            detail.pipeline = pipeline.parse().ok();
            detail.generation = Some(generation.unsigned_abs());
        }
        Ok(Some(detail))
    }

    /// The capture whose inspection was stored last.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn latest_done(&self) -> Result<Option<CaptureDetail>, StoreError> {
        let latest: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT capture_id FROM inspections WHERE state = 'done' ORDER BY inspection_id DESC LIMIT 1",
            )?
            .query_row([], |row| row.get(0))
            .optional()?;
        latest.map_or(Ok(None), |capture| self.capture(CaptureId(capture)))
    }

    /// Every source that ever was.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn sources(&self) -> Result<Vec<SourceRow>, StoreError> {
        let mut select =
            self.connection.prepare_cached("SELECT name, path, watched FROM sources ORDER BY source_id")?;
        let rows = select
            .query_map([], |row| Ok(SourceRow { name: row.get(0)?, path: path_from(row, 1)?, watched: row.get(2)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The files of a source that need not be read again. Ignored ones are left out: the configuration may have changed.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn known_files(&self, source: &str) -> Result<KnownFiles, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT path, dev, inode, size, mtime_ns FROM captures
             WHERE source_id = (SELECT source_id FROM sources WHERE name = ?1) AND state NOT IN ('replaced', 'ignored', 'settling')",
        )?;
        let known = select.query_map([source], |row| {
            let path = OsStr::from_bytes(row.get_ref(0)?.as_blob()?);
            Ok(KnownFile::of(Path::new(path), &key_from(row, 1)?))
        })?;
        Ok(known.collect::<Result<_, _>>()?)
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

pub(super) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn unreadable(column: usize, what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
}

pub(super) fn path_from(row: &Row<'_>, column: usize) -> Result<PathBuf, rusqlite::Error> {
    Ok(PathBuf::from(OsStr::from_bytes(row.get_ref(column)?.as_blob()?)))
}

/// The key in four columns from that one on. Unsigned numbers are stored as SQLite's signed ones, bit by bit.
pub(super) fn key_from(row: &Row<'_>, column: usize) -> Result<FileKey, rusqlite::Error> {
    let unsigned = |column| row.get(column).map(i64::cast_unsigned);
    Ok(FileKey {
        dev: unsigned(column)?,
        inode: unsigned(column + 1)?,
        size: unsigned(column + 2)?,
        mtime_ns: row.get(column + 3)?,
    })
}

pub(super) fn state_from(row: &Row<'_>, column: usize) -> Result<CaptureState, rusqlite::Error> {
    CaptureState::parse(row.get_ref(column)?.as_str()?).ok_or_else(|| unreadable(column, "an unknown state"))
}

pub(super) fn image_from(row: &Row<'_>, column: usize) -> Result<Option<ImageId>, rusqlite::Error> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    text.map(|text| text.parse().map_err(|_| unreadable(column, "no image id"))).transpose()
}
