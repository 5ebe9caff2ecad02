//! Deaths: how they are named, what they cost, and whom.

use std::time::Duration;

use ferrule_core::pool::{Cause, Finished};

use crate::{
    bench::{Bench, id, maker, settings},
    fake,
};

fn failure_of(finished: Finished) -> ferrule_core::report::Failure {
    finished.result.unwrap_err()
}

#[test]
fn a_first_death_costs_only_time_and_is_named() {
    let mut bench = Bench::new(settings(1));
    let before = maker(&bench.inspected("a"));
    let inspection = bench.inspected("once.segv@det");
    assert!(fake::was_done(&bench.folder.path().join("once.segv@det")));
    assert!(inspection.incomplete.is_empty());
    assert_eq!(inspection.has_defect, Some(false));
    let [death] = bench.deaths()[..] else { panic!("{:?}", bench.facts) };
    assert_eq!((death.pid, &death.cause, death.plugin.clone()), (before, &Cause::Signal(11), Some(id("det"))));
    assert!(death.stderr.contains("about to read what is not there"), "{}", death.stderr);
    assert_ne!(maker(&inspection), before);
}

#[test]
fn a_retry_runs_in_a_worker_that_has_inspected_nothing_before() {
    let mut bench = Bench::new(settings(2));
    let known: Vec<u32> = (0..20).map(|n| maker(&bench.inspected(&format!("a#{n}")))).collect();
    let inspection = bench.inspected("once.abort@mea");
    assert!(!known.contains(&maker(&inspection)));
}

#[test]
fn a_second_death_in_the_same_plugin_costs_that_plugin_alone() {
    let mut bench = Bench::new(settings(1));
    let inspection = bench.inspected("segv@det");
    let [missing] = &inspection.incomplete[..] else { panic!("{inspection:?}") };
    assert_eq!(missing.plugin, "det 1.0.0");
    assert!(missing.reason.contains("SIGSEGV") && missing.reason.contains("2 workers"), "{}", missing.reason);
    assert_eq!(inspection.has_defect, None, "an incomplete result gives no label");
    assert_eq!(bench.deaths().len(), 2);
    assert!(bench.inspected("b").incomplete.is_empty(), "the next capture has it again");
}

#[test]
fn a_crashing_decoder_fails_the_capture_and_blames_no_plugin() {
    let mut bench = Bench::new(settings(1));
    let failure = failure_of(bench.inspect("segv@decode"));
    assert_eq!((failure.stage.as_str(), failure.plugin), ("decode", None));
    assert!(failure.message.contains("SIGSEGV"), "{}", failure.message);
    assert!(bench.inspected("b").incomplete.is_empty());
}

#[test]
fn the_next_segmenter_takes_over_and_names_the_one_that_died() {
    let mut bench = Bench::new(settings(1));
    let inspection = bench.inspected("exit@seg");
    assert_eq!(inspection.incomplete[0].plugin, "seg 1.0.0");
    assert!(inspection.incomplete[0].reason.contains("exit status 0"), "{:?}", inspection.incomplete);
}

#[test]
fn a_hang_ends_at_the_deadline() {
    let mut bench =
        Bench::new(ferrule_core::pool::PoolSettings { deadline: Duration::from_millis(300), ..settings(2) });
    let inspection = bench.inspected("hang@det");
    assert!(inspection.incomplete[0].reason.contains("no answer within 0.3 s"), "{:?}", inspection.incomplete);
    assert!(bench.deaths().iter().all(|death| matches!(death.cause, Cause::Deadline(_))));
}

#[test]
fn a_glutton_is_ended_from_outside() {
    let mut bench = Bench::new(settings(1));
    let inspection = bench.inspected("eat@det");
    assert!(inspection.incomplete[0].reason.contains("200 MB allowed"), "{:?}", inspection.incomplete);
    assert!(bench.deaths().iter().all(|death| matches!(death.cause, Cause::Memory { limit_mb: 200, .. })));
}

#[test]
fn nonsense_on_the_line_ends_the_worker_and_never_becomes_a_result() {
    let mut bench = Bench::new(settings(2));
    let deeds = [
        "garbage",
        "endless",
        "half",
        "stranger",
        "wrongjob",
        "nan",
        "huge",
        "outside-mask",
        "escape",
        "restart",
        "hangup",
    ];
    for deed in deeds {
        let inspection = bench.inspected(&format!("{deed}@mea"));
        assert_eq!(inspection.incomplete[0].plugin, "mea 1.0.0", "{deed}");
        let cause = bench.deaths().last().unwrap().cause.clone();
        match deed {
            "half" => assert_eq!(cause, Cause::Signal(6)),
            "hangup" => assert_eq!(cause, Cause::Signal(9)),
            _ => assert!(matches!(cause, Cause::Nonsense(_)), "{deed}: {cause:?}"),
        }
        // Ends the row of captures, so that no quarantine comes between.
        assert!(bench.inspected("b").incomplete.is_empty());
    }
    assert_eq!(bench.deaths().len(), 2 * deeds.len());
}

#[test]
fn a_flood_on_standard_error_stops_nobody_and_only_its_end_is_kept() {
    let mut bench = Bench::new(settings(1));
    assert!(bench.inspected("flood@det").incomplete.is_empty());
    bench.inspected("once.flood-segv@det");
    let death = bench.deaths()[0];
    assert!(death.stderr.len() <= 8 << 10, "{}", death.stderr.len());
    assert!(death.stderr.contains("line 39999") && death.stderr.ends_with("not there"), "{}", death.stderr);
}

#[test]
fn a_failure_is_an_answer_like_any_other() {
    let mut bench = Bench::new(settings(1));
    assert_eq!(failure_of(bench.inspect("fail@seg")).message, "no picture");
    assert!(bench.deaths().is_empty());
}

#[test]
fn a_plugin_that_fails_three_captures_in_a_row_is_quarantined_until_it_is_released() {
    let mut bench = Bench::new(settings(2));
    for n in 0..3 {
        assert!(bench.quarantined().is_empty());
        assert_eq!(bench.inspected(&format!("abort@det#{n}")).incomplete.len(), 1);
    }
    assert_eq!(bench.quarantined(), [&id("det")]);
    let deaths = bench.deaths().len();
    let spared = bench.inspected("abort@det#3");
    assert!(spared.incomplete[0].reason.contains("in quarantine"), "{:?}", spared.incomplete);
    assert_eq!((spared.has_defect, bench.deaths().len()), (None, deaths));

    bench.pool.release(id("det"));
    assert!(bench.inspected("sound").incomplete.is_empty());
    let released = |fact: &_| matches!(fact, ferrule_core::pool::Report::Released { plugin } if *plugin == id("det"));
    assert!(bench.facts.iter().any(released));
}
