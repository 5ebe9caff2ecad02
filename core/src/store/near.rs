//! Near-duplicates among the images: each new one is compared with the first members of the groups that there are, never
//! with others of a group, so that no chain of small differences joins what differs.

use rusqlite::{Connection, params};

use super::writer::Fault;
use crate::{dataset::fingerprint::Fingerprint, ids::ImageId};

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

/// Compares the images that were not compared yet, in the order in which their files were seen. Every hash is compared with
/// that of every first member: four words a pair, which is little beside what an inspection costs.
pub(super) fn seek(connection: &Connection) -> Result<(), rusqlite::Error> {
    let new: Vec<(String, [u64; 4])> = hashes(connection, "i.near_sought = 0")?;
    if !new.is_empty() {
        let mut firsts = hashes(connection, "i.near_sought = 1 AND i.near_of IS NULL")?;
        let mut join =
            connection.prepare_cached("UPDATE images SET near_of = ?2, near_residual = ?3 WHERE image_id = ?1")?;
        for (image, hash) in new {
            let mut best: Option<(usize, f64)> = None;
            let mut own: Option<Vec<i8>> = None;
            for (place, (first, other)) in firsts.iter().enumerate() {
                if !Fingerprint::is_candidate(&hash, other) {
                    continue;
                }
                let grid = match &own {
                    Some(grid) => grid,
                    None => own.insert(grid_of(connection, &image)?),
                };
                let differs = Fingerprint::same_exposure(&grid_of(connection, first)?, grid);
                if let Some(differs) = differs.filter(|differs| best.is_none_or(|(_, best)| *differs < best)) {
                    best = Some((place, differs));
                }
            }
            match best {
                Some((place, differs)) => {
                    join.execute(params![image, firsts[place].0, differs])?;
                }
                None => firsts.push((image, hash)),
            }
        }
    }
    connection.execute("UPDATE images SET near_sought = 1 WHERE near_sought = 0", [])?;
    Ok(())
}

/// Images with fingerprints, in the order in which the first of their files were seen.
fn hashes(connection: &Connection, which: &str) -> Result<Vec<(String, [u64; 4])>, rusqlite::Error> {
    let sql = format!(
        "SELECT i.image_id, f.hash FROM images i JOIN fingerprints f USING (image_id) WHERE {which}
         ORDER BY (SELECT min(capture_id) FROM captures c WHERE c.image_id = i.image_id)"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query([])?;
    let mut hashes = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(1)?.as_blob()?;
        let mut hash = [0; 4];
        for (word, bytes) in hash.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        hashes.push((row.get(0)?, hash));
    }
    Ok(hashes)
}

fn grid_of(connection: &Connection, image: &str) -> Result<Vec<i8>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT grid FROM fingerprints WHERE image_id = ?1")?
        .query_row([image], |row| Ok(row.get_ref(0)?.as_blob()?.iter().map(|byte| byte.cast_signed()).collect()))
}
