//! `splits/train.csv`, `val.csv`, `test.csv`: what is on which side, for programs that read no database.
//!
//! RFC 4180 (lines end in CR LF), columns `image_id, filename, has_defect`, sorted by file name. Written beside and renamed
//! into place, so that a reader sees an old list or a new one. Names are safe in spreadsheets by the rule of
//! [`crate::names::image_filename`]. Called by the store, after sides were given or labels changed.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
};

use rusqlite::Connection;

use super::split::Side;
use crate::workspace::DatasetPaths;

/// Why there are no manifests.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("the splits cannot be read: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("{}: {source}; check that the dataset is writable and its disk has room", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Writes the three lists.
///
/// # Errors
/// The database cannot be read, or the folder not be written.
pub fn write(paths: &DatasetPaths, connection: &Connection) -> Result<(), ManifestError> {
    let folder = paths.splits();
    fs::create_dir_all(&folder).map_err(|source| ManifestError::Write { path: folder.clone(), source })?;
    for side in Side::ALL {
        let path = folder.join(format!("{side}.csv"));
        let beside = path.with_extension("csv.part");
        let trouble = |source| ManifestError::Write { path: path.clone(), source };
        let file = File::create(&beside).map_err(trouble)?;
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(file);
        let record = |error: csv::Error| trouble(io::Error::other(error));
        writer.write_record(["image_id", "filename", "has_defect"]).map_err(record)?;
        let sql = "SELECT image_id, filename, has_defect FROM images WHERE split = ?1 ORDER BY filename";
        let mut select = connection.prepare_cached(sql)?;
        let mut rows = select.query([side.as_str()])?;
        while let Some(row) = rows.next()? {
            let (image, filename, label): (String, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
            writer.write_record([image.as_str(), &filename, if label { "1" } else { "0" }]).map_err(record)?;
        }
        let file = writer.into_inner().map_err(|error| trouble(io::Error::other(error.to_string())))?;
        file.sync_all().and_then(|()| fs::rename(&beside, &path)).map_err(trouble)?;
    }
    Ok(())
}
