//! What a day brings: figures capture by capture, and jobs.

use ferrule_core::{
    ids::CaptureId,
    job::{Job, Shot},
    report::{CaptureState, Histogram, Outcome},
    store::{Trend, TrendRow},
};

use super::sample::image;

/// A process that was what it was, but for one bad lot, and a lamp that fades.
pub fn trend(newest: i64, limit: usize) -> Trend {
    let rows = (1..=newest).rev().take(limit).map(|id| TrendRow {
        capture: CaptureId(id),
        has_defect: Some(id % 5 == 0 || (900..920).contains(&id)),
        cladding_r: Some(160.0 + (id % 7) as f64 / 10.0),
        focus: Some(0.8 + (id % 3) as f64 / 50.0),
        brightness: Some(110.0 - id as f64 / 100.0),
    });
    let mut rows: Vec<TrendRow> = rows.collect();
    rows.reverse();
    Trend { rows, done: newest.unsigned_abs() }
}

/// One that was cleaned in part and is not whole, and one that can be handed over.
pub fn jobs(limit: usize) -> Vec<Job> {
    let shot = |capture, port: &str, side: &str, verdict| Shot {
        capture: CaptureId(capture),
        image: Some(image(capture)),
        name: format!("LOT7-P{port}-{side}-{capture}.png"),
        seen_at: format!("2026-09-21T14:{:02}:00Z", capture % 60),
        state: CaptureState::Done,
        port: port.into(),
        side: side.into(),
        verdict: Some(verdict),
        has_defect: Some(verdict == Outcome::Fail),
    };
    let (pass, fail) = (Outcome::Pass, Outcome::Fail);
    let lot7 = vec![
        shot(1101, "1", "A", fail),
        shot(1102, "1", "B", pass),
        shot(1104, "2", "A", pass),
        shot(1105, "10", "A", Outcome::NotGraded),
        shot(1106, "10", "B", fail),
        shot(1109, "1", "A", pass),
    ];
    let lot6 = vec![shot(901, "1", "A", pass), shot(903, "1", "B", pass)];
    let jobs = [Job::of("LOT7".into(), lot7), Job::of("LOT6".into(), lot6)];
    jobs.into_iter().take(limit).collect()
}

/// Most of the cladding at one level.
pub fn gray_levels() -> Histogram {
    Histogram {
        region: "cladding".into(),
        name: "gray".into(),
        low: 0.0,
        high: 256.0,
        counts: (0..256_u64).map(|level| if level.abs_diff(95) < 12 { 6_000 } else { level % 5 }).collect(),
        plugin: "measure-intensity 1.0.0".into(),
    }
}
