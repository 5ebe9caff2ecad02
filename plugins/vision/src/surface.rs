//! The illumination as a smooth surface, fitted robustly to a coarse grid.
//!
//! Falloff toward the corners is steep where a local median has only one side to look at; the surface takes it away
//! first. Lenses keep a field level up to a radius and let it drop beyond, about as the eighth power of the distance
//! from a middle that is not quite the picture's: hence a cubic in x and y, and even powers of the radius with a tilt
//! each, which let their middle move. Called by [`crate::flatten`].

use multiversion::multiversion;

use crate::grid::{Grid, Nodes};

const TERMS: usize = 19;
/// The cubic's, which come first.
const CUBIC: usize = 10;
/// Terms of each round of fitting, and the standard deviations beyond which cells are then left out. Generous at first: a
/// corner that the cubic cannot follow must still be there for the high powers, which run wild without one.
const ROUNDS: [(usize, f64); 5] = [(CUBIC, 8.0), (TERMS, 8.0), (TERMS, 8.0), (TERMS, 6.0), (TERMS, 5.0)];
/// So many cells are enough to fit to: of a finer grid only every second one along each side is looked at.
const PLENTY: usize = 900;

/// Coefficients over coordinates in which the picture's corners lie on the unit circle.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Surface {
    coefficients: [f64; TERMS],
}

type Terms = [f64; TERMS];

/// A cell whose value is known.
#[derive(Debug, Clone, Copy)]
struct Cell {
    terms: Terms,
    value: f64,
}

/// Coordinates of a grid's cells.
#[derive(Debug, Clone, Copy)]
struct Frame {
    columns: usize,
    middle: (f64, f64),
    reach: f64,
}

impl Frame {
    fn of(grid: &Grid) -> Self {
        let middle = |n: usize| (n as f64 - 1.0) / 2.0;
        let middle = (middle(grid.columns), middle(grid.rows));
        Self { columns: grid.columns, middle, reach: middle.0.hypot(middle.1).max(1.0) }
    }

    fn terms(&self, index: usize) -> Terms {
        let (column, row) = (index % self.columns, index / self.columns);
        Self::terms_at(self.along(column as f64, self.middle.0), self.along(row as f64, self.middle.1))
    }

    /// A coordinate from one counted in cells.
    fn along(&self, cells: f64, middle: f64) -> f64 {
        (cells - middle) / self.reach
    }

    fn terms_at(x: f64, y: f64) -> Terms {
        let (xx, yy) = (x * x, y * y);
        let r2 = xx + yy;
        let (r4, r6, r8) = (r2 * r2, r2 * r2 * r2, r2 * r2 * r2 * r2);
        let cubic = [1.0, x, y, xx, x * y, yy, x * xx, xx * y, x * yy, y * yy];
        let radial = [r4, r4 * x, r4 * y, r6, r6 * x, r6 * y, r8, r8 * x, r8 * y];
        let mut terms = [0.0; TERMS];
        terms[..CUBIC].copy_from_slice(&cubic);
        terms[CUBIC..].copy_from_slice(&radial);
        terms
    }
}

impl Surface {
    /// The surface through the known cells of a grid; level through their median where there are too few.
    #[must_use]
    pub fn fit(grid: &Grid) -> Self {
        let stride = if grid.values.len() > PLENTY { 2 } else { 1 };
        // The last ones too: falloff shows in the corners.
        let some = |n: usize| (0..n).filter(move |i| i % stride == 0 || i + 1 == n);
        let cells = some(grid.rows).flat_map(|row| some(grid.columns).map(move |column| (row, column)));
        let frame = Frame::of(grid);
        let known: Vec<Cell> = cells
            .map(|(row, column)| row * grid.columns + column)
            .filter(|index| !grid.values[*index].is_nan())
            .map(|index| Cell { terms: frame.terms(index), value: f64::from(grid.values[index]) })
            .collect();
        let mut spare: Vec<f64> = known.iter().map(|cell| cell.value).collect();
        let level = median(&mut spare);
        let mut surface = Self { coefficients: [0.0; TERMS] };
        surface.coefficients[0] = level;
        // A first look at anything within a third of the level, which leaves out black frames and fibres.
        let near = |cell: &Cell| (cell.value - level).abs() < 0.35 * level.abs() + 1.0;
        let mut taken: Vec<usize> = (0..known.len()).filter(|at| near(&known[*at])).collect();
        let mut off = Vec::with_capacity(known.len());
        for (terms, deviations) in ROUNDS {
            if taken.len() < 4 * terms {
                break;
            }
            let Some(coefficients) = least_squares(&known, &taken, terms) else { break };
            surface = Self { coefficients };
            off.clear();
            off.extend(known.iter().map(|cell| (cell.value - surface.value(&cell.terms)).abs()));
            spare.clear();
            spare.extend(taken.iter().map(|at| off[*at]));
            let limit = deviations * 1.4826 * median(&mut spare) + 1e-3 * level.abs();
            taken.clear();
            taken.extend((0..known.len()).filter(|at| off[*at] < limit));
        }
        surface
    }

    /// The surface's values in all cells.
    pub fn lay(&self, grid: &Grid, values: &mut Vec<f32>) {
        let frame = Frame::of(grid);
        values.clear();
        values.extend((0..grid.values.len()).map(|index| self.value(&frame.terms(index)) as f32));
    }

    /// The surface's value in a cell.
    #[must_use]
    pub fn at(&self, grid: &Grid, index: usize) -> f64 {
        self.value(&Frame::of(grid).terms(index))
    }

