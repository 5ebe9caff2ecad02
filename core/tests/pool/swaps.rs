//! Replacing the pipeline while it works.

use std::collections::BTreeSet;

use ferrule_core::pool::{AfterRefusal, Report};

use crate::bench::{Bench, id, maker, pipeline, settings};

/// Inspects under load and replaces in the middle; the makers before and after.
fn swapped(build: &str, word: &str) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let mut bench = Bench::new(settings(2));
    let before: BTreeSet<u32> = (0..20).map(|n| maker(&bench.inspected(&format!("slow@det#{n}")))).collect();
    let under_way: Vec<u64> = (0..40)
        .map(|n| {
            if n == 10 {
                bench.pool.replace(pipeline(build, word), 2);
            }
            let task = bench.task("slow@det");
            bench.submit(task)
        })
        .collect();
    let mut newest = 1;
    for id in under_way {
        let finished = bench.result(id);
        let inspection = finished.result.unwrap();
        assert!(inspection.incomplete.is_empty());
        let made_by = if finished.generation == 1 { pipeline("d1", "") } else { pipeline(build, word) };
        assert_eq!(finished.pipeline, made_by.id);
        let detector = &made_by.detect[0];
        let told = format!("{} {:?}", detector.build, detector.parameters);
        assert_eq!(inspection.verdict.profile, Some(told), "made by what it says it was made by");
        newest = newest.max(finished.generation);
    }
    bench.until("the swap", |bench| bench.is_replaced(2));
    assert!(bench.deaths().is_empty());
    let after: BTreeSet<u32> = (0..20)
        .map(|n| {
            let finished = bench.inspect(&format!("slow@det#b{n}"));
            assert_eq!(finished.generation, 2);
            maker(&finished.result.unwrap())
        })
        .collect();
    assert_eq!(bench.pool.workers().len(), 2);
    (before, after)
}

#[test]
fn new_parameters_reach_the_same_processes_and_lose_nothing() {
    let (before, after) = swapped("d1", "gently");
    assert!(after.is_subset(&before), "{before:?} {after:?}");
}

#[test]
fn a_new_build_gets_new_processes_and_loses_nothing() {
    let (before, after) = swapped("d2", "");
    assert!(after.is_disjoint(&before), "{before:?} {after:?}");
}

#[test]
fn a_refused_pipeline_leaves_the_old_one_at_work() {
    for (build, word) in [("d2", "refuse"), ("d1", "refuse"), ("d2", "abort"), ("d1", "hangup")] {
        let mut bench = Bench::new(settings(2));
        bench.inspected("a");
        bench.pool.replace(pipeline(build, word), 2);
        let refused = |fact: &_| match fact {
            Report::Refused { generation: 2, plugin, then, .. } => {
                assert_eq!(*plugin, Some(id("det")), "{word}");
                assert_eq!(*then, AfterRefusal::Kept { generation: 1 });
                true
            }
            _ => false,
        };
        bench.until("the refusal", |bench| bench.facts.iter().any(refused));
        for n in 0..8 {
            assert_eq!(bench.inspect(&format!("b#{n}")).generation, 1);
        }
        bench.pool.replace(pipeline("d3", ""), 3);
        bench.until("the next swap", |bench| bench.is_replaced(3));
        assert_eq!(bench.inspect("c").generation, 3);
    }
}

#[test]
fn a_pool_that_could_not_start_works_once_it_gets_a_pipeline_that_loads() {
    let mut bench = Bench::with(settings(2), pipeline("d1", "refuse"));
    let task = bench.task("a");
    let waiting = bench.submit(task);
    let refused = |fact: &_| matches!(fact, Report::Refused { then: AfterRefusal::TryAgain { .. }, reason, .. } if reason == "it is too old");
    bench.until("the refusal", |bench| bench.facts.iter().any(refused));
    bench.pool.replace(pipeline("d2", ""), 2);
    assert_eq!(bench.result(waiting).generation, 2);
}

#[test]
fn a_new_build_leaves_quarantine() {
    let mut bench = Bench::new(settings(1));
    for n in 0..3 {
        bench.inspected(&format!("abort@det#{n}"));
    }
    assert_eq!(bench.quarantined(), [&id("det")]);
    bench.pool.replace(pipeline("d1", "gently"), 2);
    bench.until("the swap", |bench| bench.is_replaced(2));
    assert_eq!(bench.inspected("a").incomplete.len(), 1, "other parameters are no new build");
    bench.pool.replace(pipeline("d2", ""), 3);
    bench.until("the swap", |bench| bench.is_replaced(3));
    assert!(bench.inspected("b").incomplete.is_empty());
}
