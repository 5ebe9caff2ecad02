//! What a day brings: figures capture by capture, and jobs.

use ferrule_core::{
    compare::Pairing,
    ids::CaptureId,
    job::{Job, Shot},
    report::{CaptureState, DefectKind, Histogram, Inspection, Outcome},
    store::{Former, HEAT_SIDE, Heat, Trend, TrendRow},
};

use super::sample::image;
use crate::workbench::rows::Before;

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

/// An older build took the scratch for a chip, did not see the pit, and saw a particle where now is nothing.
pub fn before(now: &Inspection) -> Before {
    let mut inspection = now.clone();
    inspection.defects.remove(1);
    inspection.defects[0].kind = DefectKind::Chip;
    inspection.defects[1].bbox = [120, 400, 12, 12];
    inspection.defects[1].mask = (400..412).map(|y| [y, 120, 12]).collect();
    let pairing = Pairing::of(&inspection.defects, &now.defects);
    let differing = vec!["detect-scratch 0.9.0 (0123456789abcdef)".into()];
    Before { former: Former { inspection, generation: 2, at: "2026-09-20T08:00:00Z".into(), differing }, pairing }
}

/// A spot to the right of the core that every fourth capture has, and one far out that a few have.
pub fn heat(most: usize) -> Heat {
    let mut cells = vec![0; HEAT_SIDE * HEAT_SIDE];
    let middle = HEAT_SIDE / 2;
    for (y, x, count) in
        [(middle, middle + 5, 200), (middle, middle + 6, 180), (middle + 1, middle + 5, 90), (6, 8, 30)]
    {
        cells[y * HEAT_SIDE + x] = count;
    }
    Heat { cells, captures: 800.min(most as u64), defects: 512 }
}
