//! Rows for whoever makes files of a dataset: tables of any length in a stable order, one row at a time, and images with
//! their inspections. Called by [`crate::export`].

use rusqlite::{Row, types::ValueRef};

use super::{
    Reader, StoreError, load,
    reader::{image_from, unreadable},
};
use crate::{ids::ImageId, report::Inspection};

/// A table as it is read.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// Columns, as SQL.
    pub columns: &'a str,
    /// What follows FROM, the order included, which must not depend on how the rows came in.
    pub from: &'a str,
}

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// An image with what holds of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Exhibit {
    pub image: ImageId,
    /// Name under `images/`.
    pub filename: String,
    pub has_defect: Option<bool>,
    /// Who said so.
    pub has_defect_by: Option<String>,
    pub split: Option<String>,
    pub pipeline: String,
    /// Of the picture, of its zones and defects.
    pub inspection: Inspection,
}

/// Which images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Portion<'a> {
    All,
    /// All but those whose pictures `[dataset.keep]` let go.
    Pictured,
    Split(&'a str),
}

impl Portion<'_> {
    /// The condition on images `i`; ?1 is [`Self::split`].
    const fn condition(&self) -> &'static str {
        match self {
            Self::All => "?1 IS NULL",
            Self::Pictured => "?1 IS NULL AND NOT i.gone",
            Self::Split(_) => "i.split = ?1",
        }
    }

    const fn split(&self) -> Option<&str> {
        match self {
            Self::All | Self::Pictured => None,
            Self::Split(split) => Some(split),
        }
    }
}

impl Reader {
    /// Every row of a selection, each value in the order of its columns.
    ///
    /// # Errors
    /// The database cannot be read, or what `each` says.
    pub fn each_row<E: From<StoreError>>(
        &self,
        selection: &Selection<'_>,
        mut each: impl FnMut(&[Cell<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!("SELECT {} FROM {}", selection.columns, selection.from);
        let mut select = self.connection().prepare(&sql).map_err(StoreError::from)?;
        let count = select.column_count();
        let mut rows = select.query([]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let cells: Result<Vec<Cell<'_>>, StoreError> = (0..count).map(|column| cell(row, column)).collect();
            each(&cells?)?;
        }
        Ok(())
    }

    /// Every image of a part in the order of ids, with its current inspection.
    ///
    /// # Errors
    /// The database cannot be read, or what `each` says.
    pub fn each_exhibit<E: From<StoreError>>(
        &self,
        part: Portion<'_>,
        mut each: impl FnMut(Exhibit) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT i.image_id, i.filename, i.has_defect, i.has_defect_by, i.split, n.pipeline_id, i.inspection_id
             FROM images i CROSS JOIN inspections n USING (inspection_id) WHERE {} ORDER BY i.image_id",
            part.condition()
        );
        let mut select = self.connection().prepare(&sql).map_err(StoreError::from)?;
        let mut rows = select.query([part.split()]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            each(self.exhibit(row)?)?;
        }
        Ok(())
    }

    /// The image with that id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn exhibit_of(&self, image: ImageId) -> Result<Option<Exhibit>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT i.image_id, i.filename, i.has_defect, i.has_defect_by, i.split, n.pipeline_id, i.inspection_id
             FROM images i CROSS JOIN inspections n USING (inspection_id) WHERE i.image_id = ?1",
        )?;
        let mut rows = select.query([image.to_string()])?;
        match rows.next()? {
            Some(row) => self.exhibit(row).map(Some),
            None => Ok(None),
        }
    }

    /// The images of a part in the order of ids.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn image_ids(&self, part: Portion<'_>) -> Result<Vec<ImageId>, StoreError> {
        let sql = format!("SELECT i.image_id FROM images i WHERE {} ORDER BY i.image_id", part.condition());
        let mut select = self.connection().prepare_cached(&sql)?;
        let rows = select.query_map([part.split()], |row| image_from(row, 0))?;
        Ok(rows.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// Images of a part.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn count_of(&self, part: Portion<'_>) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM images i WHERE {}", part.condition());
        let count: i64 = self.connection().prepare_cached(&sql)?.query_row([part.split()], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    fn exhibit(&self, row: &Row<'_>) -> Result<Exhibit, StoreError> {
        let image = image_from(row, 0)?.ok_or_else(|| unreadable(0, "no image id"))?;
        let missing = || StoreError::Unreadable { what: format!("image {image} without its inspection") };
        Ok(Exhibit {
            image,
            filename: row.get(1)?,
            has_defect: row.get(2)?,
            has_defect_by: row.get(3)?,
            split: row.get(4)?,
            pipeline: row.get(5)?,
            inspection: load::load(self.connection(), row.get(6)?)?.ok_or_else(missing)?,
        })
    }
}

fn cell<'a>(row: &'a Row<'_>, column: usize) -> Result<Cell<'a>, StoreError> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Integer(value),
        ValueRef::Real(value) => Cell::Real(value),
        ValueRef::Text(text) => {
            Cell::Text(str::from_utf8(text).map_err(|_| unreadable(column, "text that is no UTF-8"))?)
        }
        ValueRef::Blob(bytes) => Cell::Bytes(bytes),
    })
}
