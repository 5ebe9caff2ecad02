//! `ferrule status`: the engine at a glance, for people, programs and Prometheus. What programs read is described in
//! `docs/operation.md`: fields are added, none is renamed or taken away.

mod prometheus;

use std::time::Duration;

use clap::Args;
use ferrule_core::{
    client::Client,
    protocol::{Answer, Counts, Request, Status as Glance},
    report::CaptureState,
    words::counted,
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
    /// One JSON object, as docs/operation.md describes it
    #[arg(long)]
    json: bool,
    /// Metrics in the text format of Prometheus; without an engine `ferrule_up 0`
    #[arg(long, conflicts_with = "json")]
    prometheus: bool,
}

impl Status {
    pub fn run(self) -> Result<(), Failure> {
        let (_, dataset) = self.place.dataset()?;
        let asked = ask(&dataset);
        let mut output = Output::new();
        if self.prometheus {
            // Whoever watches has to see that nobody answers, too.
            output.bytes(prometheus::text(asked.as_ref().ok()).as_bytes())?;
            output.flush()?;
            return asked.map(drop);
        }
        let glance = asked?;
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
        let (pid, jobs, memory) = (worker.pid, counted(worker.jobs, "job"), worker.memory_mb);
        lines.push(format!("worker     pid {pid}, {state}, {jobs}, {memory} MiB{whose}"));
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
    if let Some(disk) = glance.disk {
        let low = if disk.is_low() { ": captures wait for room" } else { "" };
        lines.push(format!("disk       {} MiB free, {} MiB kept free{low}", disk.free_mb, disk.wanted_mb));
    }
    if let Some(end) = &glance.tidied {
        let problem = end.problem.as_ref().map(|problem| format!("; {problem}")).unwrap_or_default();
        lines.push(format!("tidied     {}: {}{problem}", end.at, end.done));
    }
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
    use serde_json::{Value, json};

    use super::*;

    /// A status with everything in it, as an engine sends it.
    pub fn sample() -> Glance {
        serde_json::from_value(json!({
            "software": "ferrule 0.1.0", "pid": 4711, "started": "2026-09-21T14:00:00Z", "workspace": "/lab/bench",
            "database": "/lab/bench/dataset/index.sqlite", "generation": 3, "pipeline": null,
            "counts": {"seen": 1201, "settling": 1, "queued": 12, "running": 2, "done": 1180, "duplicate": 4, "failed": 2,
                "ignored": 0, "replaced": 0},
            "paused": false, "per_second": 4.2, "p50_ms": 41.0, "p95_ms": 96.0,
            "workers": [{"pid": 1, "busy": true, "jobs": 700, "memory_mb": 71, "plugin": "detect-torch"}],
            "sources": [{"name": "scope-1", "path": "/captures", "problem": null}],
            "plugins": [{"slot": "detect", "id": "detect-region", "version": "1.0.0",
                "build": "0123456789abcdef0123456789abcdef", "quarantined": true, "problem": "it crashed", "ms": 6.1}],
            "training": {"run": "run-1", "wish": "go_on"},
            "disk": {"free_mb": 400, "wanted_mb": 512},
            "tidied": {"at": "2026-09-21T15:00:00Z", "inspections": 1, "files": 2, "pictures": 3, "bytes": 4096},
            "problems": ["source scope-2: gone; mount it again"],
        }))
        .unwrap()
    }

    #[test]
    fn counts_name_only_what_is_there() {
        let mut some = Counts { done: 4, failed: 1, ..Counts::default() };
        some.add_up();
        assert_eq!(counts(&some), "5 seen: 4 done, 1 failed");
        assert_eq!(counts(&Counts::default()), "none seen");
    }

    #[test]
    fn a_disk_without_room_and_what_was_tidied_are_told() {
        let lines = lines(&sample()).join("\n");
        assert!(lines.contains("disk       400 MiB free, 512 MiB kept free: captures wait for room"), "{lines}");
        assert!(lines.contains("2 masks and lists, 3 pictures"), "{lines}");
    }

    /// Every field by its path, lists as `[]`.
    fn fields(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(inner) => {
                for (name, value) in inner {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    fields(value, &path, found);
                }
            }
            Value::Array(list) => list.iter().take(1).for_each(|value| fields(value, &format!("{path}[]"), found)),
            _ => found.push(path.to_owned()),
        }
    }

    #[test]
    fn every_field_that_programs_read_is_described() {
        let guide = include_str!("../../../../docs/operation.md");
        let mut found = Vec::new();
        fields(&serde_json::to_value(sample()).unwrap(), "", &mut found);
        assert!(found.len() > 35, "{found:?}");
        for field in found {
            assert!(guide.contains(&format!("`{field}`")), "docs/operation.md does not describe `{field}`");
        }
    }
}
