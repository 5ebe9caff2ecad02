//! Everything that strangers' bytes reach, fed with broken bytes: the targets of `fuzz/`, driven from their corpora by a
//! mutator of our own. A short form here, from a fixed seed; `cargo xtask fuzz` runs millions, and libFuzzer where it is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests end that way")]

mod mutate;
mod pictures;
mod seeds;
#[path = "../../../fuzz/src/targets.rs"]
mod targets;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::{Duration, Instant},
};

use self::mutate::Mutator;

/// Executions of each target in the short form.
const SHORT: u64 = 4000;
/// One execution may take so long: more is a way to hold an engine up.
const SLOWEST: Duration = Duration::from_secs(5);

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

fn seeds_of(target: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = ferrule_tests::files_below(&corpus(target));
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Runs one target; says what broke it, with the input as a literal.
fn run(name: &str, target: fn(&[u8]), runs: u64, seed: u64) {
    let seeds = seeds_of(name);
    assert!(!seeds.is_empty(), "no corpus for {name}: cargo test --test fuzz -- --ignored writes those that are made");
    let mut mutator = Mutator::new(seeds.clone(), seed);
    let (start, mut slowest) = (Instant::now(), Duration::ZERO);
    for number in 0..runs {
        // The seeds themselves first.
        let input = seeds.get(number as usize).cloned().unwrap_or_else(|| mutator.next());
        let began = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| target(&input)));
        let took = began.elapsed();
        slowest = slowest.max(took);
        if outcome.is_err() || took > SLOWEST {
            let shown: String =
                input.iter().flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
            panic!("{name}: execution {number} of seed {seed} took {took:?}: b\"{shown}\"");
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("fuzz: {name}: {runs} executions in {seconds:.1} s, the slowest {:.1} ms", slowest.as_secs_f64() * 1e3);
}

#[test]
fn broken_bytes_break_nothing_that_strangers_reach() {
    let number = |name: &str, or: u64| std::env::var(name).ok().map_or(or, |text| text.parse().unwrap());
    let (runs, seed) = (number("FERRULE_FUZZ_RUNS", SHORT), number("FERRULE_FUZZ_SEED", 1));
    let only = std::env::var("FERRULE_FUZZ_TARGET").ok();
    for (name, target) in targets::ALL {
        if only.as_ref().is_none_or(|only| only == name) {
            run(name, target, runs, seed);
        }
    }
}

#[test]
#[ignore = "writes the seeds that are made by programs into fuzz/corpus, for when a format changes"]
fn seeds_are_written_anew() {
    for (target, name, bytes) in seeds::made() {
        fs::create_dir_all(corpus(target)).unwrap();
        fs::write(corpus(target).join(name), bytes).unwrap();
    }
}

#[test]
fn the_seeds_are_understood_as_they_stand() {
    // A corpus of nothing but refused inputs would test only the refusals.
    let now: jiff::Zoned = "2026-01-02T03:04:05+00:00[UTC]".parse().unwrap();
    let understood = |target: &str, bytes: &[u8]| match target {
        "socket" => serde_json::from_slice::<ferrule_core::protocol::ClientLine>(bytes).is_ok(),
        "answer" => seeds::is_answer(bytes),
        "elf" => ferrule_core::host::elf::check(bytes).is_ok(),
        "configuration" => {
            let text = std::str::from_utf8(bytes).unwrap();
            ferrule_core::config::Configuration::of(text, "ferrule.toml".as_ref(), "/lab".as_ref()).is_ok()
        }
        "filter" => ferrule_core::filter::Filter::parse(std::str::from_utf8(bytes).unwrap(), &now).is_ok(),
        "model" => bytes.starts_with(b"name") || seeds::is_model(bytes),
        "coco" => ferrule_core::evaluate::Truth::parse(bytes).is_ok_and(|truth| !truth.images.is_empty()),
        _ => false,
    };
    for (target, _) in targets::ALL {
        for seed in seeds_of(target) {
            assert!(understood(target, &seed), "{target}: {:?}", String::from_utf8_lossy(&seed));
        }
    }
}
