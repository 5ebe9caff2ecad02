//! How far two reviewers agree about the same images.

use serde::Serialize;

/// Two reviewers, and the images about which both said something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    pub first: String,
    pub second: String,
    /// Images that both call a defect, that only the first does, only the second, and neither.
    pub counts: [u64; 4],
}

impl Agreement {
    /// Images about which both said something.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of images about which they say the same; `None` without images.
    #[must_use]
    pub fn observed(&self) -> Option<f64> {
        let images = self.images();
        (images > 0).then(|| (self.counts[0] + self.counts[3]) as f64 / images as f64)
    }

    /// Cohen's kappa (1960): agreement beyond what chance would give two people who call as many images defects as these do; 1
    /// is all, 0 is chance. `None` where chance alone would agree about everything.
    #[must_use]
    pub fn kappa(&self) -> Option<f64> {
        let observed = self.observed()?;
        let images = self.images() as f64;
        let share = |one: u64, other: u64| (one + other) as f64 / images;
        let [both, first, second, _] = self.counts;
        let (p, q) = (share(both, first), share(both, second));
        let chance = p * q + (1.0 - p) * (1.0 - q);
        (chance < 1.0).then(|| (observed - chance) / (1.0 - chance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kappa(counts: [u64; 4]) -> Option<f64> {
        Agreement { first: "A".into(), second: "B".into(), counts }.kappa()
    }

    #[test]
    fn kappa_is_agreement_beyond_chance() {
        // 20 and 15 of 50 agreed: observed 0.7, by chance 0.5 × 0.6 + 0.5 × 0.4 = 0.5.
        assert!((kappa([20, 5, 10, 15]).unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(kappa([10, 0, 0, 10]), Some(1.0));
        assert_eq!(kappa([5, 5, 5, 5]), Some(0.0));
        assert_eq!(kappa([0, 5, 5, 0]), Some(-1.0));
        assert_eq!((kappa([0; 4]), kappa([7, 0, 0, 0])), (None, None));
    }
}
