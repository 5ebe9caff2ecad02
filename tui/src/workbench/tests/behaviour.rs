//! What keys and events do.

use ferrule_core::{
    ids::CaptureId,
    protocol::{Answer, Event as EngineEvent, Refusal, Request},
    report::CaptureState,
};

use super::sample::{Bench, LARGE, SMALL, done, image, status};
use crate::workbench::{
    event::{Event, Exit, FromEngine, Signal},
    keys,
    screens::ScreenName,
    text,
    theme::Colours,
};

fn bench() -> Bench {
    Bench::running(SMALL, Colours::Palette256)
}

fn capture(event: ferrule_core::protocol::CaptureEvent) -> FromEngine {
    FromEngine::Event(EngineEvent::Capture(Box::new(event)))
}

#[test]
fn keys_lead_to_every_screen_and_back() {
    let mut bench = bench();
    for (key, name) in ["1", "2", "3", "4", "5", "6", "7"].into_iter().zip(ScreenName::ALL) {
        bench.press(key);
        assert!(bench.text().contains(&format!(" {key} {} ", text::short_screen(name))));
    }
    bench.press("1");
    let live = bench.text();
    bench.press("<Tab><Tab><Tab><Tab><Tab><Tab><Tab>");
    assert_eq!(bench.text(), live);
    bench.press("<Enter>");
    assert_ne!(bench.text(), live);
    bench.press("<Esc>");
    assert_eq!(bench.text(), live);
}

#[test]
fn a_status_that_says_nothing_new_draws_nothing() {
    let mut bench = bench();
    let same = FromEngine::Event(EngineEvent::Status(Box::new(status())));
    assert!(!bench.feed(same));
    let mut other = status();
    other.counts.done += 1;
    other.counts.add_up();
    assert!(bench.feed(FromEngine::Event(EngineEvent::Status(Box::new(other)))));
}

#[test]
fn an_engine_that_stays_away_is_told_once() {
    let mut bench = bench();
    assert!(bench.feed(FromEngine::Gone("the engine ended".into())));
    assert!(bench.text().contains(text::ENGINE_GONE));
    for _ in 0..3 {
        assert!(!bench.feed(FromEngine::Gone("no engine runs".into())), "nothing is drawn while it stays away");
    }
    bench.connect();
    assert!(bench.text().contains(text::ENGINE_RUNNING));
}

#[test]
fn the_help_shows_exactly_the_keys_in_force() {
    for screen in ["1", "2", "3", "4", "5", "6", "2<Enter>"] {
        let mut bench = Bench::running(LARGE, Colours::Palette256);
        bench.press(screen);
        let layers = bench.headless.app.keys();
        bench.press("?");
        let mut shown = bench.text();
        // A long list scrolls.
        bench.press("jjjjjjjjjj");
        shown.push_str(&bench.text());
        for binding in layers.iter().flat_map(|layer| &layer.list) {
            assert!(shown.contains(text::action(binding.action).1), "{:?} in\n{shown}", binding.action);
        }
    }
}

#[test]
fn no_key_means_two_things_on_one_screen() {
    let typed = [
        keys::PALETTE,
        keys::SEARCH,
        keys::TRAINING_FORM,
        keys::NOTE,
        keys::PARAMETERS,
        keys::WELCOME,
        keys::FOLDER,
        keys::MENU,
    ];
    let inner = [crate::workbench::screens::review::DRAWING, crate::workbench::screens::review::KINDS];
    for layer in crate::workbench::screens::layers().into_iter().chain(typed).chain(inner) {
        let all: Vec<_> = layer.list.iter().flat_map(|binding| binding.keys).collect();
        for (index, key) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(key), "{key} in {}", layer.title);
        }
    }
}

#[test]
fn leaving_asks_first_and_does_not_touch_the_engine() {
    let mut bench = bench();
    bench.press("q");
    assert_eq!(bench.headless.ended, None);
    bench.press("<Esc>");
    assert!(!bench.text().contains(text::QUIT_QUESTION));
    bench.press("ql");
    assert_eq!(bench.headless.ended, Some(Exit::Left));
    assert!(bench.headless.asked.is_empty());
}

#[test]
fn stopping_waits_until_the_engine_has_gone() {
    let mut bench = bench();
    bench.press("qs");
    assert_eq!(bench.headless.asked, [Request::Stop]);
    assert_eq!(bench.headless.ended, None);
    bench.feed(FromEngine::Answer { request: Request::Stop, answer: Answer::Ok { count: 0 } });
    bench.feed(FromEngine::Event(EngineEvent::Stopping));
    assert!(bench.text().contains(text::QUIT_STOPPING));
    bench.feed(FromEngine::Gone("the engine ended".into()));
    assert_eq!(bench.headless.ended, Some(Exit::EngineStopped));
}

