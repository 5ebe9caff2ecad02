//! Stretches of equal labels in a row of a label map, found eight bytes at a time.
//!
//! Zones are wide, so what is done to each pixel of a zone is best done to whole runs. Called by the measuring plug-ins.

use std::ops::Range;

/// The row's runs of equal labels from left to right, without gaps.
pub fn label_runs(row: &[u8]) -> impl Iterator<Item = (u8, Range<usize>)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let label = *row.get(start)?;
        let end = start + run_length(&row[start..], label);
        let run = (label, start..end);
        start = end;
        Some(run)
    })
}

/// How many samples at the beginning equal `label`.
fn run_length(row: &[u8], label: u8) -> usize {
    let wanted = u64::from_ne_bytes([label; 8]);
    let (words, tail) = row.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let differing = u64::from_le_bytes(*word) ^ wanted;
        if differing != 0 {
            return 8 * i + differing.trailing_zeros() as usize / 8;
        }
    }
    8 * words.len() + tail.iter().take_while(|&&sample| sample == label).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_are_maximal_and_cover_the_row(
            lengths in proptest::collection::vec((0u8..5, 1usize..40), 0..12),
        ) {
            let row: Vec<u8> = lengths.iter().flat_map(|&(label, n)| std::iter::repeat_n(label, n)).collect();
            let runs: Vec<_> = label_runs(&row).collect();
            let again: Vec<u8> = runs.iter().flat_map(|(label, run)| std::iter::repeat_n(*label, run.len())).collect();
            prop_assert_eq!(again, row);
            prop_assert!(runs.windows(2).all(|w| w[0].0 != w[1].0 && w[0].1.end == w[1].1.start));
        }
    }
}
