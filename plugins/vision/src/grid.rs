//! A coarse grid laid over a picture: one value a cell of [`CELL`] x [`CELL`] pixels, some cells unknown (NaN).
//!
//! What varies slowly over a picture (illumination, noise) is estimated here, where robust statistics are cheap, and
//! interpolated back to pixels row by row. Called by [`crate::flatten`].

/// Pixels a cell's side has.
pub const CELL: usize = 16;

/// One value a cell; NaN where nothing is known.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    pub values: Vec<f32>,
    pub columns: usize,
    pub rows: usize,
    spare: Vec<f32>,
    window: Vec<f32>,
}

impl Grid {
    /// Lays an unknown grid over a picture of that size.
    pub fn lay(&mut self, width: usize, height: usize) {
        self.columns = width.div_ceil(CELL).max(1);
        self.rows = height.div_ceil(CELL).max(1);
        self.values.clear();
        self.values.resize(self.columns * self.rows, f32::NAN);
    }

    /// Centre of a cell in pixels.
    #[must_use]
    pub fn centre(&self, index: usize) -> (f32, f32) {
        let middle = (CELL as f32 - 1.0) / 2.0;
        ((index % self.columns * CELL) as f32 + middle, (index / self.columns * CELL) as f32 + middle)
    }

    /// Replaces each cell by the `quantile` of the known cells at most `reach` away; unknown where fewer than a fifth
    /// are known.
    pub fn local_quantile(&mut self, reach: usize, quantile: f32) {
        let Self { values, columns, rows, spare, window } = self;
        spare.clear();
        spare.extend_from_slice(values);
        let least = (2 * reach + 1).pow(2) / 5;
        for y in 0..*rows {
            for x in 0..*columns {
                window.clear();
                let span = x.saturating_sub(reach)..(x + reach + 1).min(*columns);
                for v in y.saturating_sub(reach)..(y + reach + 1).min(*rows) {
                    let row = &spare[v * *columns..][span.clone()];
                    window.extend(row.iter().filter(|value| !value.is_nan()));
                }
                let rank = ((window.len().max(1) - 1) as f32 * quantile).round() as usize;
                values[y * *columns + x] = if window.len() < least.max(1) {
                    f32::NAN
                } else {
                    *window.select_nth_unstable_by(rank, f32::total_cmp).1
                };
            }
        }
    }

    /// Gives unknown cells the mean of their known neighbours, ring by ring, until all are known; `fallback` where none is.
    pub fn fill(&mut self, fallback: f32) {
        if self.values.iter().all(|v| v.is_nan()) {
            self.values.fill(fallback);
            return;
        }
        let Self { values, columns, rows, spare, .. } = self;
        while values.iter().any(|v| v.is_nan()) {
            spare.clear();
            spare.extend_from_slice(values);
            for y in 0..*rows {
                for x in 0..*columns {
                    if !spare[y * *columns + x].is_nan() {
                        continue;
                    }
                    let (mut sum, mut n) = (0.0, 0.0);
                    for v in y.saturating_sub(1)..(y + 2).min(*rows) {
                        for u in x.saturating_sub(1)..(x + 2).min(*columns) {
                            let value = spare[v * *columns + u];
                            if !value.is_nan() {
                                sum += value;
                                n += 1.0;
                            }
                        }
                    }
                    if n > 0.0 {
                        values[y * *columns + x] = sum / n;
                    }
                }
            }
        }
    }

    /// Smooths known values with the kernel `1 2 1` in both directions.
    pub fn soften(&mut self) {
        crate::smooth::smooth_plane(&mut self.values, self.columns, &[0.5, 0.25], &mut self.spare);
    }

    /// The values of picture row `y`, linearly between cells and beyond the outermost centres.
    pub fn row_into(&self, y: usize, cells: &mut Vec<f32>, out: &mut [f32]) {
        let half = CELL as f32 / 2.0 - 0.5;
        let v = if self.rows > 1 { (y as f32 - half) / CELL as f32 } else { 0.0 };
        let top = (v.floor().max(0.0) as usize).min(self.rows.saturating_sub(2));
        let (a, b) = (&self.values[top * self.columns..], &self.values[(top + 1).min(self.rows - 1) * self.columns..]);
        let t = v - top as f32;
        cells.clear();
        cells.extend(a[..self.columns].iter().zip(b).map(|(a, b)| a + (b - a) * t));
        if self.columns == 1 {
            out.fill(cells[0]);
            return;
        }
        let ramp = |out: &mut [f32], from: usize, left: usize| {
            let (low, step) = (cells[left], (cells[left + 1] - cells[left]) / CELL as f32);
            let start = from as f32 - (left * CELL) as f32 - half;
            for (k, o) in out.iter_mut().enumerate() {
                *o = low + step * (start + k as f32);
            }
        };
        let width = out.len();
        let head = (CELL / 2).min(width);
        ramp(&mut out[..head], 0, 0);
        for left in 0..self.columns - 1 {
            let from = left * CELL + CELL / 2;
            let to = if left + 2 == self.columns { width } else { from + CELL };
            if from < to {
                ramp(&mut out[from..to], from, left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_plane_comes_back_exactly(w in 1..200usize, h in 1..100usize, a in -1.0..1.0f32, b in -1.0..1.0f32) {
            let mut grid = Grid::default();
            grid.lay(w, h);
            prop_assume!(grid.columns > 1 && grid.rows > 1);
            for i in 0..grid.values.len() {
                let (x, y) = grid.centre(i);
                grid.values[i] = 100.0 + a * x + b * y;
            }
            let (mut cells, mut row) = (Vec::new(), vec![0.0; w]);
            for y in 0..h {
                grid.row_into(y, &mut cells, &mut row);
                for (x, v) in row.iter().enumerate() {
                    prop_assert!((v - (100.0 + a * x as f32 + b * y as f32)).abs() < 0.02, "{v} at {x}, {y}");
                }
            }
        }

        #[test]
        fn filling_leaves_no_hole_and_no_new_extreme(
            values in proptest::collection::vec(proptest::option::of(0.0..9.0f32), 30),
        ) {
            let mut grid = Grid::default();
            grid.lay(6 * CELL, 5 * CELL);
            grid.values = values.iter().map(|v| v.unwrap_or(f32::NAN)).collect();
            grid.fill(4.0);
            prop_assert!(grid.values.iter().all(|v| (0.0..9.0).contains(v)));
        }
    }

    #[test]
    fn the_local_median_passes_over_single_cells() {
        let mut grid = Grid::default();
        grid.lay(10 * CELL, 10 * CELL);
        grid.values.fill(5.0);
        grid.values[33] = 900.0;
        grid.values[71] = f32::NAN;
        grid.local_quantile(1, 0.5);
        assert!(grid.values.iter().all(|v| *v == 5.0));
    }
}
