//! Reading while the engine writes: pages, filters, the queue.

use std::fs;

use ferrule_core::{
    dataset::review::{Decision, Review},
    export::{CaptureFile, ExportError, captures},
    filter::{Filter, Order},
    ids::CaptureId,
    ingest::FileKey,
    report::{Defect, DefectKind, Outcome, Severity, ZoneName},
    store::{CaptureQuery, Content, Receipt, ReviewQueue, Write},
};

use crate::desk::{Desk, failure};

/// Ten captures, the first three inspected, the fourth failed.
fn filled() -> Desk {
    let desk = Desk::open();
    for n in 0..10 {
        let admitted = desk.admit(desk.drop_file(format!("port_{n}.png"), format!("picture {n}").as_bytes()));
        if n < 4 {
            desk.run(admitted.capture);
            let mut answer = desk.answer(&admitted);
            match &mut answer.result {
                Ok(_) if n == 3 => answer.result = Err(failure("no picture")),
                Ok(inspection) if n == 1 => {
                    inspection.has_defect = Some(false);
                    inspection.verdict.overall = Outcome::Pass;
                }
                Ok(inspection) if n == 2 => inspection.has_defect = None,
                _ => {}
            }
            desk.finish(answer);
        }
    }
    desk
}

fn ids(desk: &Desk, query: &CaptureQuery) -> Vec<i64> {
    desk.reader().captures_page(query).unwrap().into_iter().map(|row| row.capture.0).collect()
}

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    let desk = filled();
    for oldest_first in [false, true] {
        let order = Order { descending: !oldest_first, ..Order::default() };
        let mut query = CaptureQuery { limit: 3, order, ..CaptureQuery::default() };
        let mut all = Vec::new();
        loop {
            let page = ids(&desk, &query);
            let Some(last) = page.last() else { break };
            query.after = Some(CaptureId(*last));
            all.extend(page);
        }
        let mut expected: Vec<i64> = (1..=10).collect();
        if !oldest_first {
            expected.reverse();
        }
        assert_eq!(all, expected);
    }
}

/// What a filter finds, the newest first.
fn found(desk: &Desk, filter: &str) -> Vec<i64> {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let filter = Filter::parse(filter, &now).unwrap();
    let count = desk.reader().captures_count(&filter).unwrap();
    let all: Vec<i64> =
        desk.reader().captures_matching(&filter, 100).unwrap().iter().map(|listed| listed.capture.0).collect();
    assert_eq!(
        (count, &all),
        (all.len() as u64, &ids(desk, &CaptureQuery { filter, limit: 100, ..CaptureQuery::default() }))
    );
    all
}

#[test]
fn a_filter_finds_what_it_says() {
    let desk = filled();
    let cases: &[(&str, &[i64])] = &[
        ("state:done,failed", &[4, 3, 2, 1]),
        ("-state:queued", &[4, 3, 2, 1]),
        ("label:defect", &[1]),
        ("label:clean", &[2]),
        ("label:none state:done", &[3]),
        ("verdict:fail", &[3, 1]),
        ("verdict:fail -label:none", &[1]),
        ("PORT_7", &[8]),
        ("file:port_7.png", &[8]),
        ("file:*_[78]*", &[]),
        ("file:*_?.png state:failed", &[4]),
        ("port%7", &[]),
        ("path:*/port_7.*", &[8]),
        ("source:bench port_1", &[2]),
        ("source:BENCH port_1", &[2]),
        ("source:elsewhere", &[]),
        ("since:1970-01-01 state:done", &[3, 2, 1]),
        ("until:2020-01-01", &[]),
        ("reviewed:yes", &[]),
        ("incomplete:yes", &[]),
        ("size>3 size<10000 PORT_3", &[4]),
        ("defects>0 -label:clean", &[3, 1]),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(&desk, filter), *expected, "{filter}");
    }
}

