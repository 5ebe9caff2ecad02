//! The palette, the tasks, keys and themes of one's own, the mouse.

use std::collections::BTreeMap;

use crossterm::event::{Event as Terminal, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ferrule_core::{
    protocol::{Event as EngineEvent, Request},
    swap::{Swap, SwapOutcome},
    training::Steer,
};

use super::{
    sample::{Bench, LARGE, SMALL},
    trainings::{batch, started},
};
use crate::workbench::{
    event::{Event, FromEngine},
    keymap::KeyMap,
    text,
    theme::Colours,
};

fn swap(generation: u64, outcome: SwapOutcome, refusal: Option<&str>) -> FromEngine {
    FromEngine::Event(EngineEvent::Swap(Box::new(Swap {
        swap: 1,
        at: "2026-09-21T14:00:00Z".into(),
        generation: Some(generation),
        pipeline: None,
        library: None,
        build: None,
        reason: "configuration".into(),
        changes: Vec::new(),
        outcome,
        refusal: refusal.map(str::to_owned),
        took_ms: None,
    })))
}

#[test]
fn the_palette_does_what_the_key_does() {
    for size in [SMALL, LARGE] {
        let mut bench = Bench::running(size, Colours::Palette256);
        bench.press("2:retr");
        insta::assert_snapshot!(format!("palette_{}x{}", size.width, size.height), bench.text());
    }
    let mut bench = Bench::running(SMALL, Colours::Palette256);
    bench.press("2:retry all<Enter>");
    assert_eq!(bench.headless.asked, [Request::Retry { captures: None }]);
    // Screens too; and a text that fits nothing does nothing.
    bench.press(":training<Enter>");
    assert!(bench.text().contains(text::TRAINING_PAST), "{}", bench.text());
    bench.press(":qqqq");
    assert!(bench.text().contains(text::NO_COMMAND));
    bench.press("<Enter><Esc>");
    assert!(!bench.text().contains(text::PALETTE_TITLE));
}

#[test]
fn tasks_show_what_goes_on_and_how_it_ended_and_a_training_can_be_cancelled() {
    let mut bench = Bench::running(SMALL, Colours::Palette256);
    bench.feed(swap(4, SwapOutcome::Trying, None));
    bench.feed(swap(4, SwapOutcome::Refused, Some("detect-region ended at once")));
    for event in [started(), batch()] {
        bench.feed(FromEngine::Event(EngineEvent::Training(event)));
    }
    bench.press("<C-t>");
    insta::assert_snapshot!("tasks", bench.text());
    bench.press("xy");
    assert_eq!(bench.headless.asked, [Request::Steer { steer: Steer::StopNow }]);
    bench.press("<C-t>jx");
    assert!(bench.text().contains(text::NOT_CANCELLED), "{}", bench.text());
}

#[test]
fn ones_own_keys_work_and_are_what_is_shown() {
    let own = BTreeMap::from([("rescan".to_owned(), vec!["F5".to_owned()])]);
    let (keys, problems) = KeyMap::of(&own, |_| String::new());
    assert_eq!(problems, Vec::<String>::new());
    let mut bench = Bench::with_keys(LARGE, keys);
    bench.connect();
    bench.press("S");
    assert!(bench.headless.asked.is_empty());
    bench.press("<F5>");
    assert_eq!(bench.headless.asked, [Request::Rescan]);
    bench.press("?");
    let shown = bench.text();
    assert!(shown.lines().any(|line| line.contains("F5") && line.contains("look into every")), "{shown}");
}

#[test]
fn a_wrong_line_of_keys_is_told_on_the_screen_and_in_the_log() {
    let mut bench = Bench::running(SMALL, Colours::Palette256);
    bench.headless.app.warn(vec!["ferrule.toml:7: keys.fly: nothing is called so".into()]);
    assert!(bench.text().contains("ferrule.toml:7: keys.fly"), "{}", bench.text());
    bench.press("7");
    assert!(bench.text().contains("ferrule.toml:7: keys.fly"), "{}", bench.text());
}

#[test]
fn a_click_on_a_tab_opens_its_screen_and_the_mouse_can_be_given_back() {
    for size in [SMALL, LARGE] {
        let mut bench = Bench::running(size, Colours::Palette256);
        let header = bench.text().lines().next().unwrap_or_default().to_owned();
        let word = if size == SMALL { "Train" } else { "Training" };
        let column = header.find(word).map(|at| header[..at].chars().count()).expect("a tab") as u16;
        let kind = MouseEventKind::Down(MouseButton::Left);
        let click = MouseEvent { kind, column, row: 0, modifiers: KeyModifiers::NONE };
        bench.headless.feed(Event::Input(Terminal::Mouse(click)));
        assert!(bench.text().contains(text::TRAINING_PAST), "{}", bench.text());
        bench.press("M");
        assert!(bench.text().contains(text::MOUSE_OFF));
        bench.press("M");
        assert!(bench.text().contains("The mouse works here"));
    }
}
