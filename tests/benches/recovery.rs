//! An engine on a large database, killed again and again while captures come in: milliseconds from the kill to the first
//! result that was not there before.
//!
//! `cargo xtask bench recovery` starts it. The rows are written in bulk (as for `lists`), on the sides of a split, as of a
//! dataset that has been at rest. `FERRULE_BENCH_ROWS` says how many, `FERRULE_BENCH_ROUNDS` how often it is killed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that prints figures and may stop at any trouble"
)]

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ferrule_core::{
    settings::ImageLinks,
    store::{Store, StoreSettings},
    workspace::DatasetPaths,
};
use ferrule_tests::{Lab, files_below};
use rusqlite::Connection;

/// Between two captures: ten a second.
const PAUSE: Duration = Duration::from_millis(100);

fn main() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"));
    let (rows, rounds) = (number("FERRULE_BENCH_ROWS", 1_000_000), number("FERRULE_BENCH_ROUNDS", 20));
    let lab = Lab::with_settings("[dataset]\nmin_free_mb = 0");
    fill(&DatasetPaths::at(lab.dataset()), rows);
    let apart = lab.root().join("apart");
    lab.simulate(&apart, 40, "burst-v1", 1);
    let drawn: Vec<Vec<u8>> = files_below(&apart).iter().map(|file| fs::read(file).unwrap()).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let (ended, captures) = (Arc::clone(&stop), lab.captures());
    let microscope = thread::spawn(move || {
        for number in 0_u64.. {
            if ended.load(Ordering::Relaxed) {
                return;
            }
            // A content of its own behind the picture's end.
            let mut bytes = drawn[number as usize % drawn.len()].clone();
            bytes.extend(number.to_string().bytes());
            let part = captures.join(format!("{number}.part"));
            fs::write(&part, bytes).unwrap();
            fs::rename(part, captures.join(format!("{number:07}.png"))).unwrap();
            thread::sleep(PAUSE);
        }
    });

    let database = lab.database();
    let mut last = database.prepare("SELECT max(inspection_id) FROM inspections").unwrap();
    let mut until_new = |before: i64| loop {
        let now: i64 = last.query_row([], |row| row.get(0)).unwrap();
        if now > before {
            return now;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let start = |began: Instant| {
        let engine = lab.start_engine();
        (engine, began.elapsed())
    };
    let began = Instant::now();
    let (mut engine, first_answer) = start(began);
    let mut newest = until_new(0);
    newest = until_new(newest);
    println!("{:<48}{:>10.0}", "first start to the first answer, ms", first_answer.as_secs_f64() * 1e3);
    let mut times = Vec::new();
    for _ in 0..rounds {
        thread::sleep(Duration::from_secs(1));
        newest = until_new(newest);
        let killed = Instant::now();
        engine.kill();
        let before = until_new(newest - 1);
        (engine, _) = start(killed);
        newest = until_new(before);
        times.push(killed.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_unstable_by(f64::total_cmp);
    println!("{:<48}{:>10.0}", "kill -9 to the first new result, median, ms", times[times.len() / 2]);
    println!("{:<48}{:>10.0}", "kill -9 to the first new result, at most, ms", times[times.len() - 1]);
    println!("{:<48}{:>10}", "rounds", rounds);
    stop.store(true, Ordering::Relaxed);
    microscope.join().unwrap();
    drop(engine);
}

/// A dataset with so many captures.
fn fill(paths: &DatasetPaths, rows: u64) {
    Store::open(paths, StoreSettings::at_once(ImageLinks::Copy)).unwrap().0.close().unwrap();
    let begun = Instant::now();
    let fill = include_str!("../../core/src/store/listing/fill.sql").replace("ROWS", &rows.to_string());
    let connection = Connection::open(paths.database()).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000").unwrap();
    connection.execute_batch(&fill).unwrap();
    connection
        .execute_batch("UPDATE images SET side = split, near_sought = 1; PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    drop(connection);
    let bytes = fs::metadata(paths.database()).unwrap().len();
    println!("{rows} rows, {} MB, filled in {:.0} s", bytes >> 20, begun.elapsed().as_secs_f64());
}
