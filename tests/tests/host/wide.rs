//! Wide plug-ins: in processes of their own, asked through shared memory, contained like any other.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use ferrule_core::{
    ids::PipelineId,
    pool::{Finished, Pool, PoolSettings, Report, Task},
    report::Inspection,
    settings::MaskFormat,
    worker::messages::{Artefacts, Optics, Pipeline},
};

use super::stage::{Bench, LIMITS, plugin, program};

const HANG: Duration = Duration::from_secs(60);

/// A running pool over a bench, and what it said that was no result.
struct Running {
    pool: Pool,
    facts: Vec<Report>,
    next: u64,
}

impl Running {
    fn start(bench: &Bench, pipeline: Pipeline, count: usize) -> Self {
        let settings = PoolSettings {
            program: program(),
            count,
            limits: LIMITS,
            deadline: Duration::from_secs(20),
            deadline_per_mpx: Duration::ZERO,
            wide_memory_mb: 2048,
            wide_deadline: Duration::from_secs(2),
            start_deadline: Duration::from_secs(30),
            quarantine_after: 3,
            staging: Some(bench.path("staging")),
        };
        Self { pool: Pool::start(settings, pipeline, 1).unwrap(), facts: Vec::new(), next: 0 }
    }

    fn submit(&mut self, path: &Path) -> u64 {
        self.next += 1;
        let artefacts = Artefacts { masks: MaskFormat::Png, images: ferrule_core::settings::ImageLinks::Copy };
        let optics = Optics { cladding_um: Some(125.0), ..Optics::default() };
        let (id, path) = (self.next, path.to_owned());
        self.pool.submit(Task { id, path, bytes: 0, expected: None, optics, artefacts: Some(artefacts) }).unwrap();
        id
    }

    fn finished(&mut self) -> Finished {
        loop {
            match self.pool.reports().recv_timeout(HANG).unwrap() {
                Report::Finished(finished) => return *finished,
                other => self.facts.push(other),
            }
        }
    }

    fn inspection(&mut self, path: &Path) -> Inspection {
        let id = self.submit(path);
        let finished = self.finished();
        assert_eq!(finished.id, id);
        finished.result.unwrap()
    }

    fn narrow_pids(&self) -> Vec<u32> {
        self.pool.workers().iter().filter(|worker| worker.plugin.is_none()).map(|worker| worker.pid).collect()
    }

    fn wide_pids(&self) -> Vec<u32> {
        self.pool.workers().iter().filter(|worker| worker.plugin.is_some()).map(|worker| worker.pid).collect()
    }

    fn is_quarantined(&self) -> bool {
        self.facts.iter().any(|fact| matches!(fact, Report::Quarantined { plugin: set_aside, .. } if *set_aside == plugin("misbehaving-wide")))
    }
}

/// A pipeline whose only detector is wide.
fn pipeline(bench: &Bench, parameters: &[(&str, &str)]) -> Pipeline {
    let id = PipelineId::of(&format!("wide {parameters:?}"));
    Pipeline { id, detect: vec![bench.bad("wide", parameters)], ..bench.pipeline("none", "none") }
}

fn captures(bench: &Bench, count: u32) -> Vec<PathBuf> {
    // Different pictures: the crash policy counts captures.
    (0..count).map(|i| bench.capture(&format!("{i}.png"), 120, 90 + i)).collect()
}

#[test]
fn a_wide_plugin_sees_the_picture_and_answers_from_a_process_of_its_own() {
    let bench = Bench::new();
    let mut running = Running::start(&bench, pipeline(&bench, &[]), 2);
    for capture in captures(&bench, 8) {
        let inspection = running.inspection(&capture);
        assert_eq!(inspection.incomplete, []);
        assert_eq!(inspection.defects.len(), 1);
        assert_eq!(inspection.defects[0].plugin, "misbehaving-wide 0.1.0");
        assert_eq!(inspection.defects[0].bbox, [10, 12, 4, 3]);
    }
    assert_eq!((running.narrow_pids().len(), running.wide_pids().len()), (2, 1));
    let served: u64 = running.pool.workers().iter().filter(|w| w.plugin.is_some()).map(|w| w.jobs).sum();
    assert_eq!(served, 8);
}

#[test]
fn a_picture_too_small_for_the_particle_reaches_it_as_it_is() {
    let bench = Bench::new();
    let mut running = Running::start(&bench, pipeline(&bench, &[]), 1);
    let (small, large) = (bench.capture("small.png", 13, 40), bench.capture("large.png", 900, 700));
    assert_eq!(running.inspection(&small).defects.len(), 0);
    assert_eq!(running.inspection(&large).defects.len(), 1);
    assert_eq!(running.inspection(&small).defects.len(), 0);
}

