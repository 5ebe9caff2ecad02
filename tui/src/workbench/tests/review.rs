//! What keys decide on the Review screen.

use crossterm::event::{Event as Terminal, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ferrule_core::{
    dataset::review::{Decision, Review, Reviewed},
    ids::ImageId,
    protocol::{Event as EngineEvent, Request},
    report::DefectKind,
};

use super::sample::{Bench, LARGE, SMALL, image};
use crate::workbench::{
    event::{Event, FromEngine},
    text,
    theme::Colours,
};

fn bench() -> Bench {
    let mut bench = Bench::running(SMALL, Colours::Palette256);
    bench.press("3");
    bench
}

/// What the engine was asked to store.
fn said(bench: &Bench) -> Vec<Review> {
    let reviews = bench.headless.asked.iter().flat_map(|request| match request {
        Request::Review { reviews } => reviews.clone(),
        other => panic!("{other:?}"),
    });
    reviews.collect()
}

fn decisions(bench: &Bench) -> Vec<(ImageId, Decision)> {
    said(bench).into_iter().map(|review| (review.image, review.decision)).collect()
}

#[test]
fn one_key_decides_and_the_next_capture_is_there() {
    let mut bench = bench();
    // 1199 and 1198 are clean, 1197 is a defect, 1196 incomplete, 1195 a duplicate.
    bench.press("ccdn");
    assert_eq!(
        decisions(&bench),
        [(image(1199), Decision::Clean), (image(1198), Decision::Clean), (image(1197), Decision::Defect)]
    );
    let one = &said(&bench)[0];
    assert_eq!(one.reviewer, "Ann");
    assert!(one.at.is_some(), "else it would be left out where somebody else said the same");
    assert!(bench.text().contains("FT2-001194.png") && bench.text().contains("3 decided"), "{}", bench.text());
    bench.press("p");
    assert!(bench.text().contains("FT2-001196.png"));
}

#[test]
fn decisions_are_taken_back_and_made_again_where_they_were_made() {
    let mut bench = bench();
    bench.press("cdu");
    assert!(bench.text().contains("FT2-001198.png"), "{}", bench.text());
    bench.press("u");
    assert!(bench.text().contains("FT2-001199.png"));
    bench.press("uU");
    assert_eq!(
        decisions(&bench)[2..],
        [(image(1198), Decision::Withdrawn), (image(1199), Decision::Withdrawn), (image(1199), Decision::Clean)]
    );
    assert!(bench.text().contains("FT2-001198.png") && bench.text().contains("1 decided"), "{}", bench.text());
}

#[test]
fn each_defect_is_accepted_rejected_or_called_something_else() {
    let mut bench = bench();
    bench.press("nnyxt3");
    let said = said(&bench);
    let words: Vec<_> = said
        .iter()
        .map(|review| {
            let defect = review.defect.as_ref().expect("a defect");
            (review.decision, defect.kind, defect.defect_id.clone().expect("an id"))
        })
        .collect();
    let id = |number: u32| format!("{}-{number}", image(1197));
    assert_eq!(
        words,
        [
            (Decision::Confirmed, DefectKind::Scratch, id(1)),
            (Decision::Rejected, DefectKind::Pit, id(2)),
            (Decision::Confirmed, DefectKind::Chip, id(3)),
        ]
    );
    assert!(!said[0].defect.as_ref().expect("a defect").mask.is_empty(), "it outlives the inspection");
    bench.press("u");
    assert_eq!(self::said(&bench).last().expect("a word").decision, Decision::Retracted);
    assert!(bench.text().contains("FT2-001197.png"), "decisions about defects do not go on");
}

#[test]
fn a_missed_defect_is_drawn_with_keys() {
    let mut bench = bench();
    bench.press("b<Left><Enter><Right><Right><Down>l<Enter>");
    assert!(bench.text().contains(text::KIND_OF_BOX), "{}", bench.text());
    bench.press("2");
    let review = said(&bench).pop().expect("a word");
    let defect = review.defect.expect("a defect");
    assert_eq!((review.decision, defect.kind, defect.defect_id), (Decision::Missed, DefectKind::Pit, None));
    assert_eq!(defect.bbox, [300, 240, 43, 21]);
    bench.press("b<Enter><Esc>c");
    assert_eq!(decisions(&bench).last(), Some(&(image(1199), Decision::Clean)), "Esc leaves the box");
}

#[test]
fn a_missed_defect_is_drawn_with_the_mouse() {
    let mut bench = Bench::running(LARGE, Colours::Palette256);
    bench.press("3");
    let mouse = |kind, column, row| {
        Event::Input(Terminal::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
    };
    bench.headless.feed(mouse(MouseEventKind::Down(MouseButton::Left), 60, 20));
    bench.headless.feed(mouse(MouseEventKind::Drag(MouseButton::Left), 50, 15));
    bench.headless.feed(mouse(MouseEventKind::Up(MouseButton::Left), 40, 10));
    bench.press("1");
    let review = said(&bench).pop().expect("a word");
    let [x, y, width, height] = review.defect.expect("a defect").bbox;
    assert_eq!(review.decision, Decision::Missed);
    assert!(x + width <= 640 && y + height <= 480 && width > 80 && height > 80, "{x} {y} {width} {height}");
    // Outside of the picture a click means nothing.
    bench.headless.feed(mouse(MouseEventKind::Down(MouseButton::Left), 150, 20));
    assert!(!bench.text().contains(text::KIND_OF_BOX));
}

#[test]
fn a_reviewer_is_asked_for_a_name_once() {
    let mut bench = Bench::nameless(SMALL);
    bench.press("3");
    assert!(bench.text().contains("reviewer: ann"), "the session's user is offered: {}", bench.text());
    bench.press("<C-u>Cleo<Enter>");
    bench.press("c");
    assert_eq!(said(&bench)[0].reviewer, "Cleo");
    bench.press("13");
    assert!(!bench.text().contains("Enter take"), "not again");
}

#[test]
fn without_an_engine_nothing_is_decided() {
    let mut bench = bench();
    bench.feed(FromEngine::Gone("the engine ended".into()));
    bench.press("c");
    assert!(bench.headless.asked.is_empty());
    assert!(bench.text().contains("FT2-001199.png"), "it stays where it is");
}

#[test]
fn what_others_said_and_how_far_they_agree_is_shown() {
    let mut bench = Bench::running(LARGE, Colours::Palette256);
    bench.press("3nn");
    let shown = bench.text();
    assert!(shown.contains("Bob says defect") && shown.contains("chip*"), "{shown}");
    assert!(shown.contains("with Bob: 35 of 50 the same, kappa 0.40"), "{shown}");
    let reviewed = Reviewed { refused: vec!["no such image\u{1b}".into()], ..Reviewed::default() };
    bench.feed(FromEngine::Event(EngineEvent::Reviewed(reviewed)));
    assert!(bench.text().contains("no such image"), "what was not stored is said");
}

#[test]
fn queues_follow_each_other_and_begin_at_their_start() {
    let mut bench = bench();
    bench.press("nnf");
    assert!(bench.text().contains("Unsure ones first") && bench.text().contains("1 of"), "{}", bench.text());
    bench.press("ffff");
    assert!(bench.text().contains("All, newest first"));
}
