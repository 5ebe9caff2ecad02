//! All coefficients of grids that are in memory already, as two matrices: for few pictures, and for benches.

use ndarray::Array2;

use super::{
    CorrelateError,
    block::Block,
    products::{NONE, Wanted},
    sweep::{Room, tiles_of},
};

/// Pearson's and Spearman's coefficient of every two rows of `cells` (pictures x cells): symmetric, 1 on the diagonal, NaN
/// where a picture is constant.
///
/// # Errors
/// No thread can be started.
pub fn matrices(cells: Array2<u8>, threads: usize) -> Result<[Array2<f64>; 2], CorrelateError> {
    let block = Block::of(cells);
    let count = block.len();
    let [mut pearson, mut spearman] = [(); 2].map(|()| Array2::<f64>::zeros((count, count)));
    let room = Room::within(u64::MAX, 0, block.cells.ncols(), threads, count)?;
    tiles_of(room, Wanted::Both, &block, &block, 0, &|| false, &mut |tile| {
        for ((i, j), one) in tile.pearson.indexed_iter() {
            let (row, column) = (tile.rows.start + i, tile.columns.start + j);
            let known = |value: f64| if value == NONE { f64::NAN } else { value };
            pearson[(row, column)] = known(*one);
            pearson[(column, row)] = known(*one);
            spearman[(row, column)] = known(tile.spearman[(i, j)]);
            spearman[(column, row)] = known(tile.spearman[(i, j)]);
        }
        Ok(())
    })?;
    Ok([pearson, spearman])
}
