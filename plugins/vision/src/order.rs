//! Order statistics of many small sets at once: medians and quantiles down the columns of a table.
//!
//! A value is found bit by bit, counting what lies below a candidate, so that a step is one comparison of [`LANES`]
//! columns and nothing is moved or sorted. Values that are near each other differ in few bits. Called by
//! [`crate::fibre`] and [`crate::grid`].

use std::iter::repeat_n;

use multiversion::multiversion;

/// Columns looked at together.
pub const LANES: usize = 32;
/// Marks an entry that does not count.
pub const ABSENT: i16 = i16::MAX;

/// The largest step of a search.
const STRIDE: i16 = 1 << 14;

/// `LANES` columns of a table, and what one look at them tells.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    table: &'a [i16],
    rows: &'a [usize],
    /// Entries of each column that are not [`ABSENT`].
    pub counts: [i16; LANES],
    /// The least entry and the greatest; the other way round where there is none.
    low: i16,
    high: i16,
}

impl<'a> Columns<'a> {
    /// The columns are given by where each of their rows begins in `table`.
    ///
    /// # Panics
    /// If a row reaches out of the table, as slicing does.
    #[must_use]
    pub fn of(table: &'a [i16], rows: &'a [usize]) -> Self {
        let (counts, low, high) = survey(table, rows);
        Self { table, rows, counts, low, high }
    }

    /// The entry of that rank (from 0) in each column; [`ABSENT`] where a column has no more than `rank` entries.
    #[must_use]
    pub fn nth(&self, rank: &[i16; LANES]) -> [i16; LANES] {
        if self.low > self.high {
            return [ABSENT; LANES];
        }
        let mut found = descend(self.table, self.rows, rank, self.low, self.high);
        for lane in 0..LANES {
            found[lane] = if rank[lane] < self.counts[lane] { found[lane] } else { ABSENT };
        }
        found
    }
}

/// Entries of each column, the least of all and the greatest.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn survey(table: &[i16], rows: &[usize]) -> ([i16; LANES], i16, i16) {
    let (mut counts, mut low, mut high) = ([0; LANES], [ABSENT; LANES], [i16::MIN; LANES]);
    for start in rows {
        let row = &table[*start..][..LANES];
        for lane in 0..LANES {
            let is_there = row[lane] != ABSENT;
            counts[lane] += i16::from(is_there);
            low[lane] = low[lane].min(row[lane]);
            high[lane] = high[lane].max(if is_there { row[lane] } else { i16::MIN });
        }
    }
    let low = low.iter().fold(ABSENT, |least, value| least.min(*value));
    (counts, low, high.iter().fold(i16::MIN, |most, value| most.max(*value)))
}

/// The greatest value that at most `rank` entries lie below, from `low` to `high` or little above.
#[multiversion(targets("x86_64+avx512bw+avx512dq+avx512vl+avx512vbmi2", "x86_64+avx2+fma"))]
fn descend(table: &[i16], rows: &[usize], rank: &[i16; LANES], low: i16, high: i16) -> [i16; LANES] {
    let range = high.abs_diff(low);
    let bits = (u16::BITS - range.leading_zeros()).min(STRIDE.ilog2());
    let strides = usize::from(range >> STRIDE.ilog2());
    let mut found = [low; LANES];
    for step in repeat_n(STRIDE, strides).chain((0..bits).rev().map(|bit| 1 << bit)) {
        let mut candidate = found;
        for value in &mut candidate {
            *value = value.saturating_add(step);
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
            share in 0.0..1.0f32, middle in any::<i16>(), narrower in 0..16u32,
        ) {
            // Some tables hold every value there is, some hardly two.
            let near = |value: i16| if value == ABSENT { value } else { middle.saturating_add(value >> narrower) };
            let table: Vec<i16> = table.into_iter().map(near).collect();
            let rows: Vec<usize> = (0..table.len() / LANES).map(|row| row * LANES).collect();
            let columns = Columns::of(&table, &rows);
            let counts = columns.counts;
            let rank = counts.map(|n| (f32::from(n) * share) as i16);
            let found = columns.nth(&rank);
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
