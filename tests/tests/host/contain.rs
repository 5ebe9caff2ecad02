//! Whatever a plug-in does, it costs at most its worker, and what it says falsely costs only its own results.

use std::fs;

use ferrule_core::{
    decode::Picture,
    host::card::Profile,
    report::{Outcome, ZoneName},
    worker::messages::{ArtefactFolder, FromWorker, ToWorker},
};

use super::stage::{Bench, LIMITS, plugin};

#[test]
fn a_capture_goes_through_all_slots_and_leaves_its_artefacts() {
    let bench = Bench::new();
    let capture = bench.capture("a.png", 60, 60);
    let mut worker = bench.worker();
    worker.configure(&bench.pipeline("none", "none")).unwrap();
    worker.send(&ToWorker::Inspect(Box::new(bench.job(&capture))));
    let (_, FromWorker::Done(answer)) = worker.hear().unwrap() else { panic!("no answer") };
    let expected = ["segment", "detect", "measure", "grade"].map(|slot| plugin(&format!("misbehaving-{slot}")));
    assert_eq!(worker.turns(), expected, "each is announced before it is called");

    let inspection = answer.result.unwrap();
    assert_eq!((inspection.width, inspection.height), (60, 60));
    // 125 um over twice the fitted 18 px.
    assert!((inspection.um_per_px.unwrap() - 125.0 / 36.0).abs() < 1e-9);
    assert_eq!(inspection.has_defect, Some(true));
    assert_eq!(inspection.defects[0].id, format!("{}-1", inspection.image_id));
    assert_eq!(inspection.defects[0].zone, Some(ZoneName::Ferrule));
    assert_eq!(inspection.features[0].plugin, "misbehaving-measure 0.1.0");
    assert_eq!((inspection.verdict.overall, inspection.verdict.failed.len()), (Outcome::Fail, 4));
    assert_eq!(inspection.incomplete, []);
    assert_eq!(inspection.defects[0].mask.iter().map(|[_, _, length]| length).sum::<u32>(), 12);

    let mut picture = Picture::default();
    let id = inspection.image_id;
    let names: Vec<&str> = answer.artefacts.iter().map(|staged| staged.name.as_str()).collect();
    let expected = ["core_mask.png", "cladding_mask.png", "ferrule_mask.png", "particle_mask.png", "defects.json"];
    assert_eq!(names, expected.map(|name| format!("{id}_{name}")));
    for staged in &answer.artefacts {
        let bytes = fs::read(bench.path("staging/7").join(&staged.name)).unwrap();
        if staged.folder == ArtefactFolder::Masks {
            ferrule_core::decode::decode(&bytes, Default::default(), &LIMITS, &mut picture).unwrap();
            assert_eq!((picture.width, picture.height), (60, 60));
            assert!(picture.gray8.contains(&255) && picture.gray8.iter().all(|pixel| [0, 255].contains(pixel)));
        }
    }
    let list = fs::read(bench.path("staging/7").join(format!("{id}_defects.json"))).unwrap();
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(list["defects"][0]["type"], "particle");
}

#[test]
fn a_lie_or_an_error_costs_a_plugin_its_own_results_and_nobody_elses() {
    let bench = Bench::new();
    let capture = bench.capture("a.png", 120, 90);
    let mut worker = bench.worker();
    for (slot, fault, word) in [
        ("detect", "error", "a deliberate error"),
        ("detect", "panic", "a deliberate panic"),
        ("detect", "lie-nan", "NaN"),
        ("detect", "lie-box", "outside the picture"),
        ("detect", "many-defects", "20000 defects"),
        ("measure", "lie-nan", "NaN"),
        ("measure", "lie-box", "nowhere"),
        ("measure", "many-defects", "200000 features"),
        ("grade", "error", "a deliberate error"),
        ("grade", "lie-box", "4000000"),
    ] {
        worker.configure(&bench.pipeline(slot, fault)).unwrap();
        let inspection = worker.inspection(&bench.job(&capture));
        assert_eq!(inspection.incomplete.len(), 1, "{slot} {fault}");
        let missing = &inspection.incomplete[0];
        assert_eq!(missing.plugin, format!("misbehaving-{slot} 0.1.0"));
        assert!(missing.reason.contains(word) && !missing.reason.contains('\x1b'), "{}", missing.reason);
        assert_eq!(inspection.has_defect, None, "incomplete: {slot} {fault}");
        assert!(inspection.zones.cladding.is_some());
        assert_eq!(inspection.defects.len(), usize::from(slot != "detect"), "{slot} {fault}");
        assert_eq!(inspection.features.len(), usize::from(slot != "measure"), "{slot} {fault}");
        // The grader is asked and its answer kept, but a pass that a detector did not look for is not believed.
        let verdict = &inspection.verdict;
        assert_eq!(verdict.zones.len(), if slot == "grade" { 0 } else { 4 }, "{slot} {fault}");
        let (overall, reason) = match slot {
            "detect" => (Outcome::NotGraded, "misbehaving-detect 0.1.0 gave no results"),
            "measure" => (Outcome::Fail, ""),
            _ => (Outcome::NotGraded, "the grading plug-in did not answer"),
        };
        assert_eq!((verdict.overall, verdict.reason.as_str()), (overall, reason), "{slot} {fault}");
    }
}

