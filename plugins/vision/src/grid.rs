//! A coarse grid laid over a picture: one value a square cell of pixels, some cells unknown (NaN).
//!
//! What varies slowly over a picture (illumination, noise) is estimated here, where robust statistics are cheap, and
//! interpolated back to pixels row by row. Called by [`crate::flatten`].

use multiversion::multiversion;

use crate::{
    order::{ABSENT, Columns, LANES},
    round::nearest,
};

/// Pixels a cell's side has, where the picture is not small.
pub const CELL: usize = 16;
/// The same, the smaller the picture the fewer.
const SIDES: [usize; 3] = [CELL, 8, 4];
/// With fewer cells nothing of what bends over a picture can be told.
const FEW: usize = 256;
/// Pixels from one node of a row to the next, in cells of [`CELL`].
pub const NODE: usize = CELL / 2;

/// One value a cell; NaN where nothing is known.
#[derive(Debug, Clone, Default)]
pub struct Grid {
    pub values: Vec<f32>,
    pub columns: usize,
    pub rows: usize,
    /// Pixels a cell's side has.
    pub cell: usize,
    spare: Vec<f32>,
    table: Vec<i16>,
    starts: Vec<usize>,
}

impl Grid {
    /// Lays an unknown grid over a picture of that size, of cells of [`CELL`].
    pub fn lay(&mut self, width: usize, height: usize) {
        self.lay_cells(width, height, CELL);
    }

    /// The same of smaller cells, where those would be few.
    pub fn lay_enough(&mut self, width: usize, height: usize) {
        let enough = |cell: &usize| width.div_ceil(*cell) * height.div_ceil(*cell) >= FEW;
        let cell = SIDES.into_iter().find(enough).unwrap_or(SIDES[2]);
        self.lay_cells(width, height, cell);
    }

    fn lay_cells(&mut self, width: usize, height: usize, cell: usize) {
        self.cell = cell;
        self.columns = width.div_ceil(cell).max(1);
        self.rows = height.div_ceil(cell).max(1);
        self.values.clear();
        self.values.resize(self.columns * self.rows, f32::NAN);
    }

    /// Centre of a cell in pixels.
    #[must_use]
    pub fn centre(&self, index: usize) -> (f32, f32) {
        let middle = (self.cell as f32 - 1.0) / 2.0;
        ((index % self.columns * self.cell) as f32 + middle, (index / self.columns * self.cell) as f32 + middle)
    }

