//! Sums of products of two blocks' pictures, as matrix products of pieces that fit the caches, and the coefficients that
//! follow from them. All sums are exact; see [`super`].

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Zip, linalg::general_mat_mul, s};

use super::block::{Block, Sums};

/// Pictures a side of a tile.
pub(super) const TILE: usize = 128;

/// Cells multiplied at once: 1,024 products of at most 2^14 are below 2^24, which 32-bit floats hold exactly.
const PIECE: usize = 1024;

/// Stands for "no coefficient" in arithmetic: below every coefficient, so that such pairs come last.
pub(super) const NONE: f64 = -2.0;

/// Which coefficients a tile has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Pearson,
    Both,
}

/// The coefficients of some pictures with some others, by their places in the two blocks.
#[derive(Debug)]
pub(super) struct Tile {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub pearson: Array2<f64>,
    /// Empty unless both were wanted.
    pub spearman: Array2<f64>,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Bench {
    left: Array2<f32>,
    right: Array2<f32>,
    product: Array2<f32>,
    left_ranks: Array2<f64>,
    right_ranks: Array2<f64>,
}

/// Bytes that a thread takes: its buffers, and three tiles on their way.
pub(super) const THREAD: u64 = (2 * TILE * PIECE * 12 + TILE * TILE * 4 + 3 * TILE * TILE * 16) as u64;

/// Computes a tile of at most [`TILE`] x [`TILE`] pictures.
pub(super) fn tile(
    bench: &mut Bench,
    (left, rows): (&Block, Range<usize>),
    (right, columns): (&Block, Range<usize>),
    wanted: Wanted,
) -> Tile {
    let shape = (rows.len(), columns.len());
    let (mut sums, mut rank_sums) = (Array2::<f64>::zeros(shape), Array2::<f64>::zeros((0, 0)));
    let cells = left.cells.ncols();
    if wanted == Wanted::Both {
        rank_sums = Array2::zeros(shape);
    }
    for start in (0..cells).step_by(PIECE) {
        let piece = start..(start + PIECE).min(cells);
        let (a, b) = (left.cells.slice(s![rows.clone(), piece.clone()]), right.cells.slice(s![columns.clone(), piece]));
        centred(&mut bench.left, a);
        centred(&mut bench.right, b);
        fit(&mut bench.product, shape);
        general_mat_mul(1.0, &bench.left, &bench.right.t(), 0.0, &mut bench.product);
        Zip::from(&mut sums).and(&bench.product).for_each(|sum, product| *sum += f64::from(*product));
        if wanted == Wanted::Both {
            ranked(&mut bench.left_ranks, a, left.ranks.slice(s![rows.clone(), ..]));
            ranked(&mut bench.right_ranks, b, right.ranks.slice(s![columns.clone(), ..]));
            general_mat_mul(1.0, &bench.left_ranks, &bench.right_ranks.t(), 1.0, &mut rank_sums);
        }
    }
    finish(sums.view_mut(), &left.sums[rows.clone()], &right.sums[columns.clone()], |sum, a, b| {
        pearson(cells, sum, a, b)
    });
    if wanted == Wanted::Both {
        finish(rank_sums.view_mut(), &left.sums[rows.clone()], &right.sums[columns.clone()], spearman);
    }
    Tile { rows, columns, pearson: sums, spearman: rank_sums }
}

/// Spearman's coefficient of one picture with others, without a matrix product: for the few pairs that are
/// kept. `columns` are numbers to tell the value by, each with the other picture's place.
pub(super) fn spearman_of_pairs(
    bench: &mut Vec<f64>,
    (left, row): (&Block, usize),
    right: &Block,
    columns: impl Iterator<Item = (usize, usize)>,
    mut each: impl FnMut(usize, f64),
) {
    let ranks = left.ranks.row(row);
    bench.clear();
    bench.extend(left.cells.row(row).iter().map(|level| ranks[usize::from(*level)]));
    for (at, column) in columns {
        let (cells, ranks) = (right.cells.row(column), right.ranks.row(column));
        let (Some(cells), Some(ranks)) = (cells.as_slice(), ranks.as_slice()) else { continue };
        // Four sums, so that no addition waits for the one before.
        let mut sums = [0.0; 4];
        let (fours, rest) = cells.as_chunks::<4>();
        let (ours, our_rest) = bench.as_chunks::<4>();
        for (theirs, ours) in fours.iter().zip(ours) {
            for lane in 0..4 {
                sums[lane] += ours[lane] * ranks[usize::from(theirs[lane])];
            }
        }
        let rest: f64 = rest.iter().zip(our_rest).map(|(level, rank)| rank * ranks[usize::from(*level)]).sum();
        each(at, spearman(sums.iter().sum::<f64>() + rest, &left.sums[row], &right.sums[column]));
    }
}

fn pearson(cells: usize, sum: f64, a: &Sums, b: &Sums) -> f64 {
    let both = cells as i128 * sum as i128 - i128::from(a.sum) * i128::from(b.sum);
    coefficient(both as f64, a.spread, b.spread)
}

fn spearman(sum: f64, a: &Sums, b: &Sums) -> f64 {
    coefficient(sum, a.rank_spread, b.rank_spread)
}

/// The root of the product rather than the product of the roots: a picture with itself is exactly 1.
fn coefficient(both: f64, one: f64, other: f64) -> f64 {
    if one == 0.0 || other == 0.0 { NONE } else { (both / (one * other).sqrt()).clamp(-1.0, 1.0) }
}

fn finish(mut sums: ArrayViewMut2<'_, f64>, rows: &[Sums], columns: &[Sums], of: impl Fn(f64, &Sums, &Sums) -> f64) {
    for (mut line, a) in sums.rows_mut().into_iter().zip(rows) {
        for (sum, b) in line.iter_mut().zip(columns) {
            *sum = of(*sum, a, b);
        }
    }
}

fn fit<T: Default + Clone>(buffer: &mut Array2<T>, shape: (usize, usize)) {
    if buffer.dim() != shape {
        *buffer = Array2::from_elem(shape, T::default());
    }
}

fn centred(buffer: &mut Array2<f32>, cells: ArrayView2<'_, u8>) {
    fit(buffer, cells.dim());
    Zip::from(buffer).and(cells).for_each(|value, level| *value = f32::from(*level) - 128.0);
}

fn ranked(buffer: &mut Array2<f64>, cells: ArrayView2<'_, u8>, ranks: ArrayView2<'_, f64>) {
    fit(buffer, cells.dim());
    for ((mut line, cells), ranks) in buffer.rows_mut().into_iter().zip(cells.rows()).zip(ranks.rows()) {
        if let Some(ranks) = ranks.as_slice() {
            Zip::from(&mut line).and(cells).for_each(|value, level| *value = ranks[usize::from(*level)]);
        }
    }
}
