//! Where defects lie over many captures: each laid on the same end face by its cladding, so that a worn polishing film or a
//! scratched ferrule shows as a place and not as chance. Called by the workbench.

use super::{Reader, StoreError, load::runs_from_bytes};
use crate::filter::Filter;

/// Cells along each side.
pub const HEAT_SIDE: usize = 48;

/// Cladding radii from the fibre's middle to the edge: zone D of IEC 61300-3-35 ends at twice the radius.
pub const HEAT_REACH: f64 = 2.1;

/// How many captures have a defect in which cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heat {
    /// Row by row, [`HEAT_SIDE`] a row; the fibre's middle is in the middle.
    pub cells: Vec<u32>,
    /// Captures that have a fibre, and so are in it.
    pub captures: u64,
    pub defects: u64,
}

impl Heat {
    /// The share of captures that have a defect at this place, given in cladding radii from the fibre's middle; 0 beyond
    /// the edge.
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> f64 {
        cell(x, y).map_or(0.0, |cell| f64::from(self.cells[cell]) / self.captures.max(1) as f64)
    }

    /// The highest share of any cell.
    #[must_use]
    pub fn most(&self) -> f64 {
        f64::from(self.cells.iter().copied().max().unwrap_or(0)) / self.captures.max(1) as f64
    }
}

/// The cell of a place in cladding radii.
fn cell(x: f64, y: f64) -> Option<usize> {
    let along = |at: f64| {
        let place = ((at / HEAT_REACH + 1.0) / 2.0 * HEAT_SIDE as f64).floor();
        (place >= 0.0 && place < HEAT_SIDE as f64).then_some(place as usize)
    };
    Some(along(y)? * HEAT_SIDE + along(x)?)
}

impl Reader {
    /// Of the newest captures that match, at most so many.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn heat(&self, filter: &Filter, most: usize) -> Result<Heat, StoreError> {
        let mut heat = Heat { cells: vec![0; HEAT_SIDE * HEAT_SIDE], captures: 0, defects: 0 };
        let mut fibre = self.connection().prepare_cached(
            "SELECT inspection_id, centre_x, centre_y, clad_r FROM images WHERE image_id = ?1 AND clad_r > 0",
        )?;
        let mut defects =
            self.connection().prepare_cached("SELECT x, y, mask FROM inspection_defects WHERE inspection_id = ?1")?;
        // The capture that touched a cell last, so that it counts once however many defects it has there.
        let mut touched_by = vec![0; HEAT_SIDE * HEAT_SIDE];
        for listed in self.captures_matching(filter, most)? {
            let Some(image) = listed.image else { continue };
            let mut found = fibre.query([image.to_string()])?;
            let Some(row) = found.next()? else { continue };
            let (inspection, radius): (i64, f64) = (row.get(0)?, row.get(3)?);
            let middle: (f64, f64) = (row.get(1)?, row.get(2)?);
            heat.captures += 1;
            let mut touch = |x: f64, y: f64| {
                let Some(cell) = cell((x - middle.0) / radius, (y - middle.1) / radius) else { return };
                if std::mem::replace(&mut touched_by[cell], heat.captures) != heat.captures {
                    heat.cells[cell] += 1;
                }
            };
            // Half a cell: no cell that a run crosses is stepped over.
            let step = (radius * HEAT_REACH / HEAT_SIDE as f64).max(1.0);
            let mut rows = defects.query([inspection])?;
            while let Some(row) = rows.next()? {
                heat.defects += 1;
                touch(row.get(0)?, row.get(1)?);
                let mask = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
                for [y, x, length] in runs_from_bytes(mask) {
                    // A run of a forged database must not keep anybody waiting.
                    let steps = (f64::from(length) / step).ceil().min(2.0 * HEAT_SIDE as f64) as u32;
                    (0..=steps).for_each(|at| {
                        let along = (f64::from(at) * step).min(f64::from(length.saturating_sub(1)));
                        touch(f64::from(x) + along, f64::from(y));
                    });
                }
            }
        }
        Ok(heat)
    }
}
