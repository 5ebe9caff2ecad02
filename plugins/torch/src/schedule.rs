//! The learning rate, step by step. A function of the step alone, so that a resumed training goes on exactly where it was.

use std::f64::consts::PI;

/// How the rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Constant,
    /// Half a cosine down to nothing.
    Cosine,
    /// A tenth after each third of the epochs.
    Step,
    /// Up to the full rate over the first 30 %, then a cosine down (Smith and Topin, 2018).
    OneCycle,
}

/// A schedule over the whole run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    pub shape: Shape,
    pub rate: f64,
    /// Steps in all, at least 1.
    pub steps: u64,
    /// Steps over which the rate grows from nothing, before the shape counts.
    pub warmup: u64,
}

impl Schedule {
    /// The rate of that step, counted from 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.rate * (step + 1) as f64 / self.warmup as f64;
        }
        let left = self.steps.saturating_sub(self.warmup).max(1) as f64;
        let done = ((step - self.warmup) as f64 / left).min(1.0);
        let cosine = |share: f64| 0.5 * (1.0 + (PI * share).cos());
        self.rate
            * match self.shape {
                Shape::Constant => 1.0,
                Shape::Cosine => cosine(done),
                Shape::Step => 0.1_f64.powi((done * 3.0) as i32),
                Shape::OneCycle if done < 0.3 => 0.04 + 0.96 * (1.0 - cosine(done / 0.3)),
                Shape::OneCycle => cosine((done - 0.3) / 0.7).max(1e-4),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shape: Shape, warmup: u64) -> Vec<f64> {
        let schedule = Schedule { shape, rate: 2.0, steps: 100, warmup };
        (0..100).map(|step| schedule.at(step)).collect()
    }

    #[test]
    fn a_warm_up_ends_at_the_full_rate_and_then_the_shape_counts() {
        let rates = of(Shape::Cosine, 10);
        assert!((rates[0] - 0.2).abs() < 1e-12 && (rates[9] - 2.0).abs() < 1e-12 && (rates[10] - 2.0).abs() < 1e-12);
        assert!(rates[10..].is_sorted_by(|a, b| a >= b) && rates[99] < 0.01);
    }

    #[test]
    fn each_shape_is_what_its_name_says() {
        assert!(of(Shape::Constant, 0).iter().all(|rate| *rate == 2.0));
        let step = of(Shape::Step, 0);
        assert!((step[33] - 2.0).abs() < 1e-9 && (step[34] - 0.2).abs() < 1e-9 && (step[99] - 0.02).abs() < 1e-9);
        let cycle = of(Shape::OneCycle, 0);
        let top = cycle.iter().copied().fold(0.0, f64::max);
        assert!((top - 2.0).abs() < 1e-9 && (cycle[30] - top).abs() < 1e-3 && cycle[0] < 0.1 && cycle[99] < 0.01);
    }
}
