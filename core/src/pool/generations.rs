//! Which pipeline workers load: the one in force, or a newer one that no worker has loaded yet.
//!
//! A new generation is on trial until its first worker is ready; until then the old one stays in force and replaces
//! workers that die. A refusal ends the trial. With nothing to fall back to, starts are repeated with growing pauses.
//! Knows no processes; the supervisor asks it.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use super::AfterRefusal;
use crate::worker::messages::Pipeline;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A pipeline with the number that its results carry.
#[derive(Debug)]
pub(super) struct Generation {
    pub number: u64,
    pub pipeline: Pipeline,
}

impl Generation {
    /// The same libraries: a process that holds one can take the other's parameters.
    pub fn loads_the_same(&self, other: &Self) -> bool {
        let builds = |generation: &Self| -> BTreeSet<_> {
            generation.pipeline.stages().map(|stage| (stage.plugin.clone(), stage.build.clone())).collect()
        };
        builds(self) == builds(other)
    }
}

#[derive(Debug)]
pub(super) struct Generations {
    wanted: Arc<Generation>,
    /// Some worker has loaded `wanted`.
    proven: bool,
    /// In force while `wanted` is on trial.
    kept: Option<Arc<Generation>>,
    /// When `wanted` was asked for; taken once every worker runs it.
    asked: Option<Instant>,
    failures: u32,
    not_before: Option<Instant>,
}

impl Generations {
    pub fn new(pipeline: Pipeline, number: u64, now: Instant) -> Self {
        let wanted = Arc::new(Generation { number, pipeline });
        Self { wanted, proven: false, kept: None, asked: Some(now), failures: 0, not_before: None }
    }

    /// The newest one, on trial or in force.
    pub fn wanted(&self) -> &Arc<Generation> {
        &self.wanted
    }

    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// What takes the place of a worker that died.
    pub fn in_force(&self) -> &Arc<Generation> {
        self.kept.as_ref().unwrap_or(&self.wanted)
    }

    pub fn replace(&mut self, pipeline: Pipeline, number: u64, now: Instant) {
        let earlier = std::mem::replace(&mut self.wanted, Arc::new(Generation { number, pipeline }));
        if self.proven {
            self.kept = Some(earlier);
        }
        (self.proven, self.asked) = (false, Some(now));
        // Whatever kept the earlier one from starting, this may be its cure.
        (self.failures, self.not_before) = (0, None);
    }

    /// A worker has loaded this generation. The one it supersedes, if that ends a trial.
    pub fn loaded(&mut self, number: u64) -> Option<Arc<Generation>> {
        if number != self.wanted.number || self.proven {
            return None;
        }
        self.proven = true;
        self.kept.take()
    }

    /// A worker could not load this generation. What follows, unless that is known already or matters no more.
    pub fn refused(&mut self, number: u64, now: Instant) -> Option<AfterRefusal> {
        if number == self.wanted.number
            && let Some(kept) = self.kept.take()
        {
            let generation = kept.number;
            (self.wanted, self.proven, self.asked) = (kept, true, None);
            return Some(AfterRefusal::Kept { generation });
        }
        if number != self.in_force().number || !self.may_start(now) {
            return None;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + pause);
        Some(AfterRefusal::TryAgain { after: pause })
    }

    /// A worker has answered: starting workers makes sense again.
    pub fn worked(&mut self) {
        (self.failures, self.not_before) = (0, None);
    }

    pub fn may_start(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|then| then <= now)
    }

    pub fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// Every worker runs `wanted`: how long that took, told once.
    pub fn complete(&mut self, now: Instant) -> Option<Duration> {
        if !self.proven {
            return None;
        }
        self.asked.take().map(|asked| now.saturating_duration_since(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::PipelineId,
        report::Severity,
        settings::{Consensus, Severities},
    };

    fn pipeline(name: &str) -> Pipeline {
        let label = Severities { min_confidence: 0.5, min_severity: Severity::Low };
        let empty = || vec![];
        let (segment, detect, measure, grade) = (empty(), empty(), empty(), empty());
        let consensus = Consensus::First;
        Pipeline { id: PipelineId::of(name), segment, detect, measure, grade, consensus, min_confidence: 0.5, label }
    }

    #[test]
    fn a_new_generation_is_in_force_only_once_a_worker_has_loaded_it() {
        let now = Instant::now();
        let mut generations = Generations::new(pipeline("a"), 1, now);
        assert_eq!(generations.in_force().number, 1);
        assert!(generations.loaded(1).is_none());
        assert!(generations.complete(now).is_some());
        generations.replace(pipeline("b"), 2, now);
        assert_eq!((generations.in_force().number, generations.wanted().number), (1, 2));
        assert!(generations.complete(now).is_none());
        assert_eq!(generations.loaded(2).map(|old| old.number), Some(1));
        assert_eq!(generations.in_force().number, 2);
        assert!(generations.complete(now).is_some());
        assert!(generations.complete(now).is_none(), "told once");
    }

    #[test]
    fn a_refused_generation_leaves_the_old_one_in_force() {
        let now = Instant::now();
        let mut generations = Generations::new(pipeline("a"), 1, now);
        generations.loaded(1);
        generations.replace(pipeline("b"), 2, now);
        generations.replace(pipeline("c"), 3, now);
        assert_eq!(generations.refused(2, now), None, "superseded before it was tried");
        assert_eq!(generations.refused(3, now), Some(AfterRefusal::Kept { generation: 1 }));
        assert_eq!((generations.in_force().number, generations.wanted().number), (1, 1));
        assert!(generations.may_start(now));
    }

    #[test]
    fn without_anything_to_fall_back_to_pauses_grow_and_are_told_once() {
        let mut now = Instant::now();
        let mut generations = Generations::new(pipeline("a"), 1, now);
        let mut pauses = vec![];
        for _ in 0..12 {
            let Some(AfterRefusal::TryAgain { after }) = generations.refused(1, now) else { panic!("no pause") };
            assert_eq!(generations.refused(1, now), None, "the other workers' refusals of the same start");
            assert!(!generations.may_start(now));
            now += after;
            assert!(generations.may_start(now));
            pauses.push(after);
        }
        assert!(pauses.is_sorted());
        assert_eq!((pauses[0], pauses[11]), (FIRST_PAUSE, LONGEST_PAUSE));
        generations.loaded(1);
        assert_eq!(generations.refused(1, now), Some(AfterRefusal::TryAgain { after: LONGEST_PAUSE }));
        generations.worked();
        assert_eq!(generations.refused(1, now), Some(AfterRefusal::TryAgain { after: FIRST_PAUSE }));
    }
}
