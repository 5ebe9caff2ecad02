//! What is kept of two pipelines that inspected the same images, and what a comparison makes of it.

use std::collections::BTreeSet;

use ferrule_core::{
    compare::{self, OfBuild},
    filter::Filter,
    ids::{BuildHash, ImageId, PipelineId},
    store::{PipelineChange, Requeue, Write},
    worker::messages::Pipeline,
};

use crate::desk::{Desk, inspection, pipeline};

/// The detector's second build.
fn rebuilt() -> BuildHash {
    BuildHash::of(b"the detector, built again")
}

/// Another pipeline comes into force, and what is inspected again says something else.
fn two_pipelines() -> (Desk, PipelineId) {
    let desk = Desk::open();
    let again = desk.inspect("a.png", b"picture a");
    desk.inspect("b.png", b"picture b");
    let mut other = Pipeline { id: PipelineId::of("another pipeline"), measure: vec![], ..pipeline() };
    other.detect[0].build = rebuilt();
    let id = other.id.clone();
    desk.ask(Write::Pipeline(Box::new(PipelineChange { pipeline: other, generation: 2, reason: "test".into() })));
    desk.ask(Write::Requeue(Requeue::Images(vec![again.image.unwrap()])));
    desk.run(again.capture);
    let mut answer = desk.answer(&again);
    (answer.pipeline, answer.generation) = (id.clone(), 2);
    if let Ok(inspection) = &mut answer.result {
        inspection.defects.truncate(1);
        inspection.has_defect = Some(false);
    }
    desk.finish(answer);
    desk.assert_sound();
    (desk, id)
}

#[test]
fn each_pipelines_word_on_an_image_is_kept() {
    let (desk, second) = two_pipelines();
    let reader = desk.reader();
    let rows = reader.pipelines().unwrap();
    let mut counts: Vec<(String, u64, usize)> =
        rows.iter().map(|row| (row.id.to_string(), row.inspections, row.plugins.len())).collect();
    counts.sort();
    let mut expected = vec![(pipeline().id.to_string(), 2, 3), (second.to_string(), 1, 2)];
    expected.sort();
    assert_eq!(counts, expected);
    assert!(rows[0].plugins[0].starts_with("segment-endface 1.2.0 ("), "{:?}", rows[0].plugins);
    let former = reader.inspected_by(&pipeline().id).unwrap();
    assert_eq!(former.len(), 2);
    for (image, key) in &former {
        assert_eq!(reader.inspection(*key).unwrap(), Some(inspection(*image)), "the former word, whatever came after");
    }
    let (image, key) = reader.inspected_by(&second).unwrap().pop_first().unwrap();
    assert_eq!(reader.inspection(key).unwrap().unwrap().defects.len(), 1);
    assert_eq!(reader.image_name(image).unwrap().as_deref(), Some("a.png"));
}

#[test]
fn stored_words_are_compared_where_both_pipelines_have_one() {
    let (desk, second) = two_pipelines();
    let reader = desk.reader();
    let rows = reader.pipelines().unwrap();
    let find = |id: &PipelineId| compare::which(&rows, id.as_str()).unwrap();
    let mut told = Vec::new();
    let comparison =
        compare::stored(&reader, &desk.paths(), [find(&pipeline().id), find(&second)], None, 5, &mut |done, of| {
            told.push((done, of));
            true
        })
        .unwrap();
    let report = comparison.report;
    assert_eq!((report.pictures, report.differing), (1, 1));
    assert_eq!((report.defects.a, report.defects.b, report.defects.gone + report.fragments), (2, 1, 1));
    assert_eq!(report.most[0].has_defect, [Some(true), Some(false)]);
    assert_eq!(report.remarks.len(), 1, "one picture was inspected by the first alone: {:?}", report.remarks);
    assert_eq!(told, [(1, 1)]);
}

#[test]
fn two_builds_of_a_plugin_are_compared_on_the_pictures_that_are_chosen() {
    let (desk, _) = two_pipelines();
    let reader = desk.reader();
    let plugin = "detect-region".parse().unwrap();
    let first = BuildHash::of(b"detect-region");
    let builds = [OfBuild { plugin: &plugin, build: &first }, OfBuild { plugin: &plugin, build: &rebuilt() }];
    let compared = |chosen: Option<&BTreeSet<ImageId>>| {
        compare::stored_builds(&reader, &desk.paths(), builds, chosen, 5, &mut |_, _| true).unwrap().report
    };
    let report = compared(None);
    assert_eq!((report.pictures, report.defects.a, report.defects.b), (1, 2, 1));
    assert!(report.a.name.starts_with("detect-region@") && report.a.name != report.b.name, "{}", report.a.name);
    let again = reader.capture_of("a.png").unwrap().and_then(|id| reader.capture(id).unwrap()).unwrap();
    let image = again.row.image.unwrap();
    assert_eq!(compared(Some(&BTreeSet::from([image]))).pictures, 1);
    assert_eq!(compared(Some(&BTreeSet::new())).pictures, 0, "none chosen, none compared");
    let ended = compare::stored_builds(&reader, &desk.paths(), builds, None, 5, &mut |_, _| false).unwrap().report;
    assert!(ended.interrupted, "whoever says so after the first picture gets what there is of it");
    let unknown = OfBuild { plugin: &plugin, build: &BuildHash::of(b"never seen") };
    let error = compare::stored_builds(&reader, &desk.paths(), [builds[0], unknown], None, 5, &mut |_, _| true);
    assert!(error.unwrap_err().to_string().contains("detect-region"));
}

#[test]
fn what_was_said_before_is_the_latest_word_of_another_pipeline() {
    let (desk, _) = two_pipelines();
    let reader = desk.reader();
    let image = |name: &str| reader.image_named(name).unwrap().unwrap();
    let former = reader.former(image("a.png")).unwrap().unwrap();
    assert_eq!((former.inspection, former.generation), (inspection(image("a.png")), 1));
    // The segmenter is the same in both; the detector is another build, and nothing measures any more.
    let ids: Vec<&str> = former.differing.iter().filter_map(|judge| judge.split(' ').next()).collect();
    assert_eq!(ids, ["detect-region", "measure-intensity"], "{:?}", former.differing);
    assert_eq!(reader.former(image("b.png")).unwrap(), None, "inspected once");
}

#[test]
fn a_heat_map_counts_each_capture_once_a_place_and_only_those_of_the_list() {
    let (desk, _) = two_pipelines();
    // Of the same microscope at a lower power, so that the defects lie within reach.
    desk.sql().execute("UPDATE images SET clad_r = 200", []).unwrap();
    let reader = desk.reader();
    let filter = |text: &str| Filter::parse(text, &jiff::Zoned::now()).unwrap();
    let heat = reader.heat(&filter(""), 100).unwrap();
    // Three defects at one place: two of b.png, one of what stands of a.png.
    assert_eq!((heat.captures, heat.defects), (2, 3));
    let place = |x: f64, y: f64| heat.at((x - 320.5) / 200.0, (y - 200.25) / 200.0);
    assert_eq!(place(11.0, 20.4), 1.0, "in both, however many it has there");
    assert_eq!((place(320.0, 200.0), heat.most()), (0.0, 1.0));
    assert_eq!(heat.at(99.0, 0.0), 0.0, "beyond the edge");
    let one = reader.heat(&filter("a.png"), 100).unwrap();
    assert_eq!((one.captures, one.defects), (1, 1));
    assert_eq!(reader.heat(&filter(""), 1).unwrap().captures, 1);
}
