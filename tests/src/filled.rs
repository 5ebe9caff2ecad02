//! A dataset with a great many captures, written in bulk: none of them was ever inspected, but the store's own migrations and
//! triggers make the same lists of them.

use ferrule_core::{
    settings::ImageLinks,
    store::{Store, StoreSettings},
    workspace::DatasetPaths,
};
use rusqlite::Connection;

/// Makes a database there with so many captures, every one of which is through and has its side of the split.
///
/// # Panics
/// There is one already, or no room for it.
pub fn fill(paths: &DatasetPaths, rows: u64) {
    Store::open(paths, StoreSettings::at_once(ImageLinks::Copy)).expect("a dataset").0.close().expect("it closes");
    let fill = include_str!("../../core/src/store/listing/fill.sql").replace("ROWS", &rows.to_string());
    let connection = Connection::open(paths.database()).expect("its database");
    let run = |sql: &str| connection.execute_batch(sql).expect("rows");
    run("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000");
    run(&fill);
    // Otherwise an engine would look for their near-duplicates.
    run("UPDATE images SET side = split, near_sought = 1");
    run("PRAGMA wal_checkpoint(TRUNCATE)");
}
