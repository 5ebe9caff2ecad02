//! Files that were seen: each version one row, each content inspected once.

use std::{os::unix::ffi::OsStrExt, path::Path};

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::{
    pipelines,
    reader::{image_from, key_from, path_from, state_from},
    write::{Admission, Admitted, Content, Receipt},
    writer::Fault,
};
use crate::{
    ids::{CaptureId, ImageId},
    ingest::FileKey,
    names,
    report::CaptureState,
};

pub(super) fn admit_all(connection: &Connection, admissions: &[Admission]) -> Result<Receipt, Fault> {
    admissions.iter().map(|admission| admit(connection, admission)).collect::<Result<_, _>>().map(Receipt::Admitted)
}

/// The live row of a path.
struct Former {
    capture: CaptureId,
    key: FileKey,
    state: CaptureState,
    image: Option<ImageId>,
    duplicate_of: Option<CaptureId>,
    message: Option<String>,
}

impl Former {
    /// Nothing new: this version of the file has its row. It may be admitted again where it was not taken as a capture or
    /// never could be read; and a file that is no capture is one row, however often it changes.
    fn says_the_same(&self, admission: &Admission) -> bool {
        let is_same = self.key == admission.key;
        match self.state {
            CaptureState::Settling => false,
            CaptureState::Ignored => matches!(admission.content, Content::Ignored { .. }),
            CaptureState::Failed => {
                is_same && (self.image.is_some() || !matches!(admission.content, Content::Hashed(_)))
            }
            _ => is_same,
        }
    }

    /// It is the one capture that stands for its content.
    fn holds_content(&self) -> Option<ImageId> {
        let live = matches!(
            self.state,
            CaptureState::Queued | CaptureState::Running | CaptureState::Done | CaptureState::Failed
        );
        self.image.filter(|_| live)
    }
}

fn admit(connection: &Connection, admission: &Admission) -> Result<Admitted, Fault> {
    let source = source_id(connection, &admission.source)?;
    let former = former(connection, source, &admission.path)?;
    match former {
        Some(former) if former.says_the_same(admission) => Ok(Admitted {
            capture: former.capture,
            source: admission.source.clone(),
            path: admission.path.clone(),
            image: former.image,
            state: former.state,
            duplicate_of: former.duplicate_of,
            replaces: None,
            promoted: None,
            new: false,
            message: former.message,
        }),
        Some(former) if former.key == admission.key => {
            let row = Row::of(connection, admission)?;
            row.update(connection, former.capture, admission)?;
            Ok(row.admitted(former.capture, admission))
        }
        Some(former) => replace(connection, source, admission, &former),
        None => {
            let row = Row::of(connection, admission)?;
            let capture = row.insert(connection, source, admission)?;
            Ok(row.admitted(capture, admission))
        }
    }
}

fn source_id(connection: &Connection, name: &str) -> Result<i64, Fault> {
    connection
        .prepare_cached("SELECT source_id FROM sources WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?
        .ok_or_else(|| Fault::Refused(format!("a capture of the unknown source `{name}`")))
}

fn former(connection: &Connection, source: i64, path: &Path) -> Result<Option<Former>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT capture_id, dev, inode, size, mtime_ns, state, image_id, duplicate_of, failure_message FROM captures
         WHERE source_id = ?1 AND path = ?2 AND state <> 'replaced'",
    )?;
    let row = select.query_row(params![source, path.as_os_str().as_bytes()], |row| {
        Ok(Former {
            capture: CaptureId(row.get(0)?),
            key: key_from(row, 1)?,
            state: state_from(row, 5)?,
            image: image_from(row, 6)?,
            duplicate_of: row.get::<_, Option<i64>>(7)?.map(CaptureId),
            message: row.get(8)?,
        })
    });
    Ok(row.optional()?)
}

