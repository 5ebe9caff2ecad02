//! Reviews in the database: written with the labels that hang on them, matched to each new inspection, read back.

use ferrule_abi::{BoundingBox, Run};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Reader, StoreError, label, load, pipelines::now, reader::image_from, save::runs_to_bytes, write::Receipt,
    writer::Fault,
};
use crate::{
    dataset::review::{Decision, Review, Reviewed, ReviewedDefect},
    ids::ImageId,
    pipeline::runs,
    report::DefectKind,
};

/// Longest text of a reviewer or a note, in bytes.
const LONGEST: usize = 4096;
/// Intersection over union from which two masks are one defect: scratches are thin, and nobody draws them twice the same.
const MATCHES: f64 = 0.2;

/// Writes reviews; one that cannot be is left out and told.
pub(super) fn add(connection: &Connection, reviews: &[Review]) -> Result<Receipt, Fault> {
    let mut reviewed = Reviewed::default();
    for review in reviews {
        match one(connection, review)? {
            Added::New => reviewed.added += 1,
            Added::Known => reviewed.known += 1,
            Added::Refused(reason) => reviewed.refused.push(format!("{}: {reason}", review.image)),
        }
    }
    Ok(Receipt::Reviewed(Box::new(reviewed)))
}

enum Added {
    New,
    Known,
    Refused(String),
}

fn one(connection: &Connection, review: &Review) -> Result<Added, Fault> {
    let image = review.image.to_string();
    let size: Option<(u32, u32, i64)> = connection
        .prepare_cached("SELECT width, height, inspection_id FROM images WHERE image_id = ?1")?
        .query_row([&image], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((width, height, inspection)) = size else { return Ok(Added::Refused("no such image".into())) };
    if let Err(reason) = check(review, width, height) {
        return Ok(Added::Refused(reason));
    }
    let mut review = review.clone();
    if let Some(defect) = &mut review.defect
        && defect.defect_id.is_none()
    {
        let found = best_match(&load_defects(connection, inspection)?, defect);
        // A defect that somebody drew where one was found confirms that one.
        match found {
            Some((id, _)) => (defect.defect_id, review.decision) = (Some(id), confirmed(review.decision)),
            None => defect.defect_id = same_drawing(connection, &image, defect)?,
        }
    }
    if is_known(connection, &image, &review)? {
        return Ok(Added::Known);
    }
    insert(connection, &image, inspection, &review)?;
    renew_matches(connection, review.image)?;
    label::settle(connection, &image)?;
    Ok(Added::New)
}

/// Nothing that nobody could draw or show.
fn check(review: &Review, width: u32, height: u32) -> Result<(), String> {
    let ensure = |sound: bool, what: &str| if sound { Ok(()) } else { Err(what.to_owned()) };
    let sound = |text: &str| text.len() <= LONGEST && !text.chars().any(char::is_control);
    ensure(!review.reviewer.trim().is_empty() && sound(&review.reviewer), "it names no reviewer")?;
    ensure(review.note.as_deref().is_none_or(sound), "its note is no single line")?;
    ensure(
        review.at.as_deref().is_none_or(|at| at.parse::<jiff::Timestamp>().is_ok()),
        "its time is none (RFC 3339, as 2026-01-31T12:00:00Z)",
    )?;
    ensure(review.decision.is_of_defect() == review.defect.is_some(), "a decision about a defect, and no defect")?;
    let Some(defect) = &review.defect else { return Ok(()) };
    let [x, y, w, h] = defect.bbox;
    let fits =
        |start: u32, length: u32, limit: u32| length > 0 && start.checked_add(length).is_some_and(|end| end <= limit);
    ensure(fits(x, w, width) && fits(y, h, height), "its box does not lie in the picture")?;
    let rising = defect.mask.windows(2).all(|two| (two[0][0], two[0][1]) < (two[1][0], two[1][1]));
    let inside = defect.mask.iter().all(|[y, x, length]| *y < height && fits(*x, *length, width));
    ensure(rising && inside, "its mask does not lie in the picture")?;
    ensure(
        defect.defect_id.as_deref().is_none_or(|id| !id.is_empty() && id.len() <= 128 && sound(id)),
        "its defect_id is none",
    )
}

const fn confirmed(decision: Decision) -> Decision {
    match decision {
        Decision::Missed => Decision::Confirmed,
        other => other,
    }
}

/// The last word of a reviewer about this image or defect says the same already. Where the time is not told any word of
/// anybody counts, because a tool for labelling knows neither.
fn is_known(connection: &Connection, image: &str, review: &Review) -> Result<bool, Fault> {
    let Review { reviewer, at, decision, defect, note, .. } = review;
    if let Some(at) = at {
        let mut select = connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM reviews WHERE image_id = ?1 AND reviewer = ?2 AND at = ?3 AND decision = ?4
                 AND defect_id IS ?5 AND note IS ?6)",
        )?;
        let id = defect.as_ref().and_then(|defect| defect.defect_id.as_deref());
        return Ok(select.query_row(params![image, reviewer, at, decision.as_str(), id, note], |row| row.get(0))?);
    }
    let mut select = connection.prepare_cached(
        "SELECT decision, dtype, box_x, box_y, box_width, box_height, mask FROM reviews
         WHERE image_id = ?1 AND defect_id IS ?2 ORDER BY review_id DESC LIMIT 1",
    )?;
    let id = defect.as_ref().and_then(|defect| defect.defect_id.as_deref());
    if defect.is_some() && id.is_none() {
        return Ok(false);
    }
    let same = select
        .query_row(params![image, id], |row| {
            let word: String = row.get(0)?;
            let Some(defect) = defect else { return Ok(word == decision.as_str()) };
            let kind: String = row.get(1)?;
            let bbox: [u32; 4] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
            let mask: Vec<u8> = row.get::<_, Option<Vec<u8>>>(6)?.unwrap_or_default();
            let same = Decision::parse(&word).is_some_and(|word| word.stance() == decision.stance());
            Ok(same && kind == defect.kind.as_str() && bbox == defect.bbox && mask == runs_to_bytes(&defect.mask))
        })
        .optional()?;
    Ok(same == Some(true))
}

