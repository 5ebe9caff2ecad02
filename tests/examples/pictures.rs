//! The pictures of the documentation: screens of the real binary in a pseudo-terminal, over a dataset that a simulated
//! microscope has filled from a seed, as SVG. `cargo xtask pictures` starts it with the folder that gets them.
#![allow(clippy::unwrap_used, reason = "a program of the house that may stop at any trouble")]

use std::{fs, path::PathBuf};

use ferrule_tests::{Lab, svg::svg, terminal::Terminal};

/// Its files' names say job, port and side, as those of `cargo xtask demo`.
const SOURCE: &str = "cladding_um = 125.0\nname_pattern = '^J(?<job>\\d+)_P(?<port>\\d+)_(?<side>[AB])_'\n";
const CAPTURES: u64 = 36;
const SEED: u64 = 5;
const SIZE: (u16, u16) = (36, 120);

/// Name of the picture, keys that lead from the screen before to it, and what is there when it is drawn.
const SCREENS: [(&str, &str, &str); 7] = [
    ("live", "", "Last captures"),
    ("captures", "2", "36 captures"),
    ("detail", "jjj\rz", "Figures"),
    ("jobs", "\u{1b}J", "Jobs, the newest first"),
    ("review", "3\r", "Defects"),
    ("plugins", "4", "detect-anomaly"),
    ("dataset", "6", "Exports"),
];

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("the folder that gets the pictures"));
    let lab = Lab::new();
    let file = lab.workspace.join("ferrule.toml");
    let settings = fs::read_to_string(&file).unwrap();
    let source = "path = \"captures\"\n";
    assert!(settings.contains(source), "{settings}");
    fs::write(&file, settings.replacen(source, &format!("{source}{SOURCE}"), 1)).unwrap();
    let _engine = lab.start_engine();
    lab.simulate(&lab.captures(), CAPTURES, "demo-v1", SEED);
    lab.wait_done(CAPTURES);
    let runtime = lab.runtime();
    let environment =
        [("XDG_RUNTIME_DIR", runtime.to_str().unwrap()), ("COLORTERM", "truecolor"), ("USER", "dana"), ("TZ", "UTC")];
    let mut terminal = Terminal::open(&lab, SIZE.0, SIZE.1, &environment);
    terminal.wait_for("engine running");
    for (name, keys, there) in SCREENS {
        for key in keys.split_inclusive(|_: char| true) {
            terminal.press(key);
            // Escape and what follows would be another key.
            settle(&terminal);
        }
        terminal.wait_for(there);
        settle(&terminal);
        let path = folder.join(format!("{name}.svg"));
        // Where it was built is nobody's business.
        let picture = terminal.look(svg).replace(env!("CARGO_MANIFEST_DIR").trim_end_matches("/tests"), "/opt/ferrule");
        fs::write(&path, picture).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    terminal.press("ql");
    terminal.wait_end();
}

/// Until nothing has come for a while: pictures are made beside the screen.
fn settle(terminal: &Terminal) {
    let mut before = None;
    while before != Some(terminal.bytes()) {
        before = Some(terminal.bytes());
        std::thread::sleep(std::time::Duration::from_millis(700));
    }
}