/// What a new row says.
struct Row<'a> {
    state: CaptureState,
    image: Option<ImageId>,
    duplicate_of: Option<CaptureId>,
    stage: Option<&'a str>,
    message: Option<&'a str>,
    transient: Option<bool>,
}

impl<'a> Row<'a> {
    /// From what the file holds, and whether another live capture holds the same.
    fn of(connection: &Connection, admission: &'a Admission) -> Result<Self, Fault> {
        let empty = Self {
            state: CaptureState::Queued,
            image: None,
            duplicate_of: None,
            stage: None,
            message: None,
            transient: None,
        };
        Ok(match &admission.content {
            Content::Ignored { reason } => Self { state: CaptureState::Ignored, message: Some(reason), ..empty },
            Content::Unreadable(failure) => Self {
                state: CaptureState::Failed,
                stage: Some(&failure.stage),
                message: Some(&failure.message),
                transient: Some(failure.transient),
                ..empty
            },
            Content::Hashed(image) => {
                note_content(connection, *image, admission)?;
                let first = holder(connection, *image)?;
                let state = if first.is_some() { CaptureState::Duplicate } else { CaptureState::Queued };
                Self { state, image: Some(*image), duplicate_of: first, ..empty }
            }
        })
    }

    fn insert(&self, connection: &Connection, source: i64, admission: &Admission) -> Result<CaptureId, Fault> {
        let tags = serde_json::to_string(&admission.tags).map_err(|error| Fault::Refused(error.to_string()))?;
        let key = &admission.key;
        insertion(connection)?.execute(params![
            source,
            admission.path.as_os_str().as_bytes(),
            key.dev.cast_signed(),
            key.inode.cast_signed(),
            key.size.cast_signed(),
            key.mtime_ns,
            self.state.as_str(),
            self.image.map(|image| image.to_string()),
            self.duplicate_of.map(|capture| capture.0),
            self.stage,
            self.message,
            self.transient,
            admission.tags.get("job"),
            admission.tags.get("port"),
            admission.tags.get("side"),
            tags,
            pipelines::text(admission.seen_at),
            self.image.map(|_| names::image_filename(&admission.path, "")),
            shown(&admission.path),
        ])?;
        Ok(CaptureId(connection.last_insert_rowid()))
    }

    fn update(&self, connection: &Connection, capture: CaptureId, admission: &Admission) -> Result<(), Fault> {
        connection
            .prepare_cached(
                "UPDATE captures SET state = ?2, image_id = ?3, duplicate_of = ?4, failure_stage = ?5,
                     failure_message = ?6, failure_transient = ?7, failure_plugin = NULL, name = ?8
                 WHERE capture_id = ?1",
            )?
            .execute(params![
                capture.0,
                self.state.as_str(),
                self.image.map(|image| image.to_string()),
                self.duplicate_of.map(|first| first.0),
                self.stage,
                self.message,
                self.transient,
                self.image.map(|_| names::image_filename(&admission.path, "")),
            ])?;
        Ok(())
    }

    fn admitted(&self, capture: CaptureId, admission: &Admission) -> Admitted {
        Admitted {
            capture,
            source: admission.source.clone(),
            path: admission.path.clone(),
            image: self.image,
            state: self.state,
            duplicate_of: self.duplicate_of,
            replaces: None,
            promoted: None,
            new: true,
            message: self.message.map(str::to_owned),
        }
    }
}

/// The file's name as lists show it, find it and sort by it.
fn shown(path: &Path) -> String {
    names::display(path.file_name().map_or(path, Path::new))
}

/// Gives captures of an older database the names that lists show.
pub(super) fn show_names(connection: &Connection) -> Result<(), rusqlite::Error> {
    let mut select = connection.prepare("SELECT capture_id, path FROM captures")?;
    let mut update = connection.prepare("UPDATE captures SET shown = ?2 WHERE capture_id = ?1")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        update.execute(params![row.get::<_, i64>(0)?, shown(&path_from(row, 1)?)])?;
    }
    Ok(())
}

