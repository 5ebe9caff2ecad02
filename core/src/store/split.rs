//! Sides of the split, written: what [`crate::dataset::split`] decides over the rows that are there.

use std::{collections::HashMap, ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use regex::Regex;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{
    Reader, StoreError,
    divider::Watch,
    near::{self, OPEN, Sought},
    writer::Fault,
};
use crate::{
    dataset::split::{Division, Member, Side, divide},
    ids::ImageId,
    settings::{Fractions, Split},
};

/// What a division came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divided {
    /// Images that were given a side now.
    pub given: u64,
    /// Labelled images on each side: train, val, test.
    pub counts: [u64; 3],
    /// Images on no side: no fibre, no label, or incomplete.
    pub without: u64,
    /// Groups of two and more images.
    pub groups: u64,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Why `splits/*.csv` are not up to date, if they are not.
    pub manifests: Result<(), String>,
}

/// Who is given which side, decided and not written yet.
#[derive(Debug)]
pub(super) struct Plan {
    sought: Sought,
    given: Vec<(ImageId, Side)>,
    settings: Split,
    /// Of two and more images.
    pub groups: u64,
    pub notes: Vec<String>,
}

impl Plan {
    pub fn given(&self) -> u64 {
        self.given.len() as u64
    }
}

/// Decides on a side for every image that may have one and has none. Reads only.
pub(super) fn plan(connection: &Connection, settings: Split, watch: &Watch) -> Result<Plan, rusqlite::Error> {
    let sought = near::seek(connection, watch)?;
    let Division { given, groups, notes } = division(connection, &settings, &sought)?;
    watch.go_on()?;
    Ok(Plan { sought, given, settings, groups: groups.len() as u64, notes })
}

/// Writes what was decided. What changed since keeps its own: nobody is moved to another side.
pub(super) fn write(connection: &Connection, plan: &Plan) -> Result<(), Fault> {
    near::write(connection, &plan.sought)?;
    let mut side = connection.prepare_cached("UPDATE images SET side = ?2 WHERE image_id = ?1 AND side IS NULL")?;
    for (image, given) in &plan.given {
        let image = image.to_string();
        side.execute(params![image, given.as_str()])?;
        super::label::settle(connection, &image)?;
    }
    remember(connection, &plan.settings)?;
    Ok(())
}

/// How many images are on each side, and how many on none.
pub(super) fn counts(connection: &Connection) -> Result<([u64; 3], u64), rusqlite::Error> {
    let (mut sides, mut without) = ([0; 3], 0);
    let mut select = connection.prepare_cached("SELECT split, count(*) FROM images GROUP BY split")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let count = row.get::<_, i64>(1)?.unsigned_abs();
        match side_from(row.get_ref(0)?.as_str_or_null()?) {
            Some(side) => sides[side as usize] = count,
            None => without = count,
        }
    }
    Ok((sides, without))
}

fn division(connection: &Connection, settings: &Split, sought: &Sought) -> Result<Division, rusqlite::Error> {
    // The configuration has checked that it compiles.
    let pattern = settings.group_by.as_deref().and_then(|pattern| Regex::new(pattern).ok());
    let members = members(connection, sought, pattern.is_some())?;
    Ok(divide(&members, settings.fractions, settings.seed, pattern.as_ref()))
}

