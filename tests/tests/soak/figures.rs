//! What a soak found out, as one table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::{Duration, Instant},
};

use super::{faults::Fault, ledger::Audited, watch::Sight};

/// What is not looked at yet when it grows, at the least: caches fill, workers come up.
const WARM: Duration = Duration::from_secs(60);
/// Parts of a life whose medians are told.
const PARTS: usize = 8;

/// One engine's life, by what /proc said of it.
#[derive(Debug)]
pub struct Life {
    born: Instant,
    pid: u32,
    struck: BTreeSet<Fault>,
    /// Since when each fault that it survives has struck it: what only a fault needs is there by then, too.
    tried: Option<Instant>,
    seen: Vec<Sight>,
}

impl Life {
    pub fn new(pid: u32) -> Self {
        Self { born: Instant::now(), pid, struck: BTreeSet::new(), tried: None, seen: Vec::new() }
    }

    pub fn age(&self) -> Duration {
        self.born.elapsed()
    }

    pub fn suffer(&mut self, fault: Fault, all: &[Fault]) {
        self.struck.insert(fault);
        let survived = |fault: &&Fault| !fault.ends_the_engine();
        if self.tried.is_none() && all.iter().filter(survived).all(|fault| self.struck.contains(fault)) {
            self.tried = Some(Instant::now());
        }
    }

    /// Takes what was seen of it.
    pub fn recall(&mut self, seen: &[Sight]) {
        self.seen = seen.iter().filter(|sight| sight.pid == self.pid).copied().collect();
    }

    /// Its age when it was warm: see [`WARM`] and `tried`.
    fn warm(&self) -> Option<Duration> {
        Some(self.tried?.duration_since(self.born).max(WARM))
    }

    /// Medians of a figure over equal parts of the life from that age on, where that is long enough to tell.
    fn parts(&self, from: Duration, of: impl Fn(&Sight) -> f64) -> Option<Vec<f64>> {
        let begun = self.born + from;
        let figures: Vec<f64> = self.seen.iter().filter(|sight| sight.at >= begun).map(of).collect();
        let part = figures.len() / PARTS;
        (part >= 10).then(|| figures.chunks_exact(part).take(PARTS).map(middle).collect())
    }
}

/// How much the last quarter has more than the first, as a share.
fn growth(parts: &[f64]) -> f64 {
    let quarter = parts.len() / 4;
    let mean = |parts: &[f64]| parts.iter().sum::<f64>() / parts.len() as f64;
    mean(&parts[parts.len() - quarter..]) / mean(&parts[..quarter]) - 1.0
}

/// All lives, and what struck.
#[derive(Debug, Default)]
pub struct Lived {
    pub lives: Vec<Life>,
    pub struck: BTreeMap<Fault, usize>,
    /// Seconds from a kill -9 to the first new result.
    pub recoveries: Vec<f64>,
}

impl Lived {
    pub fn told(&self) -> String {
        let told: Vec<String> = self.struck.iter().map(|(fault, count)| format!("{} {count}", fault.name())).collect();
        told.join(", ")
    }

    pub fn has_struck(&self, fault: Fault) -> bool {
        self.struck.contains_key(&fault)
    }
}

/// The table.
pub struct Figures<'a> {
    /// Milliseconds at the 95th percentile before anything struck, by the engine itself.
    pub calm: Option<f64>,
    pub lived: &'a Lived,
    pub audited: &'a Audited,
}

impl fmt::Display for Figures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |what: &str, value: String, goal: &str| writeln!(f, "  {what:<58} {value:>14}   {goal}");
        let audited = self.audited;
        row("figure", "value".into(), "goal")?;
        row("captures lost", audited.lost.to_string(), "0")?;
        row("captures doubled", audited.doubled.to_string(), "0")?;
        row("rows without their artefacts", audited.rows_without_files.to_string(), "0")?;
        row("artefacts without their rows", audited.files_without_rows.to_string(), "0")?;
        row("integrity_check", audited.integrity.clone(), "ok")?;
        row("seen less the sum of all states", audited.accounting.to_string(), "0")?;
        let longest = self.lived.lives.iter().max_by_key(|life| life.seen.len());
        let share = |parts: &Option<Vec<f64>>| {
            parts.as_ref().map_or("too short".into(), |parts| format!("{:+.1} %", growth(parts) * 100.0))
        };
        let age = longest.and_then(|life| Some(life.seen.last()?.at.duration_since(life.born).as_secs())).unwrap_or(0);
        let warm = longest.and_then(Life::warm).map_or("never".into(), |warm| format!("{} s", warm.as_secs()));
        row("longest life of an engine", format!("{age} s"), "")?;
        row("each fault has struck it at the age of", warm, "")?;
        let early = longest.and_then(|life| life.parts(WARM, |sight| sight.memory));
        row("its memory, last quarter over first, from 60 s on", share(&early), "under 2 %")?;
        let memory = longest.and_then(|life| life.parts(life.warm()?, |sight| sight.memory));
        row("its memory, likewise, since each fault has struck it", share(&memory), "under 2 %")?;
        let descriptors = longest.and_then(|life| life.parts(life.warm()?, |sight| sight.descriptors));
        row("its descriptors, likewise", share(&descriptors), "flat")?;
        for (what, parts) in [("its memory in KiB", memory), ("its descriptors", descriptors)] {
            let parts: Vec<String> = parts.iter().flatten().map(|part| format!("{part:.0}")).collect();
            row(&format!("{what}, medians of eighths"), parts.join(" "), "")?;
        }
        let most = self.lived.lives.iter().flat_map(|life| &life.seen).map(|seen| seen.memory).fold(0.0, f64::max);
        row("an engine's memory at most", format!("{:.0} MiB", most / 1024.0), "")?;
        let mut recoveries = self.lived.recoveries.clone();
        recoveries.sort_by(f64::total_cmp);
        let millis =
            |seconds: Option<&f64>| seconds.map_or("none".into(), |seconds| format!("{:.0} ms", seconds * 1e3));
        let median = format!("kill -9 to the first new result, median of {}", recoveries.len());
        row(&median, millis(recoveries.get(recoveries.len() / 2)), "500 ms")?;
        row("kill -9 to the first new result, at most", millis(recoveries.last()), "")?;
        let calm = self.calm.map_or("unknown".into(), |calm| format!("{calm:.0} ms"));
        row("complete file to result, p95, before anything struck", calm, "100 ms")
    }
}

fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
