//! Captures on their way to workers and back into the queue.

use rusqlite::{Connection, Params, params};

use super::{
    reader::key_from,
    reader::path_from,
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

/// A readable capture goes back to `queued`; one that could not be read goes to `settling` until it is read again.
const BACK: &str = "UPDATE captures SET
    state = CASE WHEN image_id IS NULL THEN 'settling' ELSE 'queued' END,
    failure_stage = NULL, failure_plugin = NULL, failure_message = NULL, failure_transient = NULL, done_at = NULL";

/// Puts captures back into the queue.
pub(super) fn requeue(connection: &Connection, which: &Requeue) -> Result<Receipt, Fault> {
    let before = unread(connection)?;
    let touched = match which {
        Requeue::AllFailed => back(connection, "state = 'failed'", [])?,
        Requeue::Failed(captures) => {
            each(captures, |capture| back(connection, "capture_id = ?1 AND state = 'failed'", [capture.0]))?
        }
        Requeue::Running(captures) => {
            each(captures, |capture| back(connection, "capture_id = ?1 AND state = 'running'", [capture.0]))?
        }
        Requeue::Images(images) => each(images, |image| {
            back(connection, "image_id = ?1 AND state IN ('done', 'failed')", [image.to_string()])
        })?,
        Requeue::IncompleteFor(plugin) => {
            let rows = "state = 'done' AND image_id IN (
                SELECT i.image_id FROM images i JOIN inspections n USING (inspection_id), json_each(n.incomplete) m
                WHERE i.incomplete AND (m.value ->> 'plugin' = ?1 OR m.value ->> 'plugin' GLOB ?1 || ' *'))";
            back(connection, rows, params![plugin.as_str()])?
        }
    };
    let unread: Vec<_> = unread(connection)?.into_iter().filter(|capture| !before.contains(capture)).collect();
    Ok(Receipt::Requeued { queued: touched - unread.len() as u64, unread })
}

fn each<T>(items: &[T], mut one: impl FnMut(&T) -> Result<u64, Fault>) -> Result<u64, Fault> {
    items.iter().try_fold(0, |sum, item| Ok(sum + one(item)?))
}

fn back(connection: &Connection, rows: &str, params: impl Params) -> Result<u64, Fault> {
    Ok(connection.prepare_cached(&format!("{BACK} WHERE {rows}"))?.execute(params)? as u64)
}

/// Captures whose file is to be read again.
pub(super) fn unread(connection: &Connection) -> Result<Vec<UnreadCapture>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT s.name, c.path, c.dev, c.inode, c.size, c.mtime_ns FROM captures c JOIN sources s USING (source_id)
             WHERE c.state = 'settling'",
        )?
        .query_map([], |row| {
            Ok(UnreadCapture { source: row.get(0)?, path: path_from(row, 1)?, key: key_from(row, 2)? })
        })?
        .collect()
}
