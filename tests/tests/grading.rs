//! Verdicts of the shipped pipeline on simulated captures: what passes and fails, and what is not graded and why.

use std::{fs, path::Path};

use ferrule_tests::{Lab, files_below, text};
use image::{GrayImage, imageops};
use serde_json::Value;

/// One object a file, in the order of the files' names, without a workspace: as it ships.
fn inspect(lab: &Lab, folder: &Path, options: &[&str]) -> Vec<Value> {
    let mut command = lab.ferrule(&["inspect", "--json"]);
    let output = command.args(options).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn word<'a>(line: &'a Value, key: &str) -> &'a str {
    line["verdict"][key].as_str().unwrap_or_default()
}

#[test]
fn telecom_fibres_pass_or_fail_by_zones_and_nothing_is_graded_without_a_scale() {
    let lab = Lab::new();
    let folder = lab.root().join("drawn");
    lab.simulate(&folder, 40, "demo-v1", 4);
    let truth: Value = serde_json::from_slice(&fs::read(lab.root().join("truth-4.json")).unwrap()).unwrap();
    let fibre_of = |line: &Value| {
        let path = line["path"].as_str().unwrap();
        let images = truth["images"].as_array().unwrap();
        let image = images.iter().find(|image| path.ends_with(image["file_name"].as_str().unwrap())).unwrap();
        image["fibre"].as_str().unwrap().to_owned()
    };

    let (mut passed, mut failed) = (0, 0);
    for line in inspect(&lab, &folder, &["--cladding-um", "125"]) {
        let fibre = fibre_of(&line);
        match word(&line, "overall") {
            "not graded" => assert!(!word(&line, "reason").is_empty(), "{line:#}"),
            outcome => {
                let profile = if fibre.starts_with("sm") { "sm-pc-panduit" } else { "mm-pc-panduit" };
                assert_eq!(word(&line, "profile"), profile, "{fibre}");
                let zones: Vec<&str> =
                    line["verdict"]["zones"].as_array().unwrap().iter().map(|z| z["zone"].as_str().unwrap()).collect();
                assert_eq!(zones, ["core", "cladding", "adhesive", "ferrule"]);
                let broken = line["verdict"]["failed"].as_array().unwrap().len();
                assert_eq!(broken > 0, outcome == "fail");
                if outcome == "fail" { failed += 1 } else { passed += 1 }
            }
        }
        assert!(
            fibre.starts_with("mm-91") <= (word(&line, "overall") == "not graded"),
            "no profile is for a 91 µm core"
        );
    }
    assert!(passed > 0 && failed > 0, "{passed} passed, {failed} failed");

    for line in inspect(&lab, &folder, &[]) {
        assert_eq!(word(&line, "overall"), "not graded");
        assert!(word(&line, "reason").contains("the scale is not known"), "{line:#}");
    }
}

#[test]
fn a_blurred_or_dark_capture_is_flagged_and_not_graded() {
    let lab = Lab::new();
    let (drawn, spoilt) = (lab.root().join("drawn"), lab.root().join("spoilt"));
    lab.simulate(&drawn, 4, "demo-v1", 9);
    fs::create_dir(&spoilt).unwrap();
    let mut files = files_below(&drawn);
    files.sort();
    for (i, file) in files.iter().enumerate() {
        let picture = image::open(file).unwrap().into_luma8();
        let dark =
            GrayImage::from_fn(picture.width(), picture.height(), |x, y| image::Luma([picture[(x, y)].0[0] / 8]));
        dark.save(spoilt.join(format!("dark-{i}.png"))).unwrap();
        imageops::blur(&picture, 8.0).save(spoilt.join(format!("blurred-{i}.png"))).unwrap();
    }
    for line in inspect(&lab, &drawn, &["--cladding-um", "125"]) {
        assert_eq!(line["quality"]["flags"], Value::Array(Vec::new()), "{line:#}");
    }
    let lines = inspect(&lab, &spoilt, &["--cladding-um", "125"]);
    assert_eq!(lines.len(), 8);
    for line in lines {
        let flag = if line["path"].as_str().unwrap().contains("blurred-") { "blurred" } else { "dark" };
        assert!(line["quality"]["flags"].as_array().unwrap().contains(&flag.into()), "{line:#}");
        assert_eq!(word(&line, "overall"), "not graded");
        assert!(word(&line, "reason").contains(flag), "{line:#}");
    }
}
