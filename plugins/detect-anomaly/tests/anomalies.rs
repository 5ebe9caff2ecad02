//! What `detect-anomaly` says of drawn captures, compared with a reference learnt from others like them.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

#[path = "../../detect-region/tests/drawn/mod.rs"]
mod drawn;

use std::fs;

use detect_anomaly::DetectAnomaly;
use drawn::{CLADDING, CORE, Drawn, WIDTH, around, detector, look};
use ferrule_abi::{Defect, DefectKind, Parameter, Value};
use ferrule_vision::{
    ellipse::Ellipse,
    reference::{
        Layout,
        align::{Aligner, Capture},
        file::encode,
        frame::Frame,
        learn::learn,
    },
};

/// A reference of twelve clean captures in a folder that lives as long as this.
struct Bench {
    _folder: tempfile::TempDir,
    detector: DetectAnomaly,
}

fn parameter(name: &str, value: Value) -> Parameter {
    Parameter { name: name.into(), value }
}

fn bench() -> Bench {
    // The outlines that the drawn captures give their detectors.
    let cladding = Ellipse::circle(250.2, 214.8, CLADDING - 0.2);
    let core = Ellipse::circle(251.6, 213.8, CORE + 0.1);
    let ratio = Some(CORE / CLADDING);
    let layout = Layout::for_radius(CLADDING);
    let frame = Frame::new(&cladding, Some(&core), ratio).unwrap();
    let aligned: Vec<Vec<i16>> = (0..12)
        .map(|seed| {
            let (gray, mut aligned) = (Drawn::clean(100 + seed, 0.8 + 0.05 * seed as f64).pixels(), Vec::new());
            let usable = vec![1; gray.len()];
            let capture = Capture { gray: &gray, usable: &usable, width: WIDTH };
            Aligner::default().align(capture, &frame, layout, &mut aligned);
            aligned
        })
        .collect();
    let learnt = learn(&aligned, layout, ratio).unwrap();
    assert!(learnt.unlike.is_empty());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clean.reference");
    fs::write(&path, encode(&learnt.model, "drawn").unwrap()).unwrap();
    let given = [parameter("model", Value::Text(path.to_str().unwrap().into()))];
    Bench { detector: detector(&given).unwrap(), _folder: folder }
}

fn at(found: &[Defect], (x, y): (f64, f64)) -> bool {
    matches!(found, [d] if d.kind == DefectKind::Anomaly && (d.x - x).hypot(d.y - y) < 4.0 && d.confidence > 0.5)
}

#[test]
fn a_clean_capture_of_the_same_kind_has_no_anomaly_whatever_its_noise() {
    let mut bench = bench();
    for seed in 0..6 {
        for noise in [0.3, 1.2, 3.0] {
            let found = Drawn::clean(seed, noise).seen_by(&mut bench.detector);
            assert!(found.is_empty(), "seed {seed}, noise {noise}: {found:?}");
        }
    }
}

#[test]
fn a_pit_a_chip_and_a_residue_are_anomalies_at_their_places() {
    let mut bench = bench();
    for place in [around(CORE * 0.5, 30.0), around(64.0, 200.0), around(CLADDING * 1.3, 310.0)] {
        let found = Drawn::clean(3, 1.0).spot(place, -30.0, 5.0).seen_by(&mut bench.detector);
        assert!(at(&found, place), "{place:?}: {found:?}");
    }
    let chip = around(CLADDING - 4.0, 130.0);
    let found = Drawn::clean(9, 1.0).patch(chip, (7.0, 6.0), 60.0).seen_by(&mut bench.detector);
    assert!(at(&found, chip), "{found:?}");
    let residue = around(60.0, 270.0);
    let found = Drawn::clean(4, 1.0).patch(residue, (16.0, 11.0), -14.0).seen_by(&mut bench.detector);
    assert!(at(&found, residue), "{found:?}");
    let area = std::f64::consts::PI * 16.0 * 11.0;
    assert!((f64::from(found[0].area_px) / area - 1.0).abs() < 0.3, "{} of {area}", found[0].area_px);
}

#[test]
fn without_a_reference_or_a_fibre_nothing_is_found_and_the_first_is_said() {
    let drawn = Drawn::clean(1, 1.0).spot(around(20.0, 0.0), -90.0, 6.0);
    let labels = Drawn::labels();
    let found = look(&mut detector::<DetectAnomaly>(&[]).unwrap(), &drawn.pixels(), &[], &labels);
    assert!(found.defects.is_empty());
    assert!(matches!(&found.attributes[..], [a] if a.name == "reference" && a.value == Value::Text("none".into())));
    let found = look(&mut bench().detector, &drawn.pixels(), &[], &labels);
    assert!(found.defects.is_empty() && found.attributes.is_empty());
}

#[test]
fn one_detector_gives_the_same_answer_again_and_after_other_pictures() {
    let mut bench = bench();
    let (dirty, clean) = (Drawn::clean(2, 1.2).spot(around(60.0, 45.0), -30.0, 5.0), Drawn::clean(8, 2.0));
    let first = dirty.seen_by(&mut bench.detector);
    clean.seen_by(&mut bench.detector);
    assert_eq!(dirty.seen_by(&mut bench.detector), first);
}

#[test]
fn a_file_that_is_no_reference_and_thresholds_in_the_wrong_order_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no.reference");
    fs::write(&path, "hello").unwrap();
    for (file, word) in [
        (path, "no reference model"),
        (folder.path().join("gone"), "No such file"),
        (folder.path().into(), "not a regular file"),
    ] {
        let given = [parameter("model", Value::Text(file.to_str().unwrap().into()))];
        let refused = detector::<DetectAnomaly>(&given).unwrap_err().to_string();
        assert!(refused.contains(file.to_str().unwrap()) && refused.contains(word), "{refused}");
        assert_eq!(refused.lines().count(), 1);
    }
    let given = [parameter("high", Value::Real(4.0)), parameter("low", Value::Real(5.0))];
    assert_eq!(detector::<DetectAnomaly>(&given).unwrap_err().to_string(), "`low` must be below `high`");
}