/// The defect that somebody drew exactly like that before.
fn same_drawing(connection: &Connection, image: &str, defect: &ReviewedDefect) -> Result<Option<String>, Fault> {
    let [x, y, w, h] = defect.bbox;
    let mut select = connection.prepare_cached(
        "SELECT defect_id FROM reviews WHERE image_id = ?1 AND box_x = ?2 AND box_y = ?3 AND box_width = ?4
             AND box_height = ?5 AND coalesce(mask, x'') = ?6 ORDER BY review_id DESC LIMIT 1",
    )?;
    let row = select.query_row(params![image, x, y, w, h, runs_to_bytes(&defect.mask)], |row| row.get(0));
    Ok(row.optional()?)
}

fn insert(connection: &Connection, image: &str, inspection: i64, review: &Review) -> Result<(), Fault> {
    let defect = review.defect.as_ref();
    let mut insert = connection.prepare_cached(
        "INSERT INTO reviews (image_id, inspection_id, reviewer, at, decision, has_defect, defect_id, dtype, box_x, box_y,
             box_width, box_height, mask, note)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6,
             CASE WHEN ?8 IS NOT NULL THEN coalesce(?7, ?1 || '-r' || (
                 SELECT count(DISTINCT defect_id) + 1 FROM reviews WHERE image_id = ?1 AND defect_id LIKE ?1 || '-r%')) END,
             ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    let at = review.at.clone().unwrap_or_else(now);
    insert.execute(params![
        image,
        inspection,
        review.reviewer,
        at,
        review.decision.as_str(),
        review.decision.label(),
        defect.and_then(|defect| defect.defect_id.as_deref()),
        defect.map(|defect| defect.kind.as_str()),
        defect.map(|defect| defect.bbox[0]),
        defect.map(|defect| defect.bbox[1]),
        defect.map(|defect| defect.bbox[2]),
        defect.map(|defect| defect.bbox[3]),
        defect.filter(|defect| !defect.mask.is_empty()).map(|defect| runs_to_bytes(&defect.mask)),
        review.note,
    ])?;
    Ok(())
}

