//! Who judged an image: every inspection of it, with the builds and parameters that made it.

use serde::Serialize;

use super::{Reader, StoreError, swaps::parsed};
use crate::{
    host::card::Slot,
    ids::{BuildHash, ImageId, PipelineId, PluginId},
    report::Missing,
};

/// One inspection of an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    pub inspection: i64,
    /// RFC 3339, UTC.
    pub at: String,
    pub generation: u64,
    pub pipeline: PipelineId,
    /// It is what tables and screens show.
    pub current: bool,
    pub has_defect: Option<bool>,
    pub defects: Option<u64>,
    pub verdict: Option<String>,
    /// Plug-ins whose results are missing.
    pub incomplete: Vec<Missing>,
    /// Why there is none.
    pub failure: Option<String>,
    /// Slot by slot, in order.
    pub judges: Vec<Judge>,
}

/// A plug-in that took part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judge {
    pub slot: Slot,
    pub plugin: PluginId,
    pub version: String,
    pub build: BuildHash,
    /// What differed from its defaults.
    pub parameters: serde_json::Value,
}

impl Reader {
    /// The image of that name under `images/`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn image_named(&self, filename: &str) -> Result<Option<ImageId>, StoreError> {
        let mut select = self.connection().prepare_cached("SELECT image_id FROM images WHERE filename = ?1")?;
        let mut rows = select.query([filename])?;
        Ok(rows.next()?.map(|row| parsed(row, 0)).transpose()?)
    }

    /// Every inspection of an image, the newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn judgements(&self, image: ImageId) -> Result<Vec<Judgement>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT i.inspection_id, i.at, i.generation, i.pipeline_id, i.has_defect, i.defects, i.verdict, i.incomplete,
                    i.failure_message,
                    EXISTS (SELECT 1 FROM images m WHERE m.inspection_id = i.inspection_id)
             FROM inspections i WHERE i.image_id = ?1 ORDER BY i.inspection_id DESC",
        )?;
        let mut rows = select.query([image.to_string()])?;
        let mut judgements = Vec::new();
        while let Some(row) = rows.next()? {
            let pipeline: PipelineId = parsed(row, 3)?;
            let incomplete: String = row.get(7)?;
            judgements.push(Judgement {
                inspection: row.get(0)?,
                at: row.get(1)?,
                generation: row.get::<_, i64>(2)?.unsigned_abs(),
                judges: self.judges(&pipeline)?,
                pipeline,
                has_defect: row.get(4)?,
                defects: row.get::<_, Option<i64>>(5)?.map(i64::unsigned_abs),
                verdict: row.get(6)?,
                incomplete: serde_json::from_str(&incomplete)
                    .map_err(|_| StoreError::Unreadable { what: format!("what an inspection of {image} lacks") })?,
                failure: row.get(8)?,
                current: row.get(9)?,
            });
        }
        Ok(judgements)
    }

    fn judges(&self, pipeline: &PipelineId) -> Result<Vec<Judge>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT slot, plugin, version, build, parameters FROM pipeline_stages WHERE pipeline_id = ?1
             ORDER BY CASE slot WHEN 'segment' THEN 0 WHEN 'detect' THEN 1 WHEN 'measure' THEN 2 ELSE 3 END, place",
        )?;
        let mut rows = select.query([pipeline.as_str()])?;
        let mut judges = Vec::new();
        while let Some(row) = rows.next()? {
            let (slot, parameters): (String, String) = (row.get(0)?, row.get(4)?);
            let unreadable = |what: String| StoreError::Unreadable { what };
            judges.push(Judge {
                slot: serde_json::from_value(slot.clone().into()).map_err(|_| unreadable(format!("slot `{slot}`")))?,
                plugin: parsed(row, 1)?,
                version: row.get(2)?,
                build: parsed(row, 3)?,
                parameters: serde_json::from_str(&parameters)
                    .map_err(|_| unreadable(format!("parameters in pipeline {pipeline}")))?,
            });
        }
        Ok(judges)
    }
}
