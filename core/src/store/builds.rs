//! The swap log and the builds of a plug-in, read back: what `ferrule plugin log`, `history` and `rollback` go by.

use rusqlite::OptionalExtension;
use serde::Serialize;

use super::{
    Reader, StoreError,
    swaps::{COLUMNS, parsed, swap_row},
};
use crate::{
    ids::{BuildHash, PluginId},
    swap::Swap,
};

/// A build of a plug-in and when it was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildRow {
    pub build: BuildHash,
    pub version: String,
    /// When a pipeline first held it; RFC 3339, UTC.
    pub first_at: String,
    /// Oldest first; empty for a build that workers refused.
    pub in_force: Vec<Period>,
    /// Inspections that it had a part in.
    pub inspections: u64,
}

/// From one swap to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Period {
    pub generation: u64,
    pub from: String,
    /// `None` while it lasts.
    pub until: Option<String>,
}

impl Reader {
    /// The swap log, the oldest first; at most the newest `limit`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn swaps(&self, limit: usize) -> Result<Vec<Swap>, StoreError> {
        self.refuse_older()?;
        let sql = format!("{COLUMNS} ORDER BY swap_id DESC LIMIT ?1");
        let mut select = self.connection().prepare_cached(&sql)?;
        let mut swaps: Vec<Swap> =
            select.query_map([super::reader::limit_of(limit)], swap_row)?.collect::<Result<_, _>>()?;
        swaps.reverse();
        Ok(swaps)
    }

    /// Every build of a plug-in that ever was in a pipeline, in the order in which they came.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn builds(&self, plugin: &PluginId) -> Result<Vec<BuildRow>, StoreError> {
        self.refuse_older()?;
        let mut builds = self.builds_ever(plugin)?;
        let mut select = self.connection().prepare_cached(
            "SELECT w.generation, w.at, s.build FROM swaps w
             LEFT JOIN pipeline_stages s ON s.pipeline_id = w.pipeline_id AND s.plugin = ?1
             WHERE w.outcome = 'in force' AND w.generation IS NOT NULL ORDER BY w.generation",
        )?;
        let mut rows = select.query([plugin.as_str()])?;
        let mut lasting: Option<BuildHash> = None;
        while let Some(row) = rows.next()? {
            let (generation, at): (i64, String) = (row.get(0)?, row.get(1)?);
            let build = if row.get_ref(2)?.as_str_or_null().map_err(rusqlite::Error::from)?.is_none() {
                None
            } else {
                Some(parsed::<BuildHash>(row, 2)?)
            };
            if build == lasting {
                continue;
            }
            let last = |build: &Option<BuildHash>| builds.iter().position(|it| Some(&it.build) == build.as_ref());
            let (ended, begun) = (last(&lasting), last(&build));
            if let Some(period) = ended.and_then(|index| builds[index].in_force.last_mut()) {
                period.until = Some(at.clone());
            }
            if let Some(index) = begun {
                let period = Period { generation: generation.unsigned_abs(), from: at, until: None };
                builds[index].in_force.push(period);
            }
            lasting = build;
        }
        Ok(builds)
    }

    /// Some tables are younger than others, and only what writes a dataset migrates it.
    pub(super) fn refuse_older(&self) -> Result<(), StoreError> {
        let found: i64 = self.connection().pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found < super::schema::VERSION {
            let path = self.connection().path().unwrap_or_default().into();
            return Err(StoreError::OlderSchema { path });
        }
        Ok(())
    }

    fn builds_ever(&self, plugin: &PluginId) -> Result<Vec<BuildRow>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT build, version, min(first_at) FROM plugins WHERE plugin = ?1 GROUP BY build ORDER BY 3, 1",
        )?;
        let mut count = self.connection().prepare_cached(
            "SELECT count(*) FROM inspections i JOIN pipeline_stages s USING (pipeline_id)
             WHERE i.state = 'done' AND s.plugin = ?1 AND s.build = ?2",
        )?;
        let mut rows = select.query([plugin.as_str()])?;
        let mut builds = Vec::new();
        while let Some(row) = rows.next()? {
            let build: BuildHash = parsed(row, 0)?;
            let inspections: Option<i64> =
                count.query_row([plugin.as_str(), build.as_str()], |row| row.get(0)).optional()?;
            builds.push(BuildRow {
                version: row.get(1)?,
                first_at: row.get(2)?,
                in_force: Vec::new(),
                inspections: inspections.unwrap_or(0).unsigned_abs(),
                build,
            });
        }
        Ok(builds)
    }
}