#[test]
fn what_is_said_of_a_defect_is_true_of_one_defect() {
    let desk = Desk::open();
    let admitted = desk.admit(desk.drop_file("a.png", b"picture a"));
    desk.run(admitted.capture);
    let mut answer = desk.answer(&admitted);
    let Ok(inspection) = &mut answer.result else { panic!("an inspection") };
    let first = inspection.defects[0].clone();
    let defect = |kind, zone, confidence, severity, plugin: &str| Defect {
        id: format!("{}-{plugin}-{confidence}", inspection.image_id),
        kind,
        zone,
        confidence,
        severity,
        plugin: plugin.into(),
        parts: Vec::new(),
        ..first.clone()
    };
    inspection.defects = vec![
        defect(DefectKind::Scratch, Some(ZoneName::Core), 0.9, Severity::Low, "detect-scratch 1.0.0"),
        defect(DefectKind::Pit, Some(ZoneName::Cladding), 0.6, Severity::High, "detect-region 1.2.0"),
        defect(DefectKind::Chip, None, 0.5, Severity::Medium, "detect-region-2 1.2.0"),
    ];
    desk.finish(answer);
    let cases = [
        ("type:scratch", true),
        ("type:particle,scratch", true),
        ("type:particle", false),
        ("type:scratch zone:core", true),
        ("type:scratch zone:cladding", false),
        ("zone:ferrule", false),
        ("zone:none", true),
        ("zone:none type:chip", true),
        ("zone:none type:pit", false),
        ("conf>0.85", true),
        ("conf>0.85 type:pit", false),
        ("conf>=0.6 type:pit", true),
        ("conf<0.55", true),
        ("conf<0.55 type:scratch", false),
        ("severity>=high", true),
        ("severity>=high zone:core", false),
        ("severity:critical", false),
        ("plugin:detect-region", true),
        ("plugin:detect-region type:scratch", false),
        ("plugin:detect", false),
        ("plugin:detect-* type:chip", true),
        ("-type:residue", true),
        ("-type:scratch", false),
        ("type:pit -conf>0.85", false),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(&desk, filter), if expected { vec![1] } else { vec![] }, "{filter}");
    }
}

#[test]
fn the_list_follows_every_change_of_what_it_says() {
    let desk = filled();
    let image = desk.reader().capture(CaptureId(1)).unwrap().unwrap().row.image.unwrap();
    let review = |decision| {
        let review = Review { image, reviewer: "A".into(), at: None, decision, defect: None, note: None };
        assert!(matches!(desk.ask(Write::Reviews(vec![review])), Receipt::Reviewed(_)));
    };
    review(Decision::Clean);
    assert_eq!((found(&desk, "label:clean"), found(&desk, "reviewed:yes")), (vec![2, 1], vec![1]));
    review(Decision::Withdrawn);
    assert_eq!((found(&desk, "label:defect"), found(&desk, "reviewed:yes")), (vec![1], vec![]));
    // A second file with the content shows what is known of the first.
    desk.admit(desk.drop_file("copy.png", b"picture 0"));
    assert_eq!((found(&desk, "label:defect"), found(&desk, "state:duplicate")), (vec![11, 1], vec![11]));
    let listing = "SELECT group_concat(capture_id || source || name || seen_at || state || size || job || port || side ||
        label || verdict || split || incomplete || reviewed || coalesce(inspection_id, '') || defects || quality || ms ||
        confidence || severity || found, ';') FROM (SELECT * FROM TABLE_HERE ORDER BY capture_id)";
    let [kept, made] = ["listing", "listed"].map(|table| desk.one::<String>(&listing.replace("TABLE_HERE", table)));
    assert_eq!(kept, made);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM listing"), 11);
}

#[test]
fn the_queue_is_read_page_by_page() {
    let desk = filled();
    let reader = desk.reader();
    let first = reader.queued_page(CaptureId(0), 4).unwrap();
    let second = reader.queued_page(first[3].capture, 4).unwrap();
    let ids: Vec<_> = first.iter().chain(&second).map(|row| row.capture.0).collect();
    assert_eq!(ids, [5, 6, 7, 8, 9, 10]);
    assert!(first[0].path.ends_with("port_4.png") && first[0].source == "bench");
}

#[test]
fn an_open_reader_sees_each_commit() {
    let desk = Desk::open();
    let reader = desk.reader();
    assert_eq!(reader.counts().unwrap().seen, 0);
    assert_eq!(reader.latest_done().unwrap(), None);
    desk.inspect("a.png", b"picture a");
    assert_eq!((reader.counts().unwrap().seen, reader.counts().unwrap().done), (1, 1));
    assert!(reader.latest_done().unwrap().is_some());
    assert_eq!(reader.sources().unwrap()[0].name, "bench");
    assert_eq!(reader.capture(CaptureId(99)).unwrap(), None);
}

#[test]
fn known_files_are_those_that_need_not_be_read_again() {
    let desk = filled();
    let mut ignored = desk.drop_file("notes.txt", b"text");
    ignored.content = Content::Ignored { reason: "no picture".into() };
    let (path, key) = (ignored.path.clone(), ignored.key);
    assert!(matches!(desk.ask(Write::Admit(vec![ignored])), Receipt::Admitted(_)));
    let known = desk.reader().known_files("bench").unwrap();
    let elsewhere = desk.reader().known_files("elsewhere").unwrap();
    for n in 0..10 {
        let path = path.with_file_name(format!("port_{n}.png"));
        let key = FileKey::of(&fs::metadata(&path).unwrap());
        assert!(known.holds(&path, &key) && !elsewhere.holds(&path, &key), "{n}");
    }
    assert!(!known.holds(&path, &key));
    let again = desk.drop_file("port_9.png", b"picture 9, rewritten");
    assert!(!known.holds(&again.path, &again.key));
}

