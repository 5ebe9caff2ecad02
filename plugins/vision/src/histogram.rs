//! Histograms of 8-bit samples, and the statistics that follow from them exactly.
//!
//! Counting costs one table look-up a pixel; everything else works on 256 counts. Definitions are NumPy's: population
//! standard deviation, percentiles by linear interpolation. Called by the measuring plug-ins.

/// Counts samples. Four tables take turns, so that runs of equal samples do not wait for their own last store.
#[derive(Debug, Clone)]
pub struct Tally {
    lanes: [[u32; 256]; 4],
}

impl Default for Tally {
    fn default() -> Self {
        Self { lanes: [[0; 256]; 4] }
    }
}

impl Tally {
    pub fn clear(&mut self) {
        self.lanes = [[0; 256]; 4];
    }

    /// Counts these samples; up to 2^32 - 1 of one value between two clears.
    pub fn add(&mut self, samples: &[u8]) {
        let [a, b, c, d] = &mut self.lanes;
        let (groups, tail) = samples.as_chunks::<8>();
        for group in groups {
            a[usize::from(group[0])] += 1;
            b[usize::from(group[1])] += 1;
            c[usize::from(group[2])] += 1;
            d[usize::from(group[3])] += 1;
            a[usize::from(group[4])] += 1;
            b[usize::from(group[5])] += 1;
            c[usize::from(group[6])] += 1;
            d[usize::from(group[7])] += 1;
        }
        for &sample in tail {
            a[usize::from(sample)] += 1;
        }
    }

    /// What was counted.
    #[must_use]
    pub fn histogram(&self) -> Histogram {
        let mut counts = [0; 256];
        for lane in &self.lanes {
            for (count, &n) in counts.iter_mut().zip(lane) {
                *count += u64::from(n);
            }
        }
        Histogram { counts }
    }
}

/// How often each of the 256 values occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    pub counts: [u64; 256],
}

impl Histogram {
    /// Number of samples.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The smallest and largest value; `None` without samples.
    #[must_use]
    pub fn range(&self) -> Option<(u8, u8)> {
        let first = self.counts.iter().position(|&n| n > 0)?;
        let last = self.counts.iter().rposition(|&n| n > 0)?;
        Some((first as u8, last as u8))
    }

    /// Mean; `None` without samples.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let total = self.total();
        let sum: u64 = self.counts.iter().zip(0u64..).map(|(n, value)| n * value).sum();
        (total > 0).then(|| sum as f64 / total as f64)
    }

    /// Population standard deviation; `None` without samples.
    #[must_use]
    pub fn std(&self) -> Option<f64> {
        let mean = self.mean()?;
        let squares = self.counts.iter().enumerate().map(|(value, &n)| n as f64 * (value as f64 - mean).powi(2));
        Some((squares.sum::<f64>() / self.total() as f64).sqrt())
    }

    /// The `percent`-th percentile as `numpy.percentile` interpolates it; `None` without samples.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let position = (total - 1) as f64 * (percent / 100.0).clamp(0.0, 1.0);
        let below = position.floor();
        let share = position - below;
        let low = f64::from(self.nth(below as u64));
        let high = f64::from(self.nth((below as u64 + 1).min(total - 1)));
        // NumPy interpolates from the nearer end.
        Some(if share >= 0.5 { high - (high - low) * (1.0 - share) } else { low + (high - low) * share })
    }

    /// The `rank`-th smallest sample, from 0.
    fn nth(&self, rank: u64) -> u8 {
        let mut seen = 0;
        let at = self.counts.iter().position(|&n| {
            seen += n;
            seen > rank
        });
        at.unwrap_or(255) as u8
    }

    /// Share of the samples with a value of at least `value`; 0 without samples.
    #[must_use]
    pub fn share_from(&self, value: u8) -> f64 {
        let above: u64 = self.counts[usize::from(value)..].iter().sum();
        above as f64 / self.total().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn statistics_are_those_of_the_sorted_samples(
            samples in proptest::collection::vec(any::<u8>(), 1..300), percent in 0.0..100.0f64,
        ) {
            let mut tally = Tally::default();
            tally.add(&samples);
            let histogram = tally.histogram();
            let mut sorted = samples.clone();
            sorted.sort_unstable();
            let n = sorted.len() as f64;
            let mean = sorted.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            let variance = sorted.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
            prop_assert_eq!(histogram.range(), Some((sorted[0], sorted[sorted.len() - 1])));
            prop_assert_eq!(histogram.mean(), Some(mean));
            prop_assert!((histogram.std().unwrap() - variance.sqrt()).abs() < 1e-9);
            let position = (n - 1.0) * percent / 100.0;
            let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
            let linear = f64::from(low) + (f64::from(high) - f64::from(low)) * position.fract();
            prop_assert!((histogram.percentile(percent).unwrap() - linear).abs() < 1e-9);
        }
    }

    #[test]
    fn nothing_has_no_statistics() {
        let histogram = Tally::default().histogram();
        assert_eq!((histogram.mean(), histogram.std(), histogram.range()), (None, None, None));
        assert_eq!((histogram.percentile(50.0), histogram.share_from(0)), (None, 0.0));
    }

    #[test]
    fn percentiles_are_numpys() {
        // numpy.percentile([3, 1, 4, 1, 5, 9, 2, 6], [25, 50, 75]) = [1.75, 3.5, 5.25]
        let mut tally = Tally::default();
        tally.add(&[3, 1, 4, 1, 5, 9, 2, 6]);
        let histogram = tally.histogram();
        assert_eq!([25.0, 50.0, 75.0].map(|p| histogram.percentile(p)), [Some(1.75), Some(3.5), Some(5.25)]);
    }
}
