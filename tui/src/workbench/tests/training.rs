//! The Training screen: what it shows, and what keys ask of the engine.

use ferrule_core::{
    change::Change,
    protocol::{Answer, Event as EngineEvent, Refusal, Request, Trainer, TrainingNow},
    training::{Ended, Steer, Task},
};
use ratatui::layout::Size;

use super::{
    sample::{Bench, LARGE, SMALL, status},
    trainings::{FAILED, FINISHED, RUNNING, batch, run, started, trainer},
};
use crate::workbench::{event::FromEngine, runs::Run, text, theme::Colours};

/// On the Training screen, with a trainer.
fn bench(size: Size) -> Bench {
    let mut bench = Bench::running(size, Colours::Palette256);
    bench.press("5");
    assert!(bench.headless.asked.contains(&Request::Trainer));
    answer(&mut bench, Request::Trainer, Answer::Trainer(Box::new(trainer())));
    bench.headless.asked.clear();
    bench
}

/// A training is in the middle of its epoch 7.
fn training(size: Size) -> Bench {
    let mut bench = bench(size);
    for event in [started(), batch()] {
        bench.feed(FromEngine::Event(EngineEvent::Training(event)));
    }
    bench
}

fn answer(bench: &mut Bench, request: Request, answer: Answer) {
    bench.feed(FromEngine::Answer { request, answer });
}

fn compare(name: &str, make: impl Fn(Size) -> Bench, keys: &str) {
    for size in [SMALL, LARGE] {
        let mut bench = make(size);
        bench.press(keys);
        insta::assert_snapshot!(format!("{name}_{}x{}", size.width, size.height), bench.text());
    }
}

#[test]
fn a_run_that_goes_on() {
    compare("training_now", training, "");
}

#[test]
fn runs_laid_over_each_other() {
    compare("training_marked", training, "  m");
}

#[test]
fn worst_samples() {
    compare("training_worst", bench, "v");
}

#[test]
fn runs_side_by_side() {
    compare("training_compare", bench, "  vv");
}

#[test]
fn a_run_that_failed() {
    compare("training_failed", bench, "jj");
}

#[test]
fn the_form_of_a_new_training() {
    compare("training_form", bench, "n<Down><Down>");
}

#[test]
fn a_form_with_a_wrong_value_and_a_dataset_that_is_not_enough() {
    compare("training_form_wrong", bench, "n<Left><Down><Down><Down><C-u>7");
}

#[test]
fn deploying_is_asked_about() {
    compare("training_deploy", bench, "jd");
}

#[test]
fn without_colours_and_without_utf8_a_training_is_followed_all_the_same() {
    let mut bench = Bench::with(SMALL, Colours::None, false, "", None);
    bench.connect();
    bench.press("5");
    for event in [started(), batch()] {
        bench.feed(FromEngine::Event(EngineEvent::Training(event)));
    }
    let text = bench.text();
    assert!(text.is_ascii(), "{text}");
    insta::assert_snapshot!("training_ascii", text);
}

#[test]
fn what_is_typed_into_the_form_is_what_is_trained() {
    let mut bench = bench(LARGE);
    // Task regions, two to the right of classify would be defects; 5 epochs.
    bench.press("n<Right>");
    bench.press(&"<Down>".repeat(11));
    bench.press("<C-u>5<Enter>");
    let [Request::Train { plan: Some(plan), resume: None }] = &bench.headless.asked[..] else {
        panic!("{:?}\n{}", bench.headless.asked, bench.text());
    };
    assert_eq!((plan.task, plan.input.side), (Task::Regions, 64));
    assert_eq!(plan.parameters["epochs"].to_string(), "5");
    // Refused, it stays open with what was typed; begun, it closes.
    let request = bench.headless.asked[0].clone();
    let refusal = Refusal { message: "no room".into(), hint: "make some".into() };
    answer(&mut bench, request.clone(), Answer::Refused(refusal));
    assert!(bench.text().contains("no room; make some") && bench.text().contains(text::TRAINING_NEW));
    answer(&mut bench, request, Answer::Training { run: RUNNING.into() });
    assert!(!bench.text().contains(text::TRAINING_NEW), "{}", bench.text());
}

#[test]
fn nothing_is_begun_with_a_wrong_value_or_without_pictures() {
    let mut bench = bench(LARGE);
    bench.press("n");
    bench.press(&"<Down>".repeat(11));
    bench.press("<C-u>many<Enter>");
    assert!(bench.text().contains("expected a whole number"), "{}", bench.text());
    bench.press("<Esc>n");
    assert!(bench.text().contains("many"), "what was typed stays");
    bench.press("<C-u>3<Esc>");
    bench.press("n");
    bench.press(&"<Up>".repeat(30));
    bench.press("d<Enter>");
    assert!(bench.text().contains("every picture is clean"), "{}", bench.text());
    assert!(bench.headless.asked.is_empty(), "{:?}", bench.headless.asked);
}

