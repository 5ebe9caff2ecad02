//! The known word nearest to a mistyped one.

/// The nearest of `known` by edits (insert, delete, replace, swap neighbours), if it is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the word may be wrong, or the known word may begin with it (`settle` for `settle_ms`).
    let reach = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| {
            let starts = word.len() >= 3 && (candidate.starts_with(word) || word.starts_with(candidate));
            (if starts { 1 } else { edits(word, candidate) }, candidate)
        })
        .filter(|(distance, _)| *distance <= reach)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance (Damerau 1964, each stretch edited once).
fn edits(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before = vec![0; right.len() + 1];
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1; right.len() + 1];
        for (j, b) in right.iter().enumerate() {
            let replaced = above[j] + usize::from(a != b);
            row[j + 1] = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn typing_slips_find_the_word_and_other_words_find_none() {
        let known = ["settle_ms", "extensions", "reconcile_ms", "recursive"];
        for (typed, meant) in [
            ("setle_ms", Some("settle_ms")),
            ("settle", Some("settle_ms")),
            ("extenions", Some("extensions")),
            ("recusrive", Some("recursive")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
    }

    proptest! {
        #[test]
        fn edits_are_symmetric_and_zero_only_for_the_same_word(a in "[a-c]{0,6}", b in "[a-c]{0,6}") {
            prop_assert_eq!(edits(&a, &b), edits(&b, &a));
            prop_assert_eq!(edits(&a, &b) == 0, a == b);
        }
    }
}
