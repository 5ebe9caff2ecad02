//! A dataset that is checked, mended and copied, by the real binary.

#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::{fs, path::PathBuf};

use ferrule_tests::{Lab, files_below, text};
use rusqlite::Connection;
use serde_json::Value;

/// A workspace with inspected captures and no engine.
fn inspected(count: u64) -> Lab {
    let lab = Lab::new();
    lab.simulate(&lab.captures(), count, "demo-v1", 8);
    let engine = lab.start_engine();
    lab.wait_done(count);
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    lab
}

fn writable(lab: &Lab) -> Connection {
    Connection::open(lab.dataset().join("index.sqlite")).unwrap()
}

/// Exit status, the kinds of problems in order, and the summary.
fn verify(lab: &Lab, more: &[&str]) -> (i32, Vec<String>, Value) {
    let output = lab.run(&[&["verify", "--json"], more].concat());
    let said = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap_or_else(|| panic!("{}", text(&output)));
    let mut problems: Vec<String> = lines.iter().map(|line| line["problem"].as_str().unwrap().to_owned()).collect();
    problems.sort();
    (output.status.code().unwrap(), problems, summary)
}

/// The files of a folder of the dataset, in order.
fn files(lab: &Lab, folder: &str) -> Vec<PathBuf> {
    let mut files = files_below(&lab.dataset().join(folder));
    files.sort();
    files
}

#[test]
fn what_is_missing_broken_or_nobodys_is_named_and_mended_by_the_next_engine() {
    let lab = inspected(6);
    let (status, problems, summary) = verify(&lab, &[]);
    assert_eq!((status, &problems[..], &summary["images"]), (0, &[][..], &6.into()), "{summary:#}");
    assert!(summary["files"].as_u64() > Some(6 * 3), "{summary:#}");

    let (pictures, masks, defects) = (files(&lab, "images"), files(&lab, "masks"), files(&lab, "defects"));
    fs::remove_file(&pictures[0]).unwrap();
    let mut changed = fs::read(&pictures[1]).unwrap();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(&pictures[1], changed).unwrap();
    fs::remove_file(masks.first().unwrap()).unwrap();
    let mask = masks.last().unwrap();
    let cut = fs::read(mask).unwrap();
    fs::write(mask, &cut[..cut.len() - 5]).unwrap();
    let list = defects.iter().find(|path| path.extension().is_some_and(|it| it == "json")).unwrap();
    fs::write(list, "{\"image_id\":").unwrap();
    fs::write(lab.dataset().join("masks/0123456789abcdef_core_mask.png"), "nobody's").unwrap();
    fs::write(lab.dataset().join("images/nobodys.png"), "nobody's").unwrap();
    writable(&lab).execute("UPDATE capture_counts SET captures = captures + 3 WHERE state = 'failed'", []).unwrap();

    let (status, problems, _) = verify(&lab, &[]);
    let expected = ["broken", "broken", "broken", "count", "missing", "missing", "orphan", "orphan"];
    assert_eq!((status, &problems[..]), (1, &expected.map(String::from)[..]));
    let quick = verify(&lab, &["--quick"]).1;
    assert_eq!(quick.len(), expected.len() - 1, "only a whole look reads pictures: {quick:?}");

    let (status, _, summary) = verify(&lab, &["--repair"]);
    assert_eq!((status, &summary["left"], &summary["moved"]), (0, &0.into(), &5.into()), "{summary:#}");
    let queued = summary["queued"].as_u64().unwrap();
    assert!((2..=5).contains(&queued), "{summary:#}");
    assert_eq!(files(&lab, "orphans").len(), 5);
    assert_eq!(lab.query_count("SELECT count(*) FROM captures WHERE state = 'queued'"), queued as i64);
    let engine = lab.start_engine();
    lab.wait_done(6);
    // Looked at beside a running engine, too.
    assert_eq!(verify(&lab, &[]).0, 0);
    let refused = lab.run(&["verify", "--repair"]);
    assert!(refused.status.success(), "there is nothing to repair: {}", text(&refused));
    fs::remove_file(files(&lab, "masks").first().unwrap()).unwrap();
    let refused = lab.run(&["verify", "--repair"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("ferrule stop"), "{}", text(&refused));
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    lab.audit();
}

#[test]
fn a_damaged_database_is_told_and_not_touched() {
    let lab = inspected(3);
    let database = lab.dataset().join("index.sqlite");
    // Everything into the one file first.
    writable(&lab).pragma_update(None, "journal_mode", "DELETE").unwrap();
    let whole = fs::read(&database).unwrap();
    let mut damaged = whole.clone();
    // Pages of tables, behind the header's page.
    damaged[3 * 4096..7 * 4096].fill(0xa5);
    fs::write(&database, &damaged).unwrap();
    let output = lab.run(&["verify"]);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{}", text(&output));
    assert!(!text(&output).contains("sound") && !text(&output).contains("panicked"), "{}", text(&output));
    assert_eq!(fs::read(&database).unwrap(), damaged);
}

#[test]
fn a_copy_made_while_captures_stream_in_holds_together_and_is_a_workspace() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 40, "burst-v1", 9);
    lab.wait_for("some results", || (lab.count("done") >= 10).then_some(()));
    // And another pipeline comes into force meanwhile.
    let again = lab.run(&["plugin", "disable", "detect-scratch"]);
    assert!(again.status.success(), "{}", text(&again));
    let copy = lab.root().join("copy");
    let output = lab.ferrule(&["backup", "--json"]).arg(&copy).arg(&lab.workspace).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let saved: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(saved["images"].as_u64() >= Some(10), "{saved:#}");
    let again = lab.ferrule(&["backup"]).arg(&copy).arg(&lab.workspace).output().unwrap();
    assert!(text(&again).contains("is there already"), "{}", text(&again));
    let unmounted = lab.root().join("disk");
    let nowhere = lab.ferrule(&["backup"]).arg(unmounted.join("copy")).arg(&lab.workspace).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1), "{}", text(&nowhere));
    assert!(text(&nowhere).contains("/disk is not there; make it, or mount"), "{}", text(&nowhere));
    assert!(!unmounted.exists(), "a folder was made where a disk is missing");
    let inside = lab.ferrule(&["backup"]).arg(lab.dataset().join("x")).arg(&lab.workspace).output().unwrap();
    assert_eq!(inside.status.code(), Some(2), "{}", text(&inside));

    let output = lab.ferrule(&["verify", "--json"]).arg(&copy).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["images"], &found["problems"]), (&saved["images"], &0.into()));
    lab.wait_done(40);
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    lab.audit();
}
