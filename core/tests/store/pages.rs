//! Reading while the engine writes: pages, filters, the queue.

use ferrule_core::{
    ids::CaptureId,
    ingest::KnownFiles,
    report::{CaptureState, Outcome},
    store::{CaptureQuery, Content, Receipt, Write},
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
        let mut query = CaptureQuery { limit: 3, oldest_first, ..CaptureQuery::default() };
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

#[test]
fn filters_by_state_label_verdict_source_and_text() {
    let desk = filled();
    let all = CaptureQuery { limit: 100, ..CaptureQuery::default() };
    let with = |change: fn(&mut CaptureQuery)| {
        let mut query = all.clone();
        change(&mut query);
        ids(&desk, &query)
    };
    assert_eq!(with(|q| q.states = vec![CaptureState::Done, CaptureState::Failed]), [4, 3, 2, 1]);
    assert_eq!(with(|q| q.has_defect = Some(Some(true))), [1]);
    assert_eq!(with(|q| q.has_defect = Some(Some(false))), [2]);
    assert_eq!(with(|q| q.has_defect = Some(None)), [3]);
    assert_eq!(with(|q| q.verdict = Some(Outcome::Fail)), [3, 1]);
    assert_eq!(with(|q| (q.verdict, q.after) = (Some(Outcome::Fail), Some(CaptureId(3)))), [1]);
    assert_eq!(with(|q| q.text = Some("PORT_7".into())), [8]);
    assert_eq!(with(|q| q.text = Some("port%7".into())), [0; 0], "wildcards are taken literally");
    assert_eq!(with(|q| q.source = Some("bench".into())).len(), 10);
    assert_eq!(with(|q| q.source = Some("elsewhere".into())), [0; 0]);
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
    assert_eq!(known.len(), 10);
    assert!(!known.holds(&path, &key));
    let again = desk.drop_file("port_9.png", b"picture 9, rewritten");
    assert!(!known.holds(&again.path, &again.key));
    assert!(KnownFiles::default().is_empty() && desk.reader().known_files("elsewhere").unwrap().is_empty());
}
