//! Jobs out of the list of captures: which there are, and the captures of one.

use rusqlite::{OptionalExtension, params};

use super::{
    Reader, StoreError,
    reader::{image_from, limit_of, state_from},
};
use crate::{
    ids::CaptureId,
    job::{Job, Shot},
    report::Outcome,
};

/// Captures that are gone through for the newest jobs, so that a dataset of one huge job costs no more than others.
const WALK: usize = 50_000;

/// Captures of one job that are read: the newest, should a name pattern call everything one job.
const MOST: usize = 20_000;

impl Reader {
    /// The jobs of the newest captures, the latest first, at most so many.
    ///
    /// # Errors
    /// The database cannot be read, or is older than this build.
    pub fn jobs(&self, limit: usize) -> Result<Vec<Job>, StoreError> {
        self.refuse_older()?;
        let mut select = self.connection().prepare_cached(
            "SELECT job FROM (SELECT job, capture_id FROM listing WHERE job > '' AND state <> 'ignored'
                 ORDER BY capture_id DESC LIMIT ?1)
             GROUP BY job ORDER BY max(capture_id) DESC LIMIT ?2",
        )?;
        let rows = select.query_map(params![limit_of(WALK), limit_of(limit)], |row| row.get::<_, String>(0))?;
        let names: Vec<String> = rows.collect::<Result<_, _>>()?;
        names.iter().filter_map(|name| self.job(name).transpose()).collect()
    }

    /// The job of that name, in whatever case it is written.
    ///
    /// # Errors
    /// The database cannot be read, or is older than this build.
    pub fn job(&self, name: &str) -> Result<Option<Job>, StoreError> {
        self.refuse_older()?;
        if name.is_empty() {
            return Ok(None);
        }
        let written: Option<String> = self
            .connection()
            .prepare_cached("SELECT job FROM listing WHERE job = ?1 ORDER BY capture_id DESC LIMIT 1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let Some(written) = written else { return Ok(None) };
        let mut select = self.connection().prepare_cached(
            "SELECT l.capture_id, c.image_id, l.name, l.seen_at, l.state, l.port, l.side, l.verdict, l.label
             FROM listing l INDEXED BY listing_job CROSS JOIN captures c ON c.capture_id = l.capture_id
             WHERE l.job = ?1 AND l.state <> 'ignored' ORDER BY l.capture_id DESC LIMIT ?2",
        )?;
        let rows = select.query_map(params![name, limit_of(MOST)], |row| {
            Ok(Shot {
                capture: CaptureId(row.get(0)?),
                image: image_from(row, 1)?,
                name: row.get(2)?,
                seen_at: row.get(3)?,
                state: state_from(row, 4)?,
                port: row.get(5)?,
                side: row.get(6)?,
                verdict: Outcome::parse(row.get_ref(7)?.as_str()?),
                has_defect: Some(row.get::<_, i64>(8)?).filter(|label| *label >= 0).map(|label| label == 1),
            })
        })?;
        let mut shots: Vec<Shot> = rows.collect::<Result<_, _>>()?;
        shots.reverse();
        Ok((!shots.is_empty()).then(|| Job::of(written, shots)))
    }
}