    /// Replaces each cell by the `quantile` of the known cells at most `reach` away; unknown where fewer than a fifth
    /// are known. Values are told apart in steps of 1 / `steps`, and must stay within ±32 000 of them.
    pub fn local_quantile(&mut self, reach: usize, quantile: f32, steps: f32) {
        let Self { values, columns, rows, table, starts, .. } = self;
        // A margin of absent cells on all sides, and room for the last vector of columns.
        let wide = columns.next_multiple_of(LANES) + 2 * reach;
        table.clear();
        table.resize(wide * (*rows + 2 * reach), ABSENT);
        for (y, row) in values.chunks_exact(*columns).enumerate() {
            let out = &mut table[(y + reach) * wide + reach..][..*columns];
            for (cell, value) in out.iter_mut().zip(row).filter(|(_, value)| !value.is_nan()) {
                *cell = nearest((value * steps).clamp(-32_000.0, 32_000.0)) as i16;
            }
        }
        let window = 2 * reach + 1;
        let least = (window.pow(2) / 5).max(1) as i16;
        for (y, row) in values.chunks_exact_mut(*columns).enumerate() {
            for (block, out) in row.chunks_mut(LANES).enumerate() {
                starts.clear();
                let corner = y * wide + block * LANES;
                starts.extend((0..window).flat_map(|v| (0..window).map(move |u| corner + v * wide + u)));
                let columns = Columns::of(table, starts);
                let ranks = columns.counts.map(|n| nearest(f32::from(n.max(1) - 1) * quantile) as i16);
                let found = columns.nth(&ranks);
                for (value, (found, count)) in out.iter_mut().zip(found.iter().zip(columns.counts)) {
                    *value = if count < least { f32::NAN } else { f32::from(*found) / steps };
                }
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

    /// The values of picture row `y` at the nodes of a row, linearly between cells and beyond the outermost centres.
    pub fn nodes_into(&self, y: usize, nodes: &Nodes, cells: &mut Vec<f32>, out: &mut Vec<f32>) {
        self.cells_into(y, cells);
        out.clear();
        match cells[..] {
            [only] => out.resize(nodes.places.len(), only),
            _ => out.extend(nodes.places.iter().map(|(left, t)| {
                let pair = &cells[*left as usize..][..2];
                pair[0] + (pair[1] - pair[0]) * t
            })),
        }
    }

    /// The values of picture row `y`, linearly between cells and beyond the outermost centres; of cells of [`CELL`].
    pub fn row_into(&self, y: usize, cells: &mut Vec<f32>, out: &mut [f32]) {
        self.cells_into(y, cells);
        if self.columns == 1 {
            out.fill(cells[0]);
            return;
        }
        ramps(cells, out);
    }

    /// The values of picture row `y` in the columns' middles.
    fn cells_into(&self, y: usize, cells: &mut Vec<f32>) {
        let half = self.cell as f32 / 2.0 - 0.5;
        let v = if self.rows > 1 { (y as f32 - half) / self.cell as f32 } else { 0.0 };
        let top = (v.floor().max(0.0) as usize).min(self.rows.saturating_sub(2));
        let (a, b) = (&self.values[top * self.columns..], &self.values[(top + 1).min(self.rows - 1) * self.columns..]);
        let t = v - top as f32;
        cells.clear();
        cells.extend(a[..self.columns].iter().zip(b).map(|(a, b)| a + (b - a) * t));
    }
}

/// Places along a row, evenly from its first pixel to beyond its last: between which cells each lies, and how far on.
#[derive(Debug, Clone, Default)]
pub struct Nodes {
    /// Pixels from one to the next: [`NODE`], or 1 where cells are small.
    pub apart: usize,
    places: Vec<(u32, f32)>,
}

impl Nodes {
    /// For rows of that many pixels.
    pub fn lay(&mut self, grid: &Grid, width: usize) {
        self.apart = if grid.cell == CELL { NODE } else { 1 };
        let last = grid.columns.saturating_sub(2);
        self.places.clear();
        self.places.extend((0..width / self.apart + 2).map(|node| {
            let u = ((node * self.apart) as f32 - (grid.cell as f32 - 1.0) / 2.0) / grid.cell as f32;
            let left = (u.max(0.0) as usize).min(last);
            (left as u32, u - left as f32)
        }));
    }
}

/// Joins the cells' values by straight lines; the outermost lines go on to the picture's edge. At least two cells.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn ramps(cells: &[f32], out: &mut [f32]) {
    let last = cells.len() - 2;
    let line = |left: usize, from: usize| {
        let (low, step) = (cells[left], (cells[left + 1] - cells[left]) / CELL as f32);
        (low + step * (from as f32 - (left * CELL) as f32 - (CELL as f32 - 1.0) / 2.0), step)
    };
    let (head, rest) = out.split_at_mut((CELL / 2).min(out.len()));
    let (low, step) = line(0, 0);
    head.iter_mut().enumerate().for_each(|(k, o)| *o = low + step * k as f32);
    let (stretches, tail) = rest.as_chunks_mut::<CELL>();
    let whole = stretches.len();
    for (i, stretch) in stretches.iter_mut().enumerate() {
        let (low, step) = line(i.min(last), i * CELL + CELL / 2);
        for (k, o) in stretch.iter_mut().enumerate() {
            *o = low + step * k as f32;
        }
    }
    let (low, step) = line(whole.min(last), whole * CELL + CELL / 2);
    tail.iter_mut().enumerate().for_each(|(k, o)| *o = low + step * k as f32);
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
        fn a_plane_comes_back_at_nodes_whatever_the_cells(
            w in 1..400usize, h in 1..100usize, a in -1.0..1.0f32, b in -1.0..1.0f32,
        ) {
            let mut grid = Grid::default();
            grid.lay_enough(w, h);
            prop_assume!(grid.columns > 1 && grid.rows > 1);
            prop_assert!(grid.values.len() >= FEW || grid.cell == 4);
            for i in 0..grid.values.len() {
                let (x, y) = grid.centre(i);
                grid.values[i] = 100.0 + a * x + b * y;
            }
            let (mut nodes, mut cells, mut row) = (Nodes::default(), Vec::new(), Vec::new());
            nodes.lay(&grid, w);
            for y in 0..h {
                grid.nodes_into(y, &nodes, &mut cells, &mut row);
                prop_assert!((row.len() - 1) * nodes.apart >= w);
                for (k, v) in row.iter().enumerate() {
                    let truth = 100.0 + a * (nodes.apart * k) as f32 + b * y as f32;
                    prop_assert!((v - truth).abs() < 0.02, "{v} at node {k}, {y}");
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
        grid.local_quantile(1, 0.5, 32.0);
        assert!(grid.values.iter().all(|v| *v == 5.0));
    }
}
