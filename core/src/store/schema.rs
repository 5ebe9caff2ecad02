//! The database's shape and how an older one is brought to it. Later versions add migrations, and never edit one.

mod former;

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use rusqlite_migration::{M, Migrations};

use super::{StoreError, admit};

/// Says in the file's header that it is ours: `Ferr` in ASCII.
const APPLICATION_ID: i64 = 0x4665_7272;

/// The version that this build writes: how many steps there are.
pub(super) const VERSION: i64 = 10;

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
        M::up(include_str!("schema/0010.sql")).foreign_key_check(),
    ]
}

/// Refuses a database that is not ours or newer than us, without changing a byte of it. A missing or empty one is fine.
///
/// The connection that looked: while there is one, the next need not go through the write-ahead log again.
pub(super) fn refuse_unknown(path: &Path) -> Result<Option<Connection>, StoreError> {
    let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if length == 0 {
        return Ok(None);
    }
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let foreign = |_| StoreError::Foreign { path: path.to_owned() };
    let found = match connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)) {
        Err(_) if is_half_made(path, length) => return Ok(None),
        found => found.map_err(foreign)?,
    };
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(foreign)?;
    let table = "SELECT name FROM sqlite_schema LIMIT 1";
    let empty = connection.query_row(table, [], |_| Ok(())).optional().map_err(foreign)?.is_none();
    if application != APPLICATION_ID && !(empty && application == 0) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    if found > VERSION {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known: VERSION });
    }
    Ok(Some(connection))
}

/// Its first page was being written when the power went: a journal is left, by which whoever opens it to write takes that
/// page back. Until then nobody can say whose it is.
fn is_half_made(path: &Path, length: u64) -> bool {
    const FIRST_PAGE: u64 = 4096;
    length <= FIRST_PAGE && path.with_extension("sqlite-journal").exists()
}

/// Brings the database to this version, in one transaction: interrupted, it is as it was, and the next start begins again.
/// One of an older version is copied first.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if (1..VERSION).contains(&found) {
        let kept = former::keep(connection, path, found)?;
        tracing::info!(from = found, to = VERSION, kept = %kept.display(), "the database is brought to this version");
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    Migrations::new(steps())
        .to_latest(connection)
        .map_err(|error| StoreError::Migration { path: path.to_owned(), message: error.to_string() })
}

#[cfg(test)]
mod tests;
