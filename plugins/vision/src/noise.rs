//! Robust noise: the scale of the quiet part of a picture, whatever lies on it.
//!
//! The scale is a quantile of the magnitudes divided by the one a unit Gaussian has there, so with the median it is the
//! median absolute deviation about zero. A lower quantile bears more dirt: at 0.35 nearly two thirds may be defects.

/// Quantile of |x| for a standard Gaussian: `QUIETEST` of the samples lie below it.
pub const QUIETEST: f32 = 0.35;
const QUIETEST_OF_GAUSSIAN: f32 = 0.453_76;
const MEDIAN_OF_GAUSSIAN: f32 = 0.674_49;
/// Mean of |x| for a standard Gaussian.
pub const MEAN_OF_GAUSSIAN: f32 = 0.797_88;

/// Counts of magnitudes, one bin a unit, all above the last bin counted there.
#[derive(Debug, Clone)]
pub struct Magnitudes {
    counts: Vec<u32>,
    total: u32,
}

impl Default for Magnitudes {
    fn default() -> Self {
        Self { counts: vec![0; 4096], total: 0 }
    }
}

impl Magnitudes {
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    pub fn add(&mut self, value: i16) {
        let bin = usize::from(value.unsigned_abs()).min(self.counts.len() - 1);
        self.counts[bin] += 1;
        self.total += 1;
    }

    /// Standard deviation of the Gaussian with this median magnitude; 0 without samples. Bins are split linearly, for
    /// quantised pictures have their median inside a bin.
    #[must_use]
    pub fn sigma(&self) -> f32 {
        let half = self.total as f32 / 2.0;
        let mut below = 0.0;
        for (bin, count) in self.counts.iter().enumerate() {
            let count = *count as f32;
            if count > 0.0 && below + count >= half {
                // Bin 0 holds magnitudes below half a unit, bin n those from n - 0.5 to n + 0.5.
                let (low, width) = if bin == 0 { (0.0, 0.5) } else { (bin as f32 - 0.5, 1.0) };
                return (low + width * (half - below) / count) / MEDIAN_OF_GAUSSIAN;
            }
            below += count;
        }
        0.0
    }
}

/// Standard deviation of the Gaussian that has this [`QUIETEST`] quantile of magnitudes.
#[must_use]
pub fn sigma_of_quiet(quantile: i16) -> f32 {
    f32::from(quantile) / QUIETEST_OF_GAUSSIAN
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sum of twelve uniform numbers: near enough to a Gaussian of deviation 1.
    fn gaussian(state: &mut u64) -> f32 {
        let uniform = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 40) as f32 / (1u64 << 24) as f32
        };
        (0..12).map(|_| uniform(state)).sum::<f32>() - 6.0
    }

    proptest! {
        #[test]
        fn dirt_does_not_raise_the_noise(seed in any::<u64>(), sigma in 20.0..200.0f32, dirt in 0..30usize) {
            let mut state = seed;
            let mut samples: Vec<i16> = (0..20_000).map(|_| (gaussian(&mut state) * sigma).round() as i16).collect();
            for i in 0..samples.len() * dirt / 100 {
                samples[i] = 4000;
            }
            let mut all = Magnitudes::default();
            samples.iter().for_each(|v| all.add(*v));
            // With a share d of dirt the median is the 0.5 / (1 - d) quantile of the rest.
            prop_assert!(all.sigma() > 0.9 * sigma && all.sigma() < 1.1 * sigma * (1.0 + dirt as f32 / 50.0));
            let mut magnitudes: Vec<i16> = samples.iter().map(|v| v.abs()).collect();
            magnitudes.sort_unstable();
            let quiet = sigma_of_quiet(magnitudes[(magnitudes.len() as f32 * QUIETEST) as usize]);
            prop_assert!(quiet > 0.9 * sigma && quiet < 1.1 * sigma * (1.0 + dirt as f32 / 50.0));
        }
    }

    #[test]
    fn nothing_has_no_noise() {
        assert_eq!(Magnitudes::default().sigma(), 0.0);
    }
}
