//! The crash policy: what happens to a capture on which a worker died, and to the plug-in whose turn it was.
//!
//! A pure state machine: it starts nothing, waits for nothing and knows no clock. First death: again. Second death in the
//! same plug-in: again without it. Second death outside any plug-in: failed. A plug-in that was left out of several
//! different captures in a row is quarantined. The supervisor asks it; nobody else.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    ids::PluginId,
    report::{Failure, Missing},
    worker::messages::Pipeline,
};

/// A capture that brings worker after worker down in ever new places is given up after so many.
const MOST_DEATHS: usize = 12;

/// A death in the same place so often is no accident.
const CONVICTING: usize = 2;

/// What is held against plug-ins.
#[derive(Debug)]
pub(super) struct Policy {
    quarantine_after: usize,
    suspects: BTreeMap<PluginId, Suspect>,
}

#[derive(Debug, Default)]
struct Suspect {
    /// Different captures in a row that went on without it.
    captures: Vec<PathBuf>,
    /// Why it is in quarantine, if it is.
    quarantined: Option<String>,
}

/// What has happened to one capture so far.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Whose turn it was, each time; `None` outside any plug-in.
    deaths: Vec<Option<PluginId>>,
    /// Left out of this capture, and why.
    without: Vec<(PluginId, String)>,
}

impl History {
    /// A new build of this plug-in starts with a clean slate.
    pub fn pardon(&mut self, plugin: &PluginId) {
        self.deaths.retain(|turn| turn.as_ref() != Some(plugin));
        self.without.retain(|(left_out, _)| left_out != plugin);
    }
}

/// What happens next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// It runs again, in a fresh worker.
    Again,
    Failed(Failure),
}

/// The answer to a death.
#[derive(Debug, PartialEq)]
pub(super) struct Judgement {
    pub next: Next,
    /// Quarantined by this death.
    pub quarantined: Option<(PluginId, String)>,
}

impl Policy {
    pub fn new(quarantine_after: u32) -> Self {
        Self { quarantine_after: (quarantine_after as usize).max(1), suspects: BTreeMap::new() }
    }

    /// A worker died on a capture, in `turn`'s turn, of `cause`.
    pub fn died(
        &mut self,
        history: &mut History,
        capture: &Path,
        turn: Option<&PluginId>,
        cause: &str,
        pipeline: &Pipeline,
    ) -> Judgement {
        history.deaths.push(turn.cloned());
        let here = history.deaths.iter().filter(|earlier| earlier.as_ref() == turn).count();
        let failed = |stage: &str, message: String| {
            Next::Failed(Failure {
                stage: stage.into(),
                plugin: turn.map(|plugin| label(pipeline, plugin)),
                message,
                transient: true,
            })
        };
        let mut quarantined = None;
        let next = match turn {
            None if here >= CONVICTING => {
                failed("decode", format!("reading the picture brought {here} workers down; the last: {cause}"))
            }
            _ if history.deaths.len() >= MOST_DEATHS => {
                failed("worker", format!("given up after {MOST_DEATHS} workers; the last: {cause}"))
            }
            Some(plugin) if here >= CONVICTING => {
                history.without.push((plugin.clone(), format!("brought {here} workers down on this capture: {cause}")));
                quarantined = self.suspect(plugin, capture, cause);
                Next::Again
            }
            _ => Next::Again,
        };
        Judgement { next, quarantined }
    }

    /// One more capture went on without this plug-in. The reason if that quarantines it.
    fn suspect(&mut self, plugin: &PluginId, capture: &Path, cause: &str) -> Option<(PluginId, String)> {
        let suspect = self.suspects.entry(plugin.clone()).or_default();
        if suspect.quarantined.is_some() || suspect.captures.iter().any(|earlier| earlier == capture) {
            return None;
        }
        suspect.captures.push(capture.to_owned());
        let count = suspect.captures.len();
        (count >= self.quarantine_after).then(|| {
            let reason = format!("brought workers down on {count} captures in a row; the last: {cause}");
            suspect.quarantined = Some(reason.clone());
            (plugin.clone(), reason)
        })
    }

