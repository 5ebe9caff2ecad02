//! Jobs: which can be handed over, what decides an end and what was before, the page for the customer.

use super::sample::{Bench, LARGE, SMALL};
use crate::workbench::{
    dataset::{DatasetAnswer, DatasetRequest},
    text,
    theme::Colours,
};

#[test]
fn jobs_and_the_ends_of_one() {
    for size in [SMALL, LARGE] {
        let mut bench = Bench::running(size, Colours::Palette256);
        bench.press("2J");
        insta::assert_snapshot!(format!("jobs_{}x{}", size.width, size.height), bench.text());
        bench.press("<Enter>j");
        insta::assert_snapshot!(format!("job_{}x{}", size.width, size.height), bench.text());
    }
}

#[test]
fn an_end_opens_at_the_capture_that_decides_and_turns_to_the_one_before() {
    let mut bench = Bench::running(SMALL, Colours::Palette256);
    bench.press("2J<Enter><Enter>");
    assert!(bench.text().contains("#1109"), "{}", bench.text());
    bench.press("n");
    assert!(bench.text().contains("#1101"), "{}", bench.text());
    bench.press("p");
    assert!(bench.text().contains("#1109"), "{}", bench.text());
    bench.press("<Esc>b");
    assert!(bench.text().contains("#1101"), "{}", bench.text());
    // Of an end with one capture there is none before.
    bench.press("<Esc>jb");
    assert!(bench.text().contains(text::NO_BEFORE), "{}", bench.text());
    // Out of the job, out of the mode.
    bench.press("<Esc>");
    assert!(bench.text().contains(text::JOBS));
    bench.press("<Esc>");
    assert!(!bench.text().contains(text::JOBS));
}

#[test]
fn a_job_is_handed_over_as_a_task_and_the_cursor_stays_on_it() {
    let mut bench = Bench::running(SMALL, Colours::Palette256);
    bench.headless.dataset = Box::new(|request| match request {
        DatasetRequest::HandOver { job } => {
            DatasetAnswer::HandedOver { job, result: Ok("2 written: /demo/dataset/jobs".into()) }
        }
        _ => DatasetAnswer::Summary(Ok(Box::default())),
    });
    bench.press("2Jje");
    assert!(bench.text().contains("LOT6: 2 written: /demo/dataset/jobs"), "{}", bench.text());
    bench.press("<C-t>");
    assert!(bench.text().contains("hand over LOT6"), "{}", bench.text());
    bench.press("<Esc><Enter>");
    assert!(bench.text().contains("Job LOT6"), "{}", bench.text());
}

#[test]
fn before_and_after_are_seen_beside_each_other() {
    let mut bench = Bench::running(LARGE, Colours::Palette256);
    bench.press("2J<Enter>s");
    let text = bench.text();
    assert!(text.contains("#1101") && text.contains("#1109") && text.contains("port 1 A: before, and after"), "{text}");
    // Of an end with one capture there is none before.
    bench.press("<Esc>js");
    assert!(bench.text().contains(text::NO_BEFORE), "{}", bench.text());
}
