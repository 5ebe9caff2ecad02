//! Layers beyond zones and defects, and what is taken along: the list and the picture as files, the file in another program.

use std::{cell::RefCell, rc::Rc};

use ferrule_core::{export::CaptureFile, filter::Column};
use ratatui::{layout::Size, style::Color};

use super::sample::{Bench, LARGE, SMALL};
use crate::workbench::{
    dataset::{DatasetAnswer, DatasetRequest},
    event::Event,
    reference::{ReferenceAnswer, Word},
    text,
    theme::Colours,
};

/// The capture of which something else was said before, opened; `o` is pressed so often.
fn opened(size: Size, colours: Colours, layers: usize) -> Bench {
    let mut bench = Bench::running(size, colours);
    bench.press(&format!("2{}<Enter>{}", "j".repeat(11), "o".repeat(layers)));
    bench
}

/// Presses `o` until the title says so.
fn layer(size: Size, colours: Colours, words: &str) -> Bench {
    let mut bench = opened(size, colours, 0);
    for _ in 0..8 {
        bench.press("o");
        if bench.text().contains(words) {
            return bench;
        }
    }
    panic!("no layer {words}:\n{}", bench.text());
}

#[test]
fn layers_of_an_inspected_capture_come_one_after_the_other_and_begin_again() {
    let mut bench = opened(LARGE, Colours::Palette256, 0);
    for words in ["zones", "masks", "difference + - ~", "defects of 800 captures", "bare", "whole picture"] {
        bench.press("o");
        assert!(bench.text().lines().nth(1).is_some_and(|title| title.contains(words)), "{words}:\n{}", bench.text());
    }
    // One that was never inspected otherwise has no difference.
    bench.press("n");
    for _ in 0..8 {
        bench.press("o");
        assert!(!bench.text().contains("difference"), "{}", bench.text());
    }
}

#[test]
fn what_was_said_before_is_told_and_drawn_with_signs() {
    for size in [SMALL, LARGE] {
        let bench = layer(size, Colours::None, "difference");
        insta::assert_snapshot!(format!("difference_{}x{}", size.width, size.height), bench.text());
    }
    let bench = layer(LARGE, Colours::None, "difference");
    let text = bench.text();
    for sign in ['+', '-', '~'] {
        let drawn = text.lines().skip(2).take(40).any(|line| line.chars().take(90).any(|it| it == sign));
        assert!(drawn, "{sign} in\n{text}");
    }
    assert!(text.contains("since then 2 new (+), 1 gone (-), 1"), "{text}");
}

#[test]
fn masks_stand_out_of_a_picture_made_dark() {
    let count = |bench: &Bench| {
        let buffer = bench.buffer();
        let is_bright = |colour: Color| matches!(colour, Color::Rgb(r, g, b) if r == g && g == b && r > 120);
        buffer.content().iter().filter(|cell| is_bright(cell.bg)).count()
    };
    let whole = opened(LARGE, Colours::True, 0);
    let masks = layer(LARGE, Colours::True, "masks");
    assert!(count(&whole) > 500 && count(&masks) == 0, "{} {}", count(&whole), count(&masks));
    let buffer = masks.buffer();
    let red = buffer.content().iter().filter(|cell| cell.bg == Color::Rgb(255, 0, 0)).count();
    assert!(red > 20, "the scratch's pixels: {red}");
}

#[test]
fn a_heat_map_shows_where_the_defects_of_the_list_lie() {
    for size in [SMALL, LARGE] {
        let bench = layer(size, Colours::None, "defects of");
        insta::assert_snapshot!(format!("heat_{}x{}", size.width, size.height), bench.text());
    }
    let warm = |bench: &Bench| {
        let buffer = bench.buffer();
        let is_warm = |colour: Color| matches!(colour, Color::Rgb(r, g, b) if r > 150 && g < r / 2 && b < r / 2);
        buffer.content().iter().filter(|cell| is_warm(cell.bg)).count()
    };
    // The ring of no zone is red, and no defect of the capture itself is drawn.
    assert!(warm(&layer(LARGE, Colours::True, "defects of")) > 3);
    assert_eq!(warm(&layer(LARGE, Colours::True, "bare")), 0);
}

