//! A list of captures as a file: those that a filter admits, in their order, every figure of each. As CSV, where a spreadsheet
//! takes no text for a formula, or one JSON object a line.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use csv::{Terminator, WriterBuilder};
use serde::Serialize;

use super::{
    ExportError, Progress, Written,
    csv::harmless,
    whole::{trouble, whole},
};
use crate::{
    filter::{Filter, Order},
    ids::ImageId,
    names,
    report::{CaptureState, Outcome, Severity},
    store::{CaptureQuery, CaptureRow, Reader},
};

/// Captures read at once: a page costs little more than its rows.
const PAGE: usize = 5_000;

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureFile {
    Csv,
    /// One object a line.
    Json,
}

impl CaptureFile {
    /// What its file's name ends with.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "jsonl",
        }
    }
}

/// A capture: the columns of the CSV, in this order, and the keys of the JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    capture: i64,
    image_id: Option<ImageId>,
    source: Cow<'a, str>,
    path: Cow<'a, str>,
    /// The path's own bytes, where `path` does not say them.
    path_b64: Option<String>,
    state: CaptureState,
    seen_at: Cow<'a, str>,
    has_defect: Option<bool>,
    verdict: Option<Outcome>,
    defects: Option<u32>,
    severity: Option<Severity>,
    confidence: Option<f64>,
    quality: Option<f64>,
    split: Option<Cow<'a, str>>,
    job: Option<Cow<'a, str>>,
    port: Option<Cow<'a, str>>,
    side: Option<Cow<'a, str>>,
    ms: Option<f64>,
    bytes: u64,
    incomplete: bool,
    reviewed: bool,
    failure: Option<Cow<'a, str>>,
}

/// The heads of the CSV.
const COLUMNS: [&str; 22] = [
    "capture",
    "image_id",
    "source",
    "path",
    "path_b64",
    "state",
    "seen_at",
    "has_defect",
    "verdict",
    "defects",
    "severity",
    "confidence",
    "quality",
    "split",
    "job",
    "port",
    "side",
    "ms",
    "bytes",
    "incomplete",
    "reviewed",
    "failure",
];

impl<'a> Line<'a> {
    fn of(row: &'a CaptureRow, text: fn(&str) -> Cow<'_, str>) -> Self {
        let owned = |given: String| Cow::Owned(text(&given).into_owned());
        let tag = |name: &str| row.tags.get(name).map(|tag| text(tag));
        Self {
            capture: row.capture.0,
            image_id: row.image,
            source: text(&row.source),
            path: owned(names::display(&row.path)),
            path_b64: names::exact(&row.path),
            state: row.state,
            seen_at: text(&row.seen_at),
            has_defect: row.has_defect,
            verdict: row.verdict,
            defects: row.defects,
            severity: row.severity,
            confidence: row.confidence,
            quality: row.quality,
            split: row.split.as_deref().map(text),
            job: tag("job"),
            port: tag("port"),
            side: tag("side"),
            ms: row.ms,
            bytes: row.size,
            incomplete: row.incomplete,
            reviewed: row.reviewed,
            failure: row.failure.as_ref().map(|failure| owned(failure.to_string())),
        }
    }
}

/// The file while it is written.
enum Sheet<'f> {
    Csv(Box<csv::Writer<&'f mut BufWriter<File>>>),
    Json(&'f mut BufWriter<File>),
}

impl<'f> Sheet<'f> {
    fn begin(file: &'f mut BufWriter<File>, format: CaptureFile) -> io::Result<Self> {
        if format == CaptureFile::Json {
            return Ok(Self::Json(file));
        }
        // An empty list has its heads all the same.
        let mut sheet = WriterBuilder::new().terminator(Terminator::CRLF).has_headers(false).from_writer(file);
        sheet.write_record(COLUMNS)?;
        Ok(Self::Csv(Box::new(sheet)))
    }

    fn put(&mut self, row: &CaptureRow) -> io::Result<()> {
        match self {
            Self::Csv(sheet) => Ok(sheet.serialize(Line::of(row, harmless))?),
            Self::Json(file) => {
                serde_json::to_writer(&mut **file, &Line::of(row, |text| Cow::Borrowed(text)))?;
                file.write_all(b"\n")
            }
        }
    }

    fn end(mut self) -> io::Result<()> {
        match &mut self {
            Self::Csv(sheet) => sheet.flush(),
            Self::Json(_) => Ok(()),
        }
    }
}

/// Writes every capture that the filter admits, in that order. Memory does not grow with their number; what comes while it is
/// written may be in it or not.
///
/// # Errors
/// See [`ExportError`].
pub fn captures(
    reader: &Reader,
    (filter, order): (&Filter, Order),
    path: &Path,
    format: CaptureFile,
    progress: &mut Progress<'_>,
) -> Result<Written, ExportError> {
    let mut written = Written::default();
    let broken = trouble(path);
    let file = whole(path, |file| {
        let mut sheet = Sheet::begin(file, format).map_err(&broken)?;
        let mut after = None;
        loop {
            let query = CaptureQuery { filter: filter.clone(), order, after, limit: PAGE };
            let rows = reader.captures_page(&query)?;
            for row in &rows {
                sheet.put(row).map_err(&broken)?;
                written.items += 1;
            }
            progress(written.items)?;
            after = rows.last().map(|row| row.capture);
            if rows.len() < PAGE {
                return sheet.end().map_err(&broken);
            }
        }
    })?;
    written.files.push(file);
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_the_keys_of_a_line_and_no_text_is_a_formula() {
        let mut tags = std::collections::BTreeMap::new();
        tags.insert("job".to_owned(), "=1+1".to_owned());
        let row = CaptureRow {
            capture: crate::ids::CaptureId(7),
            source: "scope".into(),
            path: "/captures/a.png".into(),
            state: CaptureState::Done,
            image: None,
            duplicate_of: None,
            replaced_by: None,
            size: 3,
            tags,
            seen_at: "2026-01-02T03:04:05Z".into(),
            done_at: None,
            failure: None,
            has_defect: Some(true),
            verdict: Some(Outcome::Fail),
            defects: Some(2),
            incomplete: false,
            ms: Some(1.5),
            split: None,
            quality: None,
            confidence: None,
            severity: Some(Severity::High),
            reviewed: false,
        };
        let line = serde_json::to_string(&Line::of(&row, |text| Cow::Borrowed(text))).unwrap();
        let mut at = 0;
        for column in COLUMNS {
            let place = line[at..].find(&format!("\"{column}\":")).unwrap_or_else(|| panic!("{column} in {line}"));
            at += place + 1;
        }
        assert_eq!(line.matches("\":").count(), COLUMNS.len());
        assert!(line.contains("\"job\":\"=1+1\""), "{line}");
        let mut sheet = WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        sheet.serialize(Line::of(&row, harmless)).unwrap();
        let text = String::from_utf8(sheet.into_inner().unwrap()).unwrap();
        assert_eq!(
            text,
            "7,,scope,/captures/a.png,,done,2026-01-02T03:04:05Z,true,fail,2,HIGH,,,,'=1+1,,,1.5,3,false,false,\n"
        );
    }
}
