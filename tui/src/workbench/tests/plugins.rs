//! The Plug-ins screen: what there is, what keys ask of the engine, and parameters that are tried while they are typed.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use ferrule_core::{
    change::{Change, Position},
    host::card::{DescriptorCard, ParameterCard, ParameterKind, Profile, Slot},
    ids::BuildHash,
    protocol::{Answer, PluginFound, PluginList, RefusedLibrary, Request},
    swap::{Swap, SwapOutcome},
    worker::messages::ParameterValue,
};
use ratatui::layout::Size;

use super::sample::{Bench, LARGE, SMALL};
use crate::workbench::{
    comparison::Word,
    event::FromEngine,
    rows::Rows,
    text,
    theme::Colours,
    trial::{PluginsAnswer, PluginsRequest, Trial},
};

fn found(slot: Slot, id: &str, place: Option<u32>) -> PluginFound {
    let card = |name: &str, kind, default, help: &str| ParameterCard {
        name: name.into(),
        kind,
        default,
        unit: if name == "k" { "sigma".into() } else { String::new() },
        help: help.into(),
    };
    let real = ParameterKind::Real { low: 1.0, high: 20.0 };
    let parameters = vec![
        card("k", real, ParameterValue::Real(4.0), "how far a pixel stands out of the noise"),
        card("radius", ParameterKind::Integer { low: 3, high: 99 }, ParameterValue::Integer(15), "of the flat field"),
        card("dark", ParameterKind::Bool, ParameterValue::Bool(true), "find what is darker"),
    ];
    PluginFound {
        card: DescriptorCard {
            id: id.parse().expect("an id"),
            version: "1.0.0".into(),
            slot,
            summary: format!("what {id} does"),
            profile: Profile::Narrow,
            accepts: Vec::new(),
            parameters: if slot == Slot::Detect { parameters } else { Vec::new() },
        },
        build: BuildHash::of(id.as_bytes()),
        place,
        set: BTreeMap::new(),
        found: format!("/lab/plugins/lib{id}.so"),
    }
}

fn list() -> PluginList {
    let mut region = found(Slot::Detect, "detect-region", Some(0));
    region.set.insert("radius".into(), ParameterValue::Integer(21));
    PluginList {
        plugins: vec![
            found(Slot::Detect, "detect-anomaly", None),
            found(Slot::Detect, "detect-scratch", Some(1)),
            region,
            found(Slot::Measure, "measure-intensity", Some(0)),
            found(Slot::Segment, "segment-endface", Some(0)),
        ],
        refused: vec![RefusedLibrary {
            path: "/lab/plugins/libodd.so".into(),
            build: None,
            reason: "everybody may write it; `chmod go-w` mends that".into(),
        }],
    }
}

/// On the Plug-ins screen; what is tried is kept, and finds one defect less.
pub fn bench(size: Size) -> (Bench, Rc<RefCell<Vec<Trial>>>) {
    let (mut bench, tried) = prepared(Bench::running(size, Colours::Palette256));
    bench.press("4");
    listed(&mut bench);
    (bench, tried)
}

/// With somebody who answers what the screen asks beside the engine.
fn prepared(mut bench: Bench) -> (Bench, Rc<RefCell<Vec<Trial>>>) {
    let tried = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&tried);
    let mut rows = bench.rows();
    bench.headless.plugins = Box::new(move |request| match request {
        PluginsRequest::Swaps => PluginsAnswer::Swaps(Ok(vec![swap()])),
        PluginsRequest::Try(trial) => {
            let ticket = trial.ticket;
            seen.borrow_mut().push(*trial);
            let newest = ferrule_core::ids::CaptureId(1197);
            let mut inspection = rows.detail(newest).expect("rows").and_then(|it| it.inspection).expect("a result");
            inspection.defects.pop();
            PluginsAnswer::Tried { ticket, result: Ok(Box::new(inspection)) }
        }
        other => super::builds::answer(other),
    });
    bench.headless.comparisons = Box::new(|wanted| Word::Compared(Box::new(super::builds::comparison(&wanted))));
    (bench, tried)
}

/// The engine says what plug-ins there are.
fn listed(bench: &mut Bench) {
    assert_eq!(bench.headless.asked, [Request::Plugins]);
    bench.headless.asked.clear();
    let answer = Answer::Plugins(Box::new(list()));
    bench.feed(FromEngine::Answer { request: Request::Plugins, answer });
}

