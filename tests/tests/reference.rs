//! References of clean end faces through the real binary: built, shown, compared with, and refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use ferrule_tests::{Lab, terminal::Terminal, text};
use serde_json::Value;

/// One bench and one kind of fibre, as a person would build a reference for.
const BENCH: &str = r#"
about = "one bench, one kind of fibre"
clean = CLEAN
[[microscope]]
weight = 1
size = [400, 340]
pixel_aspect = 1.0
um_per_px = [0.99, 1.01]
border_px = [0, 0, 0, 0]
fibres = ["FIBRE"]
off_centre = [0.0, 0.3]
ellipticity = [0.0, 0.004]
core_offset_um = [0.0, 0.8]
jpeg_quality = [90, 92]
camera_jpeg = 0.5
[microscope.light]
ferrule = [165, 190]
cladding = [0.4, 0.44]
falloff = [0.1, 0.2]
power = [2, 3]
off_centre = [0.0, 0.1]
[[microscope.core]]
share = 1
contrast = [0.3, 0.4]
dome = [0.0, 0.1]
ripple = [0.0, 0.01]
glow = [0.0, 0.05]
[microscope.edge]
rise_px = [1.8, 2.4]
ring = [0.1, 0.2]
halo = [0.02, 0.06]
glue_share = 0.0
glue_um = [2.0, 3.0]
glue_level = [0.5, 0.8]
decoy_share = 0.0
[microscope.grain]
sigma = [0.0, 0.3]
period_um = [2.2, 2.9]
[microscope.noise]
sigma = [0.6, 1.6]
shot_share = [0.1, 0.5]
correlation = [0.42, 0.6]
"#;

/// One pit, chip or residue a picture, in the fibre or at its edge.
const DIRT: &str = r#"
[defects]
count = [1, 1]
one_kind = true
contrast_sigma = [14.0, 24.0]
dark = 0.85
pit_um = [6, 8, 10]
chip_um = [10, 13, 18]
particle_um = [6, 8, 12]
residue_um = [24, 30, 40]
[defects.kinds]
scratch = 0
pit = 1
chip = 1
particle = 0
residue = 1
[defects.zones]
core = 1
cladding = 3
ferrule = 0
[defects.scratch]
length_um = [30, 40, 80]
width_um = [1.5, 2.0, 4.0]
curved = 0.4
crossing = 0.15
unevenness = [0.0, 0.25]
"#;

/// Only `detect-anomaly` looks, with a reference beside the settings.
const SETTINGS: &str =
    "[pipeline]\ndetect = [\"detect-anomaly\"]\n[plugin.detect-anomaly]\nmodel = \"clean.reference\"\n";

fn draw(lab: &Lab, name: &str, fibre: &str, clean: bool, count: u64, seed: u64) -> PathBuf {
    let preset = lab.root().join(format!("{name}.toml"));
    let bench = BENCH.replace("FIBRE", fibre).replace("CLEAN", if clean { "1.0" } else { "0.0" });
    fs::write(&preset, if clean { bench } else { bench + DIRT }).unwrap();
    let out = lab.root().join(name);
    lab.simulate(&out, count, preset.to_str().unwrap(), seed);
    out
}

fn build(lab: &Lab, pictures: &[&Path], out: &str, more: &[&str]) -> Output {
    lab.ferrule(&["reference", "build", "--out", out]).args(more).args(pictures).output().unwrap()
}

