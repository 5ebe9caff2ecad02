//! What a dataset keeps of pipelines that were in force before: which there were, and what each said of an image.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;

use super::{Reader, StoreError, load, swaps::parsed};
use crate::{
    ids::{BuildHash, CaptureId, ImageId, PipelineId, PluginId},
    report::Inspection,
};

/// A pipeline that has inspected something, or was to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineRow {
    pub id: PipelineId,
    /// Successful ones.
    pub inspections: u64,
    /// RFC 3339, UTC.
    pub first_at: String,
    /// `id version (build)`, slot by slot.
    pub plugins: Vec<String>,
}

/// A stored inspection's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InspectionKey(i64);

impl Reader {
    /// Every pipeline, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pipelines(&self) -> Result<Vec<PipelineRow>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT p.pipeline_id, p.first_at,
                    (SELECT count(*) FROM inspections i WHERE i.pipeline_id = p.pipeline_id AND i.state = 'done')
             FROM pipelines p ORDER BY p.first_at, p.pipeline_id",
        )?;
        let mut stages = self.connection().prepare_cached(
            "SELECT plugin, version, build FROM pipeline_stages WHERE pipeline_id = ?1
             ORDER BY CASE slot WHEN 'segment' THEN 0 WHEN 'detect' THEN 1 WHEN 'measure' THEN 2 ELSE 3 END, place",
        )?;
        let mut rows = select.query([])?;
        let mut pipelines = Vec::new();
        while let Some(row) = rows.next()? {
            let text: String = row.get(0)?;
            let plugins = stages.query_map([&text], |stage| {
                let (plugin, version): (String, String) = (stage.get(0)?, stage.get(1)?);
                Ok(format!("{plugin} {version} ({})", stage.get::<_, String>(2)?))
            })?;
            pipelines.push(PipelineRow {
                id: text.parse().map_err(|_| StoreError::Unreadable { what: format!("pipeline `{text}`") })?,
                first_at: row.get(1)?,
                inspections: row.get::<_, i64>(2)?.unsigned_abs(),
                plugins: plugins.collect::<Result<_, _>>()?,
            });
        }
        Ok(pipelines)
    }

    /// The pipelines that had this build of a plug-in, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn pipelines_with(&self, plugin: &PluginId, build: &BuildHash) -> Result<Vec<PipelineId>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT DISTINCT p.pipeline_id, p.first_at FROM pipelines p JOIN pipeline_stages s USING (pipeline_id)
             WHERE s.plugin = ?1 AND s.build = ?2 ORDER BY p.first_at, p.pipeline_id",
        )?;
        let mut rows = select.query([plugin.as_str(), build.as_str()])?;
        let mut pipelines = Vec::new();
        while let Some(row) = rows.next()? {
            pipelines.push(parsed(row, 0)?);
        }
        Ok(pipelines)
    }

    /// The capture of the picture with this name under `images/`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn capture_of(&self, filename: &str) -> Result<Option<CaptureId>, StoreError> {
        let mut select = self.connection().prepare_cached("SELECT capture_id FROM images WHERE filename = ?1")?;
        Ok(select.query_row([filename], |row| row.get::<_, i64>(0)).optional()?.map(CaptureId))
    }

    /// The capture that an image was inspected from.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn capture_showing(&self, image: ImageId) -> Result<Option<CaptureId>, StoreError> {
        let mut select = self.connection().prepare_cached("SELECT capture_id FROM images WHERE image_id = ?1")?;
        Ok(select.query_row([image.to_string()], |row| row.get::<_, i64>(0)).optional()?.map(CaptureId))
    }

    /// The images that a pipeline has inspected, each with the latest time that it did so completely.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn inspected_by(&self, pipeline: &PipelineId) -> Result<BTreeMap<ImageId, InspectionKey>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT image_id, max(inspection_id) FROM inspections
             WHERE pipeline_id = ?1 AND state = 'done' AND incomplete = '[]' GROUP BY image_id",
        )?;
        let mut rows = select.query([pipeline.as_str()])?;
        let mut all = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let text: String = row.get(0)?;
            let image = text.parse().map_err(|_| StoreError::Unreadable { what: format!("image `{text}`") })?;
            all.insert(image, InspectionKey(row.get(1)?));
        }
        Ok(all)
    }

    /// What was said then.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn inspection(&self, key: InspectionKey) -> Result<Option<Inspection>, StoreError> {
        load::load(self.connection(), key.0)
    }

    /// The image's name under `images/`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn image_name(&self, image: ImageId) -> Result<Option<String>, StoreError> {
        let mut select = self.connection().prepare_cached("SELECT filename FROM images WHERE image_id = ?1")?;
        Ok(select.query_row([image.to_string()], |row| row.get(0)).optional()?)
    }
}
