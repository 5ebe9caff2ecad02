//! A day in the lab with everything going wrong, in a few seconds: captures of every kind come in, faults strike one after
//! the other, and at the end what was dropped is compared with what the dataset holds.
//!
//! `cargo xtask soak --minutes N --seed S` makes a day of it. As root, and where a namespace can be had, everything lies on
//! disks in memory that fill, are mounted over, and turn read-only; elsewhere those faults are left out, and that is said.

#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

mod bench;
mod disks;
mod faults;
mod figures;
mod ledger;
mod watch;

use std::{
    env,
    time::{Duration, Instant},
};

use ferrule_tests::{
    Lab,
    places::{self, Where},
};
use ferrule_vision::augment::chance::Chance;

use self::{bench::Bench, disks::Disks, figures::Figures, ledger::Microscope};

const NAME: &str = "whatever_goes_wrong_nothing_is_lost_doubled_or_half_there";
/// Captures a second, where nothing else is asked for.
const RATE: u64 = 12;
/// KiB of memory that a capture takes on disks of its own, at most: itself, or its picture and all that is written of it.
const CAPTURE: u64 = 90;
/// MiB that there are at least.
const LEAST: u64 = 1024;

/// A number that `cargo xtask soak` sets.
fn set(name: &str, usual: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn whatever_goes_wrong_nothing_is_lost_doubled_or_half_there() {
    let (seconds, seed) = (set("FERRULE_SOAK_SECONDS", 20), set("FERRULE_SOAK_SEED", 1));
    let rate = set("FERRULE_SOAK_RATE", RATE);
    let disk = LEAST + seconds * rate * CAPTURE / 1024;
    let long = seconds >= 120;
    let place = places::enter(NAME, disk, true);
    if place == Where::Seen {
        return;
    }
    if let Where::Nowhere(reason) = &place {
        println!("notice: soak: NO FAULTS OF DISKS, {reason}");
    }
    println!("soak: {seconds} s, seed {seed}, {rate} captures a second, at most {disk} MiB for each disk");
    // A retention that lets go something every hour of a day; what is under test waits for no reserve.
    let lab = Lab::with_settings(
        "[dataset]\nmin_free_mb = 0\n[dataset.keep]\nevery_hours = 1\nprotect = \"nothing\"\nformer = 1\nmasks_mb = 32",
    );
    let disks = (place == Where::Inside).then(|| Disks::new(&lab, disk));
    let microscope = Microscope::start(&lab, seed, rate);
    let mut bench = Bench::new(&lab, Chance::new(seed), disks, microscope.gate(), seconds);
    // First as it is meant to be: how long a result takes.
    let calm = bench.calm(Duration::from_secs(if long { 30 } else { 3 }));
    let end = Instant::now() + Duration::from_secs(seconds.saturating_sub(if long { 30 } else { 3 }));
    // Each at least once, in an order of the seed's own, then whatever comes.
    let all = bench.shuffled();
    let mut next = all.clone();
    while Instant::now() < end || !next.is_empty() {
        let fault = next.pop().unwrap_or_else(|| bench.any(&all));
        bench.strike(fault, &all);
        bench.breathe();
    }
    let dropped = microscope.stop();
    bench.settle(dropped.files());
    let audited = dropped.audit(&lab);
    let lived = bench.end();
    println!("soak: {}; faults {}", dropped.summary(), lived.told());
    print!("{}", Figures { calm, lived: &lived, audited: &audited });
    assert!(audited.faults.is_empty(), "{:#?}", audited.faults);
    assert!(all.iter().all(|fault| lived.has_struck(*fault)), "every fault struck: {}", lived.told());
    // What must hold of every dataset at rest.
    lab.audit();
}