fn inspected(lab: &Lab, settings: &Path, pictures: &Path) -> Vec<Value> {
    let output = lab.ferrule(&["inspect", "--json", "--cfg"]).args([settings, pictures]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The middle of the only thing that each picture of a truth file shows, by file name.
fn planted(truth: &Path) -> Vec<(String, [f64; 4])> {
    let truth: Value = serde_json::from_slice(&fs::read(truth).unwrap()).unwrap();
    let boxed = |image: &Value| {
        let annotation = truth["annotations"].as_array().unwrap().iter().find(|it| it["image_id"] == image["id"]);
        [0, 1, 2, 3].map(|i| annotation.unwrap()["bbox"][i].as_f64().unwrap())
    };
    let images = truth["images"].as_array().unwrap().iter();
    images.map(|image| (image["file_name"].as_str().unwrap().to_owned(), boxed(image))).collect()
}

fn refused(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{}", text(output));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(said.lines().count() <= 2, "one line, and perhaps a hint: {said}");
    said
}

#[test]
fn clean_captures_do_not_deviate_from_their_reference_and_planted_dirt_does_where_it_is() {
    let lab = Lab::new();
    let output = build(&lab, &[&draw(&lab, "learnt", "mm-50-125", true, 14, 5)], "clean.reference", &[]);
    assert!(output.status.success(), "{}", text(&output));
    let settings = lab.root().join("anomaly.toml");
    fs::write(&settings, SETTINGS).unwrap();
    for answer in inspected(&lab, &settings, &draw(&lab, "clean", "mm-50-125", true, 10, 77)) {
        assert_eq!(answer["has_defect"], false, "{answer:#}");
    }
    let answers = inspected(&lab, &settings, &draw(&lab, "dirty", "mm-50-125", false, 9, 3));
    for (name, [x, y, width, height]) in planted(&lab.root().join("truth-3.json")) {
        let answer = answers.iter().find(|answer| answer["path"].as_str().unwrap().ends_with(&name)).unwrap();
        let defects = answer["defects"].as_array().unwrap();
        let hit = defects.iter().any(|defect| {
            let at = |key: &str| defect[key].as_f64().unwrap();
            let within = |at: f64, from: f64, size: f64| at > from - 3.0 && at < from + size + 3.0;
            defect["type"] == "anomaly" && within(at("x"), x, width) && within(at("y"), y, height)
        });
        assert!(hit && defects.len() == 1, "{name}: {x} {y} {width} {height}: {defects:#?}");
    }
}

#[test]
fn a_reference_says_what_it_was_built_from_and_what_was_left_out() {
    let lab = Lab::new();
    let pictures = draw(&lab, "learnt", "mm-50-125", true, 10, 5);
    let dirty = draw(&lab, "dirty", "mm-50-125", false, 2, 3);
    fs::write(pictures.join("z.png"), "no picture").unwrap();
    let output = build(&lab, &[&pictures, &dirty], "clean.reference", &["--label-clean-only", "--json"]);
    assert!(output.status.success(), "{}", text(&output));
    let built: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&built["format"], &built["captures"]), (&1.into(), &10.into()), "{built:#}");
    let left_out = built["origin"]["left_out"].as_array().unwrap();
    let reasons: Vec<&str> = left_out.iter().map(|left| left["reason"].as_str().unwrap()).collect();
    assert_eq!(left_out.len(), 3, "{left_out:#?}");
    assert!(reasons[0].contains("no picture") && reasons[1..].iter().all(|reason| reason.contains("not clean")));
    let shown = lab.ferrule(&["reference", "show", "--json", "clean.reference"]).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).unwrap(), built);
    let shown = text(&lab.ferrule(&["reference", "show", "clean.reference"]).output().unwrap());
    for word in ["format 1", "10 used, 3 left out", "z.png: ", "of the cladding", "pipeline "] {
        assert!(shown.contains(word), "{word} in {shown}");
    }
}

#[test]
fn an_engine_takes_a_reference_that_is_written_again_in_its_place_and_keeps_the_one_that_it_judged_with() {
    let lab = Lab::with_settings(&format!("[plugins]\nsettle_ms = 10\n{SETTINGS}"));
    let model = lab.workspace.join("clean.reference");
    let pictures = draw(&lab, "learnt", "mm-50-125", true, 18, 5);
    let files: Vec<PathBuf> = fs::read_dir(&pictures).unwrap().map(|entry| entry.unwrap().path()).collect();
    let some = |range: &[PathBuf]| {
        let paths: Vec<&Path> = range.iter().map(PathBuf::as_path).collect();
        let output = build(&lab, &paths, model.to_str().unwrap(), &[]);
        assert!(output.status.success(), "{}", text(&output));
    };
    let in_force = |count: i64| {
        lab.wait_for("the pipeline in force", || {
            (lab.query_count("SELECT count(*) FROM swaps WHERE outcome = 'in force'") == count).then_some(())
        });
    };
    some(&files[..9]);
    let first = fs::read(&model).unwrap();
    let engine = lab.start_engine();
    in_force(1);
    some(&files[9..]);
    in_force(2);
    let kept: Vec<Vec<u8>> = fs::read_dir(lab.workspace.join(".ferrule/store"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "file"))
        .map(|path| fs::read(path).unwrap())
        .collect();
    assert_eq!(kept.len(), 2);
    assert!(kept.contains(&first) && kept.contains(&fs::read(&model).unwrap()));
    // One that is gone, or no reference, leaves the former in force, and says so.
    fs::write(&model, "no reference").unwrap();
    lab.wait_for("the refusal", || {
        (lab.query_count("SELECT count(*) FROM swaps WHERE outcome = 'refused'") == 1).then_some(())
    });
    fs::copy(files.first().unwrap(), lab.captures().join("a.png")).unwrap();
    lab.wait_done(1);
    assert_eq!(lab.query_count("SELECT count(*) FROM inspections WHERE generation = 2 AND incomplete = '[]'"), 1);
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().success());
}

