//! One rule and what it remembers: enough to say at any moment whether its condition holds, and no more.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{AlarmKind, AlarmRule};
use crate::{report::Outcome, words::counted};

/// A share of fewer captures than this says nothing.
const LEAST: usize = 20;

/// Captures are counted together over this share of a window, so that one of a quarter of an hour is a few KiB, however fast
/// the microscope is; they leave it together, too.
const SHARE: u32 = 200;

/// A capture that is through, for the first time.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    pub source: &'a str,
    /// It could not be inspected.
    pub failed: bool,
    pub has_defect: Option<bool>,
    pub verdict: Option<Outcome>,
}

/// What is so around the captures.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Plug-ins set aside, by name.
    pub quarantined: Vec<String>,
    /// MiB free for the dataset; `None` where the file system does not tell.
    pub free_mb: Option<u64>,
}

/// Captures of a short time.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// When the first of them came.
    since: Instant,
    all: usize,
    /// Of those, the ones that count.
    counting: usize,
}

/// A rule with its memory.
#[derive(Debug)]
pub(super) struct Watch {
    pub rule: AlarmRule,
    /// The oldest first.
    window: VecDeque<Stretch>,
    row: u32,
    /// The last capture, or the beginning of the watch.
    last: Instant,
}

impl Watch {
    pub fn new(rule: AlarmRule, now: Instant) -> Self {
        Self { rule, window: VecDeque::new(), row: 0, last: now }
    }

    /// The same memory under a rule that rings elsewhere.
    pub fn of(self, rule: AlarmRule) -> Self {
        Self { rule, ..self }
    }

    /// A new capture was seen.
    pub fn seen(&mut self, source: &str, now: Instant) {
        if self.is_about(source) {
            self.last = now;
        }
    }

    /// A capture is through.
    pub fn ended(&mut self, ended: &Ended<'_>, now: Instant) {
        if !self.is_about(ended.source) {
            return;
        }
        match (self.rule.kind, ended.has_defect, ended.verdict) {
            (AlarmKind::DefectRate, Some(defect), _) => self.remember(now, defect),
            (AlarmKind::Failures, ..) if ended.failed => self.remember(now, true),
            (AlarmKind::FailsInARow, _, Some(Outcome::Fail)) => self.row = self.row.saturating_add(1),
            // What was not graded neither fails nor ends a run of fails.
            (AlarmKind::FailsInARow, _, Some(Outcome::Pass)) => self.row = 0,
            _ => {}
        }
    }

    /// Why the rule's condition holds now, in one line; `None` where it does not.
    pub fn holds(&mut self, now: Instant, around: &Around) -> Option<String> {
        let threshold = self.rule.threshold;
        if threshold == 0 {
            return None;
        }
        self.forget(now);
        let window = minutes(self.rule.window);
        let (all, counting) = self.within();
        let said = match self.rule.kind {
            AlarmKind::DefectRate => {
                let reached = all >= LEAST && counting as u64 * 100 >= u64::from(threshold) * all as u64;
                let percent = 100.0 * counting as f64 / all.max(1) as f64;
                reached.then(|| {
                    format!("{percent:.0} % of the last {all} captures have a defect ({threshold} % within {window})")
                })
            }
            AlarmKind::FailsInARow => {
                (self.row >= threshold).then(|| format!("verdict fail {} times in a row", self.row))
            }
            AlarmKind::Failures => (counting as u64 >= u64::from(threshold))
                .then(|| format!("{} could not be inspected within {window}", counted(counting as u64, "capture"))),
            AlarmKind::Silence => {
                let silent = now.saturating_duration_since(self.last);
                (silent >= Duration::from_secs(u64::from(threshold) * 60))
                    .then(|| format!("no new capture for {}", minutes(silent)))
            }
            AlarmKind::Quarantined => (around.quarantined.len() as u64 >= u64::from(threshold))
                .then(|| format!("set aside after crashes: {}", around.quarantined.join(", "))),
            AlarmKind::DiskLow => around
                .free_mb
                .filter(|free| *free <= u64::from(threshold))
                .map(|free| format!("{free} MiB are free for the dataset ({threshold} or fewer ring)")),
        };
        said.map(|said| match &self.rule.source {
            Some(source) => format!("{source}: {said}"),
            None => said,
        })
    }

    fn is_about(&self, source: &str) -> bool {
        self.rule.source.as_deref().is_none_or(|only| only == source)
    }

    fn remember(&mut self, now: Instant, counts: bool) {
        let length = self.rule.window / SHARE;
        match self.window.back_mut().filter(|last| now.saturating_duration_since(last.since) < length) {
            Some(last) => {
                last.all += 1;
                last.counting += usize::from(counts);
            }
            None => {
                self.forget(now);
                self.window.push_back(Stretch { since: now, all: 1, counting: usize::from(counts) });
            }
        }
    }

    fn forget(&mut self, now: Instant) {
        let window = self.rule.window;
        while self.window.front().is_some_and(|oldest| now.saturating_duration_since(oldest.since) > window) {
            self.window.pop_front();
        }
    }

    /// Captures of the window, and how many of them count.
    fn within(&self) -> (usize, usize) {
        self.window.iter().fold((0, 0), |(all, counting), it| (all + it.all, counting + it.counting))
    }

    #[cfg(test)]
    pub fn remembered(&self) -> (usize, usize, u32) {
        let (all, counting) = self.within();
        (all, counting, self.row)
    }

    #[cfg(test)]
    pub fn stretches(&self) -> usize {
        self.window.len()
    }
}

/// Whole minutes, or seconds where it is shorter.
fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds => format!("{} minutes", seconds / 60),
    }
}
