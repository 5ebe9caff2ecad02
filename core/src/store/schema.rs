//! The database's shape and how an older one is brought to it. Later versions add migrations, and never edit one.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use rusqlite_migration::{M, Migrations};

use super::{StoreError, admit};

/// Says in the file's header that it is ours: `Ferr` in ASCII.
const APPLICATION_ID: i64 = 0x4665_7272;

/// The version that this build writes: how many steps there are.
pub(super) const VERSION: i64 = 9;

/// Each brings the schema one version on; `user_version` counts those applied.
fn steps() -> Vec<M<'static>> {
    vec![
        M::up(include_str!("schema/0001.sql")).foreign_key_check(),
        M::up(include_str!("schema/0002.sql")).foreign_key_check(),
        M::up(include_str!("schema/0003.sql")).foreign_key_check(),
        M::up(include_str!("schema/0004.sql")).foreign_key_check(),
        M::up(include_str!("schema/0005.sql")).foreign_key_check(),
        M::up_with_hook(include_str!("schema/0006.sql"), |transaction| Ok(admit::show_names(transaction)?)),
        M::up(include_str!("schema/0007.sql")).foreign_key_check(),
        M::up(include_str!("schema/0008.sql")).foreign_key_check(),
        M::up(include_str!("schema/0009.sql")).foreign_key_check(),
    ]
}

/// Refuses a database that is not ours or newer than us, without changing a byte of it. A missing or empty one is fine.
pub(super) fn refuse_unknown(path: &Path) -> Result<(), StoreError> {
    let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if length == 0 {
        return Ok(());
    }
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let foreign = |_| StoreError::Foreign { path: path.to_owned() };
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(foreign)?;
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(foreign)?;
    let table = "SELECT name FROM sqlite_schema LIMIT 1";
    let empty = connection.query_row(table, [], |_| Ok(())).optional().map_err(foreign)?.is_none();
    if application != APPLICATION_ID && !(empty && application == 0) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    if found > VERSION {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known: VERSION });
    }
    Ok(())
}

/// Brings the database to this version, in one transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    Migrations::new(steps())
        .to_latest(connection)
        .map_err(|error| StoreError::Migration { path: path.to_owned(), message: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_sound() {
        assert_eq!(steps().len() as i64, VERSION);
        Migrations::new(steps()).validate().unwrap();
    }

    #[test]
    fn a_database_of_an_older_version_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = Path::new("index.sqlite");
        Migrations::new(steps().drain(..1).collect()).to_latest(&mut connection).unwrap();
        let row = "INSERT INTO sources (name, path, recursive, poll, first_at) VALUES ('bench', x'2f', 1, 0, '2026')";
        connection.execute(row, []).unwrap();
        let pipeline = "INSERT INTO pipelines (pipeline_id, content, first_at) VALUES ('p', '{}', '2026')";
        connection.execute(pipeline, []).unwrap();
        let swap = "INSERT INTO swaps (generation, pipeline_id, reason, at) VALUES (7, 'p', 'start', '2026')";
        connection.execute(swap, []).unwrap();
        let capture = "INSERT INTO captures (source_id, path, dev, inode, size, mtime_ns, state, seen_at)
            VALUES (1, x'2f6465762fff0a2e706e67', 1, 1, 9, 0, 'failed', '2026')";
        connection.execute(capture, []).unwrap();
        migrate(&mut connection, path).unwrap();
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        let names: String =
            connection.query_row("SELECT group_concat(name) FROM sources", [], |row| row.get(0)).unwrap();
        assert_eq!((version, names.as_str()), (VERSION, "bench"));
        let swap = "SELECT generation || pipeline_id || reason || at || outcome || changes FROM swaps";
        let swap: String = connection.query_row(swap, [], |row| row.get(0)).unwrap();
        assert_eq!(swap, "7pstart2026in force[]");
        let listed = "SELECT source || ' ' || name || ' ' || state FROM listing";
        let listed: String = connection.query_row(listed, [], |row| row.get(0)).unwrap();
        assert_eq!(listed, r"bench \xff\n.png failed");
    }
}
