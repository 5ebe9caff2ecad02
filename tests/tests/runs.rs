//! Trainings of the past on the command line: listed, noted, removed, with an engine and without.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use ferrule_tests::{Lab, text};
use rusqlite::Connection;
use serde_json::Value;

const RUN: &str = "20260101-120000-simple";

/// A workspace whose database and folder hold a run of two epochs.
fn trained() -> Lab {
    let lab = Lab::new();
    let engine = lab.start_engine();
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    let database = Connection::open(lab.dataset().join("index.sqlite")).unwrap();
    let begin = "INSERT INTO runs (run_id, task, arch, state, settings, started_at, best_epoch)
                 VALUES (?1, 'classify', 'simple', 'finished', '{}', '2026-01-01T12:00:00Z', 2)";
    database.execute(begin, [RUN]).unwrap();
    for epoch in 1..=2 {
        let sql = "INSERT INTO epochs (run_id, epoch, at, seconds, figures)
                   VALUES (?1, ?2, '2026-01-01T12:00:00Z', 1.5, '{\"val_loss\":0.25,\"val_confusion\":[[3,1],[0,4]]}')";
        database.execute(sql, rusqlite::params![RUN, epoch]).unwrap();
    }
    fs::create_dir_all(folder(&lab)).unwrap();
    fs::write(folder(&lab).join("plan.json"), "{}").unwrap();
    lab
}

fn folder(lab: &Lab) -> std::path::PathBuf {
    lab.workspace.join("runs").join(RUN)
}

fn said(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_run_is_noted_found_and_removed_without_an_engine() {
    let lab = trained();
    let shown = said(&lab, &["runs", "show", RUN]);
    assert!(shown.contains("epoch   2  val_loss 0.2500") && shown.trim_end().ends_with('*'), "{shown}");
    said(&lab, &["runs", "note", RUN, "--notes", "first try", "--tags", "small,cpu"]);
    // What is not given stays.
    said(&lab, &["runs", "note", RUN, "--tags", "small"]);
    let row: Value = serde_json::from_str(&said(&lab, &["runs", "list", "--json"])).unwrap();
    assert_eq!((&row["notes"], &row["tags"]), (&"first try".into(), &"small".into()), "{row}");

    let unknown = lab.run(&["runs", "delete", "../captures"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", text(&unknown));
    assert!(lab.captures().exists());
    said(&lab, &["runs", "delete", RUN]);
    assert!(!folder(&lab).exists());
    assert_eq!(lab.query_count("SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM epochs)"), 0);
    lab.audit();
}

#[test]
fn an_engine_notes_and_removes_a_run_for_its_clients() {
    let lab = trained();
    let engine = lab.start_engine();
    said(&lab, &["runs", "note", RUN, "--notes", "through the engine"]);
    let stored = "SELECT count(*) FROM runs WHERE notes = 'through the engine'";
    lab.wait_for("the note is stored", || (lab.query_count(stored) == 1).then_some(()));
    said(&lab, &["runs", "delete", RUN]);
    lab.wait_for("the run is gone", || (lab.query_count("SELECT count(*) FROM runs") == 0).then_some(()));
    assert!(!folder(&lab).exists());
    assert_eq!(lab.status().unwrap()["problems"], Value::Array(Vec::new()));
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
}
