//! Jobs from the names of captures to the hand-over, through the real binary.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use ferrule_tests::{Lab, files_below, terminal::Terminal, text};
use serde_json::Value;

fn objects(output: &std::process::Output) -> Vec<Value> {
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_end_that_is_captured_again_decides_anew_and_the_hand_over_shows_both() {
    let lab = Lab::new();
    let path = lab.workspace.join("ferrule.toml");
    let settings = fs::read_to_string(&path).unwrap();
    let pattern = "path = \"captures\"\nname_pattern = '^(?<job>[^-]+)-P(?<port>[0-9]+)-(?<side>[AB])'";
    fs::write(&path, settings.replacen("path = \"captures\"", pattern, 1)).unwrap();
    let _engine = lab.start_engine();
    let drawn = lab.root().join("drawn");
    lab.simulate(&drawn, 4, "demo-v1", 11);
    let mut pictures: Vec<_> =
        files_below(&drawn).into_iter().filter(|it| it.extension().is_some_and(|it| it == "png")).collect();
    pictures.sort();
    for (picture, name) in pictures.iter().zip(["LOT7-P1-A.png", "LOT7-P1-B.png", "LOT7-P10-A.png"]) {
        fs::copy(picture, lab.captures().join(name)).unwrap();
    }
    lab.wait_done(3);
    fs::copy(&pictures[3], lab.captures().join("LOT7-P1-A-cleaned.png")).unwrap();
    lab.wait_done(4);

    let jobs = objects(&lab.run(&["jobs", "--json"]));
    assert_eq!((jobs.len(), jobs[0]["name"].as_str()), (1, Some("LOT7")));
    // In whatever case a person types it.
    let ends = objects(&lab.run(&["jobs", "--json", "--job", "lot7"]));
    let told: Vec<(&str, &str, usize)> = ends
        .iter()
        .map(|end| {
            (end["port"].as_str().unwrap(), end["side"].as_str().unwrap(), end["shots"].as_array().unwrap().len())
        })
        .collect();
    assert_eq!(told, [("1", "A", 2), ("1", "B", 1), ("10", "A", 1), ("10", "B", 0)]);
    assert_eq!(ends[0]["shots"][1]["name"], "LOT7-P1-A-cleaned.png");
    assert_eq!(ends[3]["standing"], "missing");
    assert_ne!(jobs[0]["hand_over"], "pass", "a side is missing");

    let output = lab.run(&["export", "report", "--job", "LOT7"]);
    assert!(output.status.success(), "{}", text(&output));
    let page = fs::read_to_string(lab.dataset().join("jobs/job-LOT7.html")).unwrap();
    assert_eq!(page.matches("data:image/png;base64,").count(), 4, "three that decide and one before");
    assert!(page.contains("MISSING") && page.contains("LOT7-P1-A-cleaned.png") && !page.contains("<script"));
    let table = fs::read_to_string(lab.dataset().join("jobs/job-LOT7.csv")).unwrap();
    assert_eq!(table.lines().count(), 5, "{table}");
    assert!(table.lines().nth(1).unwrap().contains("LOT7-P1-A-cleaned.png"), "{table}");

    let unknown = lab.run(&["export", "report", "--job", "LOT8"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown).contains("no capture belongs to a job") && text(&unknown).contains("ferrule jobs"));

    let runtime = lab.runtime();
    let mut terminal = Terminal::open(&lab, 24, 80, &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    terminal.wait_for("engine running");
    terminal.press("2");
    terminal.wait_for("LOT7-P10");
    terminal.press("J");
    terminal.wait_for("1 job");
    terminal.press("\r");
    terminal.wait_for("missing");
    terminal.press("b");
    terminal.wait_for("LOT7-P1-A.png");
}
