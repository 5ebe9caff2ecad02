//! Reviews as CSV (RFC 4180), one decision a line. What a person needs to write is `filename,has_defect`; the other columns
//! make a file that comes out of a dataset go into another whole.

use std::{io, path::Path};

use super::{Decision, Imported, Review, ReviewError, ReviewedDefect};
use crate::{names, report::DefectKind, store::Reader};

const COLUMNS: [&str; 14] = [
    "image_id",
    "filename",
    "reviewer",
    "at",
    "decision",
    "has_defect",
    "defect_id",
    "type",
    "box_x",
    "box_y",
    "box_width",
    "box_height",
    "mask",
    "note",
];

/// Writes every review, the oldest first; returns how many.
///
/// # Errors
/// The database cannot be read, or nothing be written to `to`; `path` is for the message.
pub fn write(reader: &Reader, to: impl io::Write, path: &Path) -> Result<u64, ReviewError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(to);
    let trouble = |error: csv::Error| ReviewError::Write { path: path.to_owned(), source: io::Error::other(error) };
    writer.write_record(COLUMNS).map_err(trouble)?;
    let mut count = 0;
    reader.reviews(|filename, review| {
        let label = review.decision.label().map_or("", |label| if label { "1" } else { "0" });
        let defect = review.defect.as_ref();
        let number = |i: usize| defect.map_or_else(String::new, |defect| defect.bbox[i].to_string());
        count += 1;
        writer
            .write_record([
                review.image.to_string().as_str(),
                filename,
                &guarded(&review.reviewer),
                review.at.as_deref().unwrap_or_default(),
                review.decision.as_str(),
                label,
                defect.and_then(|defect| defect.defect_id.as_deref()).unwrap_or_default(),
                defect.map_or("", |defect| defect.kind.as_str()),
                &number(0),
                &number(1),
                &number(2),
                &number(3),
                &defect.map_or_else(String::new, |defect| mask_text(&defect.mask)),
                &guarded(review.note.as_deref().unwrap_or_default()),
            ])
            .map_err(trouble)
    })?;
    writer.flush().map_err(|source| ReviewError::Write { path: path.to_owned(), source })?;
    Ok(count)
}

/// A spreadsheet would calculate with text that begins like a formula; the apostrophe is taken off when it is read.
fn guarded(text: &str) -> String {
    let calculates = text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']);
    if calculates { format!("'{text}") } else { text.to_owned() }
}

fn unguarded(text: &str) -> String {
    match text.strip_prefix('\'') {
        Some(rest) if guarded(rest) != rest => rest.to_owned(),
        _ => text.to_owned(),
    }
}

/// `y:x:length` for each run.
fn mask_text(mask: &[[u32; 3]]) -> String {
    mask.iter().map(|[y, x, length]| format!("{y}:{x}:{length}")).collect::<Vec<_>>().join(" ")
}

fn mask_from(text: &str) -> Option<Vec<[u32; 3]>> {
    let run = |run: &str| -> Option<[u32; 3]> {
        let mut numbers = run.split(':').map(|number| number.parse().ok());
        let run = [numbers.next()??, numbers.next()??, numbers.next()??];
        numbers.next().is_none().then_some(run)
    };
    text.split_whitespace().map(run).collect()
}

pub(super) fn read(path: &Path, reviewer: &str, reader: &Reader) -> Result<Imported, ReviewError> {
    let unreadable = |error: csv::Error| ReviewError::Unreadable {
        path: path.to_owned(),
        reason: names::visible(&error.to_string()).into_owned(),
    };
    let mut file = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_path(path).map_err(unreadable)?;
    let headers = file.headers().map_err(unreadable)?.clone();
    // Spreadsheets put a mark of byte order before the first name.
    let place = |name: &str| headers.iter().position(|header| header.trim_start_matches('\u{feff}') == name);
    let places = COLUMNS.map(place);
    let has = |name: &str| COLUMNS.iter().position(|column| *column == name).is_some_and(|i| places[i].is_some());
    if !has("image_id") && !has("filename") {
        return Err(ReviewError::Column { path: path.to_owned(), column: "filename" });
    }
    if !has("decision") && !has("has_defect") {
        return Err(ReviewError::Column { path: path.to_owned(), column: "has_defect" });
    }
    let mut imported = Imported::default();
    for record in file.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                imported.faults.push(names::visible(&error.to_string()).into_owned());
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let value = |name: &str| -> &str {
            let column = COLUMNS.iter().position(|column| *column == name).and_then(|i| places[i]);
            column.and_then(|column| record.get(column)).unwrap_or_default()
        };
        match review(&value, reviewer, reader) {
            Ok(review) => imported.reviews.push(review),
            Err(reason) => imported.faults.push(format!("line {line}: {}", names::visible(&reason))),
        }
    }
    Ok(imported)
}

fn review<'r>(value: &dyn Fn(&str) -> &'r str, reviewer: &str, reader: &Reader) -> Result<Review, String> {
    let (id, filename) = (value("image_id"), value("filename"));
    let image = match id.parse() {
        Ok(image) => image,
        Err(_) if id.is_empty() && !filename.is_empty() => reader
            .image_named(filename)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| format!("no image of the dataset is named {filename}"))?,
        Err(error) => return Err(error.to_string()),
    };
    let decision = match (value("decision"), value("has_defect")) {
        ("", "1" | "true") => Decision::Defect,
        ("", "0" | "false") => Decision::Clean,
        ("", other) => return Err(format!("has_defect is {other:?}, expected 0 or 1")),
        (word, _) => Decision::parse(word).ok_or_else(|| {
            let words: Vec<&str> = Decision::ALL.iter().map(|decision| decision.as_str()).collect();
            format!("decision is {word:?}, expected {}", words.join(", "))
        })?,
    };
    let defect = if decision.is_of_defect() { Some(defect(value)?) } else { None };
    let given = |name: &str| Some(unguarded(value(name))).filter(|text| !text.is_empty());
    Ok(Review {
        image,
        reviewer: given("reviewer").unwrap_or_else(|| reviewer.to_owned()),
        at: given("at"),
        decision,
        defect,
        note: given("note"),
    })
}

fn defect<'r>(value: &dyn Fn(&str) -> &'r str) -> Result<ReviewedDefect, String> {
    let kind = value("type");
    let kind = DefectKind::parse(kind).ok_or_else(|| format!("type is {kind:?}, no type of defect"))?;
    let mut bbox = [0; 4];
    for (number, name) in bbox.iter_mut().zip(["box_x", "box_y", "box_width", "box_height"]) {
        *number = value(name).parse().map_err(|_| format!("{name} is {:?}, expected a whole number", value(name)))?;
    }
    let mask = mask_from(value("mask")).ok_or("mask is not runs of y:x:length")?;
    Ok(ReviewedDefect { defect_id: Some(value("defect_id").to_owned()).filter(|id| !id.is_empty()), kind, bbox, mask })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_calculate_is_guarded_and_comes_back() {
        for text in ["=1+1", "'=1", "it's", "", "-x", "anna", "''@x"] {
            let stored = guarded(text);
            assert!(!stored.starts_with(['=', '-', '+', '@']), "{stored}");
            assert_eq!(unguarded(&stored), text);
        }
    }

    #[test]
    fn masks_come_back() {
        let mask = vec![[1, 2, 3], [2, 2, 9]];
        assert_eq!(mask_from(&mask_text(&mask)), Some(mask));
        assert_eq!(mask_from(""), Some(Vec::new()));
        assert_eq!(mask_from("1:2"), None);
    }
}
