//! Pairs of images: how they are written, and what is read to find out which are missing. Called by [`crate::correlate`].
//!
//! An image is marked as correlated only after all its pairs are there, and loses the mark before one of them is taken
//! away: whatever is killed in between is made again.

use rusqlite::{Row, Savepoint, params};
use serde::{Deserialize, Serialize};

use super::{Reader, StoreError, reader::image_from, write::Receipt, writer::Fault};
use crate::{ids::ImageId, report::Outline};

/// A pair, `a` before `b`. `None` where one of the two is constant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CorrelationRow {
    pub a: ImageId,
    pub b: ImageId,
    pub pearson: Option<f64>,
    pub spearman: Option<f64>,
}

/// One step of bringing the pairs up to date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CorrelationWrite {
    /// Everything there is goes; the settings that follow hold from now on (`None`: no correlations).
    Clear { settings: Option<(String, String)> },
    /// These images' pairs are about to change.
    Unmark(Vec<ImageId>),
    /// These images take no part any more: their pairs and their marks go.
    Forget(Vec<ImageId>),
    /// Pairs that are not wanted any more.
    Remove(Vec<(ImageId, ImageId)>),
    /// New pairs, and those that change.
    Rows(Vec<CorrelationRow>),
    /// All pairs of these images are there, made from grids with these hashes.
    Mark(Vec<(ImageId, u64)>),
}

/// An image that can be laid onto a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Gridded {
    pub image: ImageId,
    /// Name under `images/`.
    pub filename: String,
    /// `None` where no fibre was found.
    pub cladding: Option<Outline>,
}

pub(super) fn write(savepoint: &Savepoint<'_>, write: &CorrelationWrite) -> Result<Receipt, Fault> {
    match write {
        CorrelationWrite::Clear { settings } => {
            savepoint.execute("DELETE FROM correlations", [])?;
            savepoint.execute("DELETE FROM correlated", [])?;
            savepoint.execute("DELETE FROM correlation_settings", [])?;
            if let Some((grid, mode)) = settings {
                let insert = "INSERT INTO correlation_settings (only, grid, mode) VALUES (1, ?1, ?2)";
                savepoint.execute(insert, params![grid, mode])?;
            }
        }
        CorrelationWrite::Unmark(images) => {
            let mut delete = savepoint.prepare_cached("DELETE FROM correlated WHERE image_id = ?1")?;
            for image in images {
                delete.execute([image.to_string()])?;
            }
        }
        CorrelationWrite::Forget(images) => {
            for delete in [
                "DELETE FROM correlations WHERE image_id_a = ?1",
                "DELETE FROM correlations WHERE image_id_b = ?1",
                "DELETE FROM correlated WHERE image_id = ?1",
            ] {
                let mut delete = savepoint.prepare_cached(delete)?;
                for image in images {
                    delete.execute([image.to_string()])?;
                }
            }
        }
        CorrelationWrite::Remove(pairs) => {
            let mut delete =
                savepoint.prepare_cached("DELETE FROM correlations WHERE image_id_a = ?1 AND image_id_b = ?2")?;
            for (a, b) in pairs {
                delete.execute([a.to_string(), b.to_string()])?;
            }
        }
        CorrelationWrite::Rows(rows) => {
            let mut insert = savepoint.prepare_cached("INSERT OR REPLACE INTO correlations VALUES (?1, ?2, ?3, ?4)")?;
            for row in rows {
                insert.execute(params![row.a.to_string(), row.b.to_string(), row.pearson, row.spearman])?;
            }
        }
        CorrelationWrite::Mark(images) => {
            let mut insert = savepoint.prepare_cached("INSERT OR REPLACE INTO correlated VALUES (?1, ?2)")?;
            for (image, hash) in images {
                insert.execute([image.to_string(), format!("{hash:016x}")])?;
            }
        }
    }
    Ok(Receipt::Correlations(Ok(())))
}

impl Reader {
    /// Every image in the order of ids, one at a time.
    ///
    /// # Errors
    /// The database cannot be read, or what `each` says.
    pub fn each_gridded<E: From<StoreError>>(&self, mut each: impl FnMut(Gridded) -> Result<(), E>) -> Result<(), E> {
        let mut select = self
            .connection()
            .prepare_cached(
                "SELECT i.image_id, i.filename, z.cx, z.cy, z.ax, z.by, z.angle_deg, z.confidence FROM images i
                 LEFT JOIN inspection_zones z ON z.inspection_id = i.inspection_id AND z.zone = 'cladding'
                 WHERE NOT i.gone ORDER BY i.image_id",
            )
            .map_err(StoreError::from)?;
        let mut rows = select.query([]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            each(gridded(row).map_err(StoreError::from)?)?;
        }
        Ok(())
    }

    /// Images of the dataset.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn image_count(&self) -> Result<u64, StoreError> {
        let count = self.connection().query_row("SELECT count(*) FROM images", [], |row| row.get::<_, i64>(0))?;
        Ok(count.unsigned_abs())
    }

    /// Grid and mode that the pairs were made with.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn correlation_settings(&self) -> Result<Option<(String, String)>, StoreError> {
        let mut select = self.connection().prepare_cached("SELECT grid, mode FROM correlation_settings")?;
        let mut rows = select.query([])?;
        Ok(match rows.next()? {
            Some(row) => Some((row.get(0)?, row.get(1)?)),
            None => None,
        })
    }

    /// Images whose pairs are all there, with the hash of the grid that they were made from, in the order of ids.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn correlated(&self) -> Result<Vec<(ImageId, u64)>, StoreError> {
        let mut select =
            self.connection().prepare_cached("SELECT image_id, grid_hash FROM correlated ORDER BY image_id")?;
        let mut rows = select.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let hash: String = row.get(1)?;
            all.extend(image_from(row, 0)?.zip(u64::from_str_radix(&hash, 16).ok()));
        }
        Ok(all)
    }

    /// Every pair in the order of ids, one at a time.
    ///
    /// # Errors
    /// The database cannot be read, or what `each` says.
    pub fn each_correlation<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(CorrelationRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT image_id_a, image_id_b, pearson, spearman FROM correlations ORDER BY image_id_a, image_id_b";
        let mut select = self.connection().prepare_cached(sql).map_err(StoreError::from)?;
        let mut rows = select.query([]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            each(correlation(row).map_err(StoreError::from)?)?;
        }
        Ok(())
    }
}

fn gridded(row: &Row<'_>) -> Result<Gridded, rusqlite::Error> {
    let cladding = match row.get::<_, Option<f64>>(2)? {
        Some(cx) => Some(Outline {
            cx,
            cy: row.get(3)?,
            ax: row.get(4)?,
            by: row.get(5)?,
            angle_deg: row.get(6)?,
            confidence: row.get(7)?,
        }),
        None => None,
    };
    Ok(Gridded { image: required(row, 0)?, filename: row.get(1)?, cladding })
}

fn correlation(row: &Row<'_>) -> Result<CorrelationRow, rusqlite::Error> {
    Ok(CorrelationRow { a: required(row, 0)?, b: required(row, 1)?, pearson: row.get(2)?, spearman: row.get(3)? })
}

fn required(row: &Row<'_>, column: usize) -> Result<ImageId, rusqlite::Error> {
    let missing = || super::reader::unreadable(column, "no image id");
    image_from(row, column)?.ok_or_else(missing)
}
