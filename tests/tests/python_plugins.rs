//! Plug-ins that are Python files, end to end: dropped in, swapped by saving, contained, named.
//!
//! They need a Python with NumPy: `cargo xtask test` makes one where it can, and says so where it cannot.

use std::{fs, path::Path};

use ferrule_tests::{Lab, text};

/// A lab whose interpreter has NumPy, with these detectors after the shipped ones.
fn lab(detectors: &str) -> Option<Lab> {
    let Some(python) = std::env::var("FERRULE_PEERS_PYTHON").ok() else {
        eprintln!("notice: NOT RUN, FERRULE_PEERS_PYTHON names no Python with NumPy; `cargo xtask test` makes one");
        return None;
    };
    let lab = Lab::new();
    // `init` writes [plugins] and [pipeline] only as comments.
    lab.append_settings(&format!(
        "\n[plugins]\npython = \"{python}\"\nsettle_ms = 50\n[pipeline]\ndetect = [\"detect-region\", {detectors}]\n[workers]\ncount = 1\nwide_deadline_ms = 4000\n"
    ));
    Some(lab)
}

fn drop_in(lab: &Lab, name: &str, text: &str) {
    // Written aside and renamed, as editors do.
    let to = lab.workspace.join("plugins").join(name);
    let aside = to.with_extension("part");
    fs::write(&aside, text).unwrap();
    fs::rename(aside, to).unwrap();
}

/// A detector that reports a square at (`x`, 20) whose side its helper says.
const SQUARE: &str = r#"
import numpy as np
import helper

FERRULE = {
    "id": "squares",
    "version": "1.0.0",
    "slot": "detect",
    "summary": "one square",
    "parameters": {"x": {"default": 30, "low": 0, "high": 500, "unit": "px", "help": "where"}},
}

def detect(image, scene):
    assert image.dtype == np.uint8 and image.shape == scene.labels.shape
    mask = np.zeros(image.shape, bool)
    mask[20:20 + helper.side(), scene.parameters["x"]:scene.parameters["x"] + helper.side()] = True
    return [{"type": "residue", "confidence": 0.9, "severity": "HIGH", "mask": mask, "attributes": {"zones": len(scene.zones)}}]
"#;

fn helper(side: u32) -> String {
    format!("def side():\n    return {side}\n")
}

fn simulate(lab: &Lab, count: u64, seed: u64) {
    let apart = lab.root().join(format!("apart-{seed}"));
    lab.simulate(&apart, count, "burst-v1", seed);
    for entry in fs::read_dir(apart).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), lab.captures().join(format!("{seed}-{}", entry.file_name().display()))).unwrap();
    }
}

fn squares(lab: &Lab, side: u32) -> i64 {
    let area = side * side;
    lab.query_count(&format!(
        "SELECT count(*) FROM defect_parts WHERE plugin LIKE 'squares%' AND area_px = {area} AND dtype = 'residue'"
    ))
}

#[test]
fn a_file_that_is_dropped_in_judges_the_next_capture_and_so_does_each_version_of_what_it_imports() {
    let Some(lab) = lab("\"squares\"") else { return };
    drop_in(&lab, "helper.py", &helper(7));
    drop_in(&lab, "squares.py", SQUARE);
    let engine = lab.start_engine();
    simulate(&lab, 3, 1);
    lab.wait_done(3);
    assert_eq!(squares(&lab, 7), 3, "{}", lab.engine_log());
    let generation = lab.status().unwrap()["generation"].as_u64().unwrap();

    drop_in(&lab, "helper.py", &helper(9));
    lab.wait_for("the next generation in force", || {
        let status = lab.status()?;
        let idle = status["workers"].as_array()?.iter().filter(|worker| worker["plugin"] == "squares").count() == 1;
        (status["generation"].as_u64()? > generation && idle).then_some(())
    });
    // The old one may still have been at work when the new one was announced: what comes from now on is the new one's.
    lab.wait_for("a capture of the new build", || {
        let before = lab.count("done");
        simulate(&lab, 1, 100 + before);
        lab.wait_done(before + 1);
        (squares(&lab, 9) > 0).then_some(())
    });
    let before = squares(&lab, 9);
    let goal = lab.count("done") + 3;
    simulate(&lab, 3, 2);
    lab.wait_done(goal);
    assert_eq!(squares(&lab, 9), before + 3);

    let builds = lab.query_count("SELECT count(DISTINCT build) FROM plugins WHERE plugin = 'squares'");
    assert_eq!(builds, 2, "the rows lead to two builds");
    lab.append_settings("[plugin.squares]\nx = 60\n");
    lab.wait_for("the parameter in force", || {
        let before = lab.count("done");
        simulate(&lab, 1, 200 + before);
        lab.wait_done(before + 1);
        let moved = lab
            .query_count("SELECT count(*) FROM defect_parts WHERE plugin LIKE 'squares%' AND box_x BETWEEN 58 AND 62");
        (moved > 0).then_some(())
    });
    lab.audit();
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().success());
}

