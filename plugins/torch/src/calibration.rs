//! What a network's certainty is worth: trained long, it calls nearly everything certain, right or wrong, and a threshold
//! among certainties is no threshold.
//!
//! Platt scaling: the log-odds that something is wrong, stretched and moved until they are those of the validation split
//! (J. Platt, Probabilistic outputs for support vector machines, 1999; the steps as H.-T. Lin, C.-J. Lin, R. Weng, Machine
//! Learning 68, 2007). The order of pictures stays as it was. Fitted by the trainer, kept in the card, used by whoever
//! judges.

use serde::{Deserialize, Serialize};

use crate::metrics::Scored;

/// Log-odds beyond these are one number: what `f32` probabilities can tell.
const MOST: f64 = 80.0;
const STEPS: usize = 100;

/// From log-odds to a score between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub slope: f64,
    pub offset: f64,
}

impl Default for Calibration {
    /// The network is taken at its word.
    fn default() -> Self {
        Self { slope: 1.0, offset: 0.0 }
    }
}

/// Log-odds that something is wrong, from the probability that nothing is: exact where that is next to nothing, as
/// `1 - p` would not be.
#[must_use]
pub fn log_odds(nothing_wrong: f32) -> f64 {
    let p = f64::from(nothing_wrong);
    ((1.0 - p) / p).ln().clamp(-MOST, MOST)
}

impl Calibration {
    /// Of scores that are log-odds. `None` where only one sort of picture is there, or defects score lower than what is
    /// clean: nothing to go by.
    #[must_use]
    pub fn fit(scored: &[Scored]) -> Option<Self> {
        let defects = scored.iter().filter(|(_, defect)| *defect).count() as f64;
        let clean = scored.len() as f64 - defects;
        if defects == 0.0 || clean == 0.0 {
            return None;
        }
        // Platt's targets: nobody is certain after so many pictures.
        let target = |defect: bool| if defect { (defects + 1.0) / (defects + 2.0) } else { 1.0 / (clean + 2.0) };
        let loss = |it: &Self| -> f64 {
            let of = |(odds, defect): &Scored| {
                let z = it.slope * odds + it.offset;
                z.max(0.0) - z * target(*defect) + (-z.abs()).exp().ln_1p()
            };
            scored.iter().map(of).sum()
        };
        let mut it = Self { slope: 0.0, offset: ((defects + 1.0) / (clean + 1.0)).ln() };
        let mut least = loss(&it);
        for _ in 0..STEPS {
            // Newton's step; a little on the diagonal keeps it solvable.
            let (mut g, mut h) = ([0.0; 2], [1e-12, 0.0, 1e-12]);
            for (odds, defect) in scored {
                let p = it.score(*odds);
                let (off, weight) = (p - target(*defect), p * (1.0 - p));
                g = [g[0] + off * odds, g[1] + off];
                h = [h[0] + weight * odds * odds, h[1] + weight * odds, h[2] + weight];
            }
            let determinant = h[0] * h[2] - h[1] * h[1];
            let step = [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant];
            let tried = (0..20).map(|halved| {
                let share = 0.5_f64.powi(halved);
                Self { slope: it.slope - share * step[0], offset: it.offset - share * step[1] }
            });
            let Some((better, found)) = tried.map(|it| (it, loss(&it))).find(|(_, found)| *found < least) else {
                break;
            };
            let gained = least - found;
            (it, least) = (better, found);
            if gained < 1e-10 {
                break;
            }
        }
        (it.slope > 0.0).then_some(it)
    }

    /// Between 0 and 1, the more the more surely something is wrong; from the validation split the share of such pictures
    /// where something is.
    #[must_use]
    pub fn score(self, log_odds: f64) -> f64 {
        1.0 / (1.0 + (-(self.slope * log_odds + self.offset)).exp())
    }

    /// The log-odds that make a score.
    #[must_use]
    pub fn log_odds_of(self, score: f64) -> f64 {
        (((score / (1.0 - score)).ln() - self.offset) / self.slope).clamp(-MOST, MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::threshold_for;

    /// A thousand pictures at each step of log-odds, as many of them defective as `truth` says.
    fn pictures(truth: Calibration) -> Vec<Scored> {
        let of = |odds: i32| {
            let odds = f64::from(odds);
            let defective = (truth.score(odds) * 1000.0).round() as usize;
            (0..1000).map(move |at| (odds, at < defective))
        };
        (-10..=30).flat_map(of).collect()
    }

    #[test]
    fn the_odds_of_the_pictures_are_found_again() {
        let truth = Calibration { slope: 0.3, offset: -2.5 };
        let found = Calibration::fit(&pictures(truth)).unwrap();
        assert!((found.slope - truth.slope).abs() < 0.005 && (found.offset - truth.offset).abs() < 0.05, "{found:?}");
        assert!((found.log_odds_of(found.score(7.0)) - 7.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_fitted_to_one_sort_of_pictures_or_to_a_network_that_has_it_the_wrong_way_round() {
        assert_eq!(Calibration::fit(&[(3.0, true), (4.0, true)]), None);
        assert_eq!(Calibration::fit(&[(3.0, false), (-4.0, true), (5.0, false), (-2.0, true)]), None);
        assert_eq!(Calibration::fit(&[]), None);
    }

    #[test]
    fn pictures_that_are_told_apart_without_a_fault_leave_a_threshold_between_them() {
        let scored: Vec<Scored> =
            (0..50).flat_map(|at| [(20.0 + f64::from(at), true), (f64::from(at) - 60.0, false)]).collect();
        let it = Calibration::fit(&scored).unwrap();
        assert!(it.score(20.0) > 0.5 && it.score(-11.0) < 0.5, "{it:?}");
    }

    #[test]
    fn certain_pictures_are_told_apart_by_how_certain_they_are() {
        // Probabilities of nothing wrong that all make 1.0 of `1 - p`, a clean picture among them.
        let certain: Vec<Scored> = [1e-9_f32, 1e-12, 1e-15, 1e-18].map(|p| (log_odds(p), p < 1e-10)).into();
        let clean = (0..20).map(|at| (-f64::from(at), false));
        let scored: Vec<Scored> = certain.into_iter().chain(clean).collect();
        let it = Calibration::fit(&scored).unwrap();
        let scores: Vec<Scored> = scored.iter().map(|(odds, defect)| (it.score(*odds), *defect)).collect();
        let threshold = threshold_for(&scores, 0.0).unwrap();
        let found = scores.iter().filter(|(score, _)| *score >= threshold);
        assert_eq!(found.map(|(_, defect)| *defect).collect::<Vec<bool>>(), [true; 3]);
    }

    #[test]
    fn log_odds_are_finite_wherever_a_probability_lies() {
        assert_eq!(log_odds(0.5), 0.0);
        assert_eq!((log_odds(0.0), log_odds(1.0)), (MOST, -MOST));
        assert!((log_odds(1e-20) - 46.05).abs() < 0.01);
    }
}
