//! The builds of a plug-in: a former one put back once a person has said so twice, and what two of them said otherwise.

use std::{cell::RefCell, path::PathBuf, rc::Rc, sync::atomic::Ordering};

use ferrule_core::{
    compare::{ChangeCounts, Changed, DefectCounts, Difference, Report, Shifts, Side, SideTimes, TypeCounts},
    ids::{BuildHash, CaptureId},
    report::{DefectKind, Outcome, Timings},
    store::{BuildRow, Period},
};

use super::{
    plugins::bench,
    sample::{Bench, LARGE, SMALL},
};
use crate::workbench::{
    comparison::{BuildComparison, Compare, ComparisonAnswer, Word},
    event::Event,
    text,
    trial::{PluginsAnswer, PluginsRequest},
};

fn former() -> BuildHash {
    BuildHash::of(b"former")
}

fn now() -> BuildHash {
    BuildHash::of(b"detect-region")
}

/// What the thread beside the loop would answer.
pub fn answer(request: PluginsRequest) -> PluginsAnswer {
    match request {
        PluginsRequest::Builds(plugin) => PluginsAnswer::Builds(plugin, Ok(builds())),
        PluginsRequest::PutBack(build) if build == former() => {
            PluginsAnswer::PutBack(Ok(PathBuf::from("/lab/plugins/detect-region.so")))
        }
        PluginsRequest::PutBack(_) => PluginsAnswer::PutBack(Err("another build than the one that was chosen".into())),
        PluginsRequest::Swaps | PluginsRequest::Try(_) => unreachable!("answered elsewhere"),
    }
}

fn builds() -> Vec<BuildRow> {
    let row = |build, version: &str, inspections, in_force| BuildRow {
        build,
        version: version.into(),
        first_at: "2026-09-20T08:00:00Z".into(),
        in_force,
        inspections,
    };
    let period = |generation, from: &str, until: Option<&str>| Period {
        generation,
        from: from.into(),
        until: until.map(str::to_owned),
    };
    vec![
        row(BuildHash::of(b"refused"), "0.8.0", 0, Vec::new()),
        row(former(), "0.9.0", 812, vec![period(1, "2026-09-20T08:00:00Z", Some("2026-09-21T14:00:00Z"))]),
        row(now(), "1.0.0", 385, vec![period(3, "2026-09-21T14:00:00Z", None)]),
    ]
}

pub fn comparison(wanted: &Compare) -> BuildComparison {
    let side = |at: usize| Side {
        name: format!("{}@{}", wanted.plugin, &wanted.builds[at].as_str()[..12]),
        pipeline: "0123456789abcdef".parse().expect("an id"),
        plugins: Vec::new(),
    };
    let counts = DefectCounts { a: 9, b: 8, same: 5, changed: 1, gone: 3, new: 2 };
    let difference = |file: &str, new, gone| Difference {
        file: file.into(),
        weight: new + gone,
        changed: 0,
        gone,
        new,
        fragments: 0,
        has_defect: [Some(true); 2],
        verdict: [Outcome::Fail, if gone > 0 { Outcome::Pass } else { Outcome::Fail }],
    };
    let detect = |ms| Timings { detect: ms, ..Timings::default() };
    let report = Report {
        a: side(0),
        b: side(1),
        pictures: 40,
        differing: 2,
        has_defect: Vec::new(),
        verdict: vec![
            Changed { a: Outcome::Fail, b: Outcome::Fail, pictures: 38 },
            Changed { a: Outcome::Fail, b: Outcome::Pass, pictures: 2 },
        ],
        defects: counts,
        fragments: 0,
        changes: ChangeCounts::default(),
        by_type: vec![TypeCounts { kind: DefectKind::Pit, counts }],
        type_changes: Vec::new(),
        outlines: Shifts::default(),
        ms: SideTimes { a: detect(9.0), b: detect(6.5) },
        most: vec![difference("B17_P03_A.png", 0, 3), difference("B17_P04_B.png", 2, 0)],
        failed: Vec::new(),
        remarks: Vec::new(),
        interrupted: false,
    };
    let remark = wanted.images.is_empty().then(|| text::compared_newest(2_000));
    BuildComparison { report, captures: vec![Some(CaptureId(1197)), None], remark }
}

