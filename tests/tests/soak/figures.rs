//! What a soak found out, as one table.

use std::{
    collections::BTreeMap,
    fmt, fs,
    time::{Duration, Instant},
};

use super::{faults::Fault, ledger::Audited};

/// What is not looked at yet when it grows: caches fill, workers come up.
const WARM: Duration = Duration::from_secs(60);

/// One engine's life, by what /proc said of it.
#[derive(Debug)]
pub struct Life {
    born: Instant,
    /// Age in seconds, private memory in KiB, descriptors.
    seen: Vec<(f64, f64, f64)>,
}

impl Life {
    pub fn new() -> Self {
        Self { born: Instant::now(), seen: Vec::new() }
    }

    pub fn age(&self) -> Duration {
        self.born.elapsed()
    }

    pub fn look(&mut self, pid: u32) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let memory =
            status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse().ok());
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map(Iterator::count);
        if let (Some(memory), Ok(descriptors)) = (memory, descriptors) {
            self.seen.push((self.age().as_secs_f64(), memory, descriptors as f64));
        }
    }

    /// How much of a figure the last quarter of the warm life has more than the first, as a share; the medians of both.
    fn growth(&self, of: impl Fn(&(f64, f64, f64)) -> f64) -> Option<f64> {
        let warm: Vec<f64> = self.seen.iter().filter(|seen| seen.0 >= WARM.as_secs_f64()).map(of).collect();
        let quarter = warm.len() / 4;
        (quarter >= 3).then(|| {
            let (first, last) = (middle(&warm[..quarter]), middle(&warm[warm.len() - quarter..]));
            last / first - 1.0
        })
    }
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
        let share =
            |growth: Option<f64>| growth.map_or("too short".into(), |growth| format!("{:+.1} %", growth * 100.0));
        let age = longest.and_then(|life| life.seen.last()).map_or(0.0, |seen| seen.0);
        let memory = share(longest.and_then(|life| life.growth(|seen| seen.1)));
        row(&format!("engine's memory, growth over its longest life ({age:.0} s)"), memory, "under 2 %")?;
        let descriptors = share(longest.and_then(|life| life.growth(|seen| seen.2)));
        row("engine's descriptors, growth over the same", descriptors, "flat")?;
        let most = self.lived.lives.iter().flat_map(|life| &life.seen).map(|seen| seen.1).fold(0.0, f64::max);
        row("engine's memory at most", format!("{:.0} MiB", most / 1024.0), "")?;
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