#[test]
fn the_question_on_leaving_says_when_logging_out_would_end_the_engine() {
    let warning = "Logging out ends the engine; `loginctl enable-linger` keeps it.";
    let mut bench = Bench::with(SMALL, Colours::Palette256, true, "", Some(warning));
    bench.connect();
    bench.press("q");
    assert!(bench.text().contains("loginctl enable-linger"));
}

#[test]
fn without_an_engine_leaving_asks_nothing() {
    let mut bench = bench();
    bench.feed(FromEngine::Gone("the engine ended".into()));
    bench.press("q");
    assert_eq!(bench.headless.ended, Some(Exit::Left));
}

#[test]
fn signals_and_a_lost_terminal_end_the_client_alone() {
    for (event, exit) in [(Event::Signal(Signal::End), Exit::Signalled), (Event::TerminalLost, Exit::TerminalLost)] {
        let mut bench = bench();
        bench.headless.feed(event);
        assert_eq!(bench.headless.ended, Some(exit));
        assert!(bench.headless.asked.is_empty(), "the engine hears nothing of it");
    }
}

#[test]
fn a_new_result_shows_itself_with_its_picture() {
    let mut bench = bench();
    assert!(bench.feed(capture(done(1197, "/captures/FT2-001197.png"))));
    let shown = bench.text();
    assert!(shown.contains("FT2-001197.png") && shown.contains('▀'), "{shown}");
    assert!(shown.contains("DEFECT"));
}

#[test]
fn a_chosen_capture_stays_while_others_arrive() {
    let mut bench = bench();
    bench.press("jj");
    let title = |bench: &Bench| bench.text().lines().nth(1).expect("a title").to_owned();
    let chosen = title(&bench);
    bench.feed(capture(done(1150, "/captures/FT2-001150.png")));
    assert_eq!(title(&bench), chosen);
    bench.press("<Home>");
    assert!(title(&bench).contains("FT2-001150.png"));
}

#[test]
fn the_last_row_of_a_long_list_is_reached_with_one_key() {
    let mut bench = bench();
    bench.press("2<End>");
    assert!(bench.text().contains("FT2-000001.png"));
    bench.press("<Home>");
    assert!(bench.text().contains("FT2-001199.png"));
}

#[test]
fn paging_down_passes_every_row() {
    let mut bench = bench();
    bench.press("2");
    for _ in 0..70 {
        bench.press("<PgDn>");
    }
    assert!(bench.text().contains("FT2-000001.png"));
}

#[test]
fn rows_change_in_place() {
    let mut bench = bench();
    bench.press("2");
    let mut event = done(1199, "/captures/FT2-001199.png");
    event.state = CaptureState::Running;
    bench.feed(capture(event));
    let row = bench.text().lines().find(|line| line.contains("001199")).expect("the row").to_owned();
    assert!(row.trim_start().starts_with("running"), "{row}");
}

#[test]
fn filters_show_only_what_they_say() {
    let mut bench = bench();
    // The states come in their order: the sixth is `duplicate`, the one after it `failed`.
    bench.press("2");
    for state in CaptureState::ALL {
        bench.press("s");
        assert!(bench.text().contains(&format!("state:{state}")));
        if *state == CaptureState::Failed {
            let rows: Vec<String> =
                bench.text().lines().filter(|line| line.contains(".png")).map(str::to_owned).collect();
            assert!(!rows.is_empty() && rows.iter().all(|row| row.trim_start().starts_with("failed")), "{rows:?}");
        }
    }
    bench.press("/nothing-like-it<Enter>");
    assert!(bench.text().contains(text::NO_MATCH));
    bench.press("a");
    assert!(bench.text().contains("FT2-001199.png"));
}

#[test]
fn a_filter_that_is_none_says_where_and_what_instead() {
    let mut bench = Bench::running(LARGE, Colours::Palette256);
    bench.press("2/lable:defect");
    assert!(!bench.text().contains("there is no field"), "a word that is being typed is not wrong yet");
    bench.press(" F");
    assert!(bench.text().contains("there is no field `lable`; did you mean `label`?"), "{}", bench.text());
    bench.press("<Enter>");
    assert!(bench.text().contains("/lable:defect F"), "what was typed is kept");
    bench.press("<C-u>lab<Tab>d<Tab><Enter>");
    assert!(bench.text().contains("label:defect  326 captures"), "{}", bench.text());
}