#[test]
fn without_any_segmenter_that_answers_the_capture_fails_and_says_why() {
    let bench = Bench::new();
    let capture = bench.capture("a.png", 120, 90);
    let mut worker = bench.worker();
    for (fault, word) in [("error", "a deliberate error"), ("lie-nan", "no ellipse"), ("lie-box", "7 labels")] {
        worker.configure(&bench.pipeline("segment", fault)).unwrap();
        let failure = worker.inspect(&bench.job(&capture)).unwrap().result.unwrap_err();
        assert_eq!((failure.stage.as_str(), failure.transient), ("segment", false));
        assert!(failure.message.contains(word), "{failure}");
    }
}

#[test]
fn a_plugin_that_a_job_goes_without_is_not_called() {
    let bench = Bench::new();
    let capture = bench.capture("a.png", 120, 90);
    let mut worker = bench.worker();
    worker.configure(&bench.pipeline("detect", "segfault")).unwrap();
    let mut job = bench.job(&capture);
    job.without = vec![plugin("misbehaving-detect")];
    let inspection = worker.inspection(&job);
    assert_eq!(inspection.incomplete[0].plugin, "misbehaving-detect 0.1.0");
    assert_eq!(inspection.features.len(), 1);
}

#[test]
fn a_plugin_that_kills_its_worker_is_named_by_its_turn() {
    let bench = Bench::new();
    let capture = bench.capture("a.png", 120, 90);
    for (fault, signal, code) in [
        ("segfault", Some(11), None),
        ("abort", Some(6), None),
        ("exit", None, Some(0)),
        ("stack-overflow", Some(6), None),
        ("memory", Some(6), None),
    ] {
        let mut worker = bench.worker();
        worker.configure(&bench.pipeline("detect", fault)).unwrap();
        let death = worker.inspect(&bench.job(&capture)).unwrap_err();
        assert_eq!((death.signal, death.code), (signal, code), "{fault}");
        assert_eq!(death.turn, Some(plugin("misbehaving-detect")), "{fault}");
    }
}

#[test]
fn a_plugin_reaches_neither_its_parent_nor_the_captures() {
    let bench = Bench::new();
    let capture = bench.capture("a.png", 120, 90);
    let before = fs::read(&capture).unwrap();
    let mut worker = bench.worker();
    eprintln!("{:?}", worker.sandbox);
    for fault in ["kill-parent", "delete-capture", "stderr-flood"] {
        worker.configure(&bench.pipeline("detect", fault)).unwrap();
        let inspection = worker.inspection(&bench.job(&capture));
        assert_eq!(inspection.defects.len(), 1, "{fault}: it was stopped, and went on");
    }
    // Without Landlock a file can still be overwritten, and the report says so.
    assert_eq!(fs::read(&capture).is_ok_and(|now| now == before), worker.sandbox.landlock_abi.is_some());
    assert!(capture.exists());
}

#[test]
fn a_worker_says_what_is_in_force_and_lacks_only_what_the_kernel_lacks() {
    let worker = Bench::new().worker();
    let report = &worker.sandbox;
    assert!(report.dies_with_engine && report.no_new_privileges && report.seccomp, "{report:?}");
    assert_eq!(report.memory_mb, Some(LIMITS.memory_mb));
    let excused = |line: &String| line.starts_with("Landlock") || line.starts_with("be killed first");
    assert!(report.missing.iter().all(excused), "{:?}", report.missing);
}

#[test]
fn a_worker_ends_when_its_line_closes_and_never_serves_a_strangers_child() {
    let mut worker = Bench::new().worker();
    worker.line.shutdown(std::net::Shutdown::Both).unwrap();
    assert!(worker.child.wait().unwrap().success());

    let arguments = ferrule_core::worker::arguments::Arguments {
        parent: 1,
        profile: Profile::Narrow,
        staging: None,
        limits: LIMITS,
    }
    .command_line();
    let orphan = std::process::Command::new(super::stage::program().executable).args(arguments).output().unwrap();
    assert!(!orphan.status.success());
    assert!(String::from_utf8_lossy(&orphan.stderr).contains("is gone"));
}
