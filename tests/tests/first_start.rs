//! Started where there is no workspace, the program offers to make one. In a real pseudo-terminal.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use ferrule_tests::{Lab, terminal::Terminal};
use serde_json::Value;

/// The workbench in a folder that is no workspace: the lab's own.
fn start(lab: &Lab) -> Terminal {
    let runtime = lab.runtime();
    let terminal = Terminal::open_with(lab, 24, 80, &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())], &[]);
    terminal.wait_for("is no workspace yet");
    terminal
}

/// Captures in that state, by the engine of the lab's own folder.
fn count(lab: &Lab, state: &str) -> Option<u64> {
    let output = lab.ferrule(&["status", "--json"]).arg(lab.root()).output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).ok()?;
    status["counts"][state].as_u64()
}

fn stop(lab: &Lab) {
    assert!(lab.ferrule(&["stop"]).arg(lab.root()).output().unwrap().status.success());
}

#[test]
fn a_first_start_asks_for_the_folder_and_watches_it() {
    let lab = Lab::new();
    fs::create_dir_all(lab.root().join("scope/line-1")).unwrap();
    let mut terminal = start(&lab);
    terminal.press("\r");
    terminal.wait_for("Which folder");
    terminal.press("\x15nowhere\r");
    terminal.wait_for("make it first");
    terminal.press("\x15sc\t");
    terminal.wait_for("> scope/");
    terminal.press("\t");
    terminal.wait_for("> scope/line-1/");
    terminal.press("\r");
    terminal.wait_for("No captures yet");
    lab.simulate(&lab.root().join("scope/line-1"), 2, "burst-v1", 4);
    lab.wait_for("the captures of that folder", || (count(&lab, "done")? == 2).then_some(()));
    let configuration = fs::read_to_string(lab.root().join("ferrule.toml")).unwrap();
    assert!(configuration.contains("path = \"scope/line-1/\""), "{configuration}");
    stop(&lab);
}

#[test]
fn a_first_start_shows_simulated_captures_and_leaving_makes_nothing() {
    let lab = Lab::new();
    let mut terminal = start(&lab);
    terminal.press("q");
    assert_eq!(terminal.wait_end(), 0);
    assert!(!lab.root().join("ferrule.toml").exists());
    let mut terminal = start(&lab);
    terminal.press("j\r");
    lab.wait_for("a simulated capture", || (count(&lab, "done")? >= 1).then_some(()));
    terminal.wait_for("Last captures");
    stop(&lab);
}
