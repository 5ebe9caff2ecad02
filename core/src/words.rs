//! Words that follow a number.

/// `1 picture`, `2 pictures`: of a word whose plural ends in s.
#[must_use]
pub fn counted(count: impl Into<u64>, one: &str) -> String {
    let count = count.into();
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}
