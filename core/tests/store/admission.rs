//! Each version of a file one row, each content inspected once.

use std::{collections::BTreeMap, ffi::OsStr, os::unix::ffi::OsStrExt};

use ferrule_core::{
    report::CaptureState,
    store::{Content, Receipt, Requeue, UnreadCapture, Write},
};

use crate::desk::{Desk, failure};

#[test]
fn the_same_version_of_a_file_is_one_row() {
    let desk = Desk::open();
    let admission = desk.drop_file("a.png", b"picture a");
    let first = desk.admit(admission.clone());
    let second = desk.admit(admission);
    assert!(first.new && !second.new);
    assert_eq!(first.capture, second.capture);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM captures"), 1);
}

#[test]
fn the_same_content_under_a_second_name_is_a_duplicate_of_the_first() {
    let desk = Desk::open();
    let first = desk.inspect("a.png", b"picture a");
    let second = desk.admit(desk.drop_file("b.png", b"picture a"));
    assert_eq!((second.state, second.duplicate_of), (CaptureState::Duplicate, Some(first.capture)));
    let detail = desk.reader().capture(second.capture).unwrap().unwrap();
    assert!(detail.inspection.is_some(), "a duplicate shows what is known of its content");
    assert_eq!(desk.ask(Write::Running(vec![second.capture])), Receipt::Running(vec![]));
    desk.assert_sound();
}

#[test]
fn duplicates_within_one_batch_are_found() {
    let desk = Desk::open();
    let files: Vec<_> = (0..10).map(|n| desk.drop_file(format!("{n}.png"), b"the same")).collect();
    let Receipt::Admitted(rows) = desk.ask(Write::Admit(files)) else { panic!() };
    assert_eq!(rows.iter().filter(|row| row.state == CaptureState::Queued).count(), 1);
    assert!(rows[1..].iter().all(|row| row.duplicate_of == Some(rows[0].capture)));
}

#[test]
fn a_file_rewritten_in_place_replaces_its_former_version() {
    let desk = Desk::open();
    let first = desk.inspect("a.png", b"picture a");
    let second = desk.admit(desk.drop_file("a.png", b"picture b!"));
    assert_eq!((second.state, second.replaces), (CaptureState::Queued, Some(first.capture)));
    let row = desk.reader().capture(first.capture).unwrap().unwrap().row;
    assert_eq!((row.state, row.replaced_by), (CaptureState::Replaced, Some(second.capture)));
    assert_eq!(desk.reader().counts().unwrap().seen, 2);
    desk.assert_sound();
}

#[test]
fn a_queued_capture_that_is_replaced_is_never_given_to_a_worker() {
    let desk = Desk::open();
    let first = desk.admit(desk.drop_file("a.png", b"picture a"));
    let second = desk.admit(desk.drop_file("a.png", b"picture b!"));
    let receipt = desk.ask(Write::Running(vec![first.capture, second.capture]));
    assert_eq!(receipt, Receipt::Running(vec![second.capture]));
}

#[test]
fn an_answer_for_a_replaced_capture_goes_into_the_history_only_once() {
    let desk = Desk::open();
    let first = desk.start("a.png", b"picture a");
    desk.admit(desk.drop_file("a.png", b"picture b!"));
    for _ in 0..2 {
        let answer = desk.answer(&first);
        assert_eq!(desk.ask(Write::Finish(Box::new(answer))), Receipt::Dropped(first.capture));
    }
    assert_eq!(desk.state(first.capture), CaptureState::Replaced);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM inspections"), 1);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM images"), 0);
    desk.assert_sound();
}

#[test]
fn a_touched_file_keeps_its_result() {
    let desk = Desk::open();
    let first = desk.inspect("a.png", b"picture a");
    let duplicate = desk.admit(desk.drop_file("b.png", b"picture a"));
    let mut touched = desk.drop_file("a.png", b"picture a");
    touched.key.mtime_ns += 1;
    let touched = desk.admit(touched);
    assert_eq!((touched.state, touched.replaces), (CaptureState::Done, Some(first.capture)));
    let row = desk.reader().capture(duplicate.capture).unwrap().unwrap().row;
    assert_eq!(row.duplicate_of, Some(touched.capture));
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM inspections"), 1);
    desk.assert_sound();
}

