//! How long a capture may take: what the settings say, stretched by how long captures take here, plus a time a megapixel.
//!
//! A deadline that is short under load looks like a hang, so it follows the load. Deaths by deadline are not counted in,
//! or a hanging plug-in would stretch its own rope.

use std::{collections::VecDeque, time::Duration};

/// Captures that the running figures look back on.
const REMEMBERED: usize = 256;

/// Fewer than this say nothing about a 99th percentile.
const ENOUGH: usize = 20;

/// The load stretches a deadline to at most this, unless the settings ask for more.
const LONGEST: Duration = Duration::from_secs(120);

/// Bytes that a pixel takes at least in a photograph's file; a well compressed JPEG has 0.1 to 0.3.
const BYTES_PER_PIXEL: f64 = 0.1;

/// A picture is taken for no smaller than this before it is seen.
const SMALLEST_MPX: f64 = 4.0;

/// Running figures over the last captures.
#[derive(Debug)]
pub(super) struct Deadlines {
    shortest: Duration,
    per_mpx: Duration,
    max_mpx: f64,
    took: VecDeque<Duration>,
    sizes: VecDeque<f64>,
}

impl Deadlines {
    pub fn new(shortest: Duration, per_mpx: Duration, max_mpx: f64) -> Self {
        Self { shortest, per_mpx, max_mpx: max_mpx.max(0.0), took: VecDeque::new(), sizes: VecDeque::new() }
    }

    /// A capture of that many pixels was answered.
    pub fn answered(&mut self, took: Duration, pixels: Option<u64>) {
        remember(&mut self.took, took);
        if let Some(pixels) = pixels {
            remember(&mut self.sizes, pixels as f64 / 1e6);
        }
    }

    /// The deadline of a capture whose file has that many bytes (0: not known).
    pub fn of(&self, bytes: u64) -> Duration {
        let by_size = bytes as f64 / BYTES_PER_PIXEL / 1e6;
        let mpx = self.sizes.iter().copied().fold(by_size.max(SMALLEST_MPX), f64::max).min(self.max_mpx);
        let load = self.p99().map_or(Duration::ZERO, |p99| (p99 * 10).min(LONGEST));
        self.shortest.max(load) + self.per_mpx.mul_f64(mpx)
    }

    fn p99(&self) -> Option<Duration> {
        if self.took.len() < ENOUGH {
            return None;
        }
        let mut sorted: Vec<Duration> = self.took.iter().copied().collect();
        let place = (sorted.len() * 99).div_ceil(100) - 1;
        Some(*sorted.select_nth_unstable(place).1)
    }
}

fn remember<T>(last: &mut VecDeque<T>, value: T) {
    if last.len() == REMEMBERED {
        last.pop_front();
    }
    last.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadlines() -> Deadlines {
        Deadlines::new(Duration::from_secs(2), Duration::from_millis(100), 50.0)
    }

    #[test]
    fn a_deadline_is_the_shortest_one_until_captures_here_take_long() {
        let mut deadlines = deadlines();
        assert_eq!(deadlines.of(0), Duration::from_millis(2400));
        for _ in 0..300 {
            deadlines.answered(Duration::from_millis(500), Some(1_000_000));
        }
        assert_eq!(deadlines.of(0), Duration::from_millis(5400));
        for _ in 0..300 {
            deadlines.answered(Duration::from_millis(5), Some(1_000_000));
        }
        assert_eq!(deadlines.of(0), Duration::from_millis(2400), "old captures are forgotten");
    }

    #[test]
    fn one_slow_capture_among_hundred_stretches_nothing() {
        let mut deadlines = deadlines();
        for i in 0..200 {
            deadlines.answered(Duration::from_millis(if i % 100 == 7 { 1900 } else { 10 }), None);
        }
        assert_eq!(deadlines.of(0), Duration::from_millis(2400));
    }

    #[test]
    fn large_files_and_large_pictures_get_more_time_up_to_the_largest_allowed() {
        let mut deadlines = deadlines();
        assert_eq!(deadlines.of(1_000_000), Duration::from_millis(3000));
        assert_eq!(deadlines.of(u64::MAX), Duration::from_millis(7000));
        deadlines.answered(Duration::from_millis(5), Some(20_000_000));
        assert_eq!(deadlines.of(0), Duration::from_millis(4000));
    }
}
