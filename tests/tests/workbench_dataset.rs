//! The dataset looked at and exported from the screen. In a real pseudo-terminal.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use ferrule_tests::{Lab, files_below, terminal::Terminal};

#[test]
fn a_dataset_is_looked_at_and_exported_from_the_screen() {
    let lab = Lab::new();
    let _engine = lab.start_engine();
    lab.simulate(&lab.captures(), 3, "demo-v1", 7);
    lab.wait_done(3);
    let runtime = lab.runtime();
    let mut terminal = Terminal::open(&lab, 40, 130, &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    terminal.wait_for("engine running");
    terminal.press("6");
    terminal.wait_for("3 pictures");
    terminal.press("\r");
    terminal.wait_for("csv: ");
    terminal.wait_for("written");
    let tables = files_below(&lab.dataset().join("features"));
    assert!(tables.iter().any(|file| file.extension().is_some_and(|it| it == "csv")), "{tables:?}");
    // The task is remembered.
    terminal.press("\x14");
    terminal.wait_for("export csv");
}
