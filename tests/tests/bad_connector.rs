//! Watching a line and finding the bad connector: from the capture as it comes in to the page that is handed over. In a real
//! pseudo-terminal.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use ferrule_tests::{Lab, files_below, terminal::Terminal};
use serde_json::Value;

/// Files' names say job, port and side.
const PATTERN: &str = "path = \"captures\"\nname_pattern = '^(?<job>[^-]+)-P(?<port>[0-9]+)-(?<side>[AB])'";

/// Simulated pictures by what is true of them: clean ones, and ones with a defect.
fn drawn(lab: &Lab) -> (Vec<String>, Vec<String>) {
    lab.simulate(&lab.root().join("drawn"), 12, "demo-v1", 7);
    let truth: Value = serde_json::from_slice(&fs::read(lab.root().join("truth-7.json")).unwrap()).unwrap();
    let named = |label: &str| {
        let images = truth["images"].as_array().unwrap().iter().filter(|image| image["label"] == label);
        images.map(|image| image["file_name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    (named("clean"), named("defect"))
}

#[test]
fn a_bad_connector_is_seen_as_it_comes_found_again_and_taken_along() {
    let lab = Lab::new();
    let file = lab.workspace.join("ferrule.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(&file, settings.replacen("path = \"captures\"", PATTERN, 1)).unwrap();
    let (clean, bad) = drawn(&lab);
    let _engine = lab.start_engine();
    let runtime = lab.runtime();
    let mut terminal = Terminal::open(&lab, 40, 120, &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    terminal.wait_for("engine running");
    terminal.wait_for("No captures yet");

    // They come one by one, and each is seen by itself.
    let put = |picture: &str, name: &str| {
        fs::copy(lab.root().join("drawn").join(picture), lab.captures().join(name)).unwrap();
    };
    for (number, picture) in clean.iter().take(3).enumerate() {
        put(picture, &format!("LOT7-P{number}-A.png"));
        terminal.wait_for(&format!("LOT7-P{number}-A.png"));
    }
    put(&bad[0], "LOT7-P9-B.png");
    lab.wait_done(4);
    terminal.wait_until("the bad one on Live", |screen| {
        let contents = screen.contents();
        contents.lines().nth(1).is_some_and(|title| title.contains("LOT7-P9-B.png")) && contents.contains("DEFECT")
    });

    // Among all captures it is the only one of its label.
    terminal.press("2");
    terminal.wait_for("4 captures");
    terminal.press("/label:defect\r");
    terminal.wait_for("1 capture");
    assert!(!terminal.screen().contains("LOT7-P0-A.png"), "{}", terminal.screen());
    // The list as it is, taken along.
    terminal.press("x");
    terminal.wait_for("1 written: ");
    let exports = lab.dataset().join("exports");
    let lists = files_below(&exports);
    let csv = fs::read_to_string(&lists[0]).unwrap();
    assert!(lists.len() == 1 && csv.lines().count() == 2 && csv.contains("LOT7-P9-B.png"), "{csv}");

    // Its defects, closer; what lies over the picture; the picture as a file.
    terminal.press("\r");
    terminal.wait_for("#4 LOT7-P9-B.png");
    terminal.wait_for("Defects ");
    terminal.press("z");
    terminal.wait_for("fibre");
    terminal.press("x");
    terminal.wait_for("saved: ");
    let pictures: Vec<_> =
        files_below(&exports).into_iter().filter(|file| file.extension().is_some_and(|it| it == "png")).collect();
    assert_eq!(pictures.len(), 1, "{pictures:?}");
    let (saved, source) =
        (image::open(&pictures[0]).unwrap(), image::open(lab.captures().join("LOT7-P9-B.png")).unwrap());
    assert_eq!((saved.width(), saved.height()), (source.width(), source.height()));

    // Which connector that is, and what stands of its job.
    terminal.press("\u{1b}");
    terminal.wait_for("1 capture");
    terminal.press("J");
    // The heads come with the jobs.
    terminal.wait_for("last capture");
    terminal.press("\r");
    terminal.wait_for("Job LOT7");
    terminal.press("e");
    terminal.wait_for("LOT7: ");
    let pages = files_below(&lab.dataset().join("jobs"));
    let page = pages.iter().find(|file| file.extension().is_some_and(|it| it == "html")).unwrap();
    assert!(fs::read_to_string(page).unwrap().contains("LOT7-P9-B"), "{pages:?}");
    terminal.press("ql");
    terminal.wait_end();
}
