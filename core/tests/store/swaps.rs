//! The swap log: what a row says of each attempt, and which builds were in force when.

use ferrule_core::{
    ids::{BuildHash, PipelineId},
    store::{LibraryRefusal, PipelineChange, Receipt, SwapEnd, Write},
    swap::{Change, SwapOutcome},
    worker::messages::{ParameterValue, Pipeline},
};

use crate::desk::{Desk, pipeline};

fn begin(desk: &Desk, pipeline: Pipeline, generation: u64) {
    let change = PipelineChange { pipeline, generation, reason: "plug-ins".into() };
    assert_eq!(desk.ask(Write::Pipeline(Box::new(change))), Receipt::Pipeline { generation });
}

fn end(desk: &Desk, generation: u64, outcome: SwapOutcome, refusal: Option<&str>, took_ms: Option<f64>) {
    let end = SwapEnd { generation, outcome, refusal: refusal.map(str::to_owned), took_ms, files: Vec::new() };
    let Receipt::Swap(Some(swap)) = desk.ask(Write::SwapEnd(end)) else { panic!("no row") };
    assert_eq!((swap.generation, swap.outcome), (Some(generation), outcome));
}

/// Another build of the detector.
fn rebuilt(name: &str, version: &str) -> Pipeline {
    let mut pipeline = Pipeline { id: PipelineId::of(name), ..pipeline() };
    pipeline.detect[0].version = version.into();
    pipeline.detect[0].build = BuildHash::of(name.as_bytes());
    pipeline
}

#[test]
fn a_row_says_what_changed_against_the_pipeline_that_was_in_force_and_how_it_ended() {
    let desk = Desk::open();
    end(&desk, 1, SwapOutcome::InForce, None, Some(12.0));
    begin(&desk, rebuilt("bad", "1.3.0"), 2);
    end(&desk, 2, SwapOutcome::Refused, Some("detect-region: its library offers nothing"), None);
    let mut third = rebuilt("third", "1.3.1");
    third.detect[0].parameters = vec![("gamma".into(), ParameterValue::Real(2.0))];
    third.measure.clear();
    third.min_confidence = 0.6;
    begin(&desk, third, 3);
    end(&desk, 3, SwapOutcome::InForce, None, Some(65.0));

    let swaps = desk.reader().swaps(10).unwrap();
    assert_eq!(swaps.iter().map(|swap| swap.generation).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    assert_eq!(swaps[1].refusal.as_deref(), Some("detect-region: its library offers nothing"));
    let told: Vec<String> = swaps[2].changes.iter().map(Change::to_string).collect();
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told[0].starts_with("detect-region 1.2.0 (") && told[0].contains(" -> 1.3.1 ("), "{told:#?}");
    assert_eq!(told[1], "detect-region.gamma 1.5 -> 2.0");
    assert!(told[2].starts_with("- measure-intensity 1.2.0 ("), "{told:#?}");
    assert_eq!(told[3], "min_confidence 0.5 -> 0.6");
    assert_eq!((swaps[2].outcome, swaps[2].took_ms), (SwapOutcome::InForce, Some(65.0)));
    assert_eq!(desk.reader().swaps(1).unwrap(), swaps[2..], "the newest");
    desk.assert_sound();
}

#[test]
fn a_swap_that_another_overtakes_or_an_engine_leaves_is_superseded() {
    let mut desk = Desk::open();
    begin(&desk, rebuilt("second", "1.3.0"), 2);
    let outcomes = |desk: &Desk| -> Vec<SwapOutcome> {
        desk.reader().swaps(10).unwrap().iter().map(|swap| swap.outcome).collect()
    };
    assert_eq!(outcomes(&desk), [SwapOutcome::Superseded, SwapOutcome::Trying]);
    desk.reopen();
    assert_eq!(outcomes(&desk), [SwapOutcome::Superseded; 2]);
    assert_eq!(desk.recovery.generation, 2);
}

#[test]
fn a_refused_library_is_a_row_and_at_the_next_start_no_second_one() {
    let desk = Desk::open();
    let refusal = |reason: &str| {
        Write::Refused(LibraryRefusal {
            library: "/plugins/broken.so".into(),
            build: Some(BuildHash::of(b"broken")),
            reason: reason.into(),
            refusal: "is no shared library (not an ELF file)".into(),
        })
    };
    assert!(matches!(desk.ask(refusal("plug-ins")), Receipt::Swap(Some(_))));
    assert_eq!(desk.ask(refusal("start")), Receipt::Swap(None), "it lay there before");
    assert!(matches!(desk.ask(refusal("plug-ins")), Receipt::Swap(Some(_))), "somebody put it there again");
    let swaps = desk.reader().swaps(10).unwrap();
    assert_eq!(swaps.iter().filter(|swap| swap.library.is_some()).count(), 2);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM swaps WHERE outcome = 'refused' AND generation IS NULL"), 2);
}

#[test]
fn the_builds_of_a_plugin_are_told_with_the_times_in_which_they_were_in_force() {
    let desk = Desk::open();
    end(&desk, 1, SwapOutcome::InForce, None, Some(1.0));
    let steps = [(rebuilt("second", "1.3.0"), 2), (pipeline(), 3), (rebuilt("refused", "1.4.0"), 4)];
    for (pipeline, generation) in steps {
        begin(&desk, pipeline, generation);
        let refused = generation == 4;
        let outcome = if refused { SwapOutcome::Refused } else { SwapOutcome::InForce };
        end(&desk, generation, outcome, refused.then_some("no"), None);
    }
    let builds = desk.reader().builds(&"detect-region".parse().unwrap()).unwrap();
    let mut told: Vec<(String, Vec<(u64, bool)>)> = builds
        .iter()
        .map(|build| {
            let periods = build.in_force.iter().map(|period| (period.generation, period.until.is_none()));
            (build.version.clone(), periods.collect())
        })
        .collect();
    told.sort();
    let expected = [("1.2.0", vec![(1, false), (3, true)]), ("1.3.0", vec![(2, false)]), ("1.4.0", vec![])];
    assert_eq!(told, expected.map(|(version, periods)| (version.to_owned(), periods)));
    assert!(desk.reader().builds(&"unheard-of".parse().unwrap()).unwrap().is_empty());
}
