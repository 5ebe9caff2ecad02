//! Where a capture stands, for whoever waits for its end. Called by a build beside an engine.

use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rusqlite::{OptionalExtension, Params, Row};

use super::{
    Reader, StoreError,
    page::failure_from,
    reader::{image_from, key_from, path_from, state_from},
};
use crate::{
    ids::{CaptureId, ImageId},
    ingest::FileKey,
    report::{CaptureState, Failure},
};

/// A capture, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub capture: CaptureId,
    pub path: PathBuf,
    pub key: FileKey,
    pub state: CaptureState,
    pub image: Option<ImageId>,
    /// Why it failed or was ignored.
    pub failure: Option<Failure>,
    /// Some plug-in's results are missing.
    pub incomplete: bool,
}

impl Reader {
    /// Where that capture stands.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn standing(&self, capture: CaptureId) -> Result<Option<Standing>, StoreError> {
        self.one_standing("c.capture_id = ?1", [capture.0])
    }

    /// Where the newest version of that file stands which has a row, whatever the source.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn standing_of(&self, path: &Path) -> Result<Option<Standing>, StoreError> {
        // One look into the index a source, not a walk over all captures.
        let of_path = "c.source_id IN (SELECT source_id FROM sources) AND c.path = ?1 AND c.state <> 'replaced'
                       ORDER BY c.capture_id DESC LIMIT 1";
        self.one_standing(of_path, [path.as_os_str().as_bytes()])
    }

    fn one_standing(&self, condition: &str, params: impl Params) -> Result<Option<Standing>, StoreError> {
        let sql = format!(
            "SELECT c.capture_id, c.path, c.dev, c.inode, c.size, c.mtime_ns, c.state, c.image_id,
                 c.failure_stage, c.failure_plugin, c.failure_message, c.failure_transient, i.incomplete
             FROM captures c LEFT JOIN images i ON i.image_id = c.image_id WHERE {condition}"
        );
        Ok(self.connection().prepare_cached(&sql)?.query_row(params, standing).optional()?)
    }
}

fn standing(row: &Row<'_>) -> Result<Standing, rusqlite::Error> {
    Ok(Standing {
        capture: CaptureId(row.get(0)?),
        path: path_from(row, 1)?,
        key: key_from(row, 2)?,
        state: state_from(row, 6)?,
        image: image_from(row, 7)?,
        failure: failure_from(row, 8)?,
        incomplete: row.get::<_, Option<bool>>(12)?.unwrap_or(false),
    })
}
