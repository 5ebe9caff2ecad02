//! A detector changed from the screen: its parameters tried on a capture, applied, and taken out again, while the engine
//! runs. In a real pseudo-terminal.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use ferrule_tests::{Lab, terminal::Terminal};

#[test]
fn a_detector_is_tried_applied_and_taken_out_from_the_screen() {
    let lab = Lab::new();
    let _engine = lab.start_engine();
    lab.simulate(&lab.captures(), 2, "demo-v1", 7);
    lab.wait_done(2);
    let runtime = lab.runtime();
    let mut terminal = Terminal::open(&lab, 40, 120, &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    terminal.wait_for("engine running");
    terminal.press("4");
    // Also what is in no pipeline, once the engine has said what there is.
    terminal.wait_for("detect-anomaly");
    let configured = || fs::read_to_string(lab.workspace.join("ferrule.toml")).unwrap();
    let before = configured();

    // Down to the first detector, and into its parameters.
    terminal.press("jjj\r");
    terminal.wait_for("detect-region");
    terminal.wait_for("Enter applies");
    terminal.wait_for("typed");
    // Out of range it is told; then the picture is inspected with what is typed, and nothing is written.
    terminal.press("\x15999");
    terminal.wait_for("from 3 to 30");
    terminal.press("\x1529.5");
    terminal.wait_for("Enter applies");
    lab.wait_for("the capture is tried with it", || {
        let screen = terminal.screen();
        // Beside the time that is stored stands that of the trial.
        let times = screen.lines().find_map(|line| line.split_once("ms  "))?.1;
        (times.split_whitespace().filter(|time| time.parse::<f64>().is_ok()).count() == 2).then_some(())
    });
    assert_eq!(configured(), before, "trying writes nothing");
    let images = lab.query_count("SELECT count(*) FROM inspections");

    terminal.press("\r");
    terminal.wait_for("is in force");
    let after = configured();
    assert!(after.contains("[plugin.detect-region]") && after.starts_with(before.trim_end()), "{after}");
    assert_eq!(lab.query_count("SELECT count(*) FROM inspections"), images, "nothing of the trials was stored");

    // Out of the pipeline, and the swap is remembered.
    let detectors = || lab.status().unwrap()["plugins"].to_string();
    assert!(detectors().contains("detect-region"));
    terminal.press("e");
    lab.wait_for("detect-region is out of the pipeline", || (!detectors().contains("detect-region")).then_some(()));
    terminal.press("s");
    terminal.wait_for("Swaps, the newest first");
    terminal.wait_for("generation 3 in force");
}
