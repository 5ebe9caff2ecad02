//! Choosing: which former inspections, masks and pictures go by the rules in force. Reads in pages, oldest first.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::Tidied;
use crate::{
    settings::{Keep, Protect},
    store::{Reader, StoreError, pipelines::text},
    workspace::DatasetPaths,
};

/// Rows read at once.
const PAGE: i64 = 500;

/// What will go. Made now, it holds for what is there now: nothing that comes later goes by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TidyPlan {
    pub(super) keep: Keep,
    /// Former inspections made before then go.
    pub(super) former_before: Option<String>,
    /// The last inspection that is looked at.
    pub(super) last: i64,
    /// Masks and pictures of images whose inspection is at most this one go, unless they are spared.
    pub(super) masks_to: i64,
    pub(super) pictures_to: i64,
    /// How much that is.
    pub going: Tidied,
    /// Images whose files the rules would take and `protect` spares.
    pub spared: u64,
}

impl Reader {
    /// What the rules take. `on` is asked now and then whether to go on; `None` where it said no.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn tidy_plan(
        &self,
        paths: &DatasetPaths,
        keep: Keep,
        now: Timestamp,
        on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<TidyPlan>, StoreError> {
        self.refuse_older()?;
        let connection = self.connection();
        let last = connection
            .query_row("SELECT coalesce(max(inspection_id), 0) FROM inspections", [], |row| row.get::<_, i64>(0))?;
        let mut plan = TidyPlan {
            keep,
            former_before: before(now, keep.former_days),
            last,
            masks_to: 0,
            pictures_to: 0,
            going: Tidied::default(),
            spared: 0,
        };
        if keep.former > 0 || keep.former_days > 0 {
            let mut after = 0;
            while after < last {
                let to = after.saturating_add(PAGE * 10).min(last);
                let sql = format!("SELECT count(*) FROM inspections n WHERE {FORMER}");
                let count: i64 = connection
                    .prepare_cached(&sql)?
                    .query_row(params![after, to, plan.former_before, keep.former], |row| row.get(0))?;
                plan.going.inspections += count.unsigned_abs();
                after = to;
                if !on() {
                    return Ok(None);
                }
            }
        }
        for files in [Files::Masks, Files::Pictures] {
            if !plan.choose(connection, paths, files, now, on)? {
                return Ok(None);
            }
        }
        Ok(Some(plan))
    }
}

/// A former inspection with an id in (?1, ?2] that goes: not in force, not the last of its image, nobody's reference; made
/// before ?3, or with ?4 or more later ones that are former too.
pub(super) const FORMER: &str = "n.inspection_id > ?1 AND n.inspection_id <= ?2
     AND EXISTS (SELECT 1 FROM inspections m WHERE m.image_id = n.image_id AND m.inspection_id > n.inspection_id)
     AND NOT EXISTS (SELECT 1 FROM images i WHERE i.inspection_id = n.inspection_id)
     AND NOT EXISTS (SELECT 1 FROM captures c WHERE c.inspection_id = n.inspection_id)
     AND NOT EXISTS (SELECT 1 FROM reviews r WHERE r.inspection_id = n.inspection_id)
     AND (n.at < ?3 OR (?4 > 0 AND ?4 <= (SELECT count(*) FROM inspections m
         WHERE m.image_id = n.image_id AND m.inspection_id > n.inspection_id
             AND NOT EXISTS (SELECT 1 FROM images i WHERE i.inspection_id = m.inspection_id))))";

/// Files of an image that have rules of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    Masks,
    Pictures,
}

impl Files {
    /// Images `i` that have such files.
    pub fn condition(self) -> &'static str {
        match self {
            Self::Masks => "EXISTS (SELECT 1 FROM artefacts a WHERE a.image_id = i.image_id)",
            // One that is to be inspected again may need its picture for that.
            Self::Pictures => {
                "NOT i.gone AND NOT EXISTS (SELECT 1 FROM captures q WHERE q.image_id = i.image_id
                     AND q.state IN ('queued', 'running'))"
            }
        }
    }

    /// Days and MiB.
    const fn rules(self, keep: &Keep) -> (u32, u32) {
        match self {
            Self::Masks => (keep.masks_days, keep.masks_mb),
            Self::Pictures => (keep.pictures_days, keep.pictures_mb),
        }
    }
}