#[test]
fn whatever_a_wide_plugin_does_costs_its_own_results_and_no_narrow_worker() {
    for (fault, word) in [
        ("segfault", "SIGSEGV"),
        ("abort", "SIGABRT"),
        ("exit", "exit status 0"),
        ("loop", "no answer within"),
        ("memory", ""),
        ("kill-parent", ""),
        ("panic", "a deliberate panic"),
        ("lie-box", "outside the picture"),
    ] {
        let bench = Bench::new();
        let mut running = Running::start(&bench, pipeline(&bench, &[("fault", fault)]), 1);
        let capture = bench.capture("a.png", 120, 90);
        let inspection = running.inspection(&capture);
        if fault == "kill-parent" {
            assert_eq!(inspection.defects.len(), 1, "refused by the sandbox, and nothing else happened");
            continue;
        }
        assert_eq!(inspection.defects.len(), 0, "{fault}");
        assert_eq!((inspection.incomplete.len(), inspection.has_defect), (1, None), "{fault}");
        let missing = &inspection.incomplete[0];
        assert_eq!(missing.plugin, "misbehaving-wide 0.1.0");
        assert!(missing.reason.contains(word), "{fault}: {}", missing.reason);
        assert!(!inspection.features.is_empty(), "{fault}: the others' results are there");
        let narrow_died = running
            .facts
            .iter()
            .any(|fact| matches!(fact, Report::Died(death) if death.plugin != Some(plugin("misbehaving-wide"))));
        assert!(!narrow_died, "{fault}: {:?}", running.facts);
    }
}

#[test]
fn a_wide_plugin_that_dies_of_several_captures_in_a_row_is_set_aside_until_it_is_released() {
    let bench = Bench::new();
    let bad = [("fault", "segfault")];
    let mut running = Running::start(&bench, pipeline(&bench, &bad), 1);
    let captures = captures(&bench, 5);
    for capture in &captures[..3] {
        assert_eq!(running.inspection(capture).incomplete.len(), 1);
    }
    assert!(running.is_quarantined());
    let deaths = |running: &Running| running.facts.iter().filter(|fact| matches!(fact, Report::Died(_))).count();
    let before = deaths(&running);
    let inspection = running.inspection(&captures[3]);
    assert!(inspection.incomplete[0].reason.starts_with("in quarantine: "), "{}", inspection.incomplete[0].reason);
    assert_eq!(deaths(&running), before, "it is not asked any more");
    // One that behaves, in the place of the one that does not.
    running.pool.replace(pipeline(&bench, &[]), 2);
    running.pool.release(plugin("misbehaving-wide"));
    let mut tries = 0;
    while !running.inspection(&captures[4]).incomplete.is_empty() {
        tries += 1;
        assert!(tries < 1000, "the new pipeline never came into force");
    }
}

#[test]
fn swapping_a_wide_plugin_under_a_stream_of_captures_loses_and_doubles_none() {
    let bench = Bench::new();
    let mut running = Running::start(&bench, pipeline(&bench, &[]), 2);
    let captures = captures(&bench, 10);
    let (mut results, mut handed) = (BTreeMap::new(), 0);
    // Another parameter is another wide worker.
    for generation in 2..12 {
        running
            .pool
            .replace(pipeline(&bench, &[("when", if generation % 2 == 0 { "create" } else { "call" })]), generation);
        for capture in &captures {
            while running.pool.capacity() == 0 {
                let finished = running.finished();
                *results.entry(finished.id).or_insert(0) += 1;
                assert_eq!(finished.result.unwrap().incomplete, []);
            }
            running.submit(capture);
            handed += 1;
        }
    }
    while results.len() < handed {
        let finished = running.finished();
        *results.entry(finished.id).or_insert(0) += 1;
    }
    assert!(results.values().all(|count| *count == 1));
    let replaced = |facts: &[Report]| facts.iter().any(|fact| matches!(fact, Report::Replaced { generation: 11, .. }));
    while !replaced(&running.facts) {
        let report = running.pool.reports().recv_timeout(HANG).unwrap();
        running.facts.push(report);
    }
    // The last one stays; the ones before it leave as nobody needs them.
    let since = std::time::Instant::now();
    while running.wide_pids().len() > 1 {
        assert!(since.elapsed() < HANG, "{:?}", running.pool.workers());
        running.inspection(&captures[0]);
    }
}
