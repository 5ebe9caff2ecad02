//! Commands that write a dataset while an engine has it: `ferrule build` and `ferrule correlate` do the same as without one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests end that way")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use ferrule_tests::{Lab, files_below, text};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn build(lab: &Lab, raw: &str, more: &[&str]) -> Command {
    let mut command = lab.ferrule(&["build", raw, "--json", "--out"]);
    command.arg(lab.dataset()).args(more);
    command
}

/// The last line, of a command that came to its end.
fn summary(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(output));
    last_line(output)
}

fn last_line(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().last().unwrap_or_else(|| panic!("{}", text(output)));
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

fn refused(output: &Output, status: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(status), "{}", text(output));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
}

/// What others read of a dataset, byte by byte.
fn content(dataset: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let folders = ["images", "masks", "defects", "splits", "features", "coco"].map(|name| dataset.join(name));
    let files = folders.iter().flat_map(|folder| files_below(folder));
    files.map(|file| (file.strip_prefix(dataset).unwrap().to_owned(), fs::read(&file).unwrap())).collect()
}

#[test]
fn a_build_beside_an_engine_ends_in_what_a_build_alone_ends_in() {
    let lab = Lab::new();
    lab.simulate(&lab.root().join("raw"), 24, "burst-v1", 5);
    fs::copy(&files_below(&lab.root().join("raw"))[0], lab.root().join("raw/z-again.png")).unwrap();
    let engine = lab.start_engine();
    let extras = ["--coco", "--correlations", "top:3"];
    let said = summary(&build(&lab, "raw", &extras).output().unwrap());
    assert_eq!(
        (&said["files"], &said["inspected"], &said["duplicates"]),
        (&25.into(), &24.into(), &1.into()),
        "{said}"
    );
    assert_eq!(said["splits"]["given"], 24, "{said}");
    assert_eq!(lab.status().unwrap()["pid"], Value::from(engine.pid()), "the engine stays");
    let again = summary(&build(&lab, "raw", &extras).output().unwrap());
    assert_eq!((&again["inspected"], &again["known"]), (&0.into(), &25.into()), "{again}");
    assert_eq!(lab.query_count("SELECT count(*) FROM inspections"), 24, "none twice");
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    lab.audit();

    let alone = lab.root().join("alone");
    let mut command = lab.ferrule(&["build", "raw", "--out", "alone", "--json", "--workspace"]);
    summary(&command.arg(&lab.workspace).args(extras).output().unwrap());
    let (beside, alone) = (content(&lab.dataset()), content(&alone));
    assert_eq!(beside.keys().collect::<Vec<_>>(), alone.keys().collect::<Vec<_>>());
    for (name, bytes) in &beside {
        assert!(alone[name] == *bytes, "{} differs", name.display());
    }
}