#[test]
fn a_queue_for_review_leaves_out_what_the_reviewer_decided_and_begins_where_it_matters() {
    let desk = Desk::open();
    for (n, confidence) in [0.95, 0.52, 0.30, 0.48].into_iter().enumerate() {
        let admitted = desk.admit(desk.drop_file(format!("{n}.png"), format!("picture {n}").as_bytes()));
        desk.run(admitted.capture);
        let mut answer = desk.answer(&admitted);
        let Ok(inspection) = &mut answer.result else { panic!("an inspection") };
        inspection.defects.truncate(1);
        inspection.defects[0].confidence = confidence;
        inspection.has_defect = Some(confidence > 0.5);
        desk.finish(answer);
    }
    let queue = |queue, reviewer: &str| -> Vec<i64> {
        desk.reader().review_queue(queue, reviewer, 10).unwrap().into_iter().map(|capture| capture.0).collect()
    };
    assert_eq!(queue(ReviewQueue::All, "A"), [4, 3, 2, 1]);
    assert_eq!(queue(ReviewQueue::Unsure, "A"), [2, 4, 3, 1]);
    assert_eq!(queue(ReviewQueue::FalseAlarms, "A"), [2, 1]);
    assert_eq!(queue(ReviewQueue::Disagreements, "A"), [0; 0]);
    let image = |capture| desk.reader().capture(CaptureId(capture)).unwrap().unwrap().row.image.unwrap();
    let say = |capture, reviewer: &str, decision| {
        let at = Some(jiff::Timestamp::now().to_string());
        let review =
            Review { image: image(capture), reviewer: reviewer.into(), at, decision, defect: None, note: None };
        assert!(matches!(desk.ask(Write::Reviews(vec![review])), Receipt::Reviewed(_)));
    };
    say(2, "A", Decision::Clean);
    say(4, "A", Decision::Clean);
    assert_eq!((queue(ReviewQueue::All, "A"), queue(ReviewQueue::All, "B").len()), (vec![3, 1], 4));
    assert_eq!((queue(ReviewQueue::SecondLook, "A"), queue(ReviewQueue::SecondLook, "B")), (vec![], vec![4, 2]));
    say(2, "A", Decision::Withdrawn);
    assert_eq!(queue(ReviewQueue::All, "A"), [3, 2, 1]);
    say(2, "A", Decision::Clean);
    say(2, "B", Decision::Defect);
    say(4, "B", Decision::Clean);
    let agreement = desk.reader().agreements().unwrap().pop().unwrap();
    assert_eq!((agreement.first.as_str(), agreement.second.as_str(), agreement.counts), ("A", "B", [0, 0, 1, 1]));
    assert_eq!(desk.reader().reviews_of(image(2)).unwrap().len(), 4);
}

#[test]
fn a_list_is_written_whole_in_its_order_and_can_be_given_up() {
    let desk = filled();
    let reader = desk.reader();
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let filter = Filter::parse("state:done,failed", &now).unwrap();
    let order = Order { descending: false, ..Order::default() };
    let path = |format: CaptureFile| desk.paths().exports().join(format!("list.{}", format.extension()));
    for format in [CaptureFile::Csv, CaptureFile::Json] {
        let written = captures(&reader, (&filter, order), &path(format), format, &mut |_| Ok(())).unwrap();
        assert_eq!((written.items, written.files), (4, vec![path(format)]));
    }
    let csv = std::fs::read_to_string(path(CaptureFile::Csv)).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("capture,image_id,source,path,"), "{csv}");
    let first: Vec<&str> = lines[1..].iter().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(first, ["1", "2", "3", "4"]);
    let json = std::fs::read_to_string(path(CaptureFile::Json)).unwrap();
    let told: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.iter().map(|line| line["capture"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    // Given up: what was there before is still there.
    let mut given_up = |_| Err(ExportError::Interrupted);
    let order = Order { descending: true, ..order };
    assert!(captures(&reader, (&filter, order), &path(CaptureFile::Csv), CaptureFile::Csv, &mut given_up).is_err());
    assert_eq!(std::fs::read_to_string(path(CaptureFile::Csv)).unwrap(), csv);
}