    /// Adds the surface's values at the nodes of a picture's row.
    pub fn add_at_nodes(&self, grid: &Grid, y: usize, nodes: &Nodes, values: &mut [f32]) {
        let frame = Frame::of(grid);
        let cell = grid.cell as f64;
        let cells = |pixel: f64| (pixel - (cell - 1.0) / 2.0) / cell;
        let y = frame.along(cells(y as f64), frame.middle.1);
        let [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, high @ ..] = self.coefficients;
        let cubic = [c0 + y * (c2 + y * (c5 + y * c9)), c1 + y * (c4 + y * c8), c3 + y * c7, c6].map(|it| it as f32);
        let radial = [0, 3, 6].map(|k| [high[k] + y * high[k + 2], high[k + 1]].map(|it| it as f32));
        let (from, step) = (frame.along(cells(0.0), frame.middle.0), nodes.apart as f64 / (cell * frame.reach));
        add_powers([from as f32, step as f32], (y * y) as f32, cubic, radial, values);
    }

    fn value(&self, terms: &Terms) -> f64 {
        self.coefficients.iter().zip(terms).map(|(c, t)| c * t).sum()
    }
}

/// Adds a cubic in x, and even powers of the radius from the fourth on, each with a tilt along x; x begins and goes on as
/// said.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn add_powers([from, step]: [f32; 2], yy: f32, cubic: [f32; 4], radial: [[f32; 2]; 3], values: &mut [f32]) {
    let [c0, c1, c2, c3] = cubic;
    let [[a0, a1], [b0, b1], [d0, d1]] = radial;
    for (k, value) in values.iter_mut().enumerate() {
        let x = from + step * k as f32;
        let r2 = x * x + yy;
        let high = a0 + a1 * x + r2 * (b0 + b1 * x + r2 * (d0 + d1 * x));
        *value += c0 + x * (c1 + x * (c2 + x * c3)) + r2 * r2 * high;
    }
}

/// Of values in any order, and in another one afterwards; 0 of none.
fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Terms of a row that are multiplied together, and how many such groups a row has, with the value as its last.
const GROUP: usize = 4;
const GROUPS: usize = (TERMS + 1) / GROUP;

/// Sums over the cells taken of each of the first `n` terms times every term from its group on, and times the value.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn products(cells: &[Cell], taken: &[usize], n: usize) -> [[[f64; GROUP]; GROUPS]; TERMS] {
    let mut sums = [[[0.0; GROUP]; GROUPS]; TERMS];
    for Cell { terms, value } in taken.iter().map(|at| &cells[*at]) {
        let mut row = [[0.0; GROUP]; GROUPS];
        row.as_flattened_mut()[..TERMS].copy_from_slice(terms);
        row[GROUPS - 1][GROUP - 1] = *value;
        for (i, (term, sums)) in terms[..n].iter().zip(&mut sums).enumerate() {
            // One half of what is symmetric.
            for (sums, others) in sums[i / GROUP..].iter_mut().zip(&row[i / GROUP..]) {
                for k in 0..GROUP {
                    sums[k] += term * others[k];
                }
            }
        }
    }
    sums
}

/// The first `n` coefficients, the others 0: normal equations with a whisper of damping, solved by elimination with pivots.
fn least_squares(cells: &[Cell], taken: &[usize], n: usize) -> Option<Terms> {
    let mut system = [[0.0; TERMS + 1]; TERMS];
    for (row, sums) in system.iter_mut().zip(products(cells, taken, n)) {
        let value = sums.as_flattened()[TERMS];
        row[..n].copy_from_slice(&sums.as_flattened()[..n]);
        row[n] = value;
    }
    for i in 0..n {
        let (above, rest) = system.split_at_mut(i);
        for (cell, row) in rest[0][..i].iter_mut().zip(above) {
            *cell = row[i];
        }
    }
    for (i, row) in system[..n].iter_mut().enumerate() {
        row[i] += 1e-9 * taken.len() as f64;
    }
    for i in 0..n {
        let pivot = (i..n).max_by(|a, b| system[*a][i].abs().total_cmp(&system[*b][i].abs()))?;
        system.swap(i, pivot);
        if system[i][i].abs() < 1e-12 {
            return None;
        }
        let (done, rest) = system[..n].split_at_mut(i + 1);
        for row in rest {
            let factor = row[i] / done[i][i];
            for (cell, above) in row.iter_mut().zip(done[i]).skip(i) {
                *cell -= factor * above;
            }
        }
    }
    let mut solution = [0.0; TERMS];
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| system[i][k] * solution[k]).sum();
        solution[i] = (system[i][n] - known) / system[i][i];
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
            let mut laid = Vec::new();
            found.lay(&grid, &mut laid);
            let mut nodes = Nodes::default();
            nodes.lay(&grid, 480);
            let mut row = vec![0.0; 480 / nodes.apart];
            for y in [0, 3, 100, 319] {
                row.fill(1.0);
                found.add_at_nodes(&grid, y, &nodes, &mut row);
                for (k, value) in row.iter().enumerate() {
                    let at = |pixel: usize, cells: usize| {
                        ((pixel as f64 - 7.5) / 16.0 - (cells as f64 - 1.0) / 2.0) / 14.5f64.hypot(9.5)
                    };
                    let exact = 1.0 + found.value(&Frame::terms_at(at(k * nodes.apart, 30), at(y, 20)));
                    prop_assert!((f64::from(*value) - exact).abs() < 0.01, "{value} at node {k}, {y}, not {exact}");
                }
            }
            for (i, laid) in laid.iter().enumerate() {
                prop_assert!((f64::from(*laid) - found.at(&grid, i)).abs() < 1e-3);
                prop_assert!((found.at(&grid, i) - truth.at(&grid, i)).abs() < 0.5);
            }
        }
    }
}