#[test]
fn captures_come_in_while_an_engine_builds_and_what_fails_is_listed() {
    let lab = Lab::new();
    lab.simulate(&lab.root().join("raw"), 90, "burst-v1", 6);
    fs::write(lab.root().join("raw/no.png"), "no picture").unwrap();
    let _engine = lab.start_engine();
    let building = build(&lab, "raw", &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    lab.wait_for("the first results", || (lab.count("done") >= 3).then_some(()));
    lab.simulate(&lab.captures(), 2, "burst-v1", 60);
    let of_source =
        "SELECT count(*) FROM captures JOIN sources USING (source_id) WHERE state = 'done' AND sources.name <> 'files'";
    lab.wait_for("the captures", || (lab.query_count(of_source) == 2).then_some(()));
    let before = lab.count("done");
    let output = building.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = last_line(&output);
    assert_eq!((&said["inspected"], &said["failed"]), (&90.into(), &1.into()), "{said}");
    assert!(
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap().contains("raw/no.png"),
        "{}",
        text(&output)
    );
    assert!(before < 92, "captures did not wait for the end of the build");
    fs::remove_file(lab.root().join("raw/no.png")).unwrap();
    let again = summary(&build(&lab, "raw", &[]).output().unwrap());
    assert_eq!((&again["inspected"], &again["known"]), (&0.into(), &90.into()), "{again}");
}

#[test]
fn a_build_beside_an_engine_that_dies_is_finished_by_the_same_command() {
    let lab = Lab::new();
    lab.simulate(&lab.root().join("raw"), 150, "burst-v1", 7);
    let engine = lab.start_engine();
    let start = || {
        let child = build(&lab, "raw", &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stands = lab.count("done");
        lab.wait_for("some results", || (lab.count("done") >= stands + 5).then_some(()));
        child
    };
    let interrupted = start();
    kill_process(Pid::from_child(&interrupted), Signal::INT).unwrap();
    let output = interrupted.wait_with_output().unwrap();
    refused(&output, 1, &["interrupted", "same command"]);
    let widowed = start();
    engine.kill();
    let output = widowed.wait_with_output().unwrap();
    refused(&output, 3, &["ended", "same command"]);
    let _engine = lab.start_engine();
    summary(&build(&lab, "raw", &[]).output().unwrap());
    assert_eq!(lab.query_count("SELECT count(*) FROM images"), 150);
    let doubled =
        "SELECT count(*) FROM (SELECT 1 FROM inspections WHERE state = 'done' GROUP BY image_id HAVING count(*) > 1)";
    assert_eq!(lab.query_count(doubled), 0);
    lab.audit();
}

#[test]
fn another_pipeline_and_other_masks_are_made_anew_beside_an_engine_and_without_one() {
    let lab = Lab::new();
    lab.simulate(&lab.root().join("raw"), 6, "burst-v1", 8);
    let masks = |ending: &str| {
        let count =
            files_below(&lab.dataset().join("masks")).iter().filter(|file| file.extension().unwrap() == ending).count();
        assert_eq!(
            i64::try_from(count).unwrap(),
            lab.query_count(&format!(
                "SELECT count(*) FROM artefacts WHERE folder = 'masks' AND name GLOB '*.{ending}'"
            ))
        );
        count
    };
    let alone = |more: &str| {
        lab.append_settings(more);
        let mut command = build(&lab, "raw", &["--workspace"]);
        summary(&command.arg(&lab.workspace).output().unwrap())
    };
    alone("");
    let zones = masks("png");
    assert!(zones > 6 && masks("npy") == 0);
    let said = alone("[dataset]\nmasks = \"npy\"\n");
    assert_eq!((&said["inspected"], &said["known"]), (&6.into(), &6.into()), "{said}");
    assert_eq!((masks("png"), masks("npy")), (0, zones));
    assert_eq!(alone("")["inspected"], 0, "as it should be already");

    let settings = lab.workspace.join("ferrule.toml");
    let before = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, before.replace("\"npy\"", "\"both\"") + "[label]\nmin_confidence = 0.99\n").unwrap();
    let engine = lab.start_engine();
    let said = summary(&build(&lab, "raw", &[]).output().unwrap());
    assert_eq!((&said["inspected"], &said["known"]), (&6.into(), &6.into()), "{said}");
    assert_eq!((masks("png"), masks("npy")), (zones, zones));
    let pipelines = "SELECT count(DISTINCT pipeline_id) FROM images JOIN inspections USING (inspection_id)";
    assert_eq!(lab.query_count(pipelines), 1);
    assert_eq!(summary(&build(&lab, "raw", &[]).output().unwrap())["inspected"], 0);
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    lab.audit();
}

#[test]
fn what_an_engine_does_its_own_way_is_refused_in_one_line() {
    let lab = Lab::new();
    lab.simulate(&lab.root().join("raw"), 1, "burst-v1", 9);
    fs::write(lab.root().join("other.toml"), "[dataset]\nseed = 3\n").unwrap();
    let engine = lab.start_engine();
    let pid = engine.pid().to_string();
    for (typed, word) in [
        (&["--cfg", "other.toml"][..], "--cfg"),
        (&["--jobs", "2"], "--jobs"),
        (&["--train", "0.5", "--val", "0.2"], "--train, --val"),
        (&["--um-per-px", "0.4"], "--um-per-px"),
    ] {
        refused(&build(&lab, "raw", typed).output().unwrap(), 2, &[word, &pid, "ferrule stop"]);
    }
    refused(&build(&lab, "nothing", &[]).output().unwrap(), 2, &["nothing", "no such file"]);
    let own = lab.dataset().join("images");
    refused(&build(&lab, own.to_str().unwrap(), &[]).output().unwrap(), 2, &["in the dataset itself"]);
    assert_eq!(lab.query_count("SELECT count(*) FROM captures"), 0);
}

#[test]
fn correlations_through_an_engine_are_bit_by_bit_those_without_one() {
    let lab = Lab::new();
    lab.simulate(&lab.captures(), 9, "demo-v1", 3);
    let engine = lab.start_engine();
    lab.wait_done(9);
    let correlate = |mode: &str| {
        let output = lab.run(&["correlate", "--json", "--mode", mode, "--grid", "64"]);
        summary(&output)
    };
    let pairs = || -> Vec<(String, String, u64, u64)> {
        let database = lab.database();
        let mut select = database
            .prepare("SELECT image_id_a, image_id_b, pearson, spearman FROM correlations ORDER BY 1, 2")
            .unwrap();
        let rows = select.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, f64>(2)?.to_bits(), row.get::<_, f64>(3)?.to_bits()))
        });
        rows.unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(correlate("full")["pairs"], 36);
    let full = pairs();
    assert_eq!(correlate("top:2")["fresh"], 9);
    let top = pairs();
    assert!(!top.is_empty() && top.len() < 36);
    // Captures go on, and a second run compares what came with them.
    lab.simulate(&lab.captures(), 11, "demo-v1", 3);
    lab.wait_done(11);
    assert_eq!(correlate("top:2")["fresh"], 2);
    let grown = pairs();
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    correlate("off");
    assert!(pairs().is_empty());
    correlate("top:2");
    assert_eq!(pairs(), grown);
    correlate("full");
    let all = pairs();
    assert!(full.iter().all(|pair| all.contains(pair)), "a coefficient changed on its way");
    lab.audit();
}
