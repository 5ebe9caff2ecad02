//! The Dataset screen: sides, groups, exports as tasks.

use std::{cell::RefCell, rc::Rc, sync::atomic::Ordering};

use ferrule_core::{dataset::split::Side, ids::CaptureId, store::SplitTable};
use ratatui::layout::Size;

use super::sample::{Bench, LARGE, SMALL};
use crate::workbench::{
    dataset::{DatasetAnswer, DatasetRequest, Format, Near, Summary, Together},
    event::Event,
    text,
    theme::Colours,
};

fn summary() -> Summary {
    let near = |name: &str, capture| {
        let captures = Some([CaptureId(1), CaptureId(capture)]);
        (name.to_owned(), Some(Near { first: "FT2-000001.png".to_owned(), residual: 0.031, captures }))
    };
    Summary {
        table: SplitTable {
            sides: [[420, 281], [88, 60], [91, 59]],
            no_fibre: 7,
            no_label: 31,
            ..SplitTable::default()
        },
        images: 1_037,
        fractions: Some([0.7, 0.15, 0.15]),
        notes: vec!["job=12 links train and val; it stays on train".into()],
        groups: vec![
            Together {
                side: Some(Side::Train),
                why: "near-duplicates".into(),
                count: 3,
                members: vec![("FT2-000001.png".into(), None), near("FT2-000007.png", 8), near("FT2-000009.png", 9)],
            },
            Together {
                side: None,
                why: "job=13 port=2".into(),
                count: 2,
                members: vec![("A13-2.png".into(), None), ("B13-2.png".into(), None)],
            },
        ],
    }
}

/// On the Dataset screen; exports that are asked for are kept.
fn bench(size: Size) -> (Bench, Rc<RefCell<Vec<DatasetRequest>>>) {
    let mut bench = Bench::running(size, Colours::Palette256);
    let asked = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&asked);
    bench.headless.dataset = Box::new(move |request| {
        let answer = match &request {
            DatasetRequest::Summary => DatasetAnswer::Summary(Ok(Box::new(summary()))),
            DatasetRequest::List { .. } => panic!("nobody lists captures here"),
            DatasetRequest::HandOver { job } => panic!("nobody hands {job} over here"),
            DatasetRequest::Export { number, format, .. } => {
                DatasetAnswer::Exporting { number: *number, format: *format, done: 0, all: 100 }
            }
        };
        kept.borrow_mut().push(request);
        answer
    });
    bench.press("6");
    (bench, asked)
}

#[test]
fn sides_groups_and_exports() {
    for size in [SMALL, LARGE] {
        let (mut bench, _) = bench(size);
        bench.press("jj<Enter>");
        let half = DatasetAnswer::Exporting { number: 1, format: Format::Coco, done: 519, all: 1_037 };
        bench.headless.feed(Event::Dataset(half));
        insta::assert_snapshot!(format!("dataset_{}x{}", size.width, size.height), bench.text());
    }
}

#[test]
fn an_export_is_a_task_that_can_be_cancelled_and_says_where_it_wrote() {
    let (mut bench, asked) = bench(SMALL);
    bench.press("<Enter><Enter>");
    assert!(bench.text().contains(text::EXPORT_RUNS), "{}", bench.text());
    let stop = match asked.borrow().last() {
        Some(DatasetRequest::Export { format: Format::Csv, stop, .. }) => std::sync::Arc::clone(stop),
        other => panic!("{other:?}"),
    };
    assert!(bench.text().contains("1 task"), "{}", bench.text());
    bench.press("<C-t>x<Esc>");
    assert!(stop.load(Ordering::Relaxed));
    let result = Err("interrupted; nothing of an unfinished file is left".to_owned());
    bench.headless.feed(Event::Dataset(DatasetAnswer::Exported { number: 1, format: Format::Csv, result }));
    assert!(bench.text().contains("csv: interrupted"), "{}", bench.text());
    bench.press("<Enter>");
    let result = Ok("1037 written: /lab/dataset/features".to_owned());
    bench.headless.feed(Event::Dataset(DatasetAnswer::Exported { number: 2, format: Format::Csv, result }));
    assert!(bench.text().contains("/lab/dataset/features"), "{}", bench.text());
    bench.press("x");
    assert!(bench.text().contains(text::NO_EXPORT), "{}", bench.text());
}

#[test]
fn it_is_read_again_when_it_is_opened_again_or_asked_for() {
    let (mut bench, asked) = bench(SMALL);
    bench.press("16r");
    assert_eq!(asked.borrow().iter().filter(|it| matches!(it, DatasetRequest::Summary)).count(), 3);
}

#[test]
fn near_duplicates_are_looked_at_side_by_side() {
    for size in [SMALL, LARGE] {
        let (mut bench, _) = bench(size);
        bench.press("n");
        insta::assert_snapshot!(format!("pair_{}x{}", size.width, size.height), bench.text());
        assert!(bench.text().contains("#1 FT2-000001.png") && bench.text().contains("#8 FT2-000008.png"));
        bench.press("<Right>");
        assert!(bench.text().contains("#9 FT2-000009.png") && bench.text().contains("2 of 2"), "{}", bench.text());
        // Both follow when one looks closer.
        bench.press("z");
        assert!(bench.text().contains("fibre"), "{}", bench.text());
        bench.press("<Esc>");
        assert!(bench.text().contains(text::TOGETHER), "{}", bench.text());
    }
}
