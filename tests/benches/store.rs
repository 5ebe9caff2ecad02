//! What it saves to write results in transactions: the store takes every inspection of a dataset again, against a program
//! that inserts the same rows one by one, each on its own and equally safe against a power loss. The store also puts every
//! picture's link into place. `cargo xtask bench dataset` prints it.
//!
//! A bench tells figures; it passes nothing and fails nothing. Medians; both take turns.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a bench")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ferrule_core::{
    filter::Filter,
    ids::{CaptureId, ImageId, PipelineId},
    ingest::FileKey,
    report::{CaptureState, Inspection, Severity},
    settings::{Consensus, ImageLinks, Severities, Source},
    store::{Admission, CaptureQuery, Content, Finish, PipelineChange, Reader, Receipt, Store, StoreSettings, Write},
    worker::messages::Pipeline,
    workspace::DatasetPaths,
};
use rusqlite::{Connection, params_from_iter, types::Value};

const ROUNDS: usize = 3;
/// More would keep a slow disk busy for minutes.
const MOST: usize = 100;
/// What an inspection is written into.
const TABLES: [&str; 8] = [
    "inspections",
    "inspection_zones",
    "inspection_defects",
    "inspection_defect_parts",
    "inspection_features",
    "inspection_histograms",
    "inspection_verdicts",
    "images",
];

struct Item {
    image: ImageId,
    inspection: Inspection,
    file: PathBuf,
}

fn main() {
    let Some(dataset) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) else {
        // Plain `cargo bench` names none.
        return println!("no dataset is named: cargo xtask bench dataset");
    };
    let items = items(&DatasetPaths::at(fs::canonicalize(dataset).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let (mut ours, mut theirs, mut rows) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let paths = DatasetPaths::at(folder.path().join(format!("ours-{round}")));
        ours.push(in_transactions(&items, &paths));
        let (took, count) = one_by_one(&paths, &folder.path().join(format!("theirs-{round}.sqlite")));
        theirs.push(took);
        rows = count;
    }
    let (ours, theirs) = (middle(ours), middle(theirs));
    println!("{:<40}{:>10.1}", "rows one by one / the store, time", theirs / ours);
    println!("{:<40}{:>10.0}", "the store, inspections a second", items.len() as f64 / ours);
    println!("{:<40}{:>10.0}", "rows of an inspection", rows as f64 / items.len() as f64);
}

fn items(paths: &DatasetPaths) -> Vec<Item> {
    let reader = Reader::open(paths).unwrap();
    let query = CaptureQuery { limit: MOST, filter: Filter::of_state(CaptureState::Done), ..CaptureQuery::default() };
    let page = reader.captures_page(&query).unwrap();
    let item = |capture| {
        let detail = reader.capture(capture).unwrap()?;
        Some(Item {
            image: detail.row.image?,
            inspection: detail.inspection?,
            file: paths.images().join(detail.filename?),
        })
    };
    page.into_iter().filter_map(|row| item(row.capture)).collect()
}

/// Seconds from the first result handed over to the last receipt.
fn in_transactions(items: &[Item], paths: &DatasetPaths) -> f64 {
    let (store, _) = Store::open(paths, StoreSettings::at_once(ImageLinks::Symlink)).unwrap();
    let pipeline = pipeline();
    let change = PipelineChange { pipeline: pipeline.clone(), generation: 1, reason: "bench".into() };
    store.submit(Write::Sources(vec![source()])).unwrap();
    store.submit(Write::Pipeline(Box::new(change))).unwrap();
    let admission = |item: &Item| Admission {
        source: source().name,
        path: item.file.clone(),
        key: FileKey::of(&fs::metadata(&item.file).unwrap()),
        seen_at: jiff::Timestamp::now(),
        content: Content::Hashed(item.image),
        tags: BTreeMap::new(),
    };
    store.submit(Write::Admit(items.iter().map(admission).collect())).unwrap();
    let admitted = store.receipts().iter().find_map(|receipt| match receipt {
        Receipt::Admitted(admitted) => Some(admitted),
        _ => None,
    });
    let captures: Vec<CaptureId> = admitted.unwrap().iter().map(|admitted| admitted.capture).collect();
    store.submit(Write::Running(captures.clone())).unwrap();
    store.receipts().iter().find(|receipt| matches!(receipt, Receipt::Running(_))).unwrap();
    let start = Instant::now();
    for (item, capture) in items.iter().zip(captures) {
        let finish = Finish {
            capture,
            image: item.image,
            generation: 1,
            pipeline: pipeline.id.clone(),
            result: Ok(item.inspection.clone()),
            staging: None,
            artefacts: Vec::new(),
            fingerprint: None,
            source_file: item.file.clone(),
        };
        store.submit(Write::Finish(Box::new(finish))).unwrap();
    }
    let done = store.receipts().iter().filter(|receipt| match receipt {
        Receipt::Finished(finished) => finished.failure.is_none(),
        other => panic!("{other:?}"),
    });
    assert_eq!(done.take(items.len()).count(), items.len());
    let took = start.elapsed();
    store.close().unwrap();
    took.as_secs_f64()
}

/// Seconds for every row that the store wrote, each inserted and committed by itself; and how many those are.
fn one_by_one(from: &DatasetPaths, to: &Path) -> (f64, usize) {
    let ours = Connection::open(from.database()).unwrap();
    let theirs = Connection::open(to).unwrap();
    theirs.pragma_update(None, "journal_mode", "WAL").unwrap();
    theirs.pragma_update(None, "synchronous", "FULL").unwrap();
    // Not all tables that others refer to are copied.
    theirs.pragma_update(None, "foreign_keys", false).unwrap();
    let (mut took, mut count) = (Duration::ZERO, 0);
    for table in TABLES {
        let sql: String =
            ours.query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0)).unwrap();
        theirs.execute(&sql, []).unwrap();
        let mut select = ours.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let width = select.column_count();
        let rows: Vec<Vec<Value>> = select
            .query_map([], |row| (0..width).map(|column| row.get(column)).collect())
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let marks = vec!["?"; width].join(", ");
        let mut insert = theirs.prepare(&format!("INSERT INTO {table} VALUES ({marks})")).unwrap();
        count += rows.len();
        let start = Instant::now();
        for row in rows {
            insert.execute(params_from_iter(row)).unwrap();
        }
        took += start.elapsed();
    }
    (took.as_secs_f64(), count)
}

fn source() -> Source {
    Source {
        name: "bench".into(),
        path: "/".into(),
        recursive: true,
        fibre: None,
        core_um: None,
        cladding_um: None,
        pixel_aspect: None,
        um_per_px: None,
        poll: false,
        name_pattern: None,
    }
}

fn pipeline() -> Pipeline {
    Pipeline {
        id: PipelineId::of("bench"),
        segment: Vec::new(),
        detect: Vec::new(),
        measure: Vec::new(),
        grade: Vec::new(),
        consensus: Consensus::First,
        min_confidence: 0.5,
        label: Severities { min_confidence: 0.5, min_severity: Severity::Low },
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