/// Finds the defects of the current inspection that reviews of defects mean. Those without one stay as they are.
pub(super) fn renew_matches(connection: &Connection, image: ImageId) -> Result<(), Fault> {
    let text = image.to_string();
    let drawn: Vec<(i64, ReviewedDefect)> = connection
        .prepare_cached(
            "SELECT image_id, reviewer, at, decision, defect_id, dtype, box_x, box_y, box_width, box_height, mask, note,
                 review_id
             FROM reviews WHERE image_id = ?1 AND defect_id IS NOT NULL",
        )?
        .query_map([&text], |row| Ok((row.get(12)?, review_from(row, 0)?.and_then(|review| review.defect))))?
        .filter_map(|row| row.map(|(id, defect)| defect.map(|defect| (id, defect))).transpose())
        .collect::<Result<_, _>>()?;
    if drawn.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached(
            "DELETE FROM review_matches WHERE review_id IN (SELECT review_id FROM reviews WHERE image_id = ?1)",
        )?
        .execute([&text])?;
    let inspection: i64 = connection
        .prepare_cached("SELECT inspection_id FROM images WHERE image_id = ?1")?
        .query_row([&text], |row| row.get(0))?;
    let found = load_defects(connection, inspection)?;
    let mut insert =
        connection.prepare_cached("INSERT INTO review_matches (review_id, defect_id, overlap) VALUES (?1, ?2, ?3)")?;
    for (review, defect) in &drawn {
        if let Some((id, overlap)) = best_match(&found, defect) {
            insert.execute(params![review, id, overlap])?;
        }
    }
    Ok(())
}

/// A defect that an inspection found, as far as matching goes.
struct Found {
    id: String,
    bbox: [u32; 4],
    mask: Vec<Run>,
}

fn load_defects(connection: &Connection, inspection: i64) -> Result<Vec<Found>, Fault> {
    let defects = load::load_defects(connection, inspection).map_err(|error| Fault::Refused(error.to_string()))?;
    Ok(defects
        .into_iter()
        .map(|defect| Found { id: defect.id, bbox: defect.bbox, mask: runs_of(&defect.mask) })
        .collect())
}

fn runs_of(mask: &[[u32; 3]]) -> Vec<Run> {
    mask.iter().map(|&[y, x, length]| Run { y, x, length }).collect()
}

/// The found defect that overlaps most, by masks where both have one, else by boxes.
fn best_match(found: &[Found], defect: &ReviewedDefect) -> Option<(String, f64)> {
    let boxed = |[x, y, width, height]: [u32; 4]| runs::filled(BoundingBox { x, y, width, height });
    let drawn = runs_of(&defect.mask);
    let overlap = |found: &Found| {
        let masks = !found.mask.is_empty() && !drawn.is_empty();
        let (a, b) = if masks { (found.mask.clone(), drawn.clone()) } else { (boxed(found.bbox), boxed(defect.bbox)) };
        let common = f64::from(runs::common_area(&a, &b));
        common / (f64::from(runs::area(&a)) + f64::from(runs::area(&b)) - common).max(1.0)
    };
    let best = found.iter().map(|found| (found, overlap(found))).max_by(|a, b| a.1.total_cmp(&b.1))?;
    (best.1 >= MATCHES).then(|| (best.0.id.clone(), best.1))
}

/// From the columns image_id, reviewer, at, decision, defect_id, dtype, box, mask, note. `None` for words of a newer build.
pub(super) fn review_from(row: &Row<'_>, first: usize) -> Result<Option<Review>, rusqlite::Error> {
    let decision = Decision::parse(row.get_ref(first + 3)?.as_str()?);
    let (Some(image), Some(decision)) = (image_from(row, first)?, decision) else { return Ok(None) };
    let kind = row.get_ref(first + 5)?.as_str_or_null()?.and_then(DefectKind::parse);
    let defect = match kind {
        Some(kind) => {
            let bytes: Vec<u8> = row.get::<_, Option<Vec<u8>>>(first + 10)?.unwrap_or_default();
            let word = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let runs = bytes.as_chunks::<12>().0.iter();
            Some(ReviewedDefect {
                defect_id: row.get(first + 4)?,
                kind,
                bbox: [row.get(first + 6)?, row.get(first + 7)?, row.get(first + 8)?, row.get(first + 9)?],
                mask: runs.map(|run| [word(&run[..4]), word(&run[4..8]), word(&run[8..])]).collect(),
            })
        }
        None => None,
    };
    let at = Some(row.get(first + 2)?);
    Ok(Some(Review { image, reviewer: row.get(first + 1)?, at, decision, defect, note: row.get(first + 11)? }))
}

/// Reviewers who do not agree about an image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Conflict {
    pub image_id: ImageId,
    pub filename: String,
    /// Each with the last word, in the order in which they said it; the last one is in force.
    pub words: Vec<(String, Decision)>,
}

/// An image, as files for labelling show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledImage {
    pub image_id: ImageId,
    pub filename: String,
    pub width: u32,
    pub height: u32,
    pub has_defect: Option<bool>,
}

