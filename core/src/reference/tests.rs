//! Files and words of references, and which captures make one. Building through real workers is tested end to end.

use std::fs;

use ferrule_vision::{ellipse::Ellipse, reference::Layout};

use super::{
    select::{Candidate, Selection},
    *,
};
use crate::ids::ImageId;

fn model() -> Model {
    let layout = Layout { cells: 24 };
    let cells = layout.side() * layout.side();
    Model { layout, core_ratio: Some(0.4), captures: 9, median: vec![3200; cells], spread: vec![32; cells] }
}

fn origin() -> Origin {
    let used = Used { name: "a.png".into(), image_id: "0123456789abcdef".into() };
    let left_out = LeftOut { name: "b.png".into(), image_id: None, reason: "no fibre found".into() };
    Origin {
        software: "ferrule 1".into(),
        built_at: "2026-11-28T03:00:00Z".into(),
        pipeline: "abcd".into(),
        fibre: None,
        used: vec![used],
        left_out: vec![left_out],
        more_left_out: 3,
    }
}

#[test]
fn a_reference_is_read_as_it_was_written_and_replaces_one_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clean.reference");
    fs::write(&path, "an older one").unwrap();
    write(&path, &model(), &origin()).unwrap();
    let (read_model, read_origin) = read(&path).unwrap();
    assert_eq!((read_model, read_origin), (model(), origin()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn what_is_no_reference_is_refused_in_one_line_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clean.reference");
    write(&path, &model(), &origin()).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut newer = whole.clone();
    newer[12] = 9;
    let wordless = encode(&model(), "{}").unwrap();
    for (bytes, word) in [
        (whole[..whole.len() - 1].to_vec(), "cut off"),
        (newer, "format 9, this Ferrule reads format 1"),
        (b"hello".to_vec(), "no reference model"),
        (wordless, "does not say what it was built from"),
        (vec![0; 3 * MOST_BYTES], "no reference model"),
    ] {
        fs::write(&path, bytes).unwrap();
        let refused = read(&path).unwrap_err().to_string();
        assert!(refused.contains(word) && refused.contains("clean.reference"), "{refused}");
        assert_eq!(refused.lines().count(), 1, "{refused}");
    }
    assert!(read(folder.path()).unwrap_err().to_string().contains("not a regular file"));
    assert!(write(&folder.path().join("gone/x"), &model(), &origin()).is_err());
}

#[test]
fn words_from_a_file_are_made_safe_to_print() {
    let mut hostile = origin();
    hostile.used[0].name = "\u{1b}[2Jx".into();
    let read = Origin::read(&serde_json::to_string(&hostile).unwrap()).unwrap();
    assert!(!read.used[0].name.contains('\u{1b}'));
}

fn selection(ratios: &[Option<f64>]) -> Selection {
    let cladding = Ellipse::circle(300.0, 200.0, 100.0);
    let candidates = ratios.iter().enumerate().map(|(i, ratio)| Candidate {
        path: format!("{i}.png").into(),
        image_id: ImageId::of(&[i as u8]),
        width: 600,
        height: 400,
        cladding,
        core: ratio.map(|ratio| cladding.scaled(ratio)),
        fibre: None,
    });
    let candidates = candidates.collect();
    Selection { clean_only: false, min_confidence: 0.5, sources: vec![], candidates, left_out: vec![] }
}

#[test]
fn a_stray_core_is_left_out_and_two_kinds_of_fibre_are_an_error() {
    let mut stray = selection(&[Some(0.4), Some(0.41), None, Some(0.4), Some(0.39), Some(0.8), Some(0.4)]);
    assert_eq!(stray.of_one_kind().unwrap(), Some(0.4));
    let left: Vec<&str> = stray.left_out.iter().map(|left| left.name.as_str()).collect();
    assert_eq!((left, stray.candidates.len()), (vec!["2.png", "5.png"], 5));
    let mixed = selection(&[Some(0.4), Some(0.07), Some(0.4), Some(0.07), Some(0.4)]).of_one_kind().unwrap_err();
    let mixed = mixed.to_string();
    assert!(mixed.contains("0.png (core 0.40 of the cladding) and 1.png (core 0.07"), "{mixed}");
    assert_eq!(selection(&[None, None, Some(0.1)]).of_one_kind().unwrap(), None, "most show no core");
}

#[test]
fn sources_of_different_fibres_are_an_error() {
    let mut named = selection(&[Some(0.4), Some(0.4)]);
    named.candidates[0].fibre = Some("mm-50-125".into());
    named.candidates[1].fibre = Some("mm-62.5-125".into());
    let mixed = named.of_one_kind().unwrap_err().to_string();
    assert!(mixed.contains("0.png (mm-50-125) and 1.png (mm-62.5-125)"), "{mixed}");
}
