//! The bound of what SQLite keeps in an engine. Alone in its process: SQLite takes the setting only before all else.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::ptr;

use ferrule_core::store;
use rusqlite::{Connection, ffi};

#[test]
fn all_that_sqlite_keeps_in_a_process_has_one_bound_once_pages_have_a_place() {
    // SAFETY: the only test of its process.
    unsafe { store::set_pages_aside() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.sqlite");
    let large =
        "CREATE TABLE pages (n); WITH RECURSIVE n AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n WHERE n < 4000)
                 INSERT INTO pages SELECT zeroblob(2000) FROM n";
    Connection::open(&path).unwrap().execute_batch(large).unwrap();
    let readers: Vec<Connection> = (0..8).map(|_| Connection::open(&path).unwrap()).collect();
    for reader in &readers {
        let read: i64 = reader.query_row("SELECT sum(length(n)) FROM pages", [], |row| row.get(0)).unwrap();
        assert_eq!(read, 8_000_000);
    }
    let mut pages = 0;
    // SAFETY: reads counters of the library; the highest one is not asked for.
    let in_heap = unsafe {
        let told = ffi::sqlite3_status(ffi::SQLITE_STATUS_PAGECACHE_USED, &raw mut pages, ptr::from_mut(&mut 0), 0);
        assert_eq!(told, ffi::SQLITE_OK);
        ffi::sqlite3_memory_used()
    };
    // Left to themselves they keep 2 MB each, all of it in the heap.
    assert!(pages > 200, "{pages} pages lie in their place");
    assert!(in_heap < 2 << 20, "{in_heap} bytes");
}
