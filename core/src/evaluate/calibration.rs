//! Does "0.9 sure" mean right nine times of ten? Confidences against what turned out.

use serde::Serialize;

/// Bins of equal width.
const BINS: usize = 10;

/// Reliability of a confidence.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Calibration {
    pub n: u64,
    /// Mean distance between confidence and outcome over the bins, weighted by their numbers (Naeini et al., AAAI 2015).
    pub expected_calibration_error: Option<f64>,
    /// Mean squared distance of confidence and outcome (Brier, Mon. Weather Rev. 1950, 78, 1).
    pub brier: Option<f64>,
    /// Those with anything in them, from unsure to sure.
    pub bins: Vec<Bin>,
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    pub low: f64,
    pub high: f64,
    pub n: u64,
    pub mean_confidence: f64,
    /// Share that was right.
    pub right: f64,
}

impl Calibration {
    /// From each confidence (0 to 1) and whether it was right, in any order.
    #[must_use]
    pub fn of(outcomes: &[(f64, bool)]) -> Self {
        let mut sorted = outcomes.to_vec();
        // Sums of floating point numbers depend on their order.
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        if sorted.is_empty() {
            return Self::default();
        }
        let n = sorted.len() as f64;
        let bin_of = |confidence: f64| ((confidence * BINS as f64) as usize).min(BINS - 1);
        let (mut bins, mut error) = (Vec::new(), 0.0);
        for inside in sorted.chunk_by(|a, b| bin_of(a.0) == bin_of(b.0)) {
            let count = inside.len() as f64;
            let mean_confidence = inside.iter().map(|(confidence, _)| confidence).sum::<f64>() / count;
            let right = inside.iter().filter(|(_, right)| *right).count() as f64 / count;
            let place = inside.first().map_or(0, |(confidence, _)| bin_of(*confidence)) as f64;
            error += (mean_confidence - right).abs() * count / n;
            let (low, high) = (place / BINS as f64, (place + 1.0) / BINS as f64);
            bins.push(Bin { low, high, n: inside.len() as u64, mean_confidence, right });
        }
        let squares = sorted.iter().map(|(confidence, right)| (confidence - f64::from(u8::from(*right))).powi(2));
        let brier = squares.sum::<f64>() / n;
        Self { n: sorted.len() as u64, expected_calibration_error: Some(error), brier: Some(brier), bins }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_that_comes_true_is_calibrated_and_false_confidence_is_not() {
        let honest: Vec<(f64, bool)> = (0..100).map(|i| (0.75, i % 4 != 0)).collect();
        let calibration = Calibration::of(&honest);
        assert!(calibration.expected_calibration_error.unwrap() < 1e-12);
        assert!((calibration.brier.unwrap() - 0.75 * 0.25).abs() < 1e-12);
        let boasting: Vec<(f64, bool)> = (0..100).map(|i| (1.0, i % 2 == 0)).collect();
        let calibration = Calibration::of(&boasting);
        assert_eq!(calibration.expected_calibration_error, Some(0.5));
        assert_eq!((calibration.bins.len(), calibration.bins[0].low, calibration.bins[0].n), (1, 0.9, 100));
        assert_eq!(Calibration::of(&[]).brier, None);
    }

    #[test]
    fn the_order_does_not_matter() {
        let mut outcomes: Vec<(f64, bool)> = (0..97).map(|i| (f64::from(i * 37 % 97) / 96.0, i % 3 == 0)).collect();
        let calibration = Calibration::of(&outcomes);
        outcomes.reverse();
        assert_eq!(Calibration::of(&outcomes), calibration);
        assert_eq!(calibration.bins.iter().map(|bin| bin.n).sum::<u64>(), 97);
    }
}
