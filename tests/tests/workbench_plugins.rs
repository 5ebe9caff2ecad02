//! A detector changed from the screen: its parameters tried on a capture, applied, and taken out again, while the engine
//! runs. In a real pseudo-terminal.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{fs, os::unix::fs::PermissionsExt};

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

/// The build of the shipped region detector that the engine has in force.
fn in_force(lab: &Lab) -> Option<String> {
    let status = lab.status()?;
    let detector = status["plugins"].as_array()?.iter().find(|plugin| plugin["id"] == "detect-region")?.clone();
    detector["build"].as_str().map(str::to_owned)
}

#[test]
fn a_swapped_detector_is_compared_over_marked_captures_and_the_former_build_is_put_back() {
    let lab = Lab::new();
    let _engine = lab.start_engine();
    lab.simulate(&lab.captures(), 3, "demo-v1", 7);
    lab.wait_done(3);
    let former = in_force(&lab).unwrap();

    // Another build of it into plugins/, as a developer copies one: what follows the last section is nobody's.
    let shipped = ferrule_tests::target_folder().join("plugins/detect-region.so");
    let mut bytes = fs::read(shipped).unwrap();
    bytes.extend_from_slice(b"built again");
    let (beside, place) = (lab.root().join("detect-region.so"), lab.workspace.join("plugins/detect-region.so"));
    fs::write(&beside, bytes).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o644)).unwrap();
    fs::rename(&beside, &place).unwrap();
    let again = lab.wait_for("the other build is in force", || in_force(&lab).filter(|build| *build != former));

    let runtime = lab.runtime();
    let mut terminal = Terminal::open(&lab, 40, 120, &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    terminal.wait_for("engine running");
    // Two of the three are marked and inspected again.
    terminal.press("2");
    terminal.wait_for("3 captures");
    terminal.press("  i");
    lab.wait_for("both are inspected again", || {
        (lab.query_count("SELECT count(*) FROM inspections WHERE state = 'done'") == 5).then_some(())
    });

    terminal.press("4");
    terminal.wait_for("detect-anomaly");
    terminal.press("jjjb");
    terminal.wait_for("Builds of detect-region");
    terminal.wait_for(&former[..12]);
    terminal.wait_for(&again[..12]);
    terminal.press("\r");
    terminal.wait_for("0 of 2 captures differ");
    terminal.wait_for("Both say the same of every capture");

    // Back to the builds, to the former one, and it comes into force again.
    terminal.press("\u{1b}");
    terminal.wait_for("the newest first");
    terminal.press("jr");
    terminal.wait_for("Put build");
    terminal.press("y");
    terminal.wait_for("detect-region.so is back");
    lab.wait_for("the former build is in force again", || in_force(&lab).filter(|build| *build == former));

    // The same comparison on the command line.
    let [a, b] = [&former, &again].map(|build| format!("detect-region@{}", &build[..8]));
    let output = lab.run(&["compare", "--json", &a, &b, "--where", "state:done"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!((&told["pictures"], &told["differing"]), (&2.into(), &0.into()), "{told:#}");
    assert_eq!(told["a"]["name"], format!("detect-region@{}", &former[..12]));
}