#[test]
fn a_content_whose_first_file_was_rewritten_is_still_inspected() {
    for done in [false, true] {
        let desk = Desk::open();
        let first =
            if done { desk.inspect("a.png", b"picture a") } else { desk.admit(desk.drop_file("a.png", b"picture a")) };
        let heir = desk.admit(desk.drop_file("b.png", b"picture a"));
        let other = desk.admit(desk.drop_file("c.png", b"picture a"));
        let rewritten = desk.admit(desk.drop_file("a.png", b"picture b!"));
        assert_eq!(rewritten.replaces, Some(first.capture));
        assert_eq!(rewritten.promoted, (!done).then_some(heir.capture));
        assert_eq!(desk.state(heir.capture), if done { CaptureState::Done } else { CaptureState::Queued });
        let row = desk.reader().capture(other.capture).unwrap().unwrap().row;
        assert_eq!((row.state, row.duplicate_of), (CaptureState::Duplicate, Some(heir.capture)));
        desk.assert_sound();
    }
}

#[test]
fn an_unreadable_file_fails_and_is_read_again_on_request() {
    let desk = Desk::open();
    let mut admission = desk.drop_file("a.png", b"picture a");
    let hashed = admission.content.clone();
    admission.content = Content::Unreadable(failure("permission denied"));
    let first = desk.admit(admission.clone());
    assert_eq!((first.state, first.message.as_deref()), (CaptureState::Failed, Some("permission denied")));
    let receipt = desk.ask(Write::Requeue(Requeue::Failed(vec![first.capture])));
    let unread = vec![UnreadCapture { source: "bench".into(), path: admission.path.clone(), key: admission.key }];
    assert_eq!(receipt, Receipt::Requeued { queued: 0, unread });
    assert_eq!(desk.state(first.capture), CaptureState::Settling);
    let second = desk.admit(ferrule_core::store::Admission { content: hashed, ..admission });
    assert_eq!((second.capture, second.state), (first.capture, CaptureState::Queued));
    desk.assert_sound();
}

#[test]
fn a_file_that_is_no_capture_is_one_row_however_often_it_changes() {
    let desk = Desk::open();
    let mut admission = desk.drop_file("notes.txt", b"text");
    admission.content = Content::Ignored { reason: "no picture".into() };
    let first = desk.admit(admission.clone());
    admission.key.size += 10;
    let second = desk.admit(admission.clone());
    assert_eq!((first.state, second.new, second.capture), (CaptureState::Ignored, false, first.capture));
    admission.content = Content::Hashed(ferrule_core::ids::ImageId::of(b"text"));
    assert_eq!(desk.admit(admission).state, CaptureState::Queued, "the configuration may come to want it");
    desk.assert_sound();
}

#[test]
fn tags_and_any_bytes_of_a_name_come_back() {
    let desk = Desk::open();
    let name = OsStr::from_bytes(b"line\nbreak \x1b[31m \xff\xfe.png");
    let mut admission = desk.drop_file(name, b"picture");
    admission.tags =
        BTreeMap::from([("job".into(), "J7".into()), ("port".into(), "12".into()), ("operator".into(), "mk".into())]);
    let admitted = desk.admit(admission.clone());
    let row = desk.reader().capture(admitted.capture).unwrap().unwrap().row;
    assert_eq!((&row.path, &row.tags), (&admission.path, &admission.tags));
    assert_eq!(desk.one::<String>("SELECT job || port FROM captures"), "J712");
    desk.run(admitted.capture);
    desk.finish(desk.answer(&admitted));
    assert_eq!(desk.one::<String>("SELECT filename FROM images"), "line%0Abreak %1B[31m %FF%FE.png");
}

#[test]
fn a_capture_of_an_unknown_source_is_refused_and_nothing_else() {
    let desk = Desk::open();
    let mut stray = desk.drop_file("a.png", b"picture a");
    stray.source = "elsewhere".into();
    let Receipt::Rejected { message } = desk.ask(Write::Admit(vec![stray])) else { panic!("taken") };
    assert!(message.contains("elsewhere"));
    desk.inspect("b.png", b"picture b");
}

#[test]
fn an_answer_for_a_rewritten_file_stays_beside_that_of_another_file_with_its_former_content() {
    let desk = Desk::open();
    let first = desk.start("a.png", b"picture a");
    let heir = desk.admit(desk.drop_file("b.png", b"picture a"));
    assert_eq!(heir.state, CaptureState::Duplicate);
    desk.admit(desk.drop_file("a.png", b"picture b!"));
    assert_eq!(desk.ask(Write::Finish(Box::new(desk.answer(&first)))), Receipt::Dropped(first.capture));
    desk.run(heir.capture);
    desk.finish(desk.answer(&heir));
    // Both were looked at by one pipeline; the late answer is nobody's result, what is current is the heir's.
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM captures WHERE state = 'replaced' AND inspection_id IS NULL"), 1);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM inspections WHERE state = 'done'"), 2);
    let current = "SELECT n.capture_id FROM inspections n JOIN images USING (inspection_id)";
    assert_eq!(desk.one::<i64>(current), heir.capture.0);
    desk.assert_sound();
}
