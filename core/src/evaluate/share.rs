//! Shares with how far they can be trusted. Plain arithmetic; called by every part of an evaluation that counts.

use serde::Serialize;

/// 97.5 % point of the normal distribution: intervals hold 95 %.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// So many of so many, with the Wilson interval (Wilson, J. Am. Stat. Assoc. 1927, 22, 209).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Share {
    pub count: u64,
    pub of: u64,
    /// 0 to 1; `None` of nothing.
    pub value: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
}

impl Share {
    /// `count` must not be above `of`.
    #[must_use]
    pub fn of(count: u64, of: u64) -> Self {
        if of == 0 {
            return Self::default();
        }
        let (n, p) = (of as f64, count as f64 / of as f64);
        let middle = p + Z * Z / (2.0 * n);
        let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        // Exact at the ends, where rounding would leave a trace.
        let low = if count == 0 { 0.0 } else { (middle - reach) / scale };
        let high = if count == of { 1.0 } else { (middle + reach) / scale };
        Self { count, of, value: Some(p), low: Some(low), high: Some(high) }
    }

    /// How many of these are true.
    pub(super) fn among(flags: impl IntoIterator<Item = bool>) -> Self {
        let (count, of) = flags.into_iter().fold((0, 0), |(count, of), flag| (count + u64::from(flag), of + 1));
        Self::of(count, of)
    }
}

/// A number with an interval of 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    /// The mean of two independent shares, its interval from theirs (Zou and Donner, Stat. Med. 2008, 27, 1693).
    #[must_use]
    pub(super) fn mean(a: &Share, b: &Share) -> Option<Self> {
        let (a, a_low, a_high) = (a.value?, a.low?, a.high?);
        let (b, b_low, b_high) = (b.value?, b.low?, b.high?);
        let value = f64::midpoint(a, b);
        let (low, high) = (value - (a - a_low).hypot(b - b_low) / 2.0, value + (a_high - a).hypot(b_high - b) / 2.0);
        Some(Self { value, low, high })
    }
}

/// The harmonic mean of precision and recall; `None` where either is.
#[must_use]
pub(super) fn f1(precision: &Share, recall: &Share) -> Option<f64> {
    let (precision, recall) = (precision.value?, recall.value?);
    Some(if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 })
}

/// Linear percentile of sorted numbers; infinite ones may be among them.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    let value = if low == high { low } else { low + (high - low) * at.fract() };
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_has_the_interval_of_wilson() {
        let share = Share::of(81, 263);
        // Newcombe, Stat. Med. 1998, 17, 857: 81 of 263 is 0.2553 to 0.3662.
        assert!((share.low.unwrap() - 0.2553).abs() < 1e-4 && (share.high.unwrap() - 0.3662).abs() < 1e-4, "{share:?}");
        assert_eq!(Share::of(0, 0), Share::default());
        assert_eq!(Share::of(29, 29).high, Some(1.0));
        assert!(Share::of(29, 29).low.unwrap() < 0.9);
    }

    #[test]
    fn percentiles_beyond_what_is_known_are_not_given() {
        let sorted = [1.0, 2.0, 3.0, f64::INFINITY];
        assert_eq!(percentile(&sorted, 0.5), Some(2.5));
        assert_eq!(percentile(&sorted, 0.95), None);
        assert_eq!(percentile(&[], 0.5), None);
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_value_and_narrows(count in 0u64..200, more in 0u64..200) {
            let share = Share::of(count, count + more + 1);
            let (value, low, high) = (share.value.unwrap(), share.low.unwrap(), share.high.unwrap());
            prop_assert!(0.0 <= low && low <= value && value <= high && high <= 1.0, "{share:?}");
            let larger = Share::of(10 * count, 10 * share.of);
            prop_assert!(larger.high.unwrap() - larger.low.unwrap() <= high - low);
            let mean = Estimate::mean(&share, &share).unwrap();
            prop_assert!((mean.value - value).abs() < 1e-12 && mean.low >= low - 1e-12 && mean.high <= high + 1e-12);
        }
    }
}
