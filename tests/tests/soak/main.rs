//! A day in the lab with everything going wrong, in a few seconds: captures of every kind come in, faults strike one after
//! the other, and at the end what was dropped is compared with what the dataset holds.
//!
//! `cargo xtask soak --minutes N --seed S` makes a day of it.

#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

mod faults;
mod ledger;

use std::{
    env,
    time::{Duration, Instant},
};

use ferrule_tests::Lab;
use ferrule_vision::augment::chance::Chance;

use self::{
    faults::{Bench, Fault},
    ledger::Microscope,
};

/// A number that `cargo xtask soak` sets.
fn set(name: &str, usual: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn whatever_goes_wrong_nothing_is_lost_doubled_or_half_there() {
    let (seconds, seed) = (set("FERRULE_SOAK_SECONDS", 20), set("FERRULE_SOAK_SEED", 1));
    println!("soak: {seconds} s, seed {seed}, {} captures a second", ledger::RATE);
    let lab = Lab::new();
    let microscope = Microscope::start(&lab, seed);
    let mut bench = Bench::new(&lab, Chance::new(seed));
    let end = Instant::now() + Duration::from_secs(seconds);
    // Each at least once, in an order of the seed's own, then whatever comes.
    let mut next = bench.shuffled();
    while Instant::now() < end || !next.is_empty() {
        let fault = next.pop().unwrap_or_else(|| bench.any());
        bench.strike(fault);
        bench.breathe();
    }
    let dropped = microscope.stop();
    bench.settle(dropped.files());
    dropped.audit(&lab);
    let (told, memory) = bench.end();
    println!("soak: {}; faults {told}; engine memory {memory}", dropped.summary());
    assert!(Fault::ALL.iter().all(|fault| told.contains(fault.name())), "every fault struck: {told}");
}