#[test]
fn a_training_is_steered_and_stopping_it_now_is_asked_about() {
    let mut bench = training(LARGE);
    bench.press("p");
    answer(&mut bench, Request::Steer { steer: Steer::Pause }, Answer::Ok { count: 1 });
    bench.press("pex");
    assert!(bench.text().contains(text::CONFIRM_TITLE));
    bench.press("<Esc>xy");
    let steers = [Steer::Pause, Steer::GoOn, Steer::StopAfterEpoch, Steer::StopNow];
    assert_eq!(bench.headless.asked, steers.map(|steer| Request::Steer { steer }));
    bench.headless.asked.clear();
    // At its end there is nothing to steer.
    let mut end = batch();
    end.ended = Some(Ended {
        state: "stopped".into(),
        message: None,
        best_epoch: Some(6),
        figures: std::collections::BTreeMap::new(),
        model: None,
    });
    bench.feed(FromEngine::Event(EngineEvent::Training(end)));
    assert!(bench.text().contains(&format!("run {RUNNING}: stopped")), "{}", bench.text());
    bench.press("p");
    assert!(bench.text().contains(text::NOTHING_TRAINED));
    assert!(bench.headless.asked.is_empty());
}

#[test]
fn notes_and_tags_are_kept_and_a_run_is_removed_and_deployed_and_gone_on_with() {
    let mut bench = bench(LARGE);
    bench.press("jN<C-u>good enough<Enter>T, fast<Enter>");
    let note = |notes: &str, tags: &str| Request::Note { run: FINISHED.into(), notes: notes.into(), tags: tags.into() };
    assert_eq!(
        bench.headless.asked,
        [note("good enough", "baseline"), note("half the learning rate", "baseline, fast")]
    );
    bench.headless.asked.clear();
    bench.press("N<Esc>D<Esc>Dydy");
    let change = Change::Deploy { model: FINISHED.into(), threshold: None, alone: false };
    assert_eq!(bench.headless.asked, [Request::DeleteRun { run: FINISHED.into() }, Request::Change { change }]);
    bench.headless.asked.clear();
    // One without a model cannot be deployed; one that failed can be gone on with.
    bench.press("jd");
    assert!(bench.text().contains(&text::no_model(FAILED)), "{}", bench.text());
    bench.press("r");
    assert_eq!(bench.headless.asked, [Request::Train { plan: None, resume: Some(FAILED.into()) }]);
}

#[test]
fn a_run_has_a_model_to_put_to_work_once_it_ended_with_a_best_epoch() {
    let ended = |state: &str, best_epoch| Run { best_epoch, ..run(FINISHED, Task::Classify, state) }.has_ended_well();
    assert!(["finished", "early", "stopped"].into_iter().all(|state| ended(state, Some(3)) && !ended(state, None)));
    assert!(!["running", "failed", "interrupted"].into_iter().any(|state| ended(state, Some(3))));
}

#[test]
fn a_screen_that_comes_late_finds_the_run_as_it_is() {
    let mut late = bench(SMALL);
    let mut now = status();
    now.training =
        Some(TrainingNow { run: RUNNING.into(), wish: Steer::GoOn, started: Some(started()), last: Some(batch()) });
    late.feed(FromEngine::Event(EngineEvent::Status(Box::new(now))));
    assert_eq!(late.text(), training(SMALL).text());
    // The engine ended it while nobody listened.
    late.feed(FromEngine::Event(EngineEvent::Status(Box::new(status()))));
    assert!(!late.text().contains(text::TRAINING_RUNS));
}

#[test]
fn without_a_trainer_the_screen_says_what_to_do() {
    let mut bench = Bench::running(SMALL, Colours::Palette256);
    bench.press("5n");
    let problem =
        "no plug-in `train-torch`: it is not in any plug-in folder; `cargo xtask libtorch` fetches what it needs";
    let none = Trainer { parameters: Vec::new(), problem: Some(problem.into()) };
    answer(&mut bench, Request::Trainer, Answer::Trainer(Box::new(none)));
    assert!(bench.text().contains("libtorch` fetches what it needs"), "{}", bench.text());
    // Fetched since: opening the form asks again.
    bench.headless.asked.clear();
    bench.press("<Esc>n");
    assert_eq!(bench.headless.asked, [Request::Trainer]);
}

#[test]
fn an_engine_that_goes_leaves_what_was_typed() {
    let mut bench = bench(LARGE);
    bench.press("n<Down><Down><C-u>mine");
    bench.feed(FromEngine::Gone("the engine ended".into()));
    bench.connect();
    answer(&mut bench, Request::Trainer, Answer::Trainer(Box::new(trainer())));
    assert!(bench.text().contains("mine"), "{}", bench.text());
}
