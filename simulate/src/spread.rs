//! A distribution of one number, as presets write it, and even sequences over the index of a picture.

use rand::Rng;

/// Between `low` and `high`: even, or a triangle that peaks at `mode`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub low: f64,
    pub high: f64,
    mode: Option<f64>,
}

impl Spread {
    pub(super) fn even(low: f64, high: f64) -> Self {
        Self { low, high, mode: None }
    }

    pub(super) fn peaked(low: f64, mode: f64, high: f64) -> Self {
        Self { low, high, mode: Some(mode) }
    }

    pub(super) fn draw(&self, rng: &mut impl Rng) -> f64 {
        let u: f64 = rng.random();
        let width = self.high - self.low;
        match self.mode {
            Some(mode) if width > 0.0 => {
                let split = (mode - self.low) / width;
                if u < split {
                    self.low + (u * width * (mode - self.low)).sqrt()
                } else {
                    self.high - ((1.0 - u) * width * (self.high - mode)).sqrt()
                }
            }
            _ => self.low + width * u,
        }
    }
}

/// The place of picture `index` in [0, 1) along the Kronecker sequence of `step`. Any stretch of such a sequence is
/// nearly even, so a share of one half holds within about one picture and not only on average.
pub(super) fn evenly(index: u64, step: f64, offset: f64) -> f64 {
    (index as f64 * step + offset).fract()
}

/// Which of `weights` a number in [0, 1) falls on.
pub(super) fn choose(weights: &[f64], u: f64) -> usize {
    let mut left = u * weights.iter().sum::<f64>();
    for (i, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return i;
        }
    }
    weights.len().saturating_sub(1)
}