    /// These plug-ins took their turns on a capture and nobody died: their rows of captures end here.
    pub fn survived<'a>(&mut self, turns: impl IntoIterator<Item = &'a PluginId>) {
        for plugin in turns {
            if self.suspects.get(plugin).is_some_and(|suspect| suspect.quarantined.is_none()) {
                self.suspects.remove(plugin);
            }
        }
    }

    /// Forgets what is held against a plug-in. True if it was in quarantine.
    pub fn release(&mut self, plugin: &PluginId) -> bool {
        self.suspects.remove(plugin).is_some_and(|suspect| suspect.quarantined.is_some())
    }

    /// The plug-ins to leave out of a capture's next run.
    ///
    /// # Errors
    /// The failure of a capture that no segmenter is left for.
    pub fn without(&self, history: &History, pipeline: &Pipeline) -> Result<Vec<PluginId>, Failure> {
        let without: Vec<PluginId> = pipeline
            .stages()
            .map(|stage| &stage.plugin)
            .filter(|id| self.reason(history, id).is_some())
            .cloned()
            .collect();
        let left = pipeline.segment.iter().any(|stage| !without.contains(&stage.plugin));
        match pipeline.segment.last() {
            Some(last) if !left => Err(Failure {
                stage: "segment".into(),
                plugin: Some(label(pipeline, &last.plugin)),
                message: format!(
                    "no segmenter is left; {} {}",
                    last.plugin,
                    self.reason(history, &last.plugin).unwrap_or_default()
                ),
                transient: false,
            }),
            _ => Ok(without),
        }
    }

    /// What a result lacks that was made without these plug-ins.
    pub fn missing(&self, history: &History, without: &[PluginId], pipeline: &Pipeline) -> Vec<Missing> {
        let missing = |plugin: &PluginId| Missing {
            plugin: label(pipeline, plugin),
            // Released since: it was still not there.
            reason: self.reason(history, plugin).unwrap_or_else(|| "in quarantine".into()),
        };
        without.iter().map(missing).collect()
    }

    fn reason(&self, history: &History, plugin: &PluginId) -> Option<String> {
        let here = history.without.iter().find(|(left_out, _)| left_out == plugin).map(|(_, reason)| reason.clone());
        here.or_else(|| {
            let quarantined = self.suspects.get(plugin)?.quarantined.as_ref()?;
            Some(format!("in quarantine: {quarantined}"))
        })
    }
}

