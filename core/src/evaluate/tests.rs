//! The rules together: what a perfect, a boastful, a fragmented or an absent answer is worth, and what a hostile truth
//! file costs.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    ids::ImageId,
    report::{
        Defect, DefectKind, Inspection, Outcome, Outline, Quality, Severity, Timings, Verdict as Graded, ZoneName,
        Zones,
    },
    simulate::{Preset, truth::Zone, truth_of},
};

/// A truth file of simulated pictures, and the answers of a pipeline that sees everything.
fn simulated(count: u64) -> (Truth, Vec<Inspection>) {
    let preset = Preset::find("demo-v1").unwrap();
    let (mut images, mut annotations, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..count {
        let truth = truth_of(&preset, 5, index);
        images.push(json!({
            "id": index, "file_name": format!("{index:03}.png"), "width": truth.width, "height": truth.height,
            "zones": truth.zones, "label": truth.label(), "valid_area": truth.valid_area,
        }));
        let mut answer = inspection(truth.width, truth.height, vec![]);
        answer.zones.core = Some(outline(&truth.zones.core.zone));
        answer.zones.cladding = Some(outline(&truth.zones.cladding));
        answer.has_defect = Some(!truth.defects.is_empty());
        for defect in &truth.defects {
            let mut annotation = serde_json::to_value(defect).unwrap();
            annotation["id"] = annotations.len().into();
            annotation["image_id"] = index.into();
            annotation["category_id"] = defect.kind.category().into();
            annotations.push(annotation);
            let kind = DefectKind::ALL[defect.kind as usize];
            let zone = ZoneName::parse(serde_json::to_value(defect.zone).unwrap().as_str().unwrap());
            let mask = defect.segmentation.pixels().into_iter().map(|(x, y)| [y, x, 1]).collect();
            answer.defects.push(Defect { zone, ..found(kind, mask) });
        }
        answers.push(answer);
    }
    (parsed(&json!({"images": images, "annotations": annotations, "categories": categories()})), answers)
}

fn categories() -> Value {
    let kinds = ["scratch", "pit", "chip", "particle", "residue"].into_iter().zip(1..);
    kinds.map(|(name, id)| json!({"id": id, "name": name})).collect()
}

fn parsed(file: &Value) -> Truth {
    Truth::parse(file.to_string().as_bytes()).unwrap()
}

fn outline(zone: &Zone) -> Outline {
    let Zone { cx, cy, ax, by, angle_deg } = *zone;
    Outline { cx, cy, ax, by, angle_deg, confidence: 1.0 }
}

fn found(kind: DefectKind, mut mask: Vec<[u32; 3]>) -> Defect {
    mask.sort_unstable();
    let left = mask.iter().map(|run| run[1]).min().unwrap();
    let right = mask.iter().map(|run| run[1] + run[2]).max().unwrap();
    let (top, bottom) = (mask[0][0], mask[mask.len() - 1][0]);
    Defect {
        id: "x-1".into(),
        kind,
        severity: Severity::High,
        confidence: 1.0,
        bbox: [left, top, right - left, bottom - top + 1],
        x: 0.0,
        y: 0.0,
        area_px: mask.iter().map(|run| run[2]).sum(),
        length_px: 1.0,
        width_px: 1.0,
        angle_deg: 0.0,
        zone: None,
        plugin: "test 1.0.0".into(),
        parts: vec![],
        mask,
    }
}

fn inspection(width: u32, height: u32, defects: Vec<Defect>) -> Inspection {
    Inspection {
        image_id: ImageId::of(b"a"),
        width,
        height,
        um_per_px: None,
        zones: Zones::default(),
        has_defect: Some(!defects.is_empty()),
        defects,
        quality: Quality::default(),
        verdict: Graded {
            profile: None,
            overall: Outcome::NotGraded,
            failed: vec![],
            zones: vec![],
            reason: String::new(),
        },
        features: vec![],
        histograms: vec![],
        incomplete: vec![],
        ms: Timings::default(),
    }
}

fn rectangle([x, y, width, height]: [u32; 4]) -> Vec<[u32; 3]> {
    (y..y + height).map(|y| [y, x, width]).collect()
}

/// One picture of 200 x 100 with these annotations, and what an answer with these defects is worth.
fn scored(annotations: &Value, defects: Vec<Defect>) -> (PictureScore, Figures) {
    let file = json!({
        "images": [{"id": 1, "file_name": "a.png", "width": 200, "height": 100}],
        "annotations": annotations, "categories": categories(),
    });
    let truth = parsed(&file);
    assert!(truth.faults.is_empty(), "{:?}", truth.faults);
    let score = PictureScore::of(&truth.images[0], Some(&inspection(200, 100, defects)));
    (score.clone(), Figures::of(vec![score]))
}

fn annotation(category: u32, bbox: [u32; 4]) -> Value {
    json!({"id": 1, "image_id": 1, "category_id": category, "bbox": bbox})
}

#[test]
fn a_perfect_answer_scores_one_everywhere() {
    let (truth, answers) = simulated(30);
    let scores = truth.images.iter().zip(&answers).map(|(image, answer)| PictureScore::of(image, Some(answer)));
    let Figures { outlines, defects, images } = Figures::of(scores.collect());
    assert!(defects.recall.of > 20, "{:?}", defects.recall);
    for share in [defects.recall, defects.precision, defects.type_agreement, defects.zone_agreement, images.accuracy] {
        assert_eq!(share.value, Some(1.0), "{share:?}");
    }
    assert_eq!((defects.f1, defects.false_alarms, defects.fragments), (Some(1.0), 0, 0));
    assert_eq!(defects.calibration.expected_calibration_error, Some(0.0));
    assert_eq!(images.roc.auc.unwrap().value, 1.0);
    assert_eq!((outlines.cladding.hits.value, outlines.core.hits.value), (Some(1.0), Some(1.0)));
    assert!(outlines.cladding.p95_error.unwrap() < 1e-6);
    assert_eq!(outlines.cladding.n, 30);
}

#[test]
fn the_order_of_the_pictures_does_not_matter() {
    let (truth, answers) = simulated(20);
    let mut scores: Vec<PictureScore> = truth
        .images
        .iter()
        .zip(answers)
        .enumerate()
        .map(|(place, (image, mut answer))| {
            answer.defects.truncate(place % 3);
            answer.defects.iter_mut().for_each(|defect| defect.confidence = 1.0 / (place as f64 + 1.5));
            answer.zones.cladding.iter_mut().for_each(|outline| outline.ax += place as f64 / 7.0);
            PictureScore::of(image, Some(&answer))
        })
        .collect();
    let figures = Figures::of(scores.clone());
    assert!(figures.defects.recall.value.unwrap() < 1.0);
    scores.reverse();
    scores.swap(3, 11);
    assert_eq!(Figures::of(scores), figures);
}

#[test]
fn a_picture_that_could_not_be_inspected_has_found_nothing() {
    let (truth, _) = simulated(12);
    let figures = Figures::of(truth.images.iter().map(|image| PictureScore::of(image, None)).collect());
    assert_eq!((figures.defects.recall.count, figures.defects.precision.of), (0, 0));
    assert_eq!((figures.outlines.cladding.missing, figures.images.accuracy.count), (12, 0));
    assert_eq!(figures.images.undecided, 12);
}

#[test]
fn a_flood_finds_nothing() {
    let truth = json!([annotation(2, [20, 20, 6, 6]), annotation(2, [120, 60, 6, 6])]);
    let (score, figures) = scored(&truth, vec![found(DefectKind::Residue, rectangle([0, 0, 200, 100]))]);
    assert_eq!((figures.defects.recall.count, score.false_alarms(), score.missed()), (0, 1, 2));
}

#[test]
fn fragments_count_once_and_one_find_may_cover_two_defects() {
    let scratch = json!([annotation(1, [20, 40, 100, 3])]);
    let pieces: Vec<Defect> =
        [20, 60, 100].map(|x| found(DefectKind::Scratch, rectangle([x, 40, 15, 3]))).into_iter().collect();
    let (_, figures) = scored(&scratch, pieces);
    assert_eq!((figures.defects.recall.count, figures.defects.precision.of, figures.defects.fragments), (1, 1, 2));

    let two = json!([annotation(2, [20, 20, 8, 8]), annotation(2, [30, 20, 8, 8])]);
    let (_, figures) = scored(&two, vec![found(DefectKind::Pit, rectangle([20, 20, 18, 8]))]);
    assert_eq!((figures.defects.recall.count, figures.defects.precision.count), (2, 1));
}

#[test]
fn a_speck_on_a_long_scratch_is_no_false_alarm_and_does_not_find_it() {
    let scratch = json!([annotation(1, [20, 40, 150, 4])]);
    let (score, figures) = scored(&scratch, vec![found(DefectKind::Pit, rectangle([60, 40, 6, 4]))]);
    assert_eq!((figures.defects.recall.count, figures.defects.precision.count, score.false_alarms()), (0, 1, 0));
}

#[test]
fn a_scratch_across_its_box_finds_it_though_the_box_is_mostly_empty() {
    let diagonal = (0..60).map(|i| [20 + i, 30 + i, 2]).collect();
    let (_, figures) = scored(&json!([annotation(1, [30, 20, 62, 60])]), vec![found(DefectKind::Scratch, diagonal)]);
    assert_eq!((figures.defects.recall.count, figures.defects.precision.count), (1, 1));
}

#[test]
fn what_lies_in_an_area_to_ignore_is_neither_right_nor_wrong() {
    let mut crowd = annotation(5, [100, 0, 100, 100]);
    crowd["iscrowd"] = 1.into();
    let truth = json!([annotation(2, [20, 20, 6, 6]), crowd]);
    let finds = vec![
        found(DefectKind::Pit, rectangle([20, 20, 6, 6])),
        found(DefectKind::Pit, rectangle([150, 50, 6, 6])),
        found(DefectKind::Pit, rectangle([60, 80, 6, 6])),
    ];
    let (score, figures) = scored(&truth, finds);
    assert_eq!((figures.defects.recall.of, figures.defects.neutral, score.false_alarms()), (1, 1, 1));
    assert_eq!(figures.defects.calibration.n, 2);
}

#[test]
fn a_defect_called_by_another_name_is_found_and_the_names_are_counted_apart() {
    let (_, figures) =
        scored(&json!([annotation(2, [20, 20, 8, 8])]), vec![found(DefectKind::Particle, rectangle([20, 20, 8, 8]))]);
    let defects = figures.defects;
    assert_eq!((defects.recall.value, defects.type_agreement.value), (Some(1.0), Some(0.0)));
    assert_eq!(defects.confusion, [Confusion { truth: DefectKind::Pit, said: DefectKind::Particle, count: 1 }]);
    let pit = defects.by_type.iter().find(|part| part.name == "pit").unwrap();
    assert_eq!((pit.recall.count, pit.precision.of), (1, 0));
}

#[test]
fn pictures_with_one_kind_are_set_against_the_clean_ones() {
    let score = |name: &str, kind: Option<DefectKind>, said: bool| PictureScore {
        name: name.into(),
        label: Some(if kind.is_some() {
            crate::simulate::truth::Label::Defect
        } else {
            crate::simulate::truth::Label::Clean
        }),
        only_kind: kind,
        core: None,
        cladding: None,
        matched: None,
        surest: if said { 0.9 } else { 0.1 },
        has_defect: Some(said),
        megapixels: 1.0,
    };
    let (scratch, pit) = (Some(DefectKind::Scratch), Some(DefectKind::Pit));
    let pictures = vec![
        score("a", scratch, true),
        score("b", scratch, false),
        score("c", pit, true),
        score("d", None, false),
        score("e", None, false),
        score("f", None, true),
        score("g", None, false),
    ];
    let figures = Figures::of(pictures).images;
    let of = |name: &str| figures.by_kind.iter().find(|kind| kind.name == name).unwrap();
    assert_eq!(of("scratch").balanced_accuracy.unwrap().value, f64::midpoint(0.5, 0.75));
    assert_eq!(of("region").balanced_accuracy.unwrap().value, f64::midpoint(1.0, 0.75));
    assert_eq!((figures.accuracy.count, figures.accuracy.of), (5, 7));
}

#[test]
fn a_file_that_says_nothing_of_defects_is_not_taken_for_clean() {
    let image = |id: u32, more: Value| {
        let mut image = json!({"id": id, "file_name": format!("{id}.png"), "width": 10, "height": 10});
        image.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        image
    };
    let crowd = json!({"id": 9, "image_id": 4, "category_id": 1, "bbox": [1, 1, 3, 3], "iscrowd": 1});
    let truth = parsed(&json!({
        "images": [image(1, json!({"label": "defect"})), image(2, json!({"label": "clean"})), image(3, json!({})),
            image(4, json!({}))],
        "annotations": [crowd], "categories": categories(),
    }));
    let said: Vec<_> = truth.images.iter().map(|image| (image.label.is_some(), image.defects.is_some())).collect();
    assert_eq!(said, [(true, false), (true, true), (true, true), (false, true)]);
    assert!(truth.images[0].zone_of(&[], false).is_none());
}

#[test]
fn what_one_record_says_wrongly_costs_that_record_alone() {
    let image = |id: Value, name: &str, width: u64| json!({"id": id, "file_name": name, "width": width, "height": 100});
    let mark = |id: u32, more: Value| {
        let mut mark = annotation(2, [20, 20, 6, 6]);
        mark["id"] = id.into();
        mark.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        mark
    };
    let truth = parsed(&json!({
        "images": [
            image(1.into(), "a.png", 200), image(1.into(), "twice.png", 200), image(2.into(), "a.png", 200),
            image("three".into(), "c.png", 200), image(4.into(), "none.png", 0),
            image(5.into(), "huge.png", 4_000_000_000),
            {"id": 6, "file_name": "flat\u{1b}[2J.png", "width": 9, "height": 9,
             "zones": {"cladding": {"cx": 1, "cy": 1, "ax": -4, "by": 3}}},
        ],
        "annotations": [
            mark(10, json!({})), mark(11, json!({"image_id": "three"})),
            mark(20, json!({"bbox": [300, 20, 6, 6]})), mark(21, json!({"bbox": [20, 20, -6, 6]})),
            mark(22, json!({"bbox": [1, 2, 3]})), mark(23, json!({"bbox": null})), mark(24, json!({"category_id": 77})),
            mark(25, json!({"image_id": 99})), mark(26, json!({"segmentation": {"counts": [5], "size": [100, 200]}})),
            mark(27, json!({"segmentation": 7})), mark(28, json!({"segmentation": [[1, 2, 3]]})),
            mark(29, json!({"bbox": [1e300, -1e300, 1e308, 1e308]})),
            mark(40, json!({"bbox": [190, 90, 500, 500]})), mark(41, json!({"category_id": 6})),
        ],
        "categories": [{"id": 2, "name": "Pit"}, {"id": 6, "name": "dust"}],
    }));
    let names: Vec<&str> = truth.images.iter().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["a.png", "c.png"]);
    let defects = truth.images[0].defects.as_ref().unwrap();
    assert_eq!(defects.len(), 3, "the plain one, the one cut at the edge, the one without a type");
    assert_eq!(defects[1].bbox, [190, 90, 10, 10]);
    assert_eq!(truth.images[1].defects.as_ref().unwrap().len(), 1);
    assert_eq!(truth.faults.len(), 5 + 10, "{:#?}", truth.faults);
    assert!(truth.faults.iter().all(|fault| fault.lines().count() == 1 && !fault.contains('\u{1b}')));
    assert_eq!(truth.remarks.len(), 1);
    assert!(truth.remarks[0].contains("`dust`"), "{:?}", truth.remarks);
}

