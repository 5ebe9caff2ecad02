//! Lists of captures over many rows: milliseconds to the first page of every filter, every order, and their ends.
//!
//! `cargo xtask bench tui` starts it. The rows are written in bulk, so no capture was ever inspected; the store's own
//! migrations and triggers make the lists of them. `FERRULE_BENCH_ROWS` says how many, `FERRULE_BENCH_TURNS` how often.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that prints figures and may stop at any trouble"
)]

use std::time::Instant;

use ferrule_core::{
    filter::{Column, FIELDS, Filter, Order},
    ids::CaptureId,
    store::{CaptureQuery, Reader},
    workspace::DatasetPaths,
};
use ferrule_tests::filled::fill;

/// Rows of a page, as the workbench asks for them.
const PAGE: usize = 200;

/// Filters beside each field's example: several words, rare and common ones, some that find nothing.
const MORE: &[&str] = &[
    "",
    "label:defect zone:core type:scratch conf>0.8",
    "-label:clean -type:particle",
    "FT2-0001",
    "FT3 type:chip",
    "ft",
    "type:chip zone:core severity>=critical",
    "nothing-is-called-like-this",
    "state:queued",
    "verdict:fail source:Annex port:3 side:B",
];

fn main() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"));
    let (rows, turns) = (number("FERRULE_BENCH_ROWS", 1_000_000), number("FERRULE_BENCH_TURNS", 20) as usize);
    let folder = tempfile::tempdir().unwrap();
    let paths = DatasetPaths::at(folder.path());
    let begun = Instant::now();
    fill(&paths, rows);
    let bytes = std::fs::metadata(paths.database()).unwrap().len();
    println!("{rows} rows, {} MB, filled in {:.0} s", bytes >> 20, begun.elapsed().as_secs_f64());
    let reader = Reader::open(&paths).unwrap();

    println!(
        "\n{:<48}{:>10}{:>10}{:>10}{:>10}{:>12}",
        "filter, newest first", "first ms", "p50 ms", "p99 ms", "End p99", "captures"
    );
    let mut worst: f64 = 0.0;
    for text in MORE.iter().copied().chain(FIELDS.iter().map(|help| help.example)) {
        let filter = Filter::parse(text, &jiff::Zoned::now()).unwrap();
        let query = |order| CaptureQuery { filter: filter.clone(), order, limit: PAGE, after: None };
        let (page, end) = (query(Order::default()), query(Order::default().reversed()));
        let times = measured(&reader, &page, turns);
        let ends = measured(&reader, &end, turns);
        let count = reader.captures_count(&filter).unwrap();
        worst = worst.max(times.p99).max(ends.p99);
        let name = if text.is_empty() { "(none)" } else { text };
        println!("{name:<48}{:>10.1}{:>10.1}{:>10.1}{:>10.1}{count:>12}", times.first, times.p50, times.p99, ends.p99);
    }
    println!(
        "\n{:<48}{:>10}{:>10}{:>10}{:>10}{:>12}",
        "order", "first ms", "p50 ms", "p99 ms", "End p99", "middle p99"
    );
    for by in Column::ALL {
        for text in ["", "type:chip label:defect", "FT2 -label:clean"] {
            let filter = Filter::parse(text, &jiff::Zoned::now()).unwrap();
            let query = |descending, after| CaptureQuery {
                filter: filter.clone(),
                order: Order { by, descending },
                limit: PAGE,
                after,
            };
            let times = measured(&reader, &query(true, None), turns);
            let ends = measured(&reader, &query(false, None), turns);
            let middle = measured(&reader, &query(true, Some(CaptureId((rows / 2).cast_signed()))), turns);
            worst = worst.max(times.p99).max(ends.p99).max(middle.p99);
            let name = format!("{} {text}", by.as_str());
            println!(
                "{name:<48}{:>10.1}{:>10.1}{:>10.1}{:>10.1}{:>12.1}",
                times.first, times.p50, times.p99, ends.p99, middle.p99
            );
        }
    }
    println!("\n{:<48}{worst:>10.1}", "worst p99, ms");
}

/// Milliseconds of a page.
struct Times {
    /// With whatever the operating system happened to keep.
    first: f64,
    p50: f64,
    p99: f64,
}

fn measured(reader: &Reader, query: &CaptureQuery, turns: usize) -> Times {
    let mut times: Vec<f64> = (0..turns.max(1))
        .map(|_| {
            let begun = Instant::now();
            reader.captures_page(query).unwrap();
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let first = times[0];
    times.sort_unstable_by(f64::total_cmp);
    Times { first, p50: times[times.len() / 2], p99: times[(times.len() * 99).div_ceil(100) - 1] }
}