#[test]
fn the_builds_of_a_plugin_and_when_each_was_in_force() {
    for size in [SMALL, LARGE] {
        let (mut bench, _) = bench(size);
        bench.press("jb");
        insta::assert_snapshot!(format!("plugins_builds_{}x{}", size.width, size.height), bench.text());
    }
}

#[test]
fn what_two_builds_said_otherwise_those_that_differ_most_first() {
    for size in [SMALL, LARGE] {
        let (mut bench, _) = bench(size);
        bench.press("jbj<Enter>");
        insta::assert_snapshot!(format!("plugins_differences_{}x{}", size.width, size.height), bench.text());
        bench.press("<Enter>");
        assert!(bench.text().contains("#1197"), "the capture under the cursor opens: {}", bench.text());
        bench.press("<Esc><Esc>");
        assert!(bench.text().contains(text::BUILDS_NEWEST), "back at the builds: {}", bench.text());
        bench.press("<Esc>");
        assert!(!bench.text().contains(text::BUILDS_NEWEST), "back at the plug-ins: {}", bench.text());
    }
}

#[test]
fn marked_captures_are_compared_where_there_are_any() {
    let (mut bench, _) = bench(SMALL);
    bench.press("jbj<Enter>");
    assert!(bench.text().contains("of the newest"), "{}", bench.text());
    bench.press("<Esc><Esc>2 4bj<Enter>");
    assert!(!bench.text().contains("of the newest"), "{}", bench.text());
}

#[test]
fn a_former_build_is_put_back_once_it_was_said_twice_and_the_one_in_force_never() {
    let (mut bench, _) = bench(SMALL);
    bench.press("jbr");
    assert!(bench.text().contains(text::ALREADY_IN_FORCE), "{}", bench.text());
    bench.press("jr");
    assert!(bench.text().contains("Put build"), "{}", bench.text());
    bench.press("<Esc>");
    assert!(!bench.text().contains("takes it up"), "{}", bench.text());
    bench.press("ry");
    assert!(bench.text().contains("detect-region.so is back"), "{}", bench.text());
}

#[test]
fn a_comparison_tells_how_far_it_is_and_ends_when_it_is_left_or_cancelled() {
    let (mut bench, _) = bench(SMALL);
    let asked: Rc<RefCell<Vec<Compare>>> = Rc::default();
    let kept = Rc::clone(&asked);
    bench.headless.comparisons = Box::new(move |wanted| {
        kept.borrow_mut().push(wanted);
        Word::Reading(0, 2_000)
    });
    let plugin = || "detect-region".parse().expect("an id");
    let say = |bench: &mut Bench, number, word| {
        bench.headless.feed(Event::Comparison(ComparisonAnswer { number, plugin: plugin(), word }));
    };
    let stopped = |at: usize| asked.borrow()[at].stop.load(Ordering::Relaxed);
    let number = |at: usize| asked.borrow()[at].number;

    bench.press("jbj<Enter>");
    say(&mut bench, number(0), Word::Reading(412, 2_000));
    assert!(bench.text().contains("412 of 2,000"), "{}", bench.text());
    assert!(!stopped(0));
    bench.press("<Esc>");
    assert!(stopped(0) && bench.text().contains(text::BUILDS_NEWEST), "left, and nobody reads on: {}", bench.text());

    // Its last word comes when the next is looked at already.
    bench.press("<Enter>");
    let late = comparison(&asked.borrow()[0]);
    say(&mut bench, number(0), Word::Compared(Box::new(late)));
    assert!(bench.text().contains("0 of 2,000"), "an answer to another question is not shown: {}", bench.text());

    bench.press("<C-t>");
    assert!(bench.text().contains("compare builds"), "{}", bench.text());
    bench.press("x");
    assert!(stopped(1), "cancelled among the tasks");
    say(&mut bench, number(1), Word::Cancelled);
    let text = bench.text();
    assert_eq!(text.matches("cancelled").count(), 2, "both have ended: {text}");
    bench.press("<Esc>");
    assert!(bench.text().contains(text::BUILDS_NEWEST), "{}", bench.text());
}
