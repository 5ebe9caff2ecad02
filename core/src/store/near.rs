//! Near-duplicates among the images: each new one is compared with the first members of the groups that there are, never
//! with others of a group, so that no chain of small differences joins what differs.

use std::{cmp::Ordering, collections::HashMap};

use rusqlite::{Connection, Row, params};

use super::{divider::Watch, writer::Fault};
use crate::{dataset::fingerprint::Fingerprint, ids::ImageId};

/// What finds the images of the partial index `images_open`, whatever their number: it has to be said in its words.
pub(super) const OPEN: &str = "(near_sought = 0 OR (side IS NULL AND has_defect IS NOT NULL))";

/// Keeps what an image looks like. One that had no fingerprint before has not been compared with others yet.
pub(super) fn note(connection: &Connection, image: ImageId, fingerprint: &Fingerprint) -> Result<(), Fault> {
    let image = image.to_string();
    connection
        .prepare_cached(
            "UPDATE images SET near_sought = 0
             WHERE image_id = ?1 AND NOT EXISTS (SELECT 1 FROM fingerprints WHERE image_id = ?1)",
        )?
        .execute([&image])?;
    let hash: Vec<u8> = fingerprint.hash.iter().flat_map(|word| word.to_le_bytes()).collect();
    let grid: Vec<u8> = fingerprint.grid.iter().map(|cell| cell.cast_unsigned()).collect();
    connection
        .prepare_cached("INSERT OR REPLACE INTO fingerprints (image_id, hash, grid) VALUES (?1, ?2, ?3)")?
        .execute(params![image, hash, grid])?;
    Ok(())
}

/// What a comparison came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Sought {
    /// Compared now.
    compared: Vec<ImageId>,
    /// Those of them that are near-duplicates: of which first member, and the share of detail that differs.
    joined: HashMap<ImageId, (ImageId, f64)>,
}

impl Sought {
    /// The first member that an image was found to belong to.
    pub fn first_of(&self, image: ImageId) -> Option<ImageId> {
        self.joined.get(&image).map(|(first, _)| *first)
    }
}

/// The nearest first member that an image has met, and the share of detail that differs.
type Nearest = Option<(ImageId, f64)>;

/// An image meets a first member that it could be the exposure of: is that nearer than what it met before?
fn meet(connection: &Connection, image: ImageId, first: ImageId, best: &mut Nearest) -> Result<(), rusqlite::Error> {
    let differs = Fingerprint::same_exposure(&grid_of(connection, first)?, &grid_of(connection, image)?);
    let is_nearer = |differs: &f64| best.is_none_or(|(_, best)| differs.total_cmp(&best) == Ordering::Less);
    if let Some(differs) = differs.filter(is_nearer) {
        *best = Some((first, differs));
    }
    Ok(())
}

/// Compares the images that were not compared yet, in the order in which their files were seen; writes nothing. Every hash
/// is compared with that of every first member: a hundred thousand with each other in 3.5 seconds. Memory goes with the
/// new ones only.
pub(super) fn seek(connection: &Connection, watch: &Watch) -> Result<Sought, rusqlite::Error> {
    let (mut news, mut hashes, mut found) = (Vec::new(), Vec::new(), Vec::new());
    each(connection, &format!("{OPEN} AND i.near_sought = 0"), |image, hash| {
        news.push((image, Nearest::None));
        hashes.push(hash);
        Ok(())
    })?;
    if !news.is_empty() {
        each(connection, "i.near_sought = 1 AND i.near_of IS NULL", |first, hash| {
            Fingerprint::candidates(&hash, &hashes, &mut found);
            found.iter().try_for_each(|place| {
                let (image, best) = &mut news[*place];
                meet(connection, *image, first, best)
            })
        })?;
    }
    let mut sought = Sought::default();
    let (mut firsts, mut theirs) = (Vec::new(), Vec::new());
    for ((image, mut best), hash) in news.into_iter().zip(hashes) {
        watch.go_on()?;
        Fingerprint::candidates(&hash, &theirs, &mut found);
        found.iter().try_for_each(|place| meet(connection, image, firsts[*place], &mut best))?;
        sought.compared.push(image);
        match best {
            Some(best) => drop(sought.joined.insert(image, best)),
            None => {
                firsts.push(image);
                theirs.push(hash);
            }
        }
    }
    Ok(sought)
}

/// Writes what was sought. An image whose first member is gone meanwhile is compared again the next time.
pub(super) fn write(connection: &Connection, sought: &Sought) -> Result<(), rusqlite::Error> {
    let mut join = connection.prepare_cached(
        "UPDATE images SET near_of = ?2, near_residual = ?3, near_sought = 1
         WHERE image_id = ?1 AND near_sought = 0 AND EXISTS (SELECT 1 FROM images WHERE image_id = ?2)",
    )?;
    let mut first = connection.prepare_cached("UPDATE images SET near_sought = 1 WHERE image_id = ?1")?;
    for image in &sought.compared {
        match sought.joined.get(image) {
            Some((first, differs)) => join.execute(params![image.to_string(), first.to_string(), differs])?,
            None => first.execute([image.to_string()])?,
        };
    }
    // Without a fingerprint there is nothing to compare, until they have one.
    let without = format!(
        "UPDATE images SET near_sought = 1 WHERE {OPEN} AND near_sought = 0
             AND NOT EXISTS (SELECT 1 FROM fingerprints f WHERE f.image_id = images.image_id)"
    );
    connection.execute(&without, [])?;
    Ok(())
}

/// Images with fingerprints, in the order in which the first of their files were seen.
fn each(
    connection: &Connection,
    which: &str,
    mut take: impl FnMut(ImageId, [u64; 4]) -> Result<(), rusqlite::Error>,
) -> Result<(), rusqlite::Error> {
    let sql = format!(
        "SELECT i.image_id, f.hash FROM images i JOIN fingerprints f USING (image_id) WHERE {which}
         ORDER BY (SELECT min(capture_id) FROM captures c WHERE c.image_id = i.image_id)"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(image) = super::reader::image_from(row, 0)? {
            take(image, hash_from(row)?)?;
        }
    }
    Ok(())
}

fn hash_from(row: &Row<'_>) -> Result<[u64; 4], rusqlite::Error> {
    let bytes = row.get_ref(1)?.as_blob()?;
    let mut hash = [0; 4];
    for (word, bytes) in hash.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    Ok(hash)
}

fn grid_of(connection: &Connection, image: ImageId) -> Result<Vec<i8>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT grid FROM fingerprints WHERE image_id = ?1")?
        .query_row([image.to_string()], |row| {
            Ok(row.get_ref(0)?.as_blob()?.iter().map(|byte| byte.cast_signed()).collect())
        })
}