#[test]
fn the_list_is_written_as_it_is_filtered_and_sorted() {
    let mut bench = Bench::running(SMALL, Colours::Palette256);
    let asked = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&asked);
    bench.headless.dataset = Box::new(move |request| {
        if let DatasetRequest::List { number, list, format, .. } = request {
            kept.borrow_mut().push((number, *list, format));
        }
        DatasetAnswer::Summary(Ok(Box::default()))
    });
    bench.press("2lox");
    {
        let asked = asked.borrow();
        let (number, list, format) = &asked[0];
        assert_eq!((*number, list.filter.to_string(), format), (1, "label:defect".to_owned(), &CaptureFile::Csv));
        assert_ne!(list.order.by, Column::Time);
    }
    // One at a time.
    bench.press("X");
    assert!(bench.text().contains(text::LIST_RUNS), "{}", bench.text());
    let result = Ok("364 written: /demo/dataset/exports".to_owned());
    bench.headless.feed(Event::Dataset(DatasetAnswer::Listed { number: 1, result }));
    assert!(bench.text().contains("364 written: /demo/dataset/exports"), "{}", bench.text());
    bench.press("X");
    assert_eq!(asked.borrow()[1].2, CaptureFile::Json);
    bench.press("<C-t>");
    assert!(bench.text().contains("export the list"), "{}", bench.text());
}

#[test]
fn a_picture_is_saved_whole_with_what_lies_over_it() {
    let mut bench = opened(SMALL, Colours::Palette256, 0);
    bench.press("x");
    let files: Vec<_> = std::fs::read_dir(bench.headless.exports.path())
        .expect("a folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].ends_with("endface_result.png"), "{files:?}");
    let saved = image::open(&files[0]).expect("a picture").to_rgb8();
    assert_eq!(saved.dimensions(), (640, 480));
    let coloured = saved.pixels().filter(|pixel| pixel.0 == [255, 0, 0]).count();
    assert!(coloured > 100, "the scratch is ringed: {coloured}");
    assert!(bench.text().contains("saved: "), "{}", bench.text());
}

#[test]
fn a_file_is_handed_to_the_program_that_is_configured() {
    let mut bench = opened(SMALL, Colours::Palette256, 0);
    bench.press("w");
    assert!(bench.text().contains("screen.open"), "{}", bench.text());
    assert!(bench.headless.opened.is_empty());
    let mut bench = Bench::with_program(SMALL, &["gimp", "{}"]);
    bench.press("2<Enter>w");
    let (program, files) = &bench.headless.opened[0];
    assert_eq!(program, &["gimp", "{}"]);
    // The source's own file before the dataset's copy, which must stay as it was inspected.
    assert!(files[0].ends_with("captures/FT2-001199.png") && files.len() > 1, "{files:?}");
    bench.headless.feed(Event::NotOpened("gimp: not found; screen.open of ferrule.toml names it".into()));
    assert!(bench.text().contains("gimp: not found"), "{}", bench.text());
}

#[test]
fn a_reference_is_made_of_what_is_marked_once_at_a_time_and_can_be_ended() {
    let mut bench = Bench::running(LARGE, Colours::Palette256);
    bench.press("2B");
    assert!(bench.text().contains("Mark captures of clean end faces first"), "{}", bench.text());
    bench.press("*B");
    let wanted = bench.headless.references.pop().unwrap();
    assert!(wanted.images.len() >= 8, "{}", wanted.images.len());
    bench.press("B");
    assert!(
        bench.headless.references.is_empty() && bench.text().contains("A reference is being made"),
        "{}",
        bench.text()
    );
    let answer = |word| Event::Reference(ReferenceAnswer { number: wanted.number, word });
    bench.headless.feed(answer(Word::Reading(4, 8)));
    bench.press("<C-t>");
    assert!(bench.text().contains("make a reference") && bench.text().contains("50"), "{}", bench.text());
    assert!(wanted.stop.is_empty());
    bench.press("x");
    assert!(wanted.stop.try_recv().is_ok(), "it was told to end");
    bench.headless.feed(answer(Word::Failed("interrupted before the last picture; nothing was written".into())));
    assert!(bench.text().contains("nothing was written"), "{}", bench.text());
    bench.press("<Esc>B");
    assert_eq!(bench.headless.references.len(), 1, "another one can be begun");
}
