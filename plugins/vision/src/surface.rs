//! The illumination as a cubic surface, fitted robustly to a coarse grid.
//!
//! Falloff toward the corners is steep where a local median has only one side to look at; the surface takes it away
//! first. Called by [`crate::flatten`].

use crate::grid::Grid;

const TERMS: usize = 10;
/// Rounds of fitting and leaving out what lies beyond three standard deviations.
const ROUNDS: usize = 4;

/// Coefficients over coordinates scaled to [-1, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surface {
    coefficients: [f64; TERMS],
}

fn terms(grid: &Grid, index: usize) -> [f64; TERMS] {
    let scale = |i: usize, n: usize| if n > 1 { 2.0 * i as f64 / (n - 1) as f64 - 1.0 } else { 0.0 };
    let (x, y) = (scale(index % grid.columns, grid.columns), scale(index / grid.columns, grid.rows));
    [1.0, x, y, x * x, x * y, y * y, x * x * x, x * x * y, x * y * y, y * y * y]
}

impl Surface {
    /// The surface through the known cells of a grid; level through their median where there are too few.
    #[must_use]
    pub fn fit(grid: &Grid) -> Self {
        let mut known: Vec<(usize, f64)> =
            grid.values.iter().enumerate().filter(|(_, v)| !v.is_nan()).map(|(i, v)| (i, f64::from(*v))).collect();
        let level = median(known.iter().map(|(_, v)| *v).collect());
        let mut surface = Self { coefficients: [0.0; TERMS] };
        surface.coefficients[0] = level;
        let enough = 4 * TERMS;
        // A first look at anything within a third of the level, which leaves out black frames and fibres.
        let all = known.clone();
        known.retain(|(_, v)| (v - level).abs() < 0.35 * level.abs() + 1.0);
        for _ in 0..ROUNDS {
            if known.len() < enough {
                break;
            }
            let Some(coefficients) = least_squares(grid, &known) else { break };
            surface = Self { coefficients };
            let off = |(i, v): &(usize, f64)| (v - surface.at(grid, *i)).abs();
            let limit = 3.0 * 1.4826 * median(known.iter().map(off).collect()) + 1e-3 * level.abs();
            known = all.iter().filter(|cell| off(cell) < limit).copied().collect();
        }
        surface
    }

    /// The surface's value in a cell.
    #[must_use]
    pub fn at(&self, grid: &Grid, index: usize) -> f64 {
        self.coefficients.iter().zip(terms(grid, index)).map(|(c, t)| c * t).sum()
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Normal equations with a whisper of damping, solved by elimination with pivots.
fn least_squares(grid: &Grid, cells: &[(usize, f64)]) -> Option<[f64; TERMS]> {
    let mut system = [[0.0; TERMS + 1]; TERMS];
    for (index, value) in cells {
        let t = terms(grid, *index);
        for (row, a) in system.iter_mut().zip(t) {
            for (cell, b) in row.iter_mut().zip(t) {
                *cell += a * b;
            }
            row[TERMS] += a * value;
        }
    }
    for (i, row) in system.iter_mut().enumerate() {
        row[i] += 1e-6 * cells.len() as f64;
    }
    for i in 0..TERMS {
        let pivot = (i..TERMS).max_by(|a, b| system[*a][i].abs().total_cmp(&system[*b][i].abs()))?;
        system.swap(i, pivot);
        if system[i][i].abs() < 1e-12 {
            return None;
        }
        let (done, rest) = system.split_at_mut(i + 1);
        for row in rest {
            let factor = row[i] / done[i][i];
            for (cell, above) in row.iter_mut().zip(done[i]).skip(i) {
                *cell -= factor * above;
            }
        }
    }
    let mut solution = [0.0; TERMS];
    for i in (0..TERMS).rev() {
        let known: f64 = (i + 1..TERMS).map(|k| system[i][k] * solution[k]).sum();
        solution[i] = (system[i][TERMS] - known) / system[i][i];
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_falloff_is_found_under_dirt(c in proptest::collection::vec(-8.0..8.0f64, TERMS), dirty in 0..60usize) {
            let mut grid = Grid::default();
            grid.lay(480, 320);
            let mut coefficients: [f64; TERMS] = c.try_into().unwrap();
            coefficients[0] = 150.0;
            let truth = Surface { coefficients };
            for i in 0..grid.values.len() {
                grid.values[i] = truth.at(&grid, i) as f32;
            }
            for k in 0..dirty {
                grid.values[k * 7 % 600] = 20.0;
            }
            let found = Surface::fit(&grid);
            for i in 0..grid.values.len() {
                prop_assert!((found.at(&grid, i) - truth.at(&grid, i)).abs() < 0.5);
            }
        }
    }
}
