//! Other people's tools on our output: NumPy and OpenCV compute every figure of a dataset again. `cargo xtask test` installs
//! them and says so where it cannot; then these tests say that they did not run.

use std::{fs, path::PathBuf};

use ferrule_tests::{Lab, files_below, peer, python, text};
use image::{GrayImage, ImageBuffer, Luma};

/// The same picture in 16 bits, between the levels that 8 bits have.
fn deepened(picture: &GrayImage) -> ImageBuffer<Luma<u16>, Vec<u16>> {
    ImageBuffer::from_fn(picture.width(), picture.height(), |x, y| {
        let between = (x * 37 + y * 101) % 257;
        Luma([(u32::from(picture[(x, y)].0[0]) * 257 + between).min(65_535) as u16])
    })
}

#[test]
fn every_figure_is_numpys_and_opencvs_on_the_same_masks_and_pixels() {
    let Some(python) = python() else { return };
    let lab = Lab::new();
    let settings = lab.workspace.join("ferrule.toml");
    let (before, source) = (fs::read_to_string(&settings).unwrap(), "path = \"captures\"\n");
    assert!(before.contains(source));
    fs::write(&settings, before.replacen(source, &format!("{source}cladding_um = 125.0\n"), 1)).unwrap();

    let drawn = lab.root().join("drawn");
    let output = lab
        .ferrule(&["simulate", "--count", "8", "--preset", "demo-v1", "--seed", "21", "--format", "png", "--out"])
        .arg(&drawn)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let mut files: Vec<PathBuf> =
        files_below(&drawn).into_iter().filter(|file| file.extension().is_some_and(|it| it == "png")).collect();
    files.sort();
    assert_eq!(files.len(), 8);
    let mut shapes = std::collections::BTreeSet::new();
    for (i, file) in files.iter().enumerate() {
        let picture = image::open(file).unwrap().into_luma8();
        shapes.insert(picture.dimensions());
        let to = lab.captures().join(file.file_name().unwrap());
        if i % 3 == 0 { deepened(&picture).save(to).unwrap() } else { fs::copy(file, to).map(drop).unwrap() }
    }
    // A picture without a fibre, narrower than a filter is wide in one direction.
    GrayImage::from_fn(64, 2, |x, _| Luma([x as u8 * 3])).save(lab.captures().join("sliver.png")).unwrap();
    assert!(shapes.len() >= 2, "one of the microscopes has pixels that are not square: {shapes:?}");

    let _engine = lab.start_engine();
    lab.wait_done(9);
    let answer = peer(&python, "features.py", &[lab.dataset()]);
    assert_eq!(answer["images"], 9, "{answer:#}");
    assert_eq!(answer["wrong_count"], 0, "{answer:#}");
    // Two zones with 13 figures and 256 bins each at the least: nothing to compare is no success.
    assert!(answer["compared"].as_u64().unwrap() > 8 * 2 * 269, "{answer:#}");
}

#[test]
fn a_reader_written_against_the_four_tables_reads_a_built_dataset_unchanged() {
    let Some(python) = python() else { return };
    let lab = Lab::new();
    lab.simulate(&lab.root().join("raw"), 20, "burst-v1", 31);
    let output = lab.ferrule(&["build", "raw", "--out", "out"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let answer = peer(&python, "reader.py", &[&lab.root().join("out")]);
    assert_eq!(answer["wrong"], serde_json::json!([]), "{answer:#}");
    assert_eq!((&answer["integrity"], &answer["foreign_keys"]), (&"ok".into(), &0.into()));
    let parts: u64 = ["train", "val", "test"].iter().map(|part| answer["parts"][part].as_u64().unwrap()).sum();
    assert_eq!(parts, 20, "{answer:#}");
}

#[test]
fn scikit_learn_finds_the_splits_stratified() {
    let Some(python) = python() else { return };
    let lab = Lab::new();
    lab.simulate(&lab.root().join("raw"), 120, "train-v1", 32);
    let output = lab.ferrule(&["build", "raw", "--correlations", "off", "--out", "out"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let answer = peer(&python, "stratified.py", &[&lab.root().join("out")]);
    assert_eq!((&answer["wrong"], &answer["classes"]), (&serde_json::json!([]), &2.into()), "{answer:#}");
    assert!(answer["images"].as_u64() > Some(100), "{answer:#}");
}
