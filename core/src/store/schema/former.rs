//! The database as it was before it is brought to a newer version: a copy beside it, so that a person can go back.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, backup::Backup};

use crate::store::StoreError;

/// Copies kept: of the newest versions that were left behind.
const KEPT: usize = 2;

/// Where the copy of a database of that version lies: `index.schema-5.sqlite` beside `index.sqlite`.
fn place(database: &Path, version: i64) -> PathBuf {
    database.with_extension(format!("schema-{version}.sqlite"))
}

/// Copies the database, and takes older copies away. Whole or not there: it is synced before it gets its name.
pub(super) fn keep(connection: &Connection, database: &Path, version: i64) -> Result<PathBuf, StoreError> {
    let to = place(database, version);
    let part = to.with_extension("part");
    let kept = copy(connection, &part).and_then(|()| {
        fs::rename(&part, &to)?;
        let folder = to.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    });
    if let Err(source) = kept {
        let _ = fs::remove_file(&part);
        return Err(StoreError::NotKept { path: to, source });
    }
    forget_older(database, version);
    Ok(to)
}

fn copy(connection: &Connection, part: &Path) -> io::Result<()> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = || -> Result<(), rusqlite::Error> {
        let mut copy = Connection::open(part)?;
        Backup::new(connection, &mut copy)?.step(-1)?;
        // One file, that anybody may open.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        copy.close().map_err(|(_, error)| error)
    };
    written().map_err(io::Error::other)?;
    File::open(part)?.sync_all()
}

/// One that cannot be removed takes room and does no harm.
fn forget_older(database: &Path, version: i64) {
    let mut all: Vec<PathBuf> =
        (1..=version).map(|version| place(database, version)).filter(|path| path.exists()).collect();
    let over = all.len().saturating_sub(KEPT);
    for path in all.drain(..over) {
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "an older copy of the database stays");
        }
    }
}
