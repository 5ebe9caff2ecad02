//! The tables of the source design as CSV (RFC 4180): numbers in full, the shortest text that reads back the same; an empty
//! cell is NULL.

use std::io::Write;

use csv::{Terminator, WriterBuilder};

use super::{
    Export, ExportError, Progress, Written,
    tables::{CORRELATIONS, DEFECTS, GEOMETRY, INTENSITY, TREND, Table},
    whole::{trouble, whole},
};
use crate::store::Cell;

const FILES: [(&str, Table); 5] = [
    ("intensity_stats.csv", INTENSITY),
    ("trends.csv", TREND),
    ("geometry.csv", GEOMETRY),
    ("defects.csv", DEFECTS),
    ("correlations.csv", CORRELATIONS),
];

/// Writes `intensity_stats.csv`, `trends.csv`, `geometry.csv`, `defects.csv` and `correlations.csv`.
///
/// # Errors
/// See [`ExportError`].
pub fn csv(export: &Export<'_>, progress: &mut Progress<'_>) -> Result<Written, ExportError> {
    let mut written = Written::default();
    for (name, table) in FILES {
        let path = export.out.join(name);
        let broken = trouble(&path);
        let file = whole(&path, |file| {
            let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(file);
            let names: Vec<&str> = table.columns().map(|(name, _)| name).collect();
            let failed = |error: csv::Error| broken(error.into());
            writer.write_record(&names).map_err(failed)?;
            let mut field = Vec::new();
            export.reader.each_row(&table.selection(&mut String::new()), |cells| {
                for cell in cells {
                    put(cell, &mut field);
                    writer.write_field(&field).map_err(failed)?;
                }
                writer.write_record(None::<&[u8]>).map_err(failed)?;
                written.items += 1;
                progress(written.items)?;
                Ok::<_, ExportError>(())
            })?;
            writer.flush().map_err(&broken)
        })?;
        written.files.push(file);
    }
    Ok(written)
}

/// The text of a cell.
fn put(cell: &Cell<'_>, field: &mut Vec<u8>) {
    field.clear();
    // Writing to memory does not fail.
    let _ = match cell {
        Cell::Null => Ok(()),
        Cell::Integer(value) => write!(field, "{value}"),
        // With an exponent where that is shorter; what is no number is not in the database.
        Cell::Real(value) => write!(field, "{value:?}"),
        Cell::Text(text) => field.write_all(harmless(text).as_bytes()),
        Cell::Bytes(bytes) => field.write_all(bytes),
    };
}

/// A spreadsheet takes text that begins like this for a formula and runs it (CWE-1236); behind an apostrophe it is text.
pub(super) fn harmless(text: &str) -> std::borrow::Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if formula { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_the_same_and_no_text_is_a_formula() {
        let text = |cell: Cell<'_>| {
            let mut field = Vec::new();
            put(&cell, &mut field);
            String::from_utf8(field).unwrap()
        };
        for value in [0.1 + 0.2, -1.5e-300, 131.0, f64::MAX, 5e-324] {
            assert_eq!(text(Cell::Real(value)).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
        assert_eq!((text(Cell::Null), text(Cell::Integer(-7))), (String::new(), "-7".into()));
        for formula in ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(1)", "\t=1", "＝1"] {
            assert_eq!(text(Cell::Text(formula)), format!("'{formula}"));
        }
        assert_eq!(text(Cell::Text("a=b, \"c\"")), "a=b, \"c\"");
    }
}
