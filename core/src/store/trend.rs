//! The last images in the order of their captures, with the few figures by which a microscope or a process is seen to drift.

use super::{Reader, StoreError, reader::limit_of};
use crate::ids::CaptureId;

/// One image's figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrendRow {
    pub capture: CaptureId,
    pub has_defect: Option<bool>,
    /// Pixels; the geometric mean of the semi-axes.
    pub cladding_r: Option<f64>,
    /// 0 to 1.
    pub focus: Option<f64>,
    /// Mean gray level of the cladding.
    pub brightness: Option<f64>,
}

/// The last images, and how many there are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trend {
    /// The oldest first.
    pub rows: Vec<TrendRow>,
    /// Captures that are done, those before them too.
    pub done: u64,
}

impl Reader {
    /// Figures of at most so many images, those captured last.
    ///
    /// # Errors
    /// The database cannot be read, or is older than this build.
    pub fn trend(&self, limit: usize) -> Result<Trend, StoreError> {
        self.refuse_older()?;
        let done = self.counts()?.done;
        let mut select = self.connection().prepare_cached(
            "SELECT i.capture_id, i.has_defect, i.clad_r, n.quality_focus,
                 (SELECT f.value FROM inspection_features f
                  WHERE f.inspection_id = i.inspection_id AND f.region = 'cladding' AND f.name = 'mean' LIMIT 1)
             FROM images i INDEXED BY images_capture CROSS JOIN inspections n ON n.inspection_id = i.inspection_id
             ORDER BY i.capture_id DESC LIMIT ?1",
        )?;
        let rows = select.query_map([limit_of(limit)], |row| {
            Ok(TrendRow {
                capture: CaptureId(row.get(0)?),
                has_defect: row.get(1)?,
                cladding_r: row.get(2)?,
                focus: row.get(3)?,
                brightness: row.get(4)?,
            })
        })?;
        let mut rows: Vec<TrendRow> = rows.collect::<Result<_, _>>()?;
        rows.reverse();
        Ok(Trend { rows, done })
    }
}
