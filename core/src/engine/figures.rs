//! Rates and times of a running engine: bounded windows, no history.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crate::{ids::PluginId, ring::give_back_room};

/// The rate is over so long.
const WINDOW: Duration = Duration::from_secs(10);
/// Times are over so many captures.
const SAMPLES: usize = 1000;
/// Times of a plug-in are over so many of those that it was asked about.
const TIMED: usize = 101;

/// Captures done, and how long each took from complete file to committed result.
#[derive(Debug, Default)]
pub struct Figures {
    done: VecDeque<Instant>,
    latencies: VecDeque<f64>,
    generation: u64,
    /// Of the newest generation.
    spent: BTreeMap<PluginId, VecDeque<f64>>,
}

impl Figures {
    /// A capture is done; `complete` is when its file was, if this engine saw it.
    pub fn done(&mut self, now: Instant, complete: Option<Instant>) {
        self.done.push_back(now);
        self.forget(now);
        if let Some(complete) = complete {
            if self.latencies.len() == SAMPLES {
                self.latencies.pop_front();
            }
            self.latencies.push_back(now.duration_since(complete).as_secs_f64() * 1e3);
        }
    }

    /// Captures a second over the last ten seconds.
    pub fn per_second(&mut self, now: Instant) -> f64 {
        self.forget(now);
        self.done.len() as f64 / WINDOW.as_secs_f64()
    }

    /// Median and 95th percentile of the latencies, in milliseconds (nearest rank).
    #[must_use]
    pub fn latency_ms(&self) -> (Option<f64>, Option<f64>) {
        let mut sorted: Vec<f64> = self.latencies.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let rank = |share: f64| {
            let place = (share * sorted.len() as f64).ceil() as usize;
            sorted.get(place.saturating_sub(1)).copied()
        };
        (rank(0.5), rank(0.95))
    }

    /// Plug-ins of that generation took so many milliseconds each for a capture; those before it count no more.
    pub fn spent(&mut self, generation: u64, spent: &[(PluginId, f64)]) {
        if generation > self.generation {
            self.spent.clear();
            self.generation = generation;
        }
        if generation < self.generation {
            return;
        }
        for (plugin, ms) in spent {
            // Not by the entry: that would make a name for each time.
            let Some(times) = self.spent.get_mut(plugin) else {
                self.spent.insert(plugin.clone(), VecDeque::from([*ms]));
                continue;
            };
            if times.len() == TIMED {
                times.pop_front();
            }
            times.push_back(*ms);
        }
    }

    /// Median milliseconds of a plug-in over the captures of its generation.
    #[must_use]
    pub fn plugin_ms(&self, plugin: &PluginId) -> Option<f64> {
        let mut sorted: Vec<f64> = self.spent.get(plugin)?.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// Is there a rate that falls by itself?
    pub fn fading(&mut self, now: Instant) -> bool {
        let before = self.done.len();
        self.forget(now);
        before > 0
    }

    fn forget(&mut self, now: Instant) {
        while self.done.front().is_some_and(|at| now.duration_since(*at) > WINDOW) {
            self.done.pop_front();
        }
        give_back_room(&mut self.done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_forgets_and_percentiles_are_by_nearest_rank() {
        let (start, mut figures) = (Instant::now(), Figures::default());
        assert_eq!(figures.latency_ms(), (None, None));
        for n in 1..=100 {
            figures.done(start + Duration::from_millis(n), Some(start));
        }
        let (p50, p95) = figures.latency_ms();
        assert_eq!((p50.map(f64::round), p95.map(f64::round)), (Some(50.0), Some(95.0)));
        assert!((figures.per_second(start + Duration::from_secs(1)) - 10.0).abs() < 1e-9);
        assert_eq!(figures.per_second(start + Duration::from_secs(60)), 0.0);
    }

    #[test]
    fn a_plugin_has_a_time_of_its_own_which_a_new_generation_begins_anew() {
        let mut figures = Figures::default();
        let [fast, slow]: [PluginId; 2] = ["fast", "slow"].map(|id| id.parse().unwrap());
        for ms in [3.0, 1.0, 2.0] {
            figures.spent(1, &[(fast.clone(), ms), (slow.clone(), 10.0 * ms)]);
        }
        assert_eq!((figures.plugin_ms(&fast), figures.plugin_ms(&slow)), (Some(2.0), Some(20.0)));
        figures.spent(2, &[(fast.clone(), 7.0)]);
        figures.spent(1, &[(fast.clone(), 99.0)]);
        assert_eq!((figures.plugin_ms(&fast), figures.plugin_ms(&slow)), (Some(7.0), None));
    }
}