impl Reader {
    /// Every review with its image's file name, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read; or `each` fails.
    pub fn reviews<E: From<StoreError>>(&self, mut each: impl FnMut(&str, &Review) -> Result<(), E>) -> Result<(), E> {
        let trouble = |error: rusqlite::Error| StoreError::from(error);
        let mut select = self
            .connection()
            .prepare_cached(
                "SELECT i.filename, r.image_id, r.reviewer, r.at, r.decision, r.defect_id, r.dtype, r.box_x, r.box_y,
                     r.box_width, r.box_height, r.mask, r.note
                 FROM reviews r JOIN images i USING (image_id) ORDER BY r.review_id",
            )
            .map_err(trouble)?;
        let mut rows = select.query([]).map_err(trouble)?;
        while let Some(row) = rows.next().map_err(trouble)? {
            let filename: String = row.get(0).map_err(trouble)?;
            if let Some(review) = review_from(row, 1).map_err(trouble)? {
                each(&filename, &review)?;
            }
        }
        Ok(())
    }

    /// Images about which the last words of two reviewers differ.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn review_conflicts(&self) -> Result<Vec<Conflict>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT r.image_id, i.filename, r.reviewer, r.decision FROM reviews r JOIN images i USING (image_id)
             WHERE r.defect_id IS NULL AND r.has_defect IS NOT NULL AND r.review_id = (
                 SELECT max(review_id) FROM reviews x
                 WHERE x.image_id = r.image_id AND x.defect_id IS NULL AND x.reviewer = r.reviewer)
             ORDER BY i.filename, r.review_id",
        )?;
        let mut rows = select.query([])?;
        let mut all: Vec<Conflict> = Vec::new();
        while let Some(row) = rows.next()? {
            let decision = Decision::parse(row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?);
            let (Some(image_id), Some(decision)) = (image_from(row, 0)?, decision) else { continue };
            let word = (row.get(2)?, decision);
            match all.last_mut().filter(|last| last.image_id == image_id) {
                Some(last) => last.words.push(word),
                None => all.push(Conflict { image_id, filename: row.get(1)?, words: vec![word] }),
            }
        }
        all.retain(|conflict| conflict.words.iter().any(|word| word.1 != conflict.words[0].1));
        Ok(all)
    }

    /// Width and height in pixels.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn image_size(&self, image: ImageId) -> Result<Option<(u32, u32)>, StoreError> {
        let mut select = self.connection().prepare_cached("SELECT width, height FROM images WHERE image_id = ?1")?;
        Ok(select.query_row([image.to_string()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// Every image, by file name.
    ///
    /// # Errors
    /// The database cannot be read; or `each` fails.
    pub fn labelled_images<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(LabelledImage) -> Result<(), E>,
    ) -> Result<(), E> {
        let trouble = |error: rusqlite::Error| StoreError::from(error);
        let sql = "SELECT image_id, filename, width, height, has_defect FROM images ORDER BY filename";
        let mut select = self.connection().prepare_cached(sql).map_err(trouble)?;
        let mut rows = select.query([]).map_err(trouble)?;
        while let Some(row) = rows.next().map_err(trouble)? {
            let read = || -> Result<Option<LabelledImage>, rusqlite::Error> {
                let Some(image_id) = image_from(row, 0)? else { return Ok(None) };
                let (filename, has_defect) = (row.get(1)?, row.get(4)?);
                Ok(Some(LabelledImage { image_id, filename, width: row.get(2)?, height: row.get(3)?, has_defect }))
            };
            if let Some(image) = read().map_err(trouble)? {
                each(image)?;
            }
        }
        Ok(())
    }

    /// The defects of the image's current inspection, as a person would review them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn found_defects(&self, image: ImageId) -> Result<Vec<ReviewedDefect>, StoreError> {
        let mut select = self.connection().prepare_cached("SELECT inspection_id FROM images WHERE image_id = ?1")?;
        let inspection: Option<i64> = select.query_row([image.to_string()], |row| row.get(0)).optional()?;
        let Some(inspection) = inspection else { return Ok(Vec::new()) };
        let found = load::load_defects(self.connection(), inspection)?;
        let reviewed = found.into_iter().map(|defect| ReviewedDefect {
            defect_id: Some(defect.id),
            kind: defect.kind,
            bbox: defect.bbox,
            mask: defect.mask,
        });
        Ok(reviewed.collect())
    }
}
