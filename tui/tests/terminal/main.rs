//! The workbench in a real pseudo-terminal: keys in, screens out, the terminal lost, suspended, silent.
//!
//! The test binary starts itself as the program in the terminal ([`workbench_in_this_terminal`]).
#![allow(clippy::expect_used, clippy::panic, reason = "what fails in a helper fails its test")]

mod engine;
mod pty;

use std::{sync::Arc, time::Duration};

use ferrule::workbench::{self, Colours, Exit, KeyMap, TerminalFacts, WorkbenchSettings};
use ferrule_core::{
    settings::{ChartMarks, PictureProtocol, Screen, ThemeName},
    worker::arguments::Limits,
    workspace::DatasetPaths,
};

use engine::FakeEngine;
use pty::{DATASET, Running};

/// Not a test: what runs inside the terminal.
#[test]
#[ignore = "started by the other tests, inside a terminal of theirs"]
fn workbench_in_this_terminal() {
    let Ok(dataset) = std::env::var(DATASET) else { return };
    let settings = WorkbenchSettings {
        workspace: "pty".into(),
        root: dataset.clone().into(),
        dataset: DatasetPaths::at(dataset),
        log: None,
        terminal: TerminalFacts { colours: Colours::Palette256, multiplexer: true, ..TerminalFacts::default() },
        screen: Screen {
            picture: PictureProtocol::Halfblocks,
            theme: ThemeName::Dark,
            chart: ChartMarks::Auto,
            mouse: false,
            open: Vec::new(),
        },
        low_bandwidth: false,
        keys: KeyMap::default(),
        key_problems: Vec::new(),
        time_zone: jiff::tz::TimeZone::UTC,
        start_engine: Box::new(|| Err("no engine can be started in this test".into())),
        limits: Limits { memory_mb: 512, max_megapixels: 10.0, max_file_mb: 10 },
        try_out: Box::new(|_| Err("nothing can be tried in this test".into())),
        learn: Box::new(|_| Err("not here".into())),
        put_back: Box::new(|_| Err("nothing can be put back in this test".into())),
        at_logout: None,
        reviewer_file: None,
        user: None,
    };
    let code = match workbench::run(settings) {
        Ok(Exit::Left) => 10,
        Ok(Exit::EngineStopped) => 11,
        Ok(Exit::Signalled) => 12,
        Ok(Exit::TerminalLost) => 13,
        Err(_) => 1,
    };
    // Past the test harness, which would write its own words to a terminal that may be gone.
    std::process::exit(code);
}

#[test]
fn keys_lead_through_the_screens_and_out() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.type_keys("2");
    running.wait_for_text("label");
    running.type_keys("7");
    running.wait_for_text("no engine: ");
    running.type_keys("?");
    running.wait_for_text("Everywhere");
    running.type_keys("\u{1b}");
    running.wait_for("the help gone", |screen| !screen.contents().contains("Everywhere"));
    running.type_keys("q");
    let seen = Arc::clone(&running.seen);
    assert_eq!(running.exit_code(), 10);
    let seen = seen.0.lock().expect("the screen");
    assert!(
        !seen.parser.screen().alternate_screen() && !seen.parser.screen().hide_cursor(),
        "the terminal is as it was"
    );
}

#[test]
fn a_lost_terminal_ends_the_client() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.hang_up();
    let code = running.exit_code();
    assert!([12, 13].contains(&code), "by the signal or by the descriptor, whichever came first: {code}");
}

#[test]
fn a_terminal_lost_while_keys_arrive_ends_the_client() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.type_keys(&"123456".repeat(200));
    running.hang_up();
    assert!([12, 13].contains(&running.exit_code()));
}

#[test]
fn terminate_restores_the_terminal() {
    let running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.signal("-TERM");
    let seen = Arc::clone(&running.seen);
    assert_eq!(running.exit_code(), 12);
    assert!(!seen.0.lock().expect("the screen").parser.screen().alternate_screen());
}

#[test]
fn a_new_size_is_drawn_without_a_key() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    let size = portable_pty::PtySize { rows: 10, cols: 40, pixel_width: 0, pixel_height: 0 };
    running.seen.0.lock().expect("the screen").parser.screen_mut().set_size(pty::cells(10), pty::cells(40));
    running.master.as_ref().expect("the terminal").resize(size).expect("a size");
    running.wait_for_text("60x16 are needed");
    running.type_keys("q");
    assert_eq!(running.exit_code(), 10);
}

#[test]
fn it_comes_back_whole_after_a_stop() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.signal("-STOP");
    // A shell may write over the screen meanwhile.
    running.seen.0.lock().expect("the screen").parser.process(b"\x1b[?1049l\x1b[2Jshell$ ");
    running.signal("-CONT");
    running.wait_for("the whole screen again", |screen| {
        screen.alternate_screen() && screen.contents().contains("gone, reconnecting")
    });
    running.type_keys("q");
    assert_eq!(running.exit_code(), 10);
}

#[test]
fn an_idle_workbench_writes_nothing_and_rests() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    running.type_keys("2");
    running.wait_for_text("label");
    // Several attempts to reach the engine fall into that time.
    let (bytes, ticks) = listen(&running);
    assert_eq!(bytes, 0, "it wrote while nothing happened");
    assert!(ticks <= 5, "it used {ticks} hundredths of a second");
    running.type_keys("q");
    assert_eq!(running.exit_code(), 10);
}

#[test]
fn an_engine_that_dies_and_comes_back_is_found_again() {
    let mut running = Running::start();
    running.wait_for_text("gone, reconnecting");
    let engine = FakeEngine::start(running.dataset.path(), 1_234);
    running.wait_for_text("engine running");
    running.wait_for_text("1,234");
    drop(engine);
    running.wait_for_text("gone, reconnecting");
    let engine = FakeEngine::start(running.dataset.path(), 5_678);
    running.wait_for_text("5,678");
    // Leaving asks, and the engine hears nothing of it.
    running.type_keys("q");
    running.wait_for_text("stop the engine after what is in hand");
    running.type_keys("l");
    assert_eq!(running.exit_code(), 10);
    assert_eq!(engine.asked(), ["subscribe"]);
}

#[test]
fn a_client_of_an_idle_engine_writes_nothing_and_rests() {
    let mut running = Running::start();
    let _engine = FakeEngine::start(running.dataset.path(), 1_234);
    running.wait_for_text("1,234");
    let (bytes, ticks) = listen(&running);
    assert_eq!(bytes, 0, "it wrote while nothing happened");
    assert!(ticks <= 5, "it used {ticks} hundredths of a second");
    running.type_keys("ql");
    assert_eq!(running.exit_code(), 10);
}

/// Bytes written and ticks used in five seconds in which nothing happens: silence can only be shown by listening.
fn listen(running: &Running) -> (usize, u64) {
    std::thread::sleep(Duration::from_secs(1));
    let (bytes, ticks) = (running.bytes(), running.ticks());
    std::thread::sleep(Duration::from_secs(5));
    (running.bytes() - bytes, running.ticks() - ticks)
}
