//! `ferrule status`: the engine at a glance.

use std::time::Duration;

use clap::Args;
use ferrule_core::{
    client::Client,
    protocol::{Answer, Counts, Request, Status as Glance},
    report::CaptureState,
    workspace::DatasetPaths,
};

use super::alarms;
use crate::{
    failure::{Failure, Kind},
    output::Output,
    place::Place,
};

/// An engine answers from memory; later than this it hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// Show the engine at a glance
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    place: Place,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Status {
    pub fn run(self) -> Result<(), Failure> {
        let (_, dataset) = self.place.dataset()?;
        let glance = ask(&dataset)?;
        let mut output = Output::new();
        if self.json {
            output.object(&glance)?;
        } else {
            for line in lines(&glance) {
                output.line(&line)?;
            }
        }
        output.flush()
    }
}

/// The status of the dataset's engine.
pub(super) fn ask(dataset: &DatasetPaths) -> Result<Glance, Failure> {
    match Client::connect(dataset)?.ask(Request::Status, LIMIT)? {
        Answer::Status(glance) => Ok(*glance),
        _ => Err(Failure::new(Kind::Unreachable, "the engine answered something else")),
    }
}

fn lines(glance: &Glance) -> Vec<String> {
    let mut lines = vec![
        format!("engine     {}, pid {}, since {}", glance.software, glance.pid, glance.started),
        format!("workspace  {}", glance.workspace),
        format!("database   {}", glance.database),
        format!("captures   {}", counts(&glance.counts)),
    ];
    if glance.paused {
        lines.push("paused     queued captures wait until it is resumed".into());
    }
    let figures = match (glance.p50_ms, glance.p95_ms) {
        (Some(p50), Some(p95)) => format!(", half within {p50:.0} ms, 95 % within {p95:.0} ms"),
        _ => String::new(),
    };
    lines.push(format!("rate       {:.1} captures a second{figures}", glance.per_second));
    for worker in &glance.workers {
        let state = if worker.busy { "busy" } else { "idle" };
        let whose = worker.plugin.as_ref().map(|plugin| format!(", for {plugin} alone")).unwrap_or_default();
        let (pid, jobs, memory) = (worker.pid, worker.jobs, worker.memory_mb);
        lines.push(format!("worker     pid {pid}, {state}, {jobs} jobs, {memory} MiB{whose}"));
    }
    for source in &glance.sources {
        let problem = source.problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default();
        lines.push(format!("source     {} ({}){problem}", source.name, source.path));
    }
    for plugin in &glance.plugins {
        let ms = plugin.ms.map(|ms| format!(", {ms:.1} ms")).unwrap_or_default();
        let problem = match (&plugin.problem, plugin.quarantined) {
            (Some(problem), true) => format!("; quarantined: {problem}"),
            (Some(problem), false) => format!("; {problem}"),
            (None, true) => "; quarantined".into(),
            (None, false) => String::new(),
        };
        lines.push(format!("{:<9}  {} {} ({}{ms}){problem}", plugin.slot, plugin.id, plugin.version, plugin.build));
    }
    lines.extend(glance.alarms.iter().map(|alarm| format!("alarm      {}", alarms::line(alarm))));
    lines.extend(glance.problems.iter().map(|problem| format!("problem    {problem}")));
    lines
}

/// The states that are not zero, after their sum.
pub(super) fn counts(counts: &Counts) -> String {
    let states: Vec<_> = CaptureState::ALL
        .iter()
        .filter(|state| counts.of(**state) > 0)
        .map(|state| format!("{} {state}", counts.of(*state)))
        .collect();
    if states.is_empty() { "none seen".into() } else { format!("{} seen: {}", counts.seen, states.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_name_only_what_is_there() {
        let mut some = Counts { done: 4, failed: 1, ..Counts::default() };
        some.add_up();
        assert_eq!(counts(&some), "5 seen: 4 done, 1 failed");
        assert_eq!(counts(&Counts::default()), "none seen");
    }
}
