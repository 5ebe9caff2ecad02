//! The list against a view computed from scratch, and every way of reading it against every other.

use std::path::Path;

use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;
use rusqlite::{Connection, params_from_iter};

use super::*;
use crate::store::schema;

fn filter(text: &str) -> Filter {
    Filter::parse(text, &"2026-11-20T12:00:00Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC)).unwrap()
}

/// A database with rows that make ties and gaps in every order.
fn filled(count: i64) -> (tempfile::TempDir, Reader) {
    let folder = tempfile::tempdir().unwrap();
    let paths = crate::workspace::DatasetPaths::at(folder.path());
    let mut connection = Connection::open(paths.database()).unwrap();
    schema::migrate(&mut connection, &paths.database()).unwrap();
    connection.execute_batch(&fill(count)).unwrap();
    drop(connection);
    let reader = Reader::open(&paths).unwrap();
    (folder, reader)
}

/// Captures by the hundred, each with an inspection but every seventh, which failed.
fn fill(count: i64) -> String {
    include_str!("fill.sql").replace("ROWS", &count.to_string())
}

const EXAMPLES: &[(&str, &str)] = &[
    ("label:defect", "listing_label"),
    ("label:none", "listing_label"),
    ("state:failed", "listing_state"),
    ("verdict:fail", "listing_verdict"),
    ("split:val", "listing_split"),
    ("source:bench", "listing_source"),
    ("job:A7", "listing_job"),
    ("port:3", "listing_port"),
    ("side:B", "listing_side"),
    ("file:*FT2-0001*", "VIRTUAL TABLE INDEX"),
    ("0017", "VIRTUAL TABLE INDEX"),
    ("since:2026-11-01", "listing_seen"),
    ("conf>0.8", "listing_confidence"),
    ("severity>=high", "listing_severity"),
    ("defects>3", "listing_defects"),
    ("quality>90", "listing_quality"),
    ("ms>200", "listing_ms"),
    ("size>2000000", "listing_size"),
    ("type:scratch", "inspection_defects_kind"),
    ("zone:core type:scratch", "inspection_defects_kind"),
    ("zone:core", "inspection_defects_zone"),
    ("plugin:detect-region", "inspection_defects_plugin"),
    ("incomplete:yes", "listing_incomplete"),
    ("reviewed:yes", "listing_reviewed"),
    ("image:3f", "captures_image"),
];

fn explain(reader: &Reader, statement: &Statement) -> String {
    let mut explain = reader.connection().prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
    let rows = explain.query_map(params_from_iter(&statement.values), |row| row.get::<_, String>(3)).unwrap();
    rows.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
}

#[test]
fn every_example_is_found_by_an_index() {
    let (_folder, reader) = filled(50);
    for (text, index) in EXAMPLES {
        let filter = filter(text);
        let driver = drivers(&filter).pop().unwrap_or_else(|| panic!("{text}: nothing to begin at"));
        for statement in [&driver.probe, &driver.ids, &gathered(&driver, &conditions(&filter))] {
            let plan = explain(&reader, statement);
            assert!(plan.contains(index) && !plan.contains("SCAN l\n"), "{text}:\n{plan}");
        }
    }
}

#[test]
fn paths_are_read_from_an_index_alone() {
    let (_folder, reader) = filled(50);
    let plan = explain(&reader, &of_path(&filter("path:*/monday/*")).unwrap());
    assert!(plan.contains("captures_live_path") && plan.contains("captures_state"), "{plan}");
    assert!(of_path(&filter("-path:*/monday/*")).is_none(), "what is on another path is not rare");
}

#[test]
fn every_order_walks_an_index_and_sorts_nothing() {
    let (_folder, reader) = filled(50);
    let key = Key { value: Value::Integer(3), capture: 3 };
    for by in Column::ALL {
        for descending in [false, true] {
            let order = Order { by, descending };
            for key in [None, Some(&key)] {
                for step in walk(order, key, None, &conditions(&filter("type:pit"))) {
                    let plan = explain(&reader, &step);
                    let index = if by == Column::Time { "l".to_owned() } else { format!("listing_{}", name(by)) };
                    assert!(plan.contains(&index) && !plan.contains("TEMP B-TREE"), "{order}:\n{plan}");
                }
            }
        }
    }
}

/// Every row that the filter finds, one page after the other.
fn paged(reader: &Reader, text: &str, order: Order, effort: Effort) -> Vec<i64> {
    let mut query = CaptureQuery { filter: filter(text), order, after: None, limit: 7 };
    let mut all = Vec::new();
    loop {
        let page = reader.page_ids(&query, effort).unwrap();
        let Some(last) = page.last() else { return all };
        query.after = Some(CaptureId(*last));
        all.extend(page);
    }
}

#[test]
fn each_way_gives_the_same_rows_in_the_same_order() {
    let (_folder, reader) = filled(120);
    let ways = [(5_000, 60_000), (0, 60_000), (0, 10), (30, 10)];
    for text in EXAMPLES
        .iter()
        .map(|(text, _)| *text)
        .chain(["", "-label:clean type:pit", "-conf>0.7 port:3 FT2", "ft"])
        .chain(["path:*/0000/*", "path:*/monday/*", "path:*FT3-00000?1* label:clean", "-path:*FT2* side:A"])
    {
        for by in Column::ALL {
            let order = Order { by, descending: true };
            let whole = reader.ids(&scanned(order, None, conditions(&filter(text)), 1_000)).unwrap();
            for (rare, walk) in ways {
                let effort = Effort { rare, walk, doubt: walk / 3 };
                assert_eq!(paged(&reader, text, order, effort), whole, "{text} by {order}, {effort:?}");
                let mut back = paged(&reader, text, order.reversed(), effort);
                back.reverse();
                assert_eq!(back, whole, "{text} by {order} from its end, {effort:?}");
            }
        }
        assert_eq!(
            reader.captures_count(&filter(text)).unwrap() as usize,
            paged(&reader, text, Order::default(), EFFORT).len()
        );
    }
}

#[test]
fn an_order_is_that_of_its_column() {
    let (_folder, reader) = filled(120);
    for by in Column::ALL {
        let query = CaptureQuery { order: Order { by, descending: false }, limit: 500, ..CaptureQuery::default() };
        let rows = reader.captures_page(&query).unwrap();
        assert_eq!(rows.len(), 120);
        let text = |row: &CaptureRow| match by {
            Column::Time => format!("{:09}", row.capture.0),
            Column::State => row.state.to_string(),
            Column::Label => row.has_defect.map_or(String::new(), |label| label.to_string()),
            Column::Source => row.source.to_lowercase(),
            Column::Name => row.path.file_name().unwrap().to_string_lossy().to_lowercase(),
            Column::Defects => format!("{:09}", row.defects.map_or(0, |count| count + 1)),
            Column::Severity => format!("{:?}", row.severity.map(|severity| severity as u8)),
            Column::Confidence => format!("{:09.4}", row.confidence.unwrap_or(-1.0) + 1.0),
            Column::Verdict => row.verdict.map_or(String::new(), |verdict| verdict.to_string()),
            Column::Quality => format!("{:09.4}", row.quality.unwrap_or(-1.0) + 1.0),
            Column::Split => row.split.clone().unwrap_or_default(),
            Column::Job | Column::Port | Column::Side => row.tags.get(by.as_str()).cloned().unwrap_or_default(),
            Column::Milliseconds => format!("{:09.4}", row.ms.unwrap_or(-1.0) + 1.0),
            Column::Size => format!("{:09}", row.size),
        };
        let keys: Vec<_> = rows.iter().map(|row| (text(row), row.capture)).collect();
        assert!(keys.is_sorted(), "{by:?}: {keys:?}");
    }
}

proptest! {
    #[test]
    fn whatever_is_typed_is_a_filter_or_an_error_and_never_sql(text in "[-a-z:<>=,\"'%_*? 0-9;]{0,40}") {
        let now = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        if let Ok(filter) = Filter::parse(&text, &now) {
            let mut connection = Connection::open_in_memory().unwrap();
            schema::migrate(&mut connection, Path::new("index.sqlite")).unwrap();
            for statement in drivers(&filter).iter().flat_map(|driver| [&driver.ids, &driver.probe]) {
                connection.prepare(&statement.sql).unwrap().query(params_from_iter(&statement.values)).unwrap().next().unwrap();
            }
            let scan = scanned(Order::default(), None, conditions(&filter), 10);
            connection.prepare(&scan.sql).unwrap().query(params_from_iter(&scan.values)).unwrap().next().unwrap();
        }
    }
}
