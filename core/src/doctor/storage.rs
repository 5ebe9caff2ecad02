//! The database and the disk that it lies on.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::Finding;
use crate::workspace::DatasetPaths;

const AREA: &str = "database";
const MIB: u64 = 1 << 20;

/// Beyond this the check of every page takes long enough for a person to think that it hangs.
const CHECKED_WHOLE: u64 = 512 * MIB;

/// The dataset's database.
#[must_use]
pub fn database(dataset: &DatasetPaths) -> Vec<Finding> {
    let path = dataset.database();
    let Ok(metadata) = std::fs::metadata(&path) else {
        return vec![Finding::ok(AREA, "file", format!("{} is not there yet; the engine makes it", path.display()))];
    };
    let wal = std::fs::metadata(path.with_extension("sqlite-wal")).map_or(0, |metadata| metadata.len());
    let size = format!("{}, {} MiB and {} MiB of WAL", path.display(), metadata.len() / MIB, wal / MIB);
    let mut findings = vec![Finding::ok(AREA, "file", size)];
    match Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
        Ok(connection) => {
            findings.push(schema(&connection));
            findings.push(integrity(&connection, metadata.len()));
        }
        Err(error) => findings.push(unreadable("schema", &error)),
    }
    findings
}

fn unreadable(name: &str, error: &rusqlite::Error) -> Finding {
    Finding::problem(AREA, name, error.to_string(), "stop the engine and restore a backup of index.sqlite")
}

fn schema(connection: &Connection) -> Finding {
    match connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)) {
        Ok(version) => Finding::ok(AREA, "schema", format!("version {version}")),
        Err(error) => unreadable("schema", &error),
    }
}

fn integrity(connection: &Connection, bytes: u64) -> Finding {
    const NAME: &str = "integrity";
    if bytes > CHECKED_WHOLE {
        return Finding::ok(AREA, NAME, "not checked: the file is large (sqlite3 FILE 'PRAGMA quick_check' does)");
    }
    match connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)) {
        Ok(answer) if answer == "ok" => Finding::ok(AREA, NAME, "every page is sound"),
        Ok(answer) => Finding::problem(AREA, NAME, answer, "stop the engine and restore a backup of index.sqlite"),
        Err(error) => unreadable(NAME, &error),
    }
}

/// Room on the dataset's disk, and whether a database can live there.
#[must_use]
pub fn disk(dataset: &DatasetPaths, min_free_mb: u64) -> Vec<Finding> {
    const AREA: &str = "disk";
    // The dataset may not be made yet; its disk is that of the nearest folder that is.
    let Some(folder) = dataset.root().ancestors().find(|folder| folder.is_dir()) else { return Vec::new() };
    let kind = match crate::store::refuse_network_file_system(folder) {
        Ok(()) => Finding::ok(AREA, "file system", "local"),
        Err(error) => {
            let remedy = "set `dataset.path` to a disk of this machine; captures may stay where they are";
            Finding::problem(AREA, "file system", error.to_string(), remedy)
        }
    };
    vec![kind, room(folder, min_free_mb), writable(folder)]
}

fn room(folder: &Path, min_free_mb: u64) -> Finding {
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize) / MIB;
            let value = format!("{free} MiB free for {}", folder.display());
            if free < min_free_mb {
                let remedy = format!("make room: work waits below {min_free_mb} MiB (dataset.min_free_mb)");
                return Finding::problem("disk", "room", value, remedy);
            }
            Finding::ok("disk", "room", value)
        }
        Err(error) => Finding::notice("disk", "room", error.to_string(), "df may know more"),
    }
}

fn writable(folder: &Path) -> Finding {
    match rustix::fs::access(folder, rustix::fs::Access::WRITE_OK) {
        Ok(()) => Finding::ok("disk", "writable", folder.display().to_string()),
        Err(error) => {
            let value = format!("{}: {error}", folder.display());
            Finding::problem("disk", "writable", value, "make it yours, or choose another workspace")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_torn_database_is_a_problem_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let dataset = DatasetPaths::at(folder.path());
        assert_eq!(database(&dataset).len(), 1, "a dataset that is not there yet is no problem");
        std::fs::write(dataset.database(), "no database at all, but long enough to be read as one: ".repeat(40))
            .unwrap();
        let findings = database(&dataset);
        assert!(findings.iter().any(|finding| finding.state == State::Problem && finding.remedy.is_some()));
    }

    #[test]
    fn a_full_disk_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(room(folder.path(), 0).state, State::Ok);
        assert_eq!(room(folder.path(), u64::MAX).state, State::Problem);
    }
}