#[test]
fn a_list_is_sorted_by_any_column_that_is_shown() {
    let mut bench = bench();
    bench.press("2");
    let first = |bench: &Bench| bench.text().lines().nth(3).expect("a row").to_owned();
    assert!(first(&bench).contains("FT2-001199.png"));
    bench.press("O");
    assert!(first(&bench).contains("FT2-000001.png"));
    // State, label, time, source, name: the order goes round the columns.
    bench.press("oo");
    assert!(bench.text().contains("name▴") && first(&bench).contains("FT2-000001.png"), "{}", bench.text());
    bench.press("<End>");
    assert!(bench.text().contains("FT2-001199.png"));
}

#[test]
fn marks_are_what_actions_are_about() {
    let mut bench = bench();
    bench.press("2  ");
    assert!(bench.text().contains("2 marked"));
    bench.press("i");
    assert_eq!(bench.headless.asked, [Request::Reinspect { images: sorted([image(1199), image(1198)]) }]);
    bench.press("u/state:failed 0011<Enter>*");
    assert!(bench.text().contains("10 captures  10 marked"), "{}", bench.text());
    bench.press(" ~");
    assert!(bench.text().contains("1 marked"), "{}", bench.text());
    bench.press("r");
    let Some(Request::Retry { captures: Some(captures) }) = bench.headless.asked.last() else { panic!("a retry") };
    assert_eq!(captures.len(), 1);
}

fn sorted<const N: usize>(mut images: [ferrule_core::ids::ImageId; N]) -> Vec<ferrule_core::ids::ImageId> {
    images.sort_unstable();
    images.to_vec()
}

#[test]
fn columns_are_chosen_and_views_are_kept_by_name() {
    let mut bench = bench();
    bench.press("2c");
    assert!(bench.text().contains("[x] time") && bench.text().contains("[ ] job"), "{}", bench.text());
    bench.press(" <Esc>");
    assert!(!bench.text().contains("time"), "{}", bench.text());
    bench.press("/label:defect<Enter>Vbad ones<Enter>");
    let Some(Request::KeepView { view }) = bench.headless.asked.last() else { panic!("a view") };
    assert_eq!((view.name.as_str(), view.filter.as_str(), view.order.as_str()), ("bad ones", "label:defect", "-time"));
    assert_eq!(view.columns, "state,label,source,name,defects,verdict");
    bench.press("v<End><Enter>");
    assert!(bench.text().contains("FT2 label:defect") && bench.text().contains("name▴"), "{}", bench.text());
    assert!(bench.text().contains("A0") && !bench.text().contains("scope-1"), "its own columns");
    bench.press("v<End>d");
    assert_eq!(bench.headless.asked.last(), Some(&Request::ForgetView { name: "lot 7 by name".into() }));
}

#[test]
fn a_picture_is_looked_at_closer_step_by_step_and_moved() {
    let mut bench = Bench::running(LARGE, Colours::Palette256);
    bench.press("2jj<Enter>");
    let whole = bench.text();
    bench.press("+");
    assert!(bench.text().contains("2.0x"), "{}", bench.text());
    let closer = bench.buffer();
    bench.press("L");
    assert_ne!(bench.buffer(), closer, "another part");
    bench.press("H");
    assert_eq!(bench.buffer(), closer, "and back");
    bench.press("=====-");
    assert!(bench.text().contains("8.0x"), "{}", bench.text());
    bench.press("z");
    assert_eq!(bench.text(), whole);
}

#[test]
fn layers_are_shown_one_after_the_other() {
    let mut bench = Bench::running(LARGE, Colours::Palette256);
    bench.press("2jj<Enter>");
    let all = bench.buffer();
    bench.press("o");
    assert!(bench.text().contains("─ zones ─"), "{}", bench.text());
    let zones = bench.buffer();
    // One plug-in found everything here, so its defects alone are no layer of their own.
    for words in ["─ masks ─", "─ defects of 800", "─ bare ─"] {
        bench.press("o");
        assert!(bench.text().contains(words), "{words}: {}", bench.text());
        assert_ne!(bench.buffer(), zones);
    }
    bench.press("o");
    assert_eq!(bench.buffer(), all);
}

#[test]
fn a_path_goes_to_the_clipboard_as_it_is() {
    let mut bench = bench();
    bench.press("2<Enter>y");
    assert_eq!(bench.headless.copied, [b"/captures/FT2-001199.png".to_vec()]);
    assert!(bench.text().contains(text::COPIED));
}

#[test]
fn letters_typed_into_a_search_are_not_commands() {
    let mut bench = bench();
    bench.press("2/qri1");
    assert_eq!((bench.headless.ended, bench.headless.asked.len()), (None, 0));
    assert!(bench.text().contains("/qri1"));
    bench.press("<Esc>");
    assert!(bench.text().contains("FT2-001199.png"));
}

