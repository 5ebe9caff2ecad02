//! How well one number tells pictures with defects from clean ones, whatever the threshold.

use serde::Serialize;

use super::share::{Estimate, Z};

/// The curve and the area under it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Roc {
    pub defect: u64,
    pub clean: u64,
    /// The share of pairs, one picture of each, in which the one with a defect scores higher; equal scores count half.
    /// `None` where one side is empty.
    pub auc: Option<Estimate>,
    /// From "nothing" to "everything".
    pub points: Vec<Point>,
}

/// What calling everything a defect that scores at least the threshold would give.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// `None` for the first point: above every score.
    pub threshold: Option<f64>,
    /// Share of clean pictures called a defect.
    pub false_positive_rate: f64,
    /// Share of pictures with a defect called so.
    pub true_positive_rate: f64,
}

impl Roc {
    /// From each picture's score and whether it has a defect, in any order. Scores are finite.
    #[must_use]
    pub fn of(pictures: &[(f64, bool)]) -> Self {
        let mut sorted = pictures.to_vec();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let defect = sorted.iter().filter(|(_, defect)| *defect).count() as u64;
        let clean = sorted.len() as u64 - defect;
        if defect == 0 || clean == 0 {
            return Self { defect, clean, ..Self::default() };
        }
        let (mut hits, mut alarms, mut twice_won) = (0_u64, 0_u64, 0_u64);
        let mut points = vec![Point { threshold: None, false_positive_rate: 0.0, true_positive_rate: 0.0 }];
        for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
            let new_hits = equal.iter().filter(|(_, defect)| *defect).count() as u64;
            let new_alarms = equal.len() as u64 - new_hits;
            // Each clean picture here loses to all hits before it and is level with those beside it.
            twice_won += new_alarms * (2 * hits + new_hits);
            (hits, alarms) = (hits + new_hits, alarms + new_alarms);
            points.push(Point {
                threshold: equal.first().map(|(score, _)| *score),
                false_positive_rate: alarms as f64 / clean as f64,
                true_positive_rate: hits as f64 / defect as f64,
            });
        }
        let value = twice_won as f64 / (2 * defect * clean) as f64;
        Self { defect, clean, auc: Some(interval(value, defect as f64, clean as f64)), points }
    }
}

/// Hanley and McNeil's variance (Radiology 1982, 143, 29), the interval found as Wilson's is: all areas from which the
/// observed one is no further than chance takes it (Newcombe, Stat. Med. 2006, 25, 559, method 5). Unlike the usual one it
/// stays within 0 to 1 and does not collapse at a perfect score.
fn interval(value: f64, defect: f64, clean: f64) -> Estimate {
    let n = f64::midpoint(defect, clean);
    let reach = |area: f64| {
        let spread = 1.0 + (n - 1.0) * ((1.0 - area) / (2.0 - area) + area / (1.0 + area));
        Z * (area * (1.0 - area) * spread / (defect * clean)).max(0.0).sqrt()
    };
    let end = |mut inside: f64, mut outside: f64| {
        if (value - outside).abs() <= reach(outside) {
            return outside;
        }
        for _ in 0..60 {
            let middle = f64::midpoint(inside, outside);
            if (value - middle).abs() <= reach(middle) { inside = middle } else { outside = middle }
        }
        inside
    };
    Estimate { value, low: end(value, 0.0), high: end(value, 1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(pictures: &[(f64, bool)]) -> Option<f64> {
        let side = |wanted: bool| pictures.iter().filter(move |(_, defect)| *defect == wanted).map(|(score, _)| *score);
        let pairs = side(true).flat_map(|high| side(false).map(move |low| (high, low)));
        let won: Vec<f64> = pairs
            .map(|(a, b)| {
                if a > b {
                    1.0
                } else if a == b {
                    0.5
                } else {
                    0.0
                }
            })
            .collect();
        (!won.is_empty()).then(|| won.iter().sum::<f64>() / won.len() as f64)
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_pairs_won_in_any_order(
            mut pictures in prop::collection::vec(((0u8..12).prop_map(|score| f64::from(score) / 11.0), any::<bool>()), 0..60),
        ) {
            let roc = Roc::of(&pictures);
            let (found, expected) = (roc.auc.map(|auc| auc.value), counted(&pictures));
            prop_assert_eq!(found.is_some(), expected.is_some());
            if let (Some(auc), Some(expected)) = (roc.auc, expected) {
                prop_assert!((auc.value - expected).abs() < 1e-12);
                prop_assert!(0.0 <= auc.low && auc.low <= auc.value && auc.value <= auc.high && auc.high <= 1.0);
                // The area under the points, by trapezes, is the same number.
                let under: f64 = roc.points.windows(2).map(|pair| {
                    let width = pair[1].false_positive_rate - pair[0].false_positive_rate;
                    width * f64::midpoint(pair[0].true_positive_rate, pair[1].true_positive_rate)
                }).sum();
                prop_assert!((under - expected).abs() < 1e-9);
            }
            pictures.reverse();
            prop_assert_eq!(Roc::of(&pictures), roc);
        }
    }

    #[test]
    fn a_perfect_score_still_has_an_interval() {
        let pictures: Vec<(f64, bool)> = (0..20).map(|i| (f64::from(i), i >= 10)).collect();
        let auc = Roc::of(&pictures).auc.unwrap();
        assert_eq!((auc.value, auc.high), (1.0, 1.0));
        assert!(auc.low > 0.6 && auc.low < 0.95, "{auc:?}");
    }
}
