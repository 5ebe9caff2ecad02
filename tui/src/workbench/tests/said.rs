//! What an engine says: how it stands, and a capture that is through.

use ferrule_core::{
    ids::{BuildHash, CaptureId},
    protocol::{CaptureEvent, Counts, PluginStatus, SourceStatus, Status, WorkerStatus},
    report::{CaptureState, Outcome},
};

use super::sample::image;

pub fn status() -> Status {
    let plugin = |slot: &str, id: &str, ms: f64| PluginStatus {
        slot: slot.into(),
        id: id.parse().expect("an id"),
        version: "1.0.0".into(),
        build: BuildHash::of(id.as_bytes()),
        quarantined: false,
        problem: None,
        ms: Some(ms),
    };
    let mut scratch = plugin("detect", "detect-scratch", 9.4);
    scratch.quarantined = true;
    scratch.problem = Some("it brought workers down on 3 captures in a row (SIGSEGV)".into());
    let mut counts =
        Counts { queued: 12, running: 2, done: 1180, duplicate: 4, failed: 2, settling: 1, ..Counts::default() };
    counts.add_up();
    Status {
        software: "ferrule 0.1.0".into(),
        pid: 4711,
        started: "2026-09-21T14:00:00Z".into(),
        workspace: "/home/lab/demo".into(),
        database: "/home/lab/demo/dataset/index.sqlite".into(),
        generation: 3,
        counts,
        per_second: 4.2,
        p50_ms: Some(41.0),
        p95_ms: Some(96.0),
        workers: vec![
            WorkerStatus { pid: 1, busy: true, jobs: 700, memory_mb: 71, plugin: None },
            WorkerStatus { pid: 2, busy: false, jobs: 480, memory_mb: 69, plugin: None },
        ],
        sources: vec![SourceStatus { name: "scope-1".into(), path: "/captures".into(), problem: None }],
        plugins: vec![
            plugin("segment", "segment-endface", 4.0),
            plugin("detect", "detect-region", 6.1),
            scratch,
            plugin("measure", "measure-intensity", 1.2),
        ],
        ..Status::default()
    }
}

/// A capture that was just inspected.
pub fn done(id: i64, path: &str) -> CaptureEvent {
    CaptureEvent {
        capture: CaptureId(id),
        source: "scope-1".into(),
        path: path.into(),
        path_b64: None,
        state: CaptureState::Done,
        image: Some(image(id)),
        has_defect: Some(true),
        verdict: Some(Outcome::Fail),
        defects: Some(3),
        incomplete: Vec::new(),
        message: None,
        ms: Some(18.0),
    }
}
