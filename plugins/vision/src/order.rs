//! Order statistics of many small sets at once: medians and quantiles down the columns of a table.
//!
//! A value is found bit by bit, counting what lies below a candidate, so that a step is one comparison of [`LANES`]
//! columns and nothing is moved or sorted. Called by [`crate::fibre`] and [`crate::grid`].

use multiversion::multiversion;

/// Columns looked at together.
pub const LANES: usize = 32;
/// Marks an entry that does not count.
pub const ABSENT: i16 = i16::MAX;

/// Entries of each column that are not [`ABSENT`]. A set of `LANES` columns is given by where each of its rows begins in
/// `table`.
#[must_use]
pub fn present(table: &[i16], rows: &[usize]) -> [i16; LANES] {
    count_present(table, rows)
}

/// The entry of that rank (from 0) in each column; [`ABSENT`] where a column has no more than `rank` entries.
///
/// # Panics
/// If a row reaches out of the table, as slicing does.
#[must_use]
pub fn nth(table: &[i16], rows: &[usize], rank: &[i16; LANES]) -> [i16; LANES] {
    descend(table, rows, rank)
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn count_present(table: &[i16], rows: &[usize]) -> [i16; LANES] {
    let mut counts = [0; LANES];
    for start in rows {
        for (count, value) in counts.iter_mut().zip(&table[*start..][..LANES]) {
            *count += i16::from(*value != ABSENT);
        }
    }
    counts
}

#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn descend(table: &[i16], rows: &[usize], rank: &[i16; LANES]) -> [i16; LANES] {
    // The entry of rank r is the largest value that at most r entries lie below.
    let mut found = [i16::MIN; LANES];
    for bit in (0..16).rev() {
        let mut candidate = found;
        for value in &mut candidate {
            *value = value.wrapping_add((1u16 << bit) as i16);
        }
        let mut below = [0i16; LANES];
        for start in rows {
            let row = &table[*start..][..LANES];
            for lane in 0..LANES {
                below[lane] += i16::from(row[lane] < candidate[lane]);
            }
        }
        for lane in 0..LANES {
            found[lane] = if below[lane] <= rank[lane] { candidate[lane] } else { found[lane] };
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_nth_is_that_of_the_sorted_column(
            table in proptest::collection::vec(prop_oneof![4 => any::<i16>(), 1 => Just(ABSENT)], LANES..40 * LANES),
            share in 0.0..1.0f32,
        ) {
            let rows: Vec<usize> = (0..table.len() / LANES).map(|row| row * LANES).collect();
            let counts = present(&table, &rows);
            let rank = counts.map(|n| (f32::from(n) * share) as i16);
            let found = nth(&table, &rows, &rank);
            for lane in 0..LANES {
                let mut column: Vec<i16> =
                    rows.iter().map(|start| table[start + lane]).filter(|v| *v != ABSENT).collect();
                column.sort_unstable();
                prop_assert_eq!(usize::from(counts[lane].unsigned_abs()), column.len());
                prop_assert_eq!(found[lane], column.get(rank[lane] as usize).copied().unwrap_or(ABSENT));
            }
        }
    }
}