#[test]
fn what_a_file_raises_is_told_with_its_line_and_costs_nobody_else() {
    let Some(lab) = lab("\"raises\"") else { return };
    let raises = SQUARE.replace("squares", "raises").replace("import helper\n", "").replace(
        "    mask = np",
        "    if image.shape[0] > 100:\n        raise KeyError('no such\\nthing')\n    return None\n    mask = np",
    );
    drop_in(&lab, "raises.py", &raises);
    let _engine = lab.start_engine();
    simulate(&lab, 2, 1);
    lab.wait_done(2);
    assert_eq!(
        lab.query_count(
            "SELECT count(*) FROM inspections WHERE incomplete LIKE '%raises 1.0.0%KeyError%raises.py line 15%'"
        ),
        2
    );
    assert_eq!(lab.query_count("SELECT count(*) FROM images WHERE clad_r > 0 AND has_defect IS NULL"), 2);
}

#[test]
fn an_interpreter_that_crashes_is_named_with_its_signal_and_set_aside() {
    let Some(lab) = lab("\"crashes\"") else { return };
    let crashes = SQUARE.replace("squares", "crashes").replace("import helper\n", "import ctypes\n").replace(
        "    mask = np",
        "    if image.shape[0] > 100:\n        ctypes.string_at(8)\n    return None\n    mask = np",
    );
    drop_in(&lab, "crashes.py", &crashes);
    let _engine = lab.start_engine();
    simulate(&lab, 5, 1);
    lab.wait_done(5);
    assert_eq!(lab.query_count("SELECT count(*) FROM inspections WHERE incomplete LIKE '%crashes 1.0.0%SIGSEGV%'"), 5);
    let status = lab.status().unwrap();
    let plugins = status["plugins"].as_array().unwrap();
    let crashing = plugins.iter().find(|plugin| plugin["id"] == "crashes").unwrap();
    assert_eq!(crashing["quarantined"], true, "{status:#}");
    lab.audit();
}

#[test]
fn a_file_that_cannot_be_used_is_refused_in_one_line_with_the_remedy() {
    let Some(lab) = lab("\"squares\"") else { return };
    drop_in(&lab, "helper.py", &helper(3));
    drop_in(&lab, "squares.py", SQUARE);
    let refusal = |name: &str, text: &str| {
        drop_in(&lab, name, text);
        let said = self::text(&lab.run(&["plugin", "list"]));
        let line = said.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {said}")).to_owned();
        fs::remove_file(lab.workspace.join("plugins").join(name)).unwrap();
        line
    };
    let about = |slot: &str| format!("FERRULE = {{\"id\": \"odd\", \"version\": \"1.0.0\", \"slot\": \"{slot}\"}}\n");
    for (text, word) in [
        (format!("{}def detect(image:\n", about("detect")), "SyntaxError"),
        (format!("import nowhere_to_be_found\n{}", about("detect")), "nowhere_to_be_found"),
        (about("detect"), "no function detect(image, scene)"),
        (about("grade"), "expected one of segment, detect, measure"),
        (format!("{}def detect(image):\n    return image.astype(float)\n", about("detect")), "expected bool"),
        (format!("{}def detect(image):\n    import os\n    os._exit(3)\n", about("detect")), "exit status: 3"),
        ("FERRULE = {\"id\": \"odd\"}\n".to_owned(), "lacks version, slot"),
    ] {
        let line = refusal("odd.py", &text);
        assert!(line.contains(word), "{word}: {line}");
    }
    lab.append_settings("");
    let settings = lab.workspace.join("ferrule.toml");
    let before = fs::read_to_string(&settings).unwrap();
    let python = before.lines().find(|line| line.starts_with("python = ")).unwrap();
    fs::write(&settings, before.replace(python, "python = \"/nowhere/python\"")).unwrap();
    let said = text(&lab.run(&["plugin", "list"]));
    assert!(said.contains("`/nowhere/python` cannot be started") && said.contains("plugins.python"), "{said}");
}

