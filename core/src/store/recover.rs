//! What a killed engine left behind: captures that were running run again, and only their unfinished files are swept.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, TransactionBehavior};

use super::{Recovery, StoreError, alarms, reader::path_from, requeue, runs, swaps, tidy};
use crate::{
    ids::ImageId,
    names,
    report::{DefectKind, ZoneName},
    workspace::DatasetPaths,
};

/// Queues again what was running, and removes staging and the files of results that were never committed.
pub(super) fn recover(connection: &mut Connection, paths: &DatasetPaths) -> Result<Recovery, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut swept = 0;
    {
        // An image with a committed result keeps its files: a re-inspection writes them again.
        let mut running = transaction.prepare(
            "SELECT image_id, path FROM captures
             WHERE state = 'running' AND image_id NOT IN (SELECT image_id FROM images)",
        )?;
        let mut rows = running.query([])?;
        while let Some(row) = rows.next()? {
            let Ok(image) = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?.parse() else { continue };
            for file in files_of(paths, image) {
                swept += u64::from(fs::remove_file(file).is_ok());
            }
            swept += sweep_picture(&transaction, paths, &path_from(row, 1)?, image)?;
        }
    }
    let requeued = transaction.execute("UPDATE captures SET state = 'queued' WHERE state = 'running'", [])?;
    let unread = requeue::unread(&transaction)?;
    swaps::recover(&transaction)?;
    runs::interrupted(&transaction)?;
    alarms::recover(&transaction)?;
    let generation: i64 =
        transaction.query_row("SELECT coalesce(max(generation), 0) FROM swaps", [], |row| row.get(0))?;
    transaction.commit()?;
    tidy::sweep(connection, paths)?;
    empty_staging(&paths.staging())?;
    Ok(Recovery { requeued: requeued as u64, unread, swept, generation: generation.unsigned_abs() })
}

/// Every name that an artefact of this image can have.
fn files_of(paths: &DatasetPaths, image: ImageId) -> impl Iterator<Item = PathBuf> {
    let (masks, defects) = (paths.masks(), paths.defects());
    let regions = ZoneName::ALL
        .iter()
        .flat_map(move |zone| ["png", "npy"].map(|extension| masks.join(format!("{image}_{zone}_mask.{extension}"))));
    let list = defects.join(format!("{image}_defects.json"));
    let kinds = DefectKind::ALL
        .iter()
        .flat_map(move |kind| ["png", "npy"].map(|extension| defects.join(format!("{image}_{kind}_mask.{extension}"))));
    regions.chain([list]).chain(kinds)
}

/// The picture of a result that was not committed has one of two names; one that an image owns is not touched.
fn sweep_picture(
    connection: &Connection,
    paths: &DatasetPaths,
    source: &Path,
    image: ImageId,
) -> Result<u64, rusqlite::Error> {
    let mut swept = 0;
    for suffix in [String::new(), names::own_suffix(image)] {
        let name = names::image_filename(source, &suffix);
        let owned: bool = connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM images WHERE filename = ?1)")?
            .query_row([&name], |row| row.get(0))?;
        if !owned {
            swept += u64::from(fs::remove_file(paths.images().join(name)).is_ok());
        }
    }
    Ok(swept)
}

/// Nothing in staging is worth keeping: no worker lives yet. Dot names are left, a file system keeps its own there
/// (`.nfs…`, `.snapshot`).
fn empty_staging(staging: &Path) -> Result<(), StoreError> {
    let folder = |source| StoreError::Folder { path: staging.to_owned(), source };
    for entry in fs::read_dir(staging).map_err(folder)? {
        let entry = entry.map_err(folder)?;
        if entry.file_name().as_bytes().starts_with(b".") {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        removed.map_err(|source| StoreError::Folder { path: entry.path(), source })?;
    }
    Ok(())
}