/// Every image, in the order in which their first files were seen; with the names of their files only if they are asked for.
fn members(connection: &Connection, sought: &Sought, names: bool) -> Result<Vec<Member>, rusqlite::Error> {
    let mut select = connection.prepare_cached(
        "SELECT c.image_id, c.path, i.side, i.near_of, i.has_defect, i.clad_r IS NOT NULL AND NOT i.incomplete AND NOT i.gone
         FROM captures c JOIN images i USING (image_id) ORDER BY c.capture_id",
    )?;
    let mut rows = select.query([])?;
    let mut members: Vec<Member> = Vec::new();
    let mut places: HashMap<ImageId, usize> = HashMap::new();
    while let Some(row) = rows.next()? {
        let Some(image) = super::reader::image_from(row, 0)? else { continue };
        let place = match places.get(&image) {
            Some(place) => *place,
            None => {
                let label: Option<bool> = row.get(4)?;
                let usable: bool = row.get(5)?;
                places.insert(image, members.len());
                members.push(Member {
                    image,
                    names: Vec::new(),
                    label: label.filter(|_| usable),
                    side: side_from(row.get_ref(2)?.as_str_or_null()?),
                    near_of: sought.first_of(image).or(super::reader::image_from(row, 3)?),
                });
                members.len() - 1
            }
        };
        if names {
            let path = Path::new(OsStr::from_bytes(row.get_ref(1)?.as_blob()?));
            members[place].names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    Ok(members)
}

pub(super) fn side_from(text: Option<&str>) -> Option<Side> {
    text.and_then(Side::parse)
}

fn remember(connection: &Connection, settings: &Split) -> Result<(), rusqlite::Error> {
    let Fractions { train, val } = settings.fractions;
    let group_by = settings.group_by.as_deref().unwrap_or_default();
    connection
        .prepare_cached(
            "INSERT INTO split_settings (one, train, val, seed, group_by) VALUES (1, ?1, ?2, ?3, ?4)
             ON CONFLICT (one) DO UPDATE SET train = ?1, val = ?2, seed = ?3, group_by = ?4",
        )?
        .execute(params![train, val, settings.seed.cast_signed(), group_by])?;
    Ok(())
}

/// How many images are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SplitTable {
    /// Train, val, test; in each without and with a defect.
    pub sides: [[u64; 2]; 3],
    /// On no side, and why: the first reason that holds.
    pub no_picture: u64,
    pub no_fibre: u64,
    pub incomplete: u64,
    pub no_label: u64,
    /// Could have a side and will be given one.
    pub open: u64,
}

impl Reader {
    /// What the splits were made with last. `None` where none were made.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn split_settings(&self) -> Result<Option<Split>, StoreError> {
        self.refuse_older()?;
        let mut select = self.connection().prepare_cached("SELECT train, val, seed, group_by FROM split_settings")?;
        let row = select.query_row([], |row| {
            let group_by: String = row.get(3)?;
            Ok(Split {
                fractions: Fractions { train: row.get(0)?, val: row.get(1)? },
                seed: row.get::<_, i64>(2)?.cast_unsigned(),
                group_by: Some(group_by).filter(|pattern| !pattern.is_empty()),
            })
        });
        Ok(row.optional()?)
    }

    /// The groups of the dataset and what there is to say of them; gives nobody a side.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn division(&self, settings: &Split) -> Result<Division, StoreError> {
        Ok(division(self.connection(), settings, &Sought::default())?)
    }

    /// How many images are on which side, and why others are on none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn split_table(&self) -> Result<SplitTable, StoreError> {
        self.refuse_older()?;
        let mut select = self.connection().prepare_cached(
            "SELECT split, has_defect, clad_r IS NULL, incomplete, count(*), gone FROM images GROUP BY 1, 2, 3, 4, 6",
        )?;
        let mut rows = select.query([])?;
        let mut table = SplitTable::default();
        while let Some(row) = rows.next()? {
            let side = side_from(row.get_ref(0)?.as_str_or_null().map_err(rusqlite::Error::from)?);
            let (label, no_fibre, incomplete): (Option<bool>, bool, bool) = (row.get(1)?, row.get(2)?, row.get(3)?);
            let place = match (side, label) {
                (Some(side), Some(label)) => &mut table.sides[side as usize][usize::from(label)],
                _ if row.get(5)? => &mut table.no_picture,
                _ if no_fibre => &mut table.no_fibre,
                _ if incomplete => &mut table.incomplete,
                (_, None) => &mut table.no_label,
                (None, Some(_)) => &mut table.open,
            };
            *place += row.get::<_, i64>(4)?.unsigned_abs();
        }
        Ok(table)
    }

    /// The first member of the near-duplicates that this image belongs to, and the share of its detail that differs.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn near(&self, image: ImageId) -> Result<Option<(ImageId, f64)>, StoreError> {
        let mut select = self
            .connection()
            .prepare_cached("SELECT near_of, near_residual FROM images WHERE image_id = ?1 AND near_of IS NOT NULL")?;
        let row = select.query_row([image.to_string()], |row| Ok((super::reader::image_from(row, 0)?, row.get(1)?)));
        Ok(row.optional()?.and_then(|(first, residual)| Some((first?, residual))))
    }

    /// Are there images that may have to be given a side?
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn has_open_images(&self) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM images WHERE {OPEN}
                 AND (near_sought = 0 OR (clad_r IS NOT NULL AND NOT incomplete AND NOT gone)))"
        );
        let mut select = self.connection().prepare_cached(&sql)?;
        Ok(select.query_row([], |row| row.get(0))?)
    }
}
