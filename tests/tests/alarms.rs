//! Alarms through the real binary: raised without a client, rung and acknowledged in a pseudo-terminal, kept through a kill.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use ferrule_tests::{Lab, terminal::Terminal, text};
use serde_json::Value;

/// Three captures that cannot be decoded ring.
const RULES: &str = r#"
[intake]
decode_retries = 0
[[alarm]]
kind = "failures"
threshold = 3
command = ["sh", "-c", "printf '%s' \"$1\" > told", "sh", "{rule}: {message}"]
"#;

fn break_captures(lab: &Lab) {
    for number in 0..3 {
        fs::write(lab.captures().join(format!("broken-{number}.png")), format!("no picture {number}")).unwrap();
    }
}

fn alarms(lab: &Lab) -> Option<Vec<Value>> {
    Some(lab.status()?["alarms"].as_array()?.clone()).filter(|alarms| !alarms.is_empty())
}

#[test]
fn a_run_of_failing_captures_rings_runs_its_command_and_stands_until_it_is_acknowledged() {
    let lab = Lab::with_settings(RULES);
    let _engine = lab.start_engine();
    let runtime = lab.runtime();
    let environment = [("XDG_RUNTIME_DIR", runtime.to_str().unwrap()), ("USER", "ann")];
    let mut terminal = Terminal::open(&lab, 24, 80, &environment);
    terminal.wait_for("engine running");
    let silent = terminal.bells();
    break_captures(&lab);
    terminal.wait_for("Alarm failures: 3 captures could not be inspected");
    terminal.wait_for("! 1 alarm");
    assert!(terminal.bells() > silent, "the bell rings");
    let told = lab.wait_for("the command of the alarm", || {
        fs::read_to_string(lab.workspace.join("told")).ok().filter(|told| !told.is_empty())
    });
    assert!(told.starts_with("failures: 3 captures could not be inspected within"), "{told}");
    // Every screen says it.
    terminal.press("4");
    terminal.wait_for("Plug-ins");
    terminal.wait_for("! 1 alarm");
    terminal.press("A");
    terminal.wait_for("holds, not acknowledged");
    terminal.press("\r");
    terminal.wait_for("acknowledged by ann");
    terminal.press("q");
    // Of "engine running", which a longer title leaves less room for.
    terminal.wait_for("running");
    let seen = "SELECT count(*) FROM alarms WHERE rule = 'failures' AND seen_by = 'ann' AND seen_at IS NOT NULL";
    lab.wait_for("the acknowledgement in the database", || (lab.query_count(seen) == 1).then_some(()));
}

#[test]
fn what_nobody_acknowledged_outlives_the_engine_and_is_acknowledged_from_the_command_line() {
    let lab = Lab::with_settings(&RULES.replace("printf", "exit 7; printf"));
    let engine = lab.start_engine();
    break_captures(&lab);
    lab.wait_for("an alarm", || alarms(&lab));
    let problem = lab.wait_for("the command that failed is told", || {
        lab.status()?["problems"].as_array()?.iter().find_map(|line| line.as_str().map(str::to_owned))
    });
    assert!(problem.starts_with("alarm failures: sh ended with exit status: 7"), "{problem}");
    lab.wait_for("its row", || (lab.query_count("SELECT count(*) FROM alarms") == 1).then_some(()));
    engine.kill();
    let _engine = lab.start_engine();
    let standing = alarms(&lab).unwrap();
    assert_eq!((standing.len(), standing[0]["rule"].as_str()), (1, Some("failures")));
    assert!(standing[0]["over_at"].is_string() && standing[0]["seen_by"].is_null(), "{standing:?}");
    let output = lab.run(&["alarms", "--acknowledge", "--by", "Bob"]);
    assert!(text(&output).contains("1 alarm acknowledged by Bob"), "{}", text(&output));
    assert_eq!(alarms(&lab), None, "over and seen: it is gone");
    let listed = lab.wait_for("the history says it", || {
        Some(text(&lab.run(&["alarms"]))).filter(|listed| listed.contains("acknowledged by Bob"))
    });
    assert!(listed.contains("failures: 3 captures could not be inspected"), "{listed}");
}