fn insertion(connection: &Connection) -> Result<CachedStatement<'_>, Fault> {
    Ok(connection.prepare_cached(
        "INSERT INTO captures (source_id, path, dev, inode, size, mtime_ns, state, image_id, duplicate_of,
             failure_stage, failure_message, failure_transient, job, port, side, tags, seen_at, name,
             shown)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?)
}

fn note_content(connection: &Connection, image: ImageId, admission: &Admission) -> Result<(), Fault> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO contents (image_id, bytes, first_at) VALUES (?1, ?2, ?3)")?
        .execute(params![image.to_string(), admission.key.size.cast_signed(), pipelines::text(admission.seen_at)])?;
    Ok(())
}

/// The live capture that stands for this content.
fn holder(connection: &Connection, image: ImageId) -> Result<Option<CaptureId>, Fault> {
    let first = connection
        .prepare_cached(
            "SELECT capture_id FROM captures
             WHERE image_id = ?1 AND state IN ('settling', 'queued', 'running', 'done', 'failed')",
        )?
        .query_row([image.to_string()], |row| row.get(0).map(CaptureId))
        .optional()?;
    Ok(first)
}

/// A file rewritten in place: its former row steps back, and what it stood for finds another holder.
fn replace(connection: &Connection, source: i64, admission: &Admission, former: &Former) -> Result<Admitted, Fault> {
    connection
        .prepare_cached("UPDATE captures SET state = 'replaced' WHERE capture_id = ?1")?
        .execute([former.capture.0])?;
    let row = Row::of(connection, admission)?;
    let capture = row.insert(connection, source, admission)?;
    connection
        .prepare_cached("UPDATE captures SET replaced_by = ?2 WHERE capture_id = ?1")?
        .execute([former.capture.0, capture.0])?;
    let mut admitted = row.admitted(capture, admission);
    admitted.replaces = Some(former.capture);
    if let Some(image) = former.holds_content() {
        let same = admitted.image == Some(image);
        let heir = if same { Some(capture) } else { oldest_duplicate(connection, former.capture)? };
        if let Some(heir) = heir {
            let state = inherit(connection, former, heir)?;
            if same {
                admitted.state = state;
            } else if state == CaptureState::Queued {
                admitted.promoted = Some(heir);
            }
        }
    }
    Ok(admitted)
}

fn oldest_duplicate(connection: &Connection, first: CaptureId) -> Result<Option<CaptureId>, Fault> {
    let oldest = connection
        .prepare_cached(
            "SELECT capture_id FROM captures WHERE duplicate_of = ?1 AND state = 'duplicate' ORDER BY capture_id LIMIT 1",
        )?
        .query_row([first.0], |row| row.get(0).map(CaptureId))
        .optional()?;
    Ok(oldest)
}

/// Makes `heir`, which has the same content, stand where `former` stood: with its result, or in the queue.
fn inherit(connection: &Connection, former: &Former, heir: CaptureId) -> Result<CaptureState, Fault> {
    let state = if former.state == CaptureState::Done { CaptureState::Done } else { CaptureState::Queued };
    connection
        .prepare_cached(
            "UPDATE captures SET state = ?3, duplicate_of = NULL, inspection_id = f.inspection_id,
                 done_at = iif(?3 = 'done', f.done_at, NULL)
             FROM (SELECT inspection_id, done_at FROM captures WHERE capture_id = ?1) f WHERE captures.capture_id = ?2",
        )?
        .execute(params![former.capture.0, heir.0, state.as_str()])?;
    connection
        .prepare_cached("UPDATE captures SET duplicate_of = ?2 WHERE duplicate_of = ?1 AND state = 'duplicate'")?
        .execute([former.capture.0, heir.0])?;
    connection
        .prepare_cached("UPDATE images SET capture_id = ?2 WHERE capture_id = ?1")?
        .execute([former.capture.0, heir.0])?;
    Ok(state)
}
