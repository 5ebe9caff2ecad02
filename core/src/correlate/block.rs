//! Many grids in memory: their cells, and of each picture what the coefficients need besides the products.

use ndarray::{Array2, ArrayView1};

use super::{CorrelateError, cache::Cache};

/// What a picture's cells add up to. Gray levels count from -128, so that products stay small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sums {
    /// Of the cells.
    pub sum: i64,
    /// n times the sum of squares less the square of the sum: n² times the variance. 0 for a constant picture.
    pub spread: f64,
    /// Sum of squares of the doubled centred ranks.
    pub rank_spread: f64,
}

/// Pictures in a row, one picture a line.
#[derive(Debug)]
pub(super) struct Block {
    /// Pictures x cells.
    pub cells: Array2<u8>,
    /// Pictures x 256: twice the average rank of a gray level among the picture's cells, less their mean; a whole number.
    pub ranks: Array2<f64>,
    pub sums: Vec<Sums>,
}

/// Bytes of a picture in a block, beside its cells.
pub(super) const BESIDE: u64 = 256 * 8 + size_of::<Sums>() as u64;

impl Block {
    /// The grids in these slots.
    pub fn load(cache: &Cache, slots: &[u32], cells: usize) -> Result<Self, CorrelateError> {
        let mut grids = Array2::zeros((slots.len(), cells));
        for (slot, mut row) in slots.iter().zip(grids.rows_mut()) {
            if let Some(row) = row.as_slice_mut() {
                cache.read(*slot, row)?;
            }
        }
        Ok(Self::of(grids))
    }

    /// Of grids in memory, a picture a row.
    pub fn of(cells: Array2<u8>) -> Self {
        let mut ranks = Array2::zeros((cells.nrows(), 256));
        let rows = cells.rows().into_iter().zip(ranks.rows_mut());
        let sums = rows.map(|(row, mut ranks)| stand(row, |level, rank| ranks[level] = rank)).collect();
        Self { cells, ranks, sums }
    }

    pub fn len(&self) -> usize {
        self.sums.len()
    }
}

/// Adds a picture up, and tells the doubled centred rank of each of its gray levels: with `below` cells darker and `equal`
/// alike, the average rank is below + (equal + 1) / 2, and the mean of all ranks (n + 1) / 2.
fn stand(cells: ArrayView1<'_, u8>, mut rank: impl FnMut(usize, f64)) -> Sums {
    let mut counts = [0_i64; 256];
    for level in cells {
        counts[usize::from(*level)] += 1;
    }
    let count = cells.len() as i64;
    let (mut sum, mut squares, mut rank_squares, mut below) = (0, 0, 0_i64, 0);
    for (level, equal) in counts.into_iter().enumerate().filter(|(_, equal)| *equal > 0) {
        let centred = level as i64 - 128;
        sum += equal * centred;
        squares += equal * centred * centred;
        let doubled = 2 * below + equal - count;
        rank(level, doubled as f64);
        rank_squares += equal * doubled * doubled;
        below += equal;
    }
    let spread = i128::from(count) * i128::from(squares) - i128::from(sum) * i128::from(sum);
    Sums { sum, spread: spread as f64, rank_spread: rank_squares as f64 }
}