#[test]
fn retry_and_inspect_again_ask_the_engine_and_say_what_came() {
    let mut bench = bench();
    // 1191 % 11 is 3: the sample's failed rows.
    bench.press("2ir");
    assert_eq!(bench.headless.asked, [Request::Reinspect { images: vec![image(1199)] }]);
    assert!(bench.text().contains("only failed captures"));
    bench.press("/001191<Enter>r");
    let retry = Request::Retry { captures: Some(vec![CaptureId(1191)]) };
    assert_eq!(bench.headless.asked.last(), Some(&retry));
    bench.feed(FromEngine::Answer { request: retry.clone(), answer: Answer::Ok { count: 1 } });
    assert!(bench.text().contains("1 capture queued again"));
    let refusal = Refusal { message: "the disk is full".into(), hint: "make room".into() };
    bench.feed(FromEngine::Answer { request: retry, answer: Answer::Refused(refusal) });
    assert!(bench.text().contains("the disk is full; make room"));
}

#[test]
fn a_quarantined_plugin_is_released_and_a_sound_one_is_not() {
    let mut bench = bench();
    bench.press("4u");
    assert_eq!(bench.headless.asked, [Request::Plugins]);
    bench.press("jju");
    let plugin = "detect-scratch".parse().expect("an id");
    assert_eq!(bench.headless.asked, [Request::Plugins, Request::Release { plugin }]);
}

#[test]
fn without_an_engine_a_command_says_so_instead_of_vanishing() {
    let mut bench = bench();
    bench.feed(FromEngine::Gone("the engine ended".into()));
    bench.press("2i");
    assert!(bench.headless.asked.is_empty());
    assert!(bench.text().contains(text::ENGINE_GONE));
}

#[test]
fn hostile_names_reach_no_cell() {
    let evil = "\u{1b}]0;x\u{7}\u{202e}gnp\u{200b}\u{9b}31m\n";
    let mut bench = Bench::with(LARGE, Colours::Palette256, true, evil, None);
    bench.connect();
    bench.feed(capture(done(1197, &format!("/captures/{evil}.png"))));
    let message = format!("{evil} said {}", "x".repeat(100_000));
    let log = EngineEvent::Log { at: evil.into(), level: "info".into(), message };
    bench.feed(FromEngine::Event(log));
    let mut other = status();
    other.problems.push(evil.into());
    other.plugins[2].problem = Some(evil.into());
    other.plugins[1].version = evil.into();
    bench.feed(FromEngine::Event(EngineEvent::Status(Box::new(other))));
    for keys in ["1", "2", "<Enter>", "3", "4", "5", "6", "?"] {
        bench.press(keys);
        for cell in bench.buffer().content() {
            assert_eq!(crate::workbench::plain::clean(cell.symbol()), cell.symbol(), "after {keys}");
        }
    }
    assert!(bench.headless.ended.is_none());
}

#[test]
fn the_log_follows_and_can_be_scrolled_back() {
    let mut bench = bench();
    bench.press("7");
    for number in 0..100 {
        let log = EngineEvent::Log {
            at: "2026-09-21T14:00:00Z".into(),
            level: "info".into(),
            message: format!("line {number:03}"),
        };
        bench.feed(FromEngine::Event(log));
    }
    assert!(bench.text().contains("line 099") && bench.text().contains("14:00:00"));
    bench.press("<PgUp>");
    let held = bench.text();
    assert!(!held.contains("line 099"));
    bench.feed(FromEngine::Event(EngineEvent::Log {
        at: String::new(),
        level: "info".into(),
        message: "line 100".into(),
    }));
    assert_eq!(bench.text(), held, "new lines do not move what is being read");
    bench.press("f");
    assert!(bench.text().contains("line 100"));
    bench.press("vvvv");
    assert!(!bench.text().contains("line 100"), "only warnings and errors");
}

#[test]
fn a_picture_that_is_gone_is_said_and_costs_nothing_else() {
    let mut bench = Bench::new(SMALL, Colours::Palette256);
    std::fs::remove_file(bench.picture()).expect("removed");
    bench.connect();
    let shown = bench.text();
    assert!(shown.contains("endface.png") && shown.contains("cladding"), "{shown}");
}

#[test]
fn any_size_can_be_drawn() {
    let mut bench = bench();
    for width in (1..200).step_by(9) {
        for height in (1..70).step_by(7) {
            bench.size = ratatui::layout::Size::new(width, height);
            bench.headless.feed(Event::Input(crossterm::event::Event::Resize(width, height)));
            for keys in [
                "1", "2", "<Enter>", "3", "b", "<Enter>", "<Esc>", "t", "<Esc>", "4", "5", "n", "<Esc>", "6", "7", "?",
                "<Esc>", "q", "<Esc>",
            ] {
                bench.press(keys);
                bench.buffer();
            }
        }
    }
}
