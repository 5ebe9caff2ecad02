//! Captures on their way to workers and back into the queue.

use rusqlite::{Connection, Params, Row, ToSql};

use super::{
    Reader, StoreError,
    reader::{image_from, key_from, path_from},
    write::{Receipt, Requeue, UnreadCapture},
    writer::Fault,
};
use crate::{
    ids::{CaptureId, ImageId, PipelineId},
    settings::MaskFormat,
};

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

/// An image `i` that another pipeline than ?1 inspected last.
const OTHER_PIPELINE: &str = "(SELECT n.pipeline_id FROM inspections n WHERE n.inspection_id = i.inspection_id) <> ?1";

/// An image `i` with zones whose masks are there as PNG although ?1 is 0, or are not although it is 1; as NPY, by ?2. One
/// whose masks `[dataset.keep]` let go has no list of defects either, and stays as it is.
const OTHER_MASKS: &str = "NOT i.gone
    AND EXISTS (SELECT 1 FROM artefacts a WHERE a.image_id = i.image_id AND a.name = i.image_id || '_defects.json')
    AND EXISTS (SELECT 1 FROM inspection_zones z
                WHERE z.inspection_id = i.inspection_id AND z.zone IN ('core', 'cladding', 'ferrule'))
    AND (EXISTS (SELECT 1 FROM artefacts a
                 WHERE a.image_id = i.image_id AND a.folder = 'masks' AND a.name GLOB '*.png') <> ?1
      OR EXISTS (SELECT 1 FROM artefacts a
                 WHERE a.image_id = i.image_id AND a.folder = 'masks' AND a.name GLOB '*.npy') <> ?2)";

/// As PNG, as NPY.
fn wanted(format: MaskFormat) -> [bool; 2] {
    [matches!(format, MaskFormat::Png | MaskFormat::Both), matches!(format, MaskFormat::Npy | MaskFormat::Both)]
}

impl Reader {
    /// Captures whose image was inspected by another pipeline than this one, or has masks of another format: what a build
    /// inspects again.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn outdated(&self, pipeline: &PipelineId, masks: MaskFormat) -> Result<Vec<(CaptureId, ImageId)>, StoreError> {
        let mut all = Vec::new();
        let mut take = |condition: &str, params: &[&dyn ToSql]| -> Result<(), StoreError> {
            let sql = format!(
                "SELECT c.capture_id, c.image_id FROM captures c JOIN images i USING (image_id)
                 WHERE c.state = 'done' AND {condition} ORDER BY c.capture_id"
            );
            let mut select = self.connection().prepare_cached(&sql)?;
            let mut rows = select.query(params)?;
            while let Some(row) = rows.next()? {
                let capture = CaptureId(row.get(0)?);
                all.extend(image_from(row, 1)?.map(|image| (capture, image)));
            }
            Ok(())
        };
        let [png, npy] = wanted(masks);
        take(OTHER_PIPELINE, &[&pipeline.as_str()])?;
        take(OTHER_MASKS, &[&png, &npy])?;
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }
}

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
        Requeue::Transient { attempts } => {
            back.rows("state = 'failed' AND failure_transient AND attempts <= ?1", [attempts])?;
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
            &format!("state = 'done' AND image_id IN (SELECT i.image_id FROM images i WHERE {OTHER_PIPELINE})"),
            [pipeline.as_str()],
        )?,
        Requeue::OtherMasks(format) => back.rows(
            &format!("state = 'done' AND image_id IN (SELECT i.image_id FROM images i WHERE {OTHER_MASKS})"),
            wanted(*format),
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
