//! Captures on their way to workers and back into the queue.

use rusqlite::{Connection, Params, Row};

use super::{
    reader::{key_from, path_from},
    write::{Receipt, Requeue, UnreadCapture},
    writer::Fault,
};
use crate::ids::CaptureId;

/// Marks queued captures as running. One that was replaced meanwhile is not in the receipt, and must not run.
pub(super) fn running(connection: &Connection, captures: &[CaptureId]) -> Result<Receipt, Fault> {
    let mut update = connection.prepare_cached(
        "UPDATE captures SET state = 'running', attempts = attempts + 1 WHERE capture_id = ?1 AND state = 'queued'",
    )?;
    let mut taken = Vec::with_capacity(captures.len());
    for capture in captures {
        if update.execute([capture.0])? == 1 {
            taken.push(*capture);
        }
    }
    Ok(Receipt::Running(taken))
}

/// Where a capture goes back to: a readable one to `queued`, one that could not be read to `settling` until it is.
const BACK: &str = "UPDATE captures SET
    state = CASE WHEN image_id IS NULL THEN 'settling' ELSE 'queued' END,
    failure_stage = NULL, failure_plugin = NULL, failure_message = NULL, failure_transient = NULL, done_at = NULL";

/// A row that is to be read again.
const UNREAD: &str =
    "(SELECT name FROM sources s WHERE s.source_id = captures.source_id), path, dev, inode, size, mtime_ns";

/// Puts captures back into the queue.
pub(super) fn requeue(connection: &Connection, which: &Requeue) -> Result<Receipt, Fault> {
    let mut back = Back { connection, queued: 0, unread: Vec::new() };
    match which {
        Requeue::AllFailed => back.rows("state = 'failed'", [])?,
        Requeue::Failed(captures) => {
            for capture in captures {
                back.rows("capture_id = ?1 AND state = 'failed'", [capture.0])?;
            }
        }
        Requeue::Running(captures) => {
            for capture in captures {
                back.rows("capture_id = ?1 AND state = 'running'", [capture.0])?;
            }
        }
        Requeue::Images(images) => {
            for image in images {
                back.rows("image_id = ?1 AND state IN ('done', 'failed')", [image.to_string()])?;
            }
        }
        Requeue::IncompleteFor(plugin) => back.rows(
            "state = 'done' AND image_id IN (
                 SELECT i.image_id FROM images i JOIN inspections n USING (inspection_id), json_each(n.incomplete) m
                 WHERE i.incomplete AND (m.value ->> 'plugin' = ?1 OR m.value ->> 'plugin' GLOB ?1 || ' *'))",
            [plugin.as_str()],
        )?,
        Requeue::OtherPipeline(pipeline) => back.rows(
            "state = 'done' AND image_id IN (
                 SELECT i.image_id FROM images i JOIN inspections n USING (inspection_id) WHERE n.pipeline_id <> ?1)",
            [pipeline.as_str()],
        )?,
    }
    Ok(Receipt::Requeued { queued: back.queued, unread: back.unread })
}

struct Back<'a> {
    connection: &'a Connection,
    queued: u64,
    unread: Vec<UnreadCapture>,
}

impl Back<'_> {
    /// Those rows.
    fn rows(&mut self, condition: &str, params: impl Params) -> Result<(), Fault> {
        let sql = format!("{BACK} WHERE {condition} RETURNING image_id IS NULL, {UNREAD}");
        let mut update = self.connection.prepare_cached(&sql)?;
        let mut rows = update.query(params)?;
        while let Some(row) = rows.next()? {
            if row.get(0)? {
                self.unread.push(unread_from(row, 1)?);
            } else {
                self.queued += 1;
            }
        }
        Ok(())
    }
}

/// Captures whose file is to be read again.
pub(super) fn unread(connection: &Connection) -> Result<Vec<UnreadCapture>, rusqlite::Error> {
    connection
        .prepare_cached(&format!("SELECT {UNREAD} FROM captures WHERE state = 'settling'"))?
        .query_map([], |row| unread_from(row, 0))?
        .collect()
}

fn unread_from(row: &Row<'_>, column: usize) -> Result<UnreadCapture, rusqlite::Error> {
    Ok(UnreadCapture { source: row.get(column)?, path: path_from(row, column + 1)?, key: key_from(row, column + 2)? })
}
