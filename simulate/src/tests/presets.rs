//! Preset and fibre files: the shipped ones are right, and a wrong one is told in one line.

use crate::{FibreType, Preset};

const GOOD: &str = include_str!("../../../config/simulate/burst-v1.toml");

#[test]
fn every_shipped_preset_and_fibre_can_be_read() {
    for name in Preset::shipped() {
        let preset = Preset::find(name).unwrap();
        assert_eq!(preset.name, name);
        assert!(!preset.about.is_empty());
    }
    for name in ["demo-v1", "clean-v1", "paper-v1", "train-v1", "low-contrast-v1", "burst-v1"] {
        assert!(Preset::shipped().contains(&name), "{name}");
    }
    // A file that lies in config and is not compiled in would be missing without a word.
    let files = |folder: &str| {
        let entries = std::fs::read_dir(format!("{}/../config/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "toml")).count()
    };
    assert_eq!(FibreType::shipped().len(), 8);
    assert_eq!((FibreType::shipped().len(), Preset::shipped().len()), (files("fibres"), files("simulate")));
    let single = FibreType::named("sm-9-125").unwrap();
    assert_eq!((single.core_um, single.cladding_um), (9.0, 125.0));
}

#[test]
fn a_path_does_where_a_name_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, GOOD).unwrap();
    let preset = Preset::find(path.to_str().unwrap()).unwrap();
    assert_eq!(preset.name, "mine");
    assert_eq!(preset.fingerprint, Preset::find("burst-v1").unwrap().fingerprint);
}

#[test]
fn an_unknown_name_lists_those_that_would_do() {
    let error = Preset::find("clean-v9").unwrap_err().to_string();
    assert!(error.contains("clean-v9") && error.contains("clean-v1") && error.contains("demo-v1"), "{error}");
}

/// The error of a good preset in which `from` was replaced.
fn error_of(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the preset no longer contains {from:?}");
    Preset::parse("bad", "bad.toml", &GOOD.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn each_mistake_gives_one_line_with_file_line_key_and_what_was_expected() {
    let line_of = |text: &str| GOOD.lines().position(|line| line.starts_with(text)).unwrap() + 1;
    let cases = [
        ("clean = 0.5", "clean = 5", "clean = ", "`clean`: expected a number from 0 to 1, found 5"),
        ("clean = 0.5", "clean = \"half\"", "clean = ", "`clean`: expected a number from 0 to 1, found \"half\""),
        ("pixel_aspect = 1.0", "pixel_aspect = [1.0]", "pixel_aspect", "`microscope[0].pixel_aspect`"),
        ("um_per_px = [1.75, 2.0]", "um_per_px = [2.0, 1.75]", "um_per_px", "rising numbers"),
        ("size = [160, 120]", "size = [160.5, 120]", "size", "2 whole numbers from 64 to 8192"),
        ("size = [160, 120]", "size = [1, 1]", "size", "2 whole numbers"),
        ("\"sm-9-125\"", "\"sm-8-125\"", "fibres", "`microscope[0].fibres`: expected names from sm-9-125"),
        ("border_px = [0, 0, 0, 0]", "border_px = [70, 0, 70, 0]", "border_px", "leave at least 48 px"),
        ("count = [1, 2]", "count = [2, 1]", "count", "the smaller number first"),
        ("camera_jpeg = 0.0", "camera_jpeg = 2", "camera_jpeg", "`microscope[0].camera_jpeg`"),
        ("one_kind = false", "one_kind = 0", "one_kind", "true or false"),
    ];
    for (from, to, at, wanted) in cases {
        let error = error_of(from, to);
        assert!(error.starts_with(&format!("bad.toml:{}: ", line_of(at))), "{to}: {error}");
        assert!(error.contains(wanted), "{to}: {error}");
        assert_eq!(error.lines().count(), 1, "{to}: {error}");
    }
}

#[test]
fn unknown_missing_and_broken_lines_are_told_too() {
    let unknown = error_of("clean = 0.5", "clean = 0.5\ncleen = 0.5");
    assert!(unknown.contains("`cleen` is not a key of this file") && unknown.contains("clean"), "{unknown}");
    let missing = error_of("pixel_aspect = 1.0", "");
    assert!(missing.contains("`microscope[0].pixel_aspect` is missing"), "{missing}");
    let broken = error_of("clean = 0.5", "clean = = 0.5");
    assert!(broken.starts_with("bad.toml:") && broken.contains("not TOML"), "{broken}");
    for error in [unknown, missing, broken] {
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let nothing = Preset::parse("bad", "bad.toml", "").unwrap_err().to_string();
    assert!(nothing.contains("is missing"), "{nothing}");
    let fibre = FibreType::parse("f.toml", "name = \"x\"\ncore_um = 125\ncladding_um = 50\nsource = \"s\"\n");
    assert!(fibre.unwrap_err().to_string().starts_with("f.toml:3: `cladding_um`"));
}
