//! What a person is to review next, what people said of one image, and how far they agree.

use std::collections::BTreeMap;

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use super::{
    Reader, StoreError,
    reader::{limit_of, unreadable},
    reviews::review_from,
};
use crate::{
    dataset::review::{Agreement, Review},
    ids::{CaptureId, ImageId},
};

/// In which order, and of which images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewQueue {
    /// The newest first.
    All,
    /// Those of which the pipeline is least sure: whose strongest defect is nearest to a confidence of a half.
    Unsure,
    /// Those of which another build or other parameters said something else before.
    Disagreements,
    /// Those called a defect for the weakest reasons: the strongest defect least sure first.
    FalseAlarms,
    /// Those that somebody else has reviewed.
    SecondLook,
}

impl ReviewQueue {
    pub const ALL: [Self; 5] = [Self::All, Self::Unsure, Self::Disagreements, Self::FalseAlarms, Self::SecondLook];
}

/// Inspections that are looked through for disagreements.
const LOOKED_THROUGH: i64 = 20_000;

/// No word of this reviewer (`?1`) about the image of a row `c` of captures, which holds its content.
const MINE_TO_DO: &str = "c.state = 'done' AND NOT EXISTS (SELECT 1 FROM reviews r WHERE r.image_id = c.image_id
    AND r.defect_id IS NULL AND r.reviewer = ?1 AND r.has_defect IS NOT NULL AND NOT EXISTS (SELECT 1 FROM reviews x
        WHERE x.image_id = r.image_id AND x.defect_id IS NULL AND x.reviewer = ?1 AND x.review_id > r.review_id))";

impl Reader {
    /// The captures that this reviewer has not decided about, those to look at first first.
    ///
    /// # Errors
    /// The database cannot be read, or is older than this build.
    pub fn review_queue(&self, queue: ReviewQueue, reviewer: &str, limit: usize) -> Result<Vec<CaptureId>, StoreError> {
        self.refuse_older()?;
        let of_listing = |index: &str, condition: &str, order: &str| {
            format!(
                "SELECT c.capture_id, l.confidence FROM listing l {index} CROSS JOIN captures c
                     ON c.capture_id = l.capture_id WHERE {condition} AND {MINE_TO_DO} ORDER BY {order} LIMIT ?2"
            )
        };
        let by_confidence = "INDEXED BY listing_confidence";
        match queue {
            ReviewQueue::All => {
                let sql = of_listing("INDEXED BY listing_state", "l.state = 'done'", "l.capture_id DESC");
                Ok(self.queued(&sql, reviewer, limit)?.into_iter().map(|(capture, _)| capture).collect())
            }
            ReviewQueue::Unsure => {
                let above = of_listing(by_confidence, "l.confidence >= 0.5", "l.confidence, l.capture_id DESC");
                let below = of_listing(
                    by_confidence,
                    "l.confidence BETWEEN 0 AND 0.499999999",
                    "l.confidence DESC, l.capture_id DESC",
                );
                let mut both = self.queued(&above, reviewer, limit)?;
                both.extend(self.queued(&below, reviewer, limit)?);
                both.sort_by(|a, b| (a.1 - 0.5).abs().total_cmp(&(b.1 - 0.5).abs()));
                both.truncate(limit);
                Ok(both.into_iter().map(|(capture, _)| capture).collect())
            }
            ReviewQueue::FalseAlarms => {
                let sql =
                    of_listing(by_confidence, "l.confidence >= 0 AND l.label = 1", "l.confidence, l.capture_id DESC");
                Ok(self.queued(&sql, reviewer, limit)?.into_iter().map(|(capture, _)| capture).collect())
            }
            ReviewQueue::Disagreements => {
                let sql = format!(
                    "SELECT DISTINCT c.capture_id, 0.0 FROM (SELECT image_id FROM inspections INDEXED BY inspections_again
                         WHERE attempt > 1 AND state = 'done' ORDER BY inspection_id DESC LIMIT {LOOKED_THROUGH}) again
                     CROSS JOIN images i ON i.image_id = again.image_id
                     CROSS JOIN inspections n ON n.inspection_id = i.inspection_id
                     CROSS JOIN captures c ON c.capture_id = i.capture_id
                     WHERE EXISTS (SELECT 1 FROM inspections p WHERE p.image_id = i.image_id AND p.state = 'done'
                         AND p.pipeline_id <> n.pipeline_id AND p.has_defect IS NOT n.has_defect) AND {MINE_TO_DO}
                     LIMIT ?2"
                );
                Ok(self.queued(&sql, reviewer, limit)?.into_iter().map(|(capture, _)| capture).collect())
            }
            ReviewQueue::SecondLook => {
                let sql = of_listing("INDEXED BY listing_reviewed", "l.reviewed", "l.capture_id DESC");
                Ok(self.queued(&sql, reviewer, limit)?.into_iter().map(|(capture, _)| capture).collect())
            }
        }
    }

    fn queued(&self, sql: &str, reviewer: &str, limit: usize) -> Result<Vec<(CaptureId, f64)>, StoreError> {
        let mut select = self.connection().prepare_cached(sql)?;
        let rows = select
            .query_map(params![reviewer, limit_of(limit)], |row| Ok((CaptureId(row.get(0)?), row.get::<_, f64>(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What was ever said of an image and of its defects, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn reviews_of(&self, image: ImageId) -> Result<Vec<Review>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT image_id, reviewer, at, decision, defect_id, dtype, box_x, box_y, box_width, box_height, mask, note
             FROM reviews WHERE image_id = ?1 ORDER BY review_id",
        )?;
        let rows = select.query_map([image.to_string()], |row| review_from(row, 0))?;
        Ok(rows.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// Every two reviewers who decided about the same images, by their last words.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn agreements(&self) -> Result<Vec<Agreement>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "WITH words AS (SELECT image_id, reviewer, has_defect FROM reviews r
                 WHERE defect_id IS NULL AND has_defect IS NOT NULL AND review_id = (SELECT max(review_id) FROM reviews x
                     WHERE x.image_id = r.image_id AND x.defect_id IS NULL AND x.reviewer = r.reviewer))
             SELECT a.reviewer, b.reviewer, a.has_defect, b.has_defect, count(*)
             FROM words a JOIN words b ON b.image_id = a.image_id AND a.reviewer < b.reviewer
             GROUP BY 1, 2, 3, 4",
        )?;
        let mut found: BTreeMap<(String, String), [u64; 4]> = BTreeMap::new();
        let word = |row: &Row<'_>, column| -> Result<bool, rusqlite::Error> {
            row.get::<_, Option<bool>>(column)?.ok_or_else(|| unreadable(column, "no label"))
        };
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let place = match (word(row, 2)?, word(row, 3)?) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            };
            found.entry((row.get(0)?, row.get(1)?)).or_default()[place] = row.get::<_, i64>(4)?.unsigned_abs();
        }
        Ok(found.into_iter().map(|((first, second), counts)| Agreement { first, second, counts }).collect())
    }
}
