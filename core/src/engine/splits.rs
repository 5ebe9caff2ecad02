//! Sides of the split for images that have none, given when there is nothing better to do.

use std::time::{Duration, Instant};

use super::state::Engine;
use crate::store::Divided;

/// The shortest time between two divisions, and how many times its own duration at least: a large dataset takes seconds.
const PAUSE: (Duration, u32) = (Duration::from_secs(5), 20);
/// The longest that a queue which is never empty puts it off.
const PATIENCE: Duration = Duration::from_secs(60);

/// When to divide next.
#[derive(Debug)]
pub(super) struct Splits {
    /// Something came since the last division.
    pub news: bool,
    /// Being written since.
    asked: Option<Instant>,
    /// Not before.
    next: Instant,
}

impl Splits {
    pub fn new() -> Self {
        Self { news: true, asked: None, next: Instant::now() }
    }
}

impl Engine {
    /// Has sides given, if there is news and nobody waits, or nobody has waited for it long enough.
    pub fn divide_when_idle(&mut self, now: Instant) {
        let splits = &self.splits;
        let idle = self.queue.is_empty() || splits.next + PATIENCE <= now;
        if self.handed.is_building() || !splits.news || splits.asked.is_some() || now < splits.next || !idle {
            return;
        }
        self.splits.news = false;
        // An error is told by whoever reads next.
        if self.reader.has_open_images().unwrap_or(true) {
            self.splits.asked = Some(now);
            self.divide(None);
        }
    }

    pub fn divided(&mut self, divided: &Divided) {
        let now = Instant::now();
        let took = self.splits.asked.take().map_or(Duration::ZERO, |asked| now.saturating_duration_since(asked));
        self.splits.next = now + PAUSE.0.max(took.saturating_mul(PAUSE.1));
        if divided.given > 0 {
            let [train, val, test] = divided.counts;
            let given = divided.given;
            self.log(tracing::Level::INFO, format!("splits: {given} more; train {train}, val {val}, test {test}"));
        }
        match &divided.manifests {
            Ok(()) => self.solved("splits"),
            Err(reason) => self.problem("splits", format!("the manifests of the splits: {reason}")),
        }
    }
}
