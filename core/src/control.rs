//! Control charts: is a process what it was, or did something happen to it? Pure arithmetic over counts.
//!
//! The p-chart is that of D. C. Montgomery, Introduction to Statistical Quality Control, section 7.2: the centre line is the
//! share of all defective units, the limits lie three standard deviations of a binomial share away. Subgroups may differ in
//! size; each has limits of its own (7.2.2). Called by the workbench's Live screen and by the report.

/// How far the limits are from the centre line, in standard deviations.
const SIGMAS: f64 = 3.0;

/// Units that were looked at together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subgroup {
    pub defective: u64,
    pub of: u64,
}

/// One subgroup on the chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Share of defective units, 0 to 1.
    pub share: f64,
    /// The limits for a subgroup of its size.
    pub low: f64,
    pub high: f64,
}

impl Point {
    /// Beyond its limits: chance alone does that about once in 370 subgroups of a process that is what it was.
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.share > self.high || self.share < self.low
    }
}

/// Shares of defective units, subgroup by subgroup.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareChart {
    /// The centre line.
    pub centre: f64,
    /// Limits for a subgroup of the usual size, to be drawn as lines.
    pub low: f64,
    pub high: f64,
    /// In the order of the subgroups.
    pub points: Vec<Point>,
}

/// The chart of these subgroups, empty ones left out; `None` where all are empty.
#[must_use]
pub fn share_chart(subgroups: &[Subgroup]) -> Option<ShareChart> {
    let filled: Vec<Subgroup> = subgroups.iter().copied().filter(|group| group.of > 0).collect();
    if filled.is_empty() {
        return None;
    }
    let (defective, all) = filled.iter().fold((0, 0), |(bad, all), group| (bad + group.defective, all + group.of));
    let centre = defective as f64 / all as f64;
    let (low, high) = limits(centre, all as f64 / filled.len() as f64);
    let point = |group: &Subgroup| {
        let (low, high) = limits(centre, group.of as f64);
        Point { share: group.defective as f64 / group.of as f64, low, high }
    };
    Some(ShareChart { centre, low, high, points: filled.iter().map(point).collect() })
}

/// No share lies below 0 or above 1, and so no limit.
fn limits(centre: f64, size: f64) -> (f64, f64) {
    let room = SIGMAS * (centre * (1.0 - centre) / size).sqrt();
    ((centre - room).max(0.0), (centre + room).min(1.0))
}

/// The middle value; of an even count the mean of the two in the middle. `None` without values.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(sorted[middle - 1], upper)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn groups(defective: &[u64], of: u64) -> Vec<Subgroup> {
        defective.iter().map(|&defective| Subgroup { defective, of }).collect()
    }

    #[test]
    fn the_limits_are_those_of_the_book() {
        // Montgomery, example 7.1: 30 samples of 50 cans of orange juice, 347 leak.
        let cans = [
            12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6,
        ];
        let chart = share_chart(&groups(&cans, 50)).unwrap();
        assert!((chart.centre - 0.2313).abs() < 5e-5, "{}", chart.centre);
        assert!((chart.high - 0.4102).abs() < 5e-5 && (chart.low - 0.0524).abs() < 5e-5, "{chart:?}");
        // Samples 15 and 23 are out of control.
        let out: Vec<usize> = (0..30).filter(|&place| chart.points[place].is_out()).map(|place| place + 1).collect();
        assert_eq!(out, [15, 23]);
    }

    #[test]
    fn nothing_says_nothing_and_all_alike_is_in_control() {
        assert_eq!(share_chart(&groups(&[0, 0], 0)), None);
        for defective in [0, 20] {
            let chart = share_chart(&groups(&[defective; 4], 20)).unwrap();
            assert!(chart.points.iter().all(|point| !point.is_out()), "{chart:?}");
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!((median(&[]), median(&[f64::NAN])), (None, None));
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0])), (Some(2.0), Some(2.5)));
    }

    proptest! {
        #[test]
        fn limits_hold_the_centre_and_larger_subgroups_have_narrower_ones(
            counts in prop::collection::vec((0_u64..=50, 1_u64..=50), 1..40),
        ) {
            let all: Vec<Subgroup> = counts.iter().map(|&(bad, of)| Subgroup { defective: bad.min(of), of }).collect();
            let chart = share_chart(&all).unwrap();
            prop_assert!(0.0 <= chart.low && chart.low <= chart.centre && chart.centre <= chart.high && chart.high <= 1.0);
            for (one, group) in chart.points.iter().zip(&all) {
                prop_assert!(one.low <= chart.centre && chart.centre <= one.high);
                for (other, more) in chart.points.iter().zip(&all) {
                    prop_assert!(more.of < group.of || other.high <= one.high);
                }
            }
        }
    }
}
