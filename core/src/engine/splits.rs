//! Sides of the split for images that have none, given when there is nothing better to do.

use std::time::{Duration, Instant};

use super::state::Engine;
use crate::store::{Divided, Write};

/// The shortest time between two divisions, and how many times its own duration at least: a large dataset takes seconds.
const PAUSE: (Duration, u32) = (Duration::from_secs(5), 20);
/// The longest that a queue which is never empty puts it off.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an engine that has just started leaves to what waits for it, perhaps since another was killed.
const START: Duration = Duration::from_secs(2);

/// How long manifests of changed labels can wait: they are written whole.
const MANIFESTS: Duration = Duration::from_secs(30);

/// What there may be to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    Nothing,
    /// An engine has started: perhaps images have no side.
    Start,
    /// An image came, or a word of a person about one: labels may have changed, too.
    Labels,
}

/// When to divide next.
#[derive(Debug)]
pub(super) struct Splits {
    pub news: News,
    /// Being worked at since.
    asked: Option<Instant>,
    /// Not before.
    next: Instant,
    /// Manifests of nothing but changed labels: not before.
    manifests: Instant,
}

impl Splits {
    pub fn new() -> Self {
        let now = Instant::now();
        Self { news: News::Start, asked: None, next: now + START, manifests: now + MANIFESTS }
    }

    /// Work that began at `asked` has ended: the next comes after many times as long.
    fn ended(&mut self) {
        let now = Instant::now();
        let took = self.asked.take().map_or(Duration::ZERO, |asked| now.saturating_duration_since(asked));
        self.next = now + PAUSE.0.max(took.saturating_mul(PAUSE.1));
        self.manifests = now + MANIFESTS;
    }
}

impl Engine {
    /// Has sides given, if there is news and nobody waits, or nobody has waited for it long enough; where all images have
    /// one, has the manifests written, whose labels may have changed.
    pub fn divide_when_idle(&mut self, now: Instant) {
        let splits = &self.splits;
        let idle = self.queue.is_empty() || splits.next + PATIENCE <= now;
        if self.handed.is_building()
            || splits.news == News::Nothing
            || splits.asked.is_some()
            || now < splits.next
            || !idle
        {
            return;
        }
        // An error is told by whoever reads next.
        if self.reader.has_open_images().unwrap_or(true) {
            self.splits.asked = Some(now);
            self.divide(None);
        } else if splits.news == News::Start {
            self.splits.news = News::Nothing;
        } else if splits.manifests <= now {
            self.splits.news = News::Nothing;
            self.splits.asked = Some(now);
            self.store_write(Write::Manifests);
        } else {
            // Not with every turn of the loop.
            self.splits.next = now + PAUSE.0;
        }
    }

    pub fn divided(&mut self, divided: Result<&Divided, &String>) {
        self.splits.ended();
        match divided {
            Ok(divided) => {
                if divided.given > 0 {
                    let [train, val, test] = divided.counts;
                    let given = divided.given;
                    let message = format!("splits: {given} more; train {train}, val {val}, test {test}");
                    self.log(tracing::Level::INFO, message);
                }
                self.told_of_manifests(divided.manifests.as_ref());
            }
            Err(reason) => {
                self.splits.news = News::Labels;
                self.problem("splits", format!("nobody was given a side of the split: {reason}"));
            }
        }
    }

    pub fn manifests_written(&mut self, written: Result<&(), &String>) {
        self.splits.ended();
        self.told_of_manifests(written);
    }

    fn told_of_manifests(&mut self, written: Result<&(), &String>) {
        match written {
            Ok(()) => self.solved("splits"),
            Err(reason) => {
                self.splits.news = News::Labels;
                self.problem("splits", format!("the manifests of the splits: {reason}"));
            }
        }
    }
}
