//! `ferrule evaluate` and `ferrule compare` through the real binary: figures on simulated pictures, two pipelines on the
//! same pictures, stored inspections, and input that is wrong.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use ferrule_tests::{Lab, files_below, text};
use serde_json::{Value, json};

const SEED: u64 = 31;

/// A lab with simulated pictures in `set` and their truth beside it.
fn simulated(count: u64) -> (Lab, PathBuf, PathBuf) {
    let lab = Lab::new();
    let set = lab.root().join("set");
    lab.simulate(&set, count, "paper-v1", SEED);
    let truth = lab.root().join("set.truth.json");
    fs::rename(lab.root().join(format!("truth-{SEED}.json")), &truth).unwrap();
    (lab, set, truth)
}

fn ended(output: &Output) -> (i32, String, String) {
    let words = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), words(&output.stdout), words(&output.stderr))
}

fn object(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut truth: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut truth);
    fs::write(path, truth.to_string()).unwrap();
}

#[test]
fn simulated_pictures_are_scored_and_the_worst_are_drawn() {
    let (lab, _, truth) = simulated(12);
    let sheet = lab.root().join("worst.png");
    let output = lab.ferrule(&["evaluate", "--json", "--sheet"]).args([&sheet, &truth]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let report = object(&output);
    assert_eq!((&report["pictures"]["listed"], &report["pictures"]["scored"]), (&json!(12), &json!(12)));
    let value = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}"));
    assert!(value("/outlines/cladding/hits/value") > 0.9, "{:#}", report["outlines"]);
    assert!(value("/defects/recall/value") > 0.7 && value("/defects/precision/value") > 0.5, "{:#}", report["defects"]);
    assert!(value("/images/roc/auc/value") > 0.8 && value("/images/accuracy/value") > 0.7);
    assert_eq!(value("/images/roc/defect") + value("/images/roc/clean"), 12.0);
    assert!(value("/defects/calibration/n") > 0.0);
    assert_eq!(image::image_dimensions(&sheet).unwrap().0 % 3, 0, "three pictures a row");

    // The same figures for a person.
    let (status, out, err) = ended(&lab.ferrule(&["evaluate"]).arg(&truth).output().unwrap());
    assert_eq!(status, 0, "{err}");
    for word in ["12 of 12 pictures scored", "Outlines", "Defects", "area under ROC", "published", "Confidence"] {
        assert!(out.contains(word), "{word} in {out}");
    }
}

#[test]
fn the_figures_do_not_depend_on_the_order_of_the_truth_file() {
    let (lab, _, truth) = simulated(8);
    let figures = || {
        let report = object(&lab.ferrule(&["evaluate", "--json"]).arg(&truth).output().unwrap());
        [report["outlines"].clone(), report["defects"].clone(), report["images"].clone(), report["worst"].clone()]
    };
    let before = figures();
    edit(&truth, |truth| {
        truth["images"].as_array_mut().unwrap().reverse();
        truth["annotations"].as_array_mut().unwrap().reverse();
    });
    assert_eq!(figures(), before);
}