#[test]
fn what_is_no_truth_file_is_refused_in_one_line_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.json");
    for (text, place) in [
        ("", ":1:0: "),
        ("{\"images\": [\n{\"id\": 1,", ":2:"),
        ("[1, 2]", ":1:"),
        ("{\"annotations\": []}", ":1:"),
        ("{\"images\": [{\"id\": 1}]}", ":1:"),
        ("\u{feff}\0\0\0", ":1:1: "),
    ] {
        std::fs::write(&path, text).unwrap();
        let said = Truth::read(&path).unwrap_err().to_string();
        assert!(said.contains(&format!("t.json{place}")) && said.lines().count() == 1, "{text:?}: {said}");
    }
    std::fs::write(&path, "{\"images\": []}").unwrap();
    assert!(matches!(Truth::read(&path), Err(TruthError::Nothing { .. })));
    assert!(matches!(Truth::read(folder.path()), Err(TruthError::Unreadable { .. })));
}

proptest! {
    #[test]
    fn shares_stay_shares_whatever_is_found(
        truths in prop::collection::vec((1u32..6, 0u32..180, 0u32..90, 1u32..40, 1u32..40), 0..6),
        finds in prop::collection::vec((0u32..150, 0u32..60, 1u32..50, 1u32..40, 0.0..1.0f64), 0..6),
    ) {
        let annotations = truths.iter().map(|(kind, x, y, w, h)| annotation(*kind, [*x, *y, *w, *h])).collect();
        let finds = finds.iter().map(|(x, y, w, h, confidence)| {
            Defect { confidence: *confidence, ..found(DefectKind::Pit, rectangle([*x, *y, *w, *h])) }
        });
        let finds: Vec<Defect> = finds.collect();
        let count = finds.len() as u64;
        let (_, Figures { defects, .. }) = scored(&annotations, finds);
        let right_or_wrong = defects.precision.of + defects.fragments + defects.neutral;
        prop_assert_eq!(right_or_wrong, count);
        prop_assert_eq!(defects.recall.of, truths.len() as u64);
        prop_assert!(defects.recall.count <= defects.recall.of && defects.precision.count <= defects.precision.of);
    }
}