/// Images `i` that keep all their files.
pub(super) const fn spared(protect: Protect) -> &'static str {
    match protect {
        Protect::Dataset => "(i.side IS NOT NULL OR EXISTS (SELECT 1 FROM reviews r WHERE r.image_id = i.image_id))",
        Protect::Reviewed => "EXISTS (SELECT 1 FROM reviews r WHERE r.image_id = i.image_id)",
        Protect::Nothing => "0",
    }
}

impl TidyPlan {
    /// Walks through images with such files, oldest first, until neither rule takes one. False where it was ended.
    fn choose(
        &mut self,
        connection: &Connection,
        paths: &DatasetPaths,
        files: Files,
        now: Timestamp,
        on: &mut dyn FnMut() -> bool,
    ) -> Result<bool, StoreError> {
        let (days, mib) = files.rules(&self.keep);
        if days == 0 && mib == 0 {
            return Ok(true);
        }
        let before = before(now, days);
        // A first walk for the sum, where there is a bound to it.
        let mut excess = 0;
        if mib > 0 {
            let mut sum = 0;
            let whole = walk(connection, paths, files, self.keep.protect, &mut |found| {
                sum += found.bytes;
                on()
            })?;
            if !whole {
                return Ok(false);
            }
            excess = u64::saturating_sub(sum, u64::from(mib) << 20);
        }
        let (mut to, mut freed, mut ended) = (0, 0, false);
        let (mut going, mut spared) = (Tidied::default(), 0);
        walk(connection, paths, files, self.keep.protect, &mut |found| {
            let goes = before.as_ref().is_some_and(|before| found.at < *before) || freed < excess;
            if !goes {
                return false;
            }
            if found.spared {
                spared += 1;
            } else {
                freed += found.bytes;
                going.bytes += found.bytes;
                match files {
                    Files::Masks => going.files += found.files,
                    Files::Pictures => going.pictures += 1,
                }
            }
            to = found.inspection;
            ended = !on();
            !ended
        })?;
        match files {
            Files::Masks => self.masks_to = to,
            Files::Pictures => self.pictures_to = to,
        }
        self.going.add(going);
        self.spared += spared;
        Ok(!ended)
    }
}

/// That many days ago, as tables write it; `None` without a rule.
fn before(now: Timestamp, days: u32) -> Option<String> {
    let ago = SignedDuration::from_hours(i64::from(days) * 24);
    (days > 0).then(|| text(now.checked_sub(ago).unwrap_or(Timestamp::MIN)))
}

/// An image with files of a kind.
struct Found {
    inspection: i64,
    at: String,
    files: u64,
    bytes: u64,
    spared: bool,
}

/// Every image that has such files, by the age of its inspection; false where `each` said not to go on.
fn walk(
    connection: &Connection,
    paths: &DatasetPaths,
    files: Files,
    protect: Protect,
    each: &mut dyn FnMut(Found) -> bool,
) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT i.inspection_id, n.at, i.image_id, i.filename, {} FROM images i JOIN inspections n USING (inspection_id)
         WHERE i.inspection_id > ?1 AND {} ORDER BY i.inspection_id LIMIT {PAGE}",
        spared(protect),
        files.condition()
    );
    let mut page = connection.prepare(&sql)?;
    let mut artefacts = connection.prepare("SELECT folder, name FROM artefacts WHERE image_id = ?1")?;
    let mut after = 0;
    loop {
        let rows: Vec<(i64, String, String, String, bool)> = page
            .query_map([after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
            .collect::<Result<_, _>>()?;
        let Some((last, ..)) = rows.last() else { return Ok(true) };
        after = *last;
        for (inspection, at, image, filename, spared) in rows {
            let mut found = Found { inspection, at, files: 0, bytes: 0, spared };
            match files {
                Files::Pictures => {
                    found.files = 1;
                    found.bytes = own_bytes(&paths.images().join(filename));
                }
                Files::Masks => {
                    let mut names = artefacts.query([&image])?;
                    while let Some(row) = names.next()? {
                        let (folder, name): (String, String) = (row.get(0)?, row.get(1)?);
                        found.files += 1;
                        found.bytes += own_bytes(&paths.root().join(folder).join(name));
                    }
                }
            }
            if !each(found) {
                return Ok(false);
            }
        }
    }
}

/// What the disk gets back when that file goes: nothing for a link, or for a file with another name elsewhere.
pub(super) fn own_bytes(path: &Path) -> u64 {
    let own = |found: &fs::Metadata| found.is_file() && found.nlink() == 1;
    fs::symlink_metadata(path).ok().filter(own).map_or(0, |found| found.len())
}