#[test]
fn what_cannot_be_scored_is_listed_and_the_rest_is_scored() {
    let (lab, set, truth) = simulated(6);
    let mut files = files_below(&set);
    files.sort();
    fs::remove_file(&files[0]).unwrap();
    fs::write(&files[1], "no picture").unwrap();
    edit(&truth, |truth| {
        truth["images"][2]["width"] = 99.into();
        truth["images"][2]["valid_area"].take();
        truth["annotations"] = json!([{"id": 1, "image_id": 4, "category_id": 1, "bbox": [90_000, 2, 5, 5]},
            {"id": 2, "image_id": 4, "category_id": 9, "bbox": [100, 100, 50, 50]}]);
    });
    let (status, out, err) = ended(&lab.ferrule(&["evaluate", "--json"]).arg(&truth).output().unwrap());
    assert_eq!(status, 1, "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["pictures"], json!({"listed": 6, "scored": 4, "failed": 1, "missing": 2}));
    let failed = report["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 3, "{failed:#?}");
    for (failure, word) in failed.iter().zip(["there is no such picture", "no picture that can be read", "99 x"]) {
        assert!(failure["error"].as_str().unwrap().contains(word), "{failure}");
    }
    let faults = report["faults"].as_array().unwrap();
    assert!(faults[0].as_str().unwrap().contains("outside its picture"), "{faults:?}");
    assert!(faults[1].as_str().unwrap().contains("no category 9"), "{faults:?}");
    assert!(err.contains("5 pictures or records"), "{err}");
}

#[test]
fn what_is_no_truth_file_ends_with_status_2_in_one_line() {
    let lab = Lab::new();
    let file = lab.root().join("t.json");
    for (content, word) in [
        ("{\"images\": [", "t.json:1:12: "),
        ("{}", "missing field `images`"),
        ("{\"images\": []}", "no pictures"),
        ("\0\0", "t.json:1:1: "),
    ] {
        fs::write(&file, content).unwrap();
        let (status, out, err) = ended(&lab.ferrule(&["evaluate"]).arg(&file).output().unwrap());
        assert_eq!((status, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(word) && err.lines().count() == 2, "a message and a hint: {err}");
    }
    let (status, _, err) = ended(&lab.ferrule(&["evaluate", "gone.json"]).output().unwrap());
    assert!(status == 2 && err.contains("gone.json"), "{err}");
}

#[test]
fn two_settings_are_compared_without_storing() {
    let (lab, set, _) = simulated(6);
    let blind = lab.root().join("blind.toml");
    fs::write(&blind, "[pipeline]\ndetect = []\n").unwrap();
    let sheet = lab.root().join("differ.png");
    let run = |a: &Path, b: &Path| {
        lab.ferrule(&["compare", "--json", "--sheet"]).args([&sheet]).args([a, b, &set]).output().unwrap()
    };
    let output = run(Path::new("shipped"), &blind);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let report = object(&output);
    assert_eq!(report["pictures"], 6);
    assert_ne!(report["a"]["pipeline"], report["b"]["pipeline"]);
    let count = |name: &str| report["defects"][name].as_u64().unwrap();
    assert!(count("a") > 0 && count("a") == count("gone"), "{:#}", report["defects"]);
    assert_eq!((count("b"), count("same"), count("changed"), count("new")), (0, 0, 0, 0));
    let moved = report["has_defect"].as_array().unwrap();
    assert!(moved.iter().any(|row| row["a"] == true && row["b"] == false), "{moved:#?}");
    assert!(report["differing"].as_u64().unwrap() > 0 && sheet.is_file());
    let weights: Vec<u64> =
        report["most"].as_array().unwrap().iter().map(|picture| picture["weight"].as_u64().unwrap()).collect();
    assert!(weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
    assert!(files_below(&lab.dataset()).is_empty(), "nothing is stored");

    // A pipeline says the same as itself.
    let report = object(&run(Path::new("shipped"), Path::new("shipped")));
    assert_eq!((&report["differing"], &report["defects"]["new"]), (&json!(0), &json!(0)));
}

#[test]
fn a_build_of_a_plugin_is_compared_with_what_ships() {
    let (lab, set, _) = simulated(3);
    let library = ferrule_tests::target_folder().join("plugins/detect-region.so");
    let output =
        lab.ferrule(&["compare", "--json", "shipped"]).arg(&library).arg("--images").arg(&set).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let report = object(&output);
    // The same build in the same place is the same pipeline.
    assert_eq!((&report["a"]["pipeline"], &report["differing"]), (&report["b"]["pipeline"], &json!(0)));
}

#[test]
fn what_was_stored_by_two_pipelines_is_compared_without_running_again() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 4, "paper-v1", SEED);
    lab.wait_done(4);
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().success());
    let ids = |lab: &Lab| -> Vec<String> {
        let database = lab.database();
        let mut select = database.prepare("SELECT pipeline_id FROM pipelines ORDER BY first_at").unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let first = ids(&lab).remove(0);
    let output = lab.ferrule(&["compare", "--json", &first, &first[..6]]).arg(&lab.workspace).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let report = object(&output);
    assert_eq!((&report["pictures"], &report["differing"]), (&json!(4), &json!(0)));
    assert_eq!(report["a"]["pipeline"], first.as_str());

    let (status, out, err) =
        ended(&lab.ferrule(&["compare", "0000000000000000", &first]).arg(&lab.workspace).output().unwrap());
    assert_eq!((status, out.as_str()), (2, ""), "{err}");
    assert!(err.contains(&first) && err.lines().count() == 1, "lists what there is: {err}");
}

#[test]
fn what_cannot_be_compared_ends_with_status_2_and_says_why() {
    let (lab, set, truth) = simulated(1);
    let set = set.to_str().unwrap();
    let truth = truth.to_str().unwrap();
    let library = ferrule_tests::target_folder().join("deps/libferrule_misbehaving.so");
    for (arguments, word) in [
        (vec!["nothing.toml", "shipped", set], "there is no such settings file"),
        (vec!["shipped", "abcdef0123456789", set], "names what a workspace has stored"),
        (vec!["detect-region@abcd", "abcdef0123456789", set], "cannot be compared"),
        (vec!["detect-region@xyz", "shipped", set], "PLUGIN@BUILD"),
        (vec!["shipped", truth, set], "neither a settings file"),
        (vec!["shipped", set, set], "is no workspace"),
        (vec!["shipped", "shipped"], "no pictures"),
        (vec!["shipped", "shipped", "gone.png"], "gone.png"),
        (vec!["shipped", library.to_str().unwrap(), set], "shipped pipeline does not use"),
    ] {
        let (status, out, err) = ended(&lab.ferrule(&["compare"]).args(&arguments).output().unwrap());
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(word), "{arguments:?}: {err}");
    }
}
