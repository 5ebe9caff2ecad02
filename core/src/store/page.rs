//! A capture as a line of a table: its columns, and how they are read. Which captures a page has says `listing`.

use rusqlite::Row;

use super::reader::{CaptureRow, image_from, path_from, state_from};
use crate::{
    ids::CaptureId,
    report::{Failure, Outcome, Severity},
};

/// A capture with what is known of its content.
pub(super) const COLUMNS: &str = "
    SELECT c.capture_id, s.name, c.path, c.state, c.image_id, c.duplicate_of, c.replaced_by, c.size, c.tags, c.seen_at,
           c.done_at, c.failure_stage, c.failure_plugin, c.failure_message, c.failure_transient,
           i.has_defect, i.verdict, n.defects, i.incomplete,
           n.ms_decode + n.ms_segment + n.ms_detect + n.ms_measure + n.ms_grade + n.ms_artefacts,
           i.split, i.quality_score, l.confidence, l.severity, l.reviewed
    FROM captures c CROSS JOIN sources s ON s.source_id = c.source_id
    CROSS JOIN listing l ON l.capture_id = c.capture_id
    LEFT JOIN images i ON i.image_id = c.image_id
    LEFT JOIN inspections n ON n.inspection_id = i.inspection_id";

pub(super) fn capture_row(row: &Row<'_>) -> Result<CaptureRow, rusqlite::Error> {
    let state = state_from(row, 3)?;
    Ok(CaptureRow {
        capture: CaptureId(row.get(0)?),
        source: row.get(1)?,
        path: path_from(row, 2)?,
        state,
        image: image_from(row, 4)?,
        duplicate_of: row.get::<_, Option<i64>>(5)?.map(CaptureId),
        replaced_by: row.get::<_, Option<i64>>(6)?.map(CaptureId),
        size: row.get::<_, i64>(7)?.unsigned_abs(),
        tags: serde_json::from_str(row.get_ref(8)?.as_str()?).unwrap_or_default(),
        seen_at: row.get(9)?,
        done_at: row.get(10)?,
        failure: failure_from(row, 11)?,
        has_defect: row.get(15)?,
        verdict: row.get_ref(16)?.as_str_or_null()?.and_then(Outcome::parse),
        defects: row.get(17)?,
        incomplete: row.get::<_, Option<bool>>(18)?.unwrap_or(false),
        ms: row.get(19)?,
        split: row.get(20)?,
        quality: row.get(21)?,
        confidence: Some(row.get::<_, f64>(22)?).filter(|confidence| *confidence >= 0.0),
        severity: usize::try_from(row.get::<_, i64>(23)?).ok().and_then(|rank| Severity::ALL.get(rank).copied()),
        reviewed: row.get(24)?,
    })
}

/// Why it failed or was ignored: stage, plug-in, message and whether for the moment only, in four columns from that one on.
pub(super) fn failure_from(row: &Row<'_>, column: usize) -> Result<Option<Failure>, rusqlite::Error> {
    let message: Option<String> = row.get(column + 2)?;
    let failure = message.map(|message| {
        Ok(Failure {
            stage: row.get::<_, Option<String>>(column)?.unwrap_or_default(),
            plugin: row.get(column + 1)?,
            message,
            transient: row.get::<_, Option<bool>>(column + 3)?.unwrap_or(false),
        })
    });
    failure.transpose()
}
