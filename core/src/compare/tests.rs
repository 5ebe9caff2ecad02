//! Pairs, counts and the order of what differs.

use std::slice::from_ref;

use proptest::prelude::*;

use super::{
    pairing::{Changes, Pairing},
    report::Side,
    stored::which,
    tally::{Comparison, Tally},
};
use crate::{
    ids::{ImageId, PipelineId},
    report::{Defect, DefectKind, Inspection, Outcome, Outline, Quality, Severity, Timings, Verdict, ZoneName, Zones},
    store::PipelineRow,
};

fn defect(kind: DefectKind, [x, y, width, height]: [u32; 4]) -> Defect {
    Defect {
        id: "x-1".into(),
        kind,
        severity: Severity::High,
        confidence: 0.8,
        bbox: [x, y, width, height],
        x: f64::from(x),
        y: f64::from(y),
        area_px: width * height,
        length_px: 1.0,
        width_px: 1.0,
        angle_deg: 0.0,
        zone: Some(ZoneName::Ferrule),
        plugin: "test 1.0.0".into(),
        parts: vec![],
        mask: (y..y + height).map(|y| [y, x, width]).collect(),
    }
}

fn inspection(defects: Vec<Defect>) -> Inspection {
    Inspection {
        image_id: ImageId::of(b"a"),
        width: 200,
        height: 100,
        um_per_px: None,
        zones: Zones::default(),
        has_defect: Some(!defects.is_empty()),
        defects,
        quality: Quality::default(),
        verdict: Verdict {
            profile: None,
            overall: Outcome::NotGraded,
            failed: vec![],
            zones: vec![],
            reason: String::new(),
        },
        features: vec![],
        histograms: vec![],
        incomplete: vec![],
        ms: Timings { detect: 4.0, ..Timings::default() },
    }
}

fn compared(pictures: Vec<(&str, Inspection, Inspection)>, keep: usize) -> Comparison {
    let mut tally = Tally::keeping(keep);
    for (name, a, b) in pictures {
        tally.take(name.into(), name.into(), [a, b]);
    }
    let side = |name: &str| Side { name: name.into(), pipeline: PipelineId::of(name), plugins: vec![] };
    tally.end([side("a"), side("b")], vec![], false)
}

fn some_defects() -> impl Strategy<Value = Vec<Defect>> {
    let one = (0u32..180, 0u32..80, 1u32..20, 1u32..20).prop_map(|(x, y, w, h)| defect(DefectKind::Pit, [x, y, w, h]));
    prop::collection::vec(one, 0..8)
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(defects in some_defects()) {
        let pairing = Pairing::of(&defects, &defects);
        prop_assert_eq!(pairing.pairs.len() + pairing.fragments / 2, defects.len());
        prop_assert!(pairing.gone.is_empty() && pairing.new.is_empty());
        prop_assert_eq!(pairing.changed(), 0);
    }

    #[test]
    fn what_is_gone_one_way_is_new_the_other(a in some_defects(), b in some_defects()) {
        let (there, back) = (Pairing::of(&a, &b), Pairing::of(&b, &a));
        prop_assert_eq!(there.pairs.len() + there.gone.len() + there.new.len() + there.fragments + there.pairs.len(),
            a.len() + b.len());
        prop_assert_eq!(there.pairs.len() + there.fragments + there.gone.len() + there.new.len(),
            back.pairs.len() + back.fragments + back.gone.len() + back.new.len());
    }
}

#[test]
fn a_defect_said_otherwise_is_changed_and_not_another_one() {
    let before = defect(DefectKind::Pit, [20, 20, 8, 8]);
    let mut after = defect(DefectKind::Particle, [21, 20, 8, 9]);
    (after.severity, after.confidence, after.zone) = (Severity::Low, 0.85, None);
    let pairing = Pairing::of(from_ref(&before), from_ref(&after));
    let all = Changes { kind: true, severity: true, confidence: true, zone: true };
    assert_eq!(pairing.pairs, [(0, 0, all)]);
    after = Defect { confidence: 0.84, ..before.clone() };
    assert!(!Pairing::of(&[before], &[after]).pairs[0].2.any());
}

#[test]
fn pieces_of_what_is_in_both_are_fragments() {
    let whole = defect(DefectKind::Scratch, [20, 20, 100, 3]);
    let pieces = [20, 60, 100].map(|x| defect(DefectKind::Scratch, [x, 20, 15, 3]));
    let pairing = Pairing::of(&[whole], &pieces);
    assert_eq!((pairing.pairs.len(), pairing.fragments, pairing.new.len()), (1, 2, 0));
}

#[test]
fn pictures_that_differ_most_come_first_and_only_so_many_are_kept() {
    let pit = |x| defect(DefectKind::Pit, [x, 20, 8, 8]);
    let pictures = vec![
        ("same", inspection(vec![pit(20)]), inspection(vec![pit(20)])),
        ("one new", inspection(vec![pit(20)]), inspection(vec![pit(20), pit(60)])),
        ("label", inspection(vec![]), inspection(vec![pit(60)])),
        ("two gone", inspection(vec![pit(20), pit(60), pit(100)]), inspection(vec![pit(100)])),
    ];
    let Comparison { report, most } = compared(pictures, 2);
    assert_eq!((report.pictures, report.differing), (4, 3));
    let order: Vec<&str> = report.most.iter().map(|difference| difference.file.as_str()).collect();
    assert_eq!(order, ["label", "two gone"]);
    assert_eq!(most.len(), 2);
    let counts = report.defects;
    assert_eq!((counts.a, counts.b, counts.same, counts.gone, counts.new), (5, 5, 3, 2, 2));
    assert_eq!(report.by_type.len(), 1);
    let moved: Vec<_> = report.has_defect.iter().map(|row| (row.a, row.b, row.pictures)).collect();
    assert_eq!(moved, [(Some(false), Some(true), 1), (Some(true), Some(true), 3)]);
    assert_eq!((report.ms.a.detect, report.ms.b.detect), (4.0, 4.0));
}

#[test]
fn outlines_are_compared_where_both_have_one() {
    let with = |ax: Option<f64>| {
        let mut inspection = inspection(vec![]);
        let circle = |ax| Outline { cx: 100.0, cy: 50.0, ax, by: ax, angle_deg: 0.0, confidence: 0.9 };
        inspection.zones.cladding = ax.map(circle);
        inspection
    };
    let pictures = vec![
        ("a", with(Some(40.0)), with(Some(42.0))),
        ("b", with(Some(40.0)), with(None)),
        ("c", with(None), with(None)),
    ];
    let shift = compared(pictures, 5).report.outlines.cladding;
    assert_eq!((shift.both, shift.only_a, shift.only_b), (1, 1, 0));
    assert!((shift.largest_px.unwrap() - 2.0).abs() < 1e-9);
}

#[test]
fn a_pipeline_is_found_by_the_beginning_of_its_id_or_those_there_are_told() {
    let row = |text: &str| PipelineRow {
        id: text.parse().unwrap(),
        inspections: 3,
        first_at: "2026-01-02T03:04:05.000Z".into(),
        plugins: vec![],
    };
    let rows = [row("aaaa000000000001"), row("aaaa000000000002"), row("bbbb000000000003")];
    assert_eq!(which(&rows, "bbbb").unwrap().id.as_str(), "bbbb000000000003");
    for id in ["aaaa", "cccc"] {
        let said = which(&rows, id).unwrap_err().to_string();
        assert!(said.contains("bbbb000000000003 (3 inspections") && said.lines().count() == 1, "{said}");
    }
    assert!(which(&[], "aaaa").is_err());
}
