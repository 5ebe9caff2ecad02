//! `splits/train.csv`, `val.csv`, `test.csv`: what is on which side, for programs that read no database.
//!
//! RFC 4180 (lines end in CR LF), columns `image_id, filename, has_defect`, sorted by file name. Written beside and renamed
//! into place, so that a reader sees an old list or a new one. Names are safe in spreadsheets by the rule of
//! [`crate::names::image_filename`]. Called after splits are given, by a build and by `ferrule export csv`.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
};

use super::split::Side;
use crate::{
    store::{Reader, StoreError},
    workspace::DatasetPaths,
};

/// Why there are no manifests.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}: {source}; check that the dataset is writable and its disk has room", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Writes the three lists.
///
/// # Errors
/// The database cannot be read, or the folder not be written.
pub fn write(paths: &DatasetPaths, reader: &Reader) -> Result<(), ManifestError> {
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
        reader.side(side, |image| {
            let label = image.has_defect.map_or("", |label| if label { "1" } else { "0" });
            writer.write_record([image.image_id.to_string().as_str(), &image.filename, label]).map_err(record)
        })?;
        let file = writer.into_inner().map_err(|error| trouble(io::Error::other(error.to_string())))?;
        file.sync_all().and_then(|()| fs::rename(&beside, &path)).map_err(trouble)?;
    }
    Ok(())
}