#[test]
fn the_example_in_the_guide_passes_every_check_and_finds_bright_spots() {
    let Some(lab) = lab("\"bright-spots\"") else { return };
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/python-bridge/examples/bright_spots.py");
    let example = fs::read_to_string(example).unwrap();
    let guide = include_str!("../../plugins/python-bridge/README.md");
    let code = example.split_once("\"\"\"\n").unwrap().1;
    let squeezed = |text: &str| text.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    assert!(squeezed(guide).contains(&squeezed(code)), "the guide shows the example as it is");
    drop_in(&lab, "bright_spots.py", &example);
    let file = lab.workspace.join("plugins/bright_spots.py");
    let check = lab.ferrule(&["plugin", "check"]).arg(&file).arg(&lab.workspace).output().unwrap();
    assert!(check.status.success(), "{}", text(&check));
    let mut picture = image::GrayImage::from_pixel(300, 240, image::Luma([90]));
    let spot = (100..105).flat_map(|x| (60..64).map(move |y| (x, y)));
    for (x, y) in spot.chain([(220, 150)]) {
        picture.put_pixel(x, y, image::Luma([200]));
    }
    let file = lab.root().join("spots.png");
    picture.save(&file).unwrap();
    let output = lab
        .ferrule(&["inspect", "--json", "--cfg"])
        .arg(lab.workspace.join("ferrule.toml"))
        .arg("--plugin-path")
        .arg(lab.workspace.join("plugins"))
        .arg(&file)
        .output()
        .unwrap();
    let answer: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
    let found = answer["defects"].as_array().unwrap();
    let areas: Vec<_> = found
        .iter()
        .filter(|defect| defect["plugin"] == "bright-spots 1.0.0")
        .map(|d| d["area_px"].as_u64().unwrap())
        .collect();
    assert_eq!(areas, [16], "without its corners, and without the one that stands alone: {answer:#}");
}

#[test]
fn a_file_is_put_to_the_test_and_installed_with_what_it_imports_like_any_library() {
    let Some(lab) = lab("\"squares\"") else { return };
    let apart = lab.root().join("mine");
    fs::create_dir(&apart).unwrap();
    fs::write(apart.join("helper.py"), helper(5)).unwrap();
    fs::write(apart.join("squares.py"), SQUARE).unwrap();
    let command = |what: &str, file: &str| {
        lab.ferrule(&["plugin", what, "--json"]).arg(apart.join(file)).arg(&lab.workspace).output().unwrap()
    };
    let output = command("check", "squares.py");
    assert!(output.status.success(), "{}", text(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for check in ["answers", "parameters", "pictures", "determinism", "speed", "memory"] {
        assert!(said.contains(&format!("\"check\":\"{check}\"")), "{check}: {said}");
    }
    fs::write(apart.join("lies.py"), SQUARE.replace("squares", "lies").replace("0.9", "9.0")).unwrap();
    let output = command("check", "lies.py");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("a confidence of 9"), "{}", text(&output));

    // The pipeline names it, so captures wait until it is there.
    let engine = lab.start_engine();
    let output = command("install", "squares.py");
    assert!(output.status.success(), "{}", text(&output));
    for file in ["squares.py", "helper.py"] {
        assert!(lab.workspace.join("plugins").join(file).is_file(), "{file}");
    }
    simulate(&lab, 2, 1);
    lab.wait_done(2);
    assert_eq!(squares(&lab, 5), 2);
    let output = command("install", "lies.py");
    assert!(!output.status.success() && !lab.workspace.join("plugins/lies.py").exists(), "{}", text(&output));

    // A rollback brings back what it imports, too.
    fs::write(apart.join("helper.py"), helper(7)).unwrap();
    let output = command("install", "squares.py");
    assert!(output.status.success(), "{}", text(&output));
    let output = lab.ferrule(&["plugin", "rollback", "squares"]).arg(&lab.workspace).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(fs::read_to_string(lab.workspace.join("plugins/helper.py")).unwrap(), helper(5));
    simulate(&lab, 2, 5);
    lab.wait_done(4);
    assert_eq!(squares(&lab, 5), 4);
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().success());
}