#[test]
fn what_makes_no_reference_is_said_in_one_line_and_nothing_is_written() {
    let lab = Lab::new();
    let few = draw(&lab, "few", "mm-50-125", true, 6, 5);
    let other = draw(&lab, "other", "mm-105-125", true, 5, 6);
    let junk = lab.root().join("junk");
    fs::create_dir(&junk).unwrap();
    fs::write(junk.join("a.png"), "no picture").unwrap();
    let refusal = |pictures: &[&Path]| refused(&build(&lab, pictures, "x.reference", &[]), 2);
    assert!(refusal(&[&few]).contains("only 6 of 6 pictures are usable, a reference takes at least 8"));
    assert!(refusal(&[&few, &other]).contains("pictures of different fibres: "));
    assert!(refusal(&[&junk]).contains("no usable picture among 1 (a.png: "));
    let nowhere = refused(&build(&lab, &[&few], "gone/x.reference", &[]), 2);
    assert!(nowhere.contains("--out gone/x.reference: there is no such folder"), "{nowhere}");
    assert!(!lab.root().join("x.reference").exists());
}

#[test]
fn a_reference_that_cannot_be_used_is_named_with_the_remedy() {
    let lab = Lab::new();
    let pictures = draw(&lab, "learnt", "mm-50-125", true, 8, 5);
    assert!(build(&lab, &[&pictures], "clean.reference", &[]).status.success());
    let (file, settings) = (lab.root().join("clean.reference"), lab.root().join("anomaly.toml"));
    fs::write(&settings, SETTINGS).unwrap();
    let whole = fs::read(&file).unwrap();
    let mut newer = whole.clone();
    newer[12] = 7;
    for (bytes, word) in
        [(&whole[..whole.len() / 2], "cut off"), (&newer[..], "format 7"), (&b"hello"[..], "no reference model")]
    {
        fs::write(&file, bytes).unwrap();
        let shown = refused(&lab.ferrule(&["reference", "show", "clean.reference"]).output().unwrap(), 2);
        assert!(shown.contains(word) && shown.contains("clean.reference"), "{shown}");
        let output = lab.ferrule(&["inspect", "--cfg"]).args([&settings, &pictures]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("detect-anomaly") && said.contains(word), "{said}");
    }
    fs::remove_file(&file).unwrap();
    let said = text(&lab.ferrule(&["inspect", "--cfg"]).args([&settings, &pictures]).output().unwrap());
    assert!(said.contains("plugin.detect-anomaly: `model` is ") && said.contains("No such file"), "{said}");
}

#[test]
fn a_workspace_compares_with_a_reference_beside_its_settings() {
    let lab = Lab::new();
    let pictures = draw(&lab, "learnt", "mm-50-125", true, 10, 5);
    let reference = lab.workspace.join("clean.reference");
    assert!(build(&lab, &[&pictures], reference.to_str().unwrap(), &[]).status.success());
    lab.append_settings(SETTINGS);
    let _engine = lab.start_engine();
    let dirty = draw(&lab, "dirty", "mm-50-125", false, 3, 3);
    for file in ferrule_tests::files_below(&dirty) {
        fs::copy(&file, lab.captures().join(file.file_name().unwrap())).unwrap();
    }
    lab.wait_done(3);
    assert_eq!(lab.query_count("SELECT count(DISTINCT image_id) FROM defects WHERE dtype = 'anomaly'"), 3);
    lab.audit();
}

#[test]
fn captures_that_are_marked_in_the_workbench_become_a_reference() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    let pictures = draw(&lab, "learnt", "mm-50-125", true, 9, 5);
    for picture in fs::read_dir(&pictures).unwrap() {
        let picture = picture.unwrap().path();
        fs::copy(&picture, lab.captures().join(picture.file_name().unwrap())).unwrap();
    }
    lab.wait_done(9);
    let runtime = lab.runtime();
    let mut terminal = Terminal::open(&lab, 40, 150, &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    terminal.wait_for("engine running");
    terminal.press("2");
    terminal.wait_for("9 captures");
    terminal.press("B");
    terminal.wait_for("Mark captures of clean end faces first");
    // Too few, and then all of them.
    terminal.press(" ");
    terminal.wait_for("1 marked");
    terminal.press("B");
    terminal.wait_for("a reference takes at least 8");
    terminal.press("*");
    terminal.wait_for("9 marked");
    terminal.press("B");
    terminal.wait_for("made of 9 captures; it is for detect-anomaly");
    let made = fs::read_dir(lab.workspace.join("models")).unwrap().map(|entry| entry.unwrap().path());
    let made: Vec<PathBuf> = made.filter(|path| path.extension().is_some_and(|it| it == "reference")).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    let shown = lab.ferrule(&["reference", "show"]).arg(&made[0]).output().unwrap();
    assert!(text(&shown).contains("9 used, 0 left out"), "{}", text(&shown));
    // The tasks remember both.
    terminal.press("\x14");
    terminal.wait_for("make a reference");
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().success());
}
