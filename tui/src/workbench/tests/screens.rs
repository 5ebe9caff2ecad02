//! Each screen as text, at the smallest common size and at a large one.

use super::sample::{Bench, LARGE, SMALL};
use crate::workbench::theme::Colours;

/// Opens a screen by its keys and compares it with the stored one, at both sizes.
fn compare(name: &str, keys: &str) {
    for size in [SMALL, LARGE] {
        let mut bench = Bench::running(size, Colours::Palette256);
        bench.press(keys);
        insta::assert_snapshot!(format!("{name}_{}x{}", size.width, size.height), bench.text());
    }
}

#[test]
fn live() {
    compare("live", "");
}

#[test]
fn live_with_charts_below_or_without_any() {
    compare("live_charts", "c");
}

#[test]
fn live_around_the_fibre() {
    compare("live_fibre", "z");
}

#[test]
fn captures() {
    compare("captures", "2jj");
}

#[test]
fn captures_filtered_and_searched() {
    compare("captures_filtered", "2l/0011<Enter>");
}

#[test]
fn search_while_it_is_typed() {
    compare("search", "2/FT2-00");
}

#[test]
fn search_before_anything_is_typed() {
    compare("search_empty", "2/");
}

#[test]
fn columns_to_choose() {
    compare("columns", "2cjjj");
}

#[test]
fn views_by_name() {
    compare("views", "2v<End>");
}

#[test]
fn marked_captures() {
    compare("marked", "2  jjj ");
}

#[test]
fn one_capture() {
    compare("detail", "2jj<Enter>");
}

#[test]
fn review() {
    compare("review", "3nnj");
}

#[test]
fn review_with_a_box() {
    compare("review_box", "3nnb<Enter><Right><Right><Down><Enter>");
}

#[test]
fn plugins() {
    compare("plugins", "4jj");
}

#[test]
fn log() {
    compare("log", "6");
}

#[test]
fn help() {
    compare("help", "2?");
}

#[test]
fn quit() {
    compare("quit", "q");
}

#[test]
fn without_colours_the_picture_is_an_outline_and_no_cell_has_a_colour() {
    let bench = Bench::running(SMALL, Colours::None);
    insta::assert_snapshot!("live_no_color", bench.text());
    let buffer = bench.buffer();
    for cell in buffer.content() {
        use ratatui::style::Color::Reset;
        assert_eq!((cell.fg, cell.bg), (Reset, Reset), "{cell:?}");
    }
}

#[test]
fn without_utf8_everything_is_ascii() {
    let mut bench = Bench::with(SMALL, Colours::None, false, "", None);
    bench.connect();
    for keys in ["", "2", "<Enter>", "3", "4", "5", "6", "?", "<Esc>", "q"] {
        bench.press(keys);
        let text = bench.text();
        // The unit in a sentence of a plug-in is the plug-in's own.
        let ours: String = text.lines().filter(|line| !line.contains("wider than")).collect();
        assert!(ours.is_ascii(), "{text}");
    }
}

#[test]
fn sixteen_colours_are_enough() {
    let bench = Bench::running(SMALL, Colours::Sixteen);
    for cell in bench.buffer().content() {
        use ratatui::style::Color::{Indexed, Rgb};
        assert!(!matches!(cell.fg, Rgb(..) | Indexed(_)) && !matches!(cell.bg, Rgb(..) | Indexed(_)));
    }
}

#[test]
fn a_terminal_that_is_too_small_says_what_it_needs() {
    let mut bench = Bench::running(SMALL, Colours::Palette256);
    bench.size = ratatui::layout::Size::new(40, 10);
    let resize = crossterm::event::Event::Resize(40, 10);
    bench.headless.feed(crate::workbench::event::Event::Input(resize));
    insta::assert_snapshot!("too_small", bench.text());
}