fn swap() -> Swap {
    Swap {
        swap: 7,
        at: "2026-09-21T14:00:00Z".into(),
        generation: Some(3),
        pipeline: None,
        library: None,
        build: None,
        reason: "configuration".into(),
        changes: Vec::new(),
        outcome: SwapOutcome::Refused,
        refusal: Some("detect-region: it ended at once (SIGSEGV)".into()),
        took_ms: None,
    }
}

fn compare(name: &str, keys: &str) {
    for size in [SMALL, LARGE] {
        let (mut bench, _) = bench(size);
        bench.press(keys);
        insta::assert_snapshot!(format!("{name}_{}x{}", size.width, size.height), bench.text());
    }
}

#[test]
fn all_that_were_found_slot_by_slot() {
    compare("plugins_found", "j");
}

#[test]
fn parameters_with_their_effect() {
    compare("plugins_parameters", "j<Enter><C-u>5.5");
}

#[test]
fn past_swaps() {
    compare("plugins_swaps", "s");
}

#[test]
fn a_plugin_goes_in_and_out_and_changes_its_place() {
    let (mut bench, _) = bench(SMALL);
    let id = |id: &str| id.parse().expect("an id");
    // Rows: segment-endface, detect-region, detect-scratch, detect-anomaly (off), measure-intensity.
    bench.press("jJ");
    bench.press("K");
    bench.press("jje");
    bench.press("gje");
    let enable = |plugin, at| Request::Change { change: Change::Enable { plugin, at } };
    assert_eq!(
        bench.headless.asked,
        [
            enable(id("detect-region"), Some(Position::Last)),
            enable(id("detect-scratch"), Some(Position::Before(id("detect-region")))),
            enable(id("detect-anomaly"), None),
            Request::Change { change: Change::Disable { plugin: id("detect-region") } },
        ]
    );
    // At the end of its slot nothing moves.
    bench.headless.asked.clear();
    bench.press("gjK");
    assert!(bench.headless.asked.is_empty());
}

#[test]
fn what_is_typed_is_tried_before_it_is_applied_and_only_what_differs_is_written() {
    let (mut bench, tried) = bench(LARGE);
    bench.press("j<Enter>");
    let set = |tried: &RefCell<Vec<Trial>>| tried.borrow().last().map(|trial| trial.set.clone()).unwrap_or_default();
    assert_eq!(set(&tried), BTreeMap::from([("radius".into(), ParameterValue::Integer(21))]), "as it is set");
    let before = tried.borrow().len();
    bench.press("<C-u>");
    assert_eq!(tried.borrow().len(), before, "nothing is tried while a value is wrong");
    bench.press("6");
    assert_eq!(set(&tried)["k"], ParameterValue::Real(6.0));
    assert!(bench.headless.asked.is_empty(), "trying asks nothing of the engine");
    // The other one back to the plug-in's own.
    bench.press("<Down><C-u>15<Enter>");
    let change = Change::Parameters {
        plugin: "detect-region".parse().expect("an id"),
        set: BTreeMap::from([("k".into(), ParameterValue::Real(6.0))]),
        reset: vec!["radius".into()],
    };
    assert_eq!(bench.headless.asked, [Request::Change { change: change.clone() }]);
    bench.feed(FromEngine::Answer { request: Request::Change { change }, answer: Answer::Ok { count: 1 } });
    assert!(bench.text().contains(text::CHANGED) && !bench.text().contains(text::TRIAL_EFFECT), "{}", bench.text());
}

#[test]
fn who_was_on_the_screen_before_any_capture_was_there_tries_on_the_first_that_comes() {
    let (mut bench, tried) = prepared(Bench::new(LARGE, Colours::Palette256));
    bench.press("4");
    bench.connect();
    listed(&mut bench);
    bench.press("j<Enter>");
    assert_eq!(tried.borrow().len(), 1, "{}", bench.text());
    assert!(!bench.text().contains(text::NO_TRIAL), "{}", bench.text());
}

#[test]
fn a_form_stays_open_with_what_was_typed_when_the_engine_refuses_or_goes() {
    let (mut bench, _) = bench(LARGE);
    bench.press("j<Enter><C-u>7.25");
    bench.feed(FromEngine::Gone("the engine ended".into()));
    assert!(bench.text().contains("7.25"), "{}", bench.text());
    bench.press("<Enter>");
    assert!(bench.text().contains(text::NO_ENGINE) && bench.text().contains("7.25"), "{}", bench.text());
}
