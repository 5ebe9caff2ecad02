//! Whose word an image's label is: the latest review of a person, else what was found. And what hangs on it: an image
//! without a label, a fibre or its picture, or with an incomplete result, is on no side of the split, but keeps the side it had.

use rusqlite::{Connection, params};

use super::writer::Fault;

/// Brings label and split of an image up to date; every change of its result or its reviews ends here, in the same
/// transaction. Returns the label.
pub(super) fn settle(connection: &Connection, image: &str) -> Result<Option<bool>, Fault> {
    let mut update = connection.prepare_cached(
        "UPDATE images SET has_defect = coalesce(
             (SELECT has_defect FROM reviews WHERE image_id = ?1 AND defect_id IS NULL ORDER BY review_id DESC LIMIT 1),
             has_defect_found)
         WHERE image_id = ?1 RETURNING has_defect",
    )?;
    let label = update.query_row(params![image], |row| row.get(0))?;
    connection
        .prepare_cached(
            "UPDATE images SET split = CASE WHEN has_defect IS NOT NULL AND clad_r IS NOT NULL AND NOT incomplete
                 AND NOT gone THEN side END WHERE image_id = ?1",
        )?
        .execute([image])?;
    Ok(label)
}
