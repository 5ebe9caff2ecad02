//! What a network is worth: plain functions over scores and counts, with their definitions.
//!
//! Scores are probabilities; class 0 is what nothing is wrong with (clean, background). Undefined figures (no such class
//! in the split) are `None`, never a number that looks like one.

/// Counts by class: `at(truth, said)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Counts one; a class that there is not is nobody's.
    pub fn add(&mut self, truth: usize, said: usize, count: u64) {
        if truth < self.classes && said < self.classes {
            self.counts[truth * self.classes + said] += count;
        }
    }

    #[must_use]
    pub fn at(&self, truth: usize, said: usize) -> u64 {
        self.counts[truth * self.classes + said]
    }

    /// Row by row: truth down, said across.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<u64>> {
        self.counts.chunks(self.classes.max(1)).map(<[u64]>::to_vec).collect()
    }

    fn truly(&self, class: usize) -> u64 {
        (0..self.classes).map(|said| self.at(class, said)).sum()
    }

    fn said(&self, class: usize) -> u64 {
        (0..self.classes).map(|truth| self.at(truth, class)).sum()
    }

    /// Share that is right.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        let right: u64 = (0..self.classes).map(|class| self.at(class, class)).sum();
        ratio(right, self.counts.iter().sum())
    }

    /// Of what was said to be this class, the share that is.
    #[must_use]
    pub fn precision(&self, class: usize) -> Option<f64> {
        ratio(self.at(class, class), self.said(class))
    }

    /// Of what is this class, the share that was said to be.
    #[must_use]
    pub fn recall(&self, class: usize) -> Option<f64> {
        ratio(self.at(class, class), self.truly(class))
    }

    /// 2 TP / (2 TP + FP + FN): F1 of a class, which for pixels is its Dice.
    #[must_use]
    pub fn dice(&self, class: usize) -> Option<f64> {
        ratio(2 * self.at(class, class), self.said(class) + self.truly(class))
    }

    /// TP / (TP + FP + FN).
    #[must_use]
    pub fn iou(&self, class: usize) -> Option<f64> {
        let both = self.at(class, class);
        ratio(both, self.said(class) + self.truly(class) - both)
    }

    /// What is left when all classes but 0 are one.
    #[must_use]
    pub fn any(&self) -> Self {
        let mut any = Self::new(2);
        for truth in 0..self.classes {
            (0..self.classes).for_each(|said| any.add(truth.min(1), said.min(1), self.at(truth, said)));
        }
        any
    }

    /// Over the classes that occur in truth: the one that is not class 0 where there are two, else the mean of all.
    #[must_use]
    pub fn over_classes(&self, figure: impl Fn(&Self, usize) -> Option<f64>) -> Option<f64> {
        if self.classes == 2 {
            return figure(self, 1);
        }
        mean((0..self.classes).filter(|class| self.truly(*class) > 0).map(|class| figure(self, class).unwrap_or(0.0)))
    }

    /// Mean over every class but 0 that occurs in truth.
    #[must_use]
    pub fn over_defects(&self, figure: impl Fn(&Self, usize) -> Option<f64>) -> Option<f64> {
        mean((1..self.classes).filter(|class| self.truly(*class) > 0).map(|class| figure(self, class).unwrap_or(0.0)))
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// A score and whether the item is positive.
pub type Scored = (f64, bool);

/// Area under the ROC curve: the chance that a positive scores above a negative, ties counting half (Mann and Whitney).
#[must_use]
pub fn roc_auc(scored: &[Scored]) -> Option<f64> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = sorted.iter().filter(|(_, positive)| *positive).count() as f64;
    let negatives = sorted.len() as f64 - positives;
    let (mut rank, mut sum) = (0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let middle = rank + (tied.len() as f64 + 1.0) / 2.0;
        sum += middle * tied.iter().filter(|(_, positive)| *positive).count() as f64;
        rank += tied.len() as f64;
    }
    (positives > 0.0 && negatives > 0.0).then(|| (sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// Average precision: precision at each step of recall, weighted by the step; ties are one step.
#[must_use]
pub fn average_precision(scored: &[Scored]) -> Option<f64> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = sorted.iter().filter(|(_, positive)| *positive).count() as f64;
    let (mut seen, mut found, mut sum) = (0.0, 0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let more = tied.iter().filter(|(_, positive)| *positive).count() as f64;
        seen += tied.len() as f64;
        found += more;
        sum += more * found / seen;
    }
    (positives > 0.0).then(|| sum / positives)
}

/// The lowest threshold between 0 and 1 at which at most `rate` of the negatives score at or above it. Above all scores if it
/// must be.
#[must_use]
pub fn threshold_for(scored: &[Scored], rate: f64) -> Option<f64> {
    let mut negatives: Vec<f64> = scored.iter().filter(|(_, positive)| !positive).map(|(score, _)| *score).collect();
    if negatives.is_empty() {
        return None;
    }
    negatives.sort_by(|a, b| b.total_cmp(a));
    let allowed = ((rate * negatives.len() as f64) + 1e-9).floor() as usize;
    let Some(first_denied) = negatives.get(allowed) else { return Some(0.0) };
    // Halfway to the next lower positive would overfit; the smallest step above is enough to exclude it.
    Some((first_denied + 1e-6).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion() -> Confusion {
        let mut confusion = Confusion::new(2);
        for (truth, said, count) in [(0, 0, 50), (0, 1, 10), (1, 0, 5), (1, 1, 35), (7, 0, 99)] {
            confusion.add(truth, said, count);
        }
        confusion
    }

    #[test]
    fn figures_are_those_of_the_definitions() {
        let c = confusion();
        let near = |value: Option<f64>, expected: f64| assert!((value.unwrap() - expected).abs() < 1e-12, "{value:?}");
        near(c.accuracy(), 0.85);
        near(c.over_classes(Confusion::precision), 35.0 / 45.0);
        near(c.over_classes(Confusion::recall), 35.0 / 40.0);
        near(c.over_classes(Confusion::dice), 70.0 / 85.0);
        near(c.iou(1), 35.0 / 50.0);
        assert_eq!(Confusion::new(3).dice(1), None);
    }

    #[test]
    fn a_defect_of_the_wrong_kind_is_a_defect_all_the_same() {
        let mut c = Confusion::new(3);
        [(0, 0, 90), (1, 2, 6), (2, 2, 2), (2, 0, 1), (0, 1, 1)]
            .into_iter()
            .for_each(|(truth, said, count)| c.add(truth, said, count));
        assert_eq!(c.any().rows(), [[90, 1], [1, 8]]);
        assert_eq!(c.over_defects(Confusion::dice), Some(f64::midpoint(0.0, 4.0 / 11.0)));
    }

    #[test]
    fn auc_is_the_chance_of_the_right_order_with_ties_counting_half() {
        assert_eq!(roc_auc(&[(0.1, false), (0.4, true), (0.35, false), (0.8, true)]), Some(1.0));
        // scikit-learn's own example.
        assert_eq!(roc_auc(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]), Some(0.75));
        assert_eq!(roc_auc(&[(0.5, false), (0.5, true)]), Some(0.5));
        assert_eq!(roc_auc(&[(0.5, true)]), None);
    }

    #[test]
    fn average_precision_is_scikit_learns() {
        let value = average_precision(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]).unwrap();
        assert!((value - 0.833_333_333_333).abs() < 1e-9, "{value}");
        assert_eq!(average_precision(&[(0.3, false)]), None);
    }

    #[test]
    fn a_threshold_keeps_the_false_alarms_that_were_asked_for() {
        let scored: Vec<Scored> = (0..100).map(|at| (f64::from(at) / 100.0, false)).chain([(0.97, true)]).collect();
        for rate in [0.0, 0.01, 0.05, 0.5] {
            let threshold = threshold_for(&scored, rate).unwrap();
            let alarms = scored.iter().filter(|(score, positive)| !positive && *score >= threshold).count();
            assert_eq!(alarms, (rate * 100.0) as usize, "rate {rate}");
        }
        assert_eq!(threshold_for(&[(0.4, true)], 0.01), None);
    }
}