/// `id version`, as results name plug-ins.
pub(super) fn label(pipeline: &Pipeline, plugin: &PluginId) -> String {
    let stage = pipeline.stages().find(|stage| stage.plugin == *plugin);
    stage.map_or_else(|| plugin.to_string(), |stage| format!("{} {}", stage.plugin, stage.version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        host::card::Profile,
        ids::{BuildHash, PipelineId},
        report::Severity,
        settings::{Consensus, Severities},
        worker::messages::Stage,
    };

    fn id(name: &str) -> PluginId {
        name.parse().unwrap()
    }

    fn pipeline() -> Pipeline {
        let slot = |names: &[&str]| {
            let stage = |name: &&str| Stage {
                plugin: id(name),
                version: "1.0.0".into(),
                build: BuildHash::of(name.as_bytes()),
                library: name.into(),
                script: None,
                files: Vec::new(),
                profile: Profile::Narrow,
                accepts: vec![],
                parameters: vec![],
            };
            names.iter().map(stage).collect()
        };
        Pipeline {
            id: PipelineId::of("p"),
            segment: slot(&["seg-a", "seg-b"]),
            detect: slot(&["det"]),
            measure: slot(&["mea"]),
            grade: slot(&[]),
            consensus: Consensus::First,
            min_confidence: 0.5,
            label: Severities { min_confidence: 0.5, min_severity: Severity::Low },
        }
    }

    /// Dies on `capture` in `turn` and tells what came of it.
    fn die(policy: &mut Policy, history: &mut History, capture: &str, turn: Option<&str>) -> Judgement {
        policy.died(history, Path::new(capture), turn.map(id).as_ref(), "SIGSEGV", &pipeline())
    }

    fn convict(policy: &mut Policy, capture: &str, turn: &str) -> (History, Option<(PluginId, String)>) {
        let mut history = History::default();
        assert_eq!(die(policy, &mut history, capture, Some(turn)).next, Next::Again);
        let second = die(policy, &mut history, capture, Some(turn));
        assert_eq!(second.next, Next::Again);
        (history, second.quarantined)
    }

    #[test]
    fn a_first_death_costs_nothing_and_a_second_in_the_same_plugin_costs_that_plugin() {
        let (mut policy, mut history) = (Policy::new(3), History::default());
        let first = die(&mut policy, &mut history, "a", Some("det"));
        assert_eq!(first, Judgement { next: Next::Again, quarantined: None });
        assert_eq!(policy.without(&history, &pipeline()), Ok(vec![]));
        die(&mut policy, &mut history, "a", Some("det"));
        let without = policy.without(&history, &pipeline()).unwrap();
        assert_eq!(without, [id("det")]);
        let missing = policy.missing(&history, &without, &pipeline());
        assert_eq!(missing[0].plugin, "det 1.0.0");
        assert!(missing[0].reason.contains("SIGSEGV"), "{}", missing[0].reason);
    }

    #[test]
    fn deaths_in_different_plugins_are_counted_apart() {
        let (mut policy, mut history) = (Policy::new(3), History::default());
        die(&mut policy, &mut history, "a", Some("det"));
        die(&mut policy, &mut history, "a", Some("mea"));
        assert_eq!(policy.without(&history, &pipeline()), Ok(vec![]));
        die(&mut policy, &mut history, "a", Some("mea"));
        assert_eq!(policy.without(&history, &pipeline()), Ok(vec![id("mea")]));
    }

    #[test]
    fn two_deaths_outside_any_plugin_fail_the_capture_and_blame_no_plugin() {
        let (mut policy, mut history) = (Policy::new(1), History::default());
        assert_eq!(die(&mut policy, &mut history, "a", None).next, Next::Again);
        let second = die(&mut policy, &mut history, "a", None);
        let Next::Failed(failure) = second.next else { panic!("not failed") };
        assert_eq!((failure.stage.as_str(), failure.plugin), ("decode", None));
        assert_eq!(second.quarantined, None);
    }

    #[test]
    fn the_next_segmenter_takes_over_and_without_any_the_capture_fails() {
        let (mut policy, mut history) = (Policy::new(3), History::default());
        die(&mut policy, &mut history, "a", Some("seg-a"));
        die(&mut policy, &mut history, "a", Some("seg-a"));
        assert_eq!(policy.without(&history, &pipeline()), Ok(vec![id("seg-a")]));
        die(&mut policy, &mut history, "a", Some("seg-b"));
        die(&mut policy, &mut history, "a", Some("seg-b"));
        let failure = policy.without(&history, &pipeline()).unwrap_err();
        assert_eq!((failure.stage.as_str(), failure.plugin.as_deref()), ("segment", Some("seg-b 1.0.0")));
    }

    #[test]
    fn three_different_captures_in_a_row_quarantine_a_plugin_until_it_is_released() {
        let mut policy = Policy::new(3);
        assert_eq!(convict(&mut policy, "a", "det").1, None);
        assert_eq!(convict(&mut policy, "b", "det").1, None);
        assert_eq!(convict(&mut policy, "b", "det").1, None, "the same capture again is not another one");
        let (plugin, reason) = convict(&mut policy, "c", "det").1.unwrap();
        assert_eq!(plugin, id("det"));
        assert!(reason.contains("3 captures"), "{reason}");

        let untouched = History::default();
        assert_eq!(policy.without(&untouched, &pipeline()), Ok(vec![id("det")]));
        policy.survived([&id("det")]);
        assert_eq!(policy.without(&untouched, &pipeline()), Ok(vec![id("det")]), "only a release brings it back");
        assert!(policy.release(&id("det")));
        assert_eq!(policy.without(&untouched, &pipeline()), Ok(vec![]));
        assert!(!policy.release(&id("det")));
    }

    #[test]
    fn a_capture_that_a_plugin_survives_ends_its_row() {
        let mut policy = Policy::new(3);
        for (capture, survives) in [("a", false), ("b", true), ("c", false), ("d", false)] {
            assert_eq!(convict(&mut policy, capture, "det").1, None);
            if survives {
                policy.survived([&id("det"), &id("mea")]);
            }
        }
        assert!(convict(&mut policy, "e", "det").1.is_some());
    }

    #[test]
    fn a_capture_cannot_bring_workers_down_for_ever() {
        let (mut policy, mut history) = (Policy::new(100), History::default());
        let turns = ["seg-a", "seg-b", "det", "mea"].map(Some).into_iter().chain([None]).cycle();
        let deaths = turns.take_while(|turn| die(&mut policy, &mut history, "a", *turn).next == Next::Again).count();
        assert!(deaths < MOST_DEATHS, "{deaths}");
    }

    #[test]
    fn a_new_build_is_tried_again_on_a_capture_that_the_old_one_failed() {
        let mut policy = Policy::new(3);
        let (mut history, _) = convict(&mut policy, "a", "det");
        history.pardon(&id("det"));
        assert_eq!(policy.without(&history, &pipeline()), Ok(vec![]));
        assert_eq!(die(&mut policy, &mut history, "a", Some("det")).next, Next::Again);
        assert_eq!(policy.without(&history, &pipeline()), Ok(vec![]));
    }
}
