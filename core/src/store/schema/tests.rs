//! Databases of every released version, brought forward: whole, interrupted, and with a copy kept.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::*;
use crate::{
    settings::ImageLinks,
    store::{Closeness, Reader, Store, StoreSettings, verify},
    workspace::DatasetPaths,
};

/// The BLAKE3 of each migration that was released: whoever changes one changes databases that are out there.
const RELEASED: [(&str, &str); 8] = [
    (include_str!("0001.sql"), "689686bd48961716"),
    (include_str!("0002.sql"), "9e6e80202a93a854"),
    (include_str!("0003.sql"), "fe953109df3f126d"),
    (include_str!("0004.sql"), "d0615ebac42a8b12"),
    (include_str!("0005.sql"), "0763c302de4ce423"),
    (include_str!("0006.sql"), "e5cb9595a698fda4"),
    (include_str!("0007.sql"), "1946ee155f5756de"),
    (include_str!("0008.sql"), "de72fb7250dda027"),
];

#[test]
fn every_step_is_sound() {
    assert_eq!(steps().len() as i64, VERSION);
    Migrations::new(steps()).validate().unwrap();
}

#[test]
fn no_migration_that_was_released_is_edited() {
    for (number, (text, hash)) in RELEASED.iter().enumerate() {
        let found = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
        assert_eq!(found, *hash, "0{:03}.sql was edited: write the next one instead", number + 1);
    }
}

/// A database as the version with that many steps left it, with a capture inspected, reviewed and trained on.
fn database_of(version: i64, paths: &DatasetPaths, captures: u32) {
    fs::create_dir_all(paths.root()).unwrap();
    let mut connection = Connection::open(paths.database()).unwrap();
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    let count = usize::try_from(version).unwrap();
    Migrations::new(steps().drain(..count).collect()).to_latest(&mut connection).unwrap();
    let outcome = if version == 1 { ("", "") } else { (", outcome", ", 'in force'") };
    connection
        .execute_batch(&format!(
            "INSERT INTO sources (name, path, recursive, poll, first_at) VALUES ('bench', x'2f', 1, 0, '2026');
             INSERT INTO pipelines (pipeline_id, content, first_at) VALUES ('p', '{{}}', '2026');
             INSERT INTO swaps (generation, pipeline_id, reason, at{}) VALUES (7, 'p', 'start', '2026'{});
             INSERT INTO runs (run_id, task, arch, state, settings, started_at) VALUES ('r', 't', 'a', 'done', '{{}}', '2026');",
            outcome.0, outcome.1
        ))
        .unwrap();
    let transaction = connection.transaction().unwrap();
    for number in 1..=captures {
        let image = format!("{number:016x}");
        let path = format!("/dev/\u{1}{number}.png");
        // From the sixth version on the store itself writes the name as it is shown.
        let shown = if version < 6 {
            (String::new(), String::new())
        } else {
            (", shown".into(), format!(r", '\x01{number}.png'"))
        };
        transaction
            .execute_batch(&format!(
                "INSERT INTO contents (image_id, bytes, first_at) VALUES ('{image}', 9, '2026');
                 INSERT INTO captures (capture_id, source_id, path, dev, inode, size, mtime_ns, state, image_id, seen_at{})
                     VALUES ({number}, 1, CAST('{path}' AS BLOB), 1, {number}, 9, 0, 'done', '{image}', '2026'{});
                 INSERT INTO inspections (inspection_id, image_id, capture_id, attempt, pipeline_id, generation, state, at)
                     VALUES ({number}, '{image}', {number}, 1, 'p', 7, 'done', '2026');
                 UPDATE captures SET inspection_id = {number} WHERE capture_id = {number};
                 INSERT INTO images (image_id, filename, has_defect, inspection_id, capture_id, width, height, incomplete, first_at)
                     VALUES ('{image}', '{number}.png', 1, {number}, {number}, 640, 480, 0, '2026');
                 INSERT INTO reviews (image_id, inspection_id, reviewer, at, decision) VALUES ('{image}', {number}, 'ada', '2026', 'defect');",
                shown.0, shown.1
            ))
            .unwrap();
    }
    transaction.commit().unwrap();
}

/// What must be there after it was brought forward.
fn check(connection: &Connection, captures: u32) {
    let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(one("SELECT group_concat(name) FROM sources"), "bench");
    assert_eq!(
        one("SELECT generation || pipeline_id || reason || at || outcome || changes FROM swaps"),
        "7pstart2026in force[]"
    );
    for table in ["captures", "inspections", "images", "reviews", "listing"] {
        assert_eq!(one(&format!("SELECT '' || count(*) FROM {table}")), captures.to_string(), "{table}");
    }
    assert_eq!(one("SELECT captures || '' FROM capture_counts WHERE state = 'done'"), captures.to_string());
    assert_eq!(
        one("SELECT source || ' ' || name || ' ' || state || ' ' || label FROM listing LIMIT 1"),
        r"bench \x011.png done 1"
    );
    assert_eq!(one("SELECT state || notes || tags FROM runs"), "done");
    assert_eq!(one("PRAGMA integrity_check"), "ok");
}

#[test]
fn a_database_of_every_released_version_comes_forward_with_its_rows_and_a_copy_of_it_is_kept() {
    for version in 1..VERSION {
        let folder = tempfile::tempdir().unwrap();
        let paths = DatasetPaths::at(folder.path());
        database_of(version, &paths, 3);
        assert!(matches!(
            Reader::open(&paths).and_then(|reader| reader.split_settings()),
            Err(StoreError::OlderSchema { .. })
        ));
        let (store, _) = Store::open(&paths, StoreSettings::at_once(ImageLinks::Copy)).unwrap();
        store.close().unwrap();
        let connection = Connection::open(paths.database()).unwrap();
        check(&connection, 3);
        let kept = folder.path().join(format!("index.schema-{version}.sqlite"));
        let kept = Connection::open_with_flags(kept, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        assert_eq!(kept.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), version);
        assert_eq!(kept.query_row("SELECT count(*) FROM reviews", [], |row| row.get::<_, i64>(0)).unwrap(), 3);
        let found = verify(&paths, Closeness { contents: false }, &mut |_, _| true).unwrap().unwrap();
        assert!(
            found.problems.iter().all(|problem| matches!(problem, crate::store::Problem::Missing { .. })),
            "{found:?}"
        );
    }
}

#[test]
fn only_the_newest_copies_are_kept_and_a_current_database_is_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    let paths = DatasetPaths::at(folder.path());
    for version in [1, 3, 5, VERSION] {
        for file in [paths.database(), paths.root().join("index.sqlite-wal"), paths.root().join("index.sqlite-shm")] {
            let _ = fs::remove_file(file);
        }
        database_of(version, &paths, 1);
        drop(Store::open(&paths, StoreSettings::at_once(ImageLinks::Copy)).unwrap());
    }
    let mut copies: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("schema-"))
        .collect();
    copies.sort();
    assert_eq!(copies, ["index.schema-3.sqlite", "index.schema-5.sqlite"]);
}

#[test]
fn where_no_copy_can_be_kept_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let paths = DatasetPaths::at(folder.path());
    database_of(4, &paths, 1);
    // A folder that is not empty lies where the copy would be written.
    fs::create_dir_all(folder.path().join("index.schema-4.part/in the way")).unwrap();
    let error = Store::open(&paths, StoreSettings::at_once(ImageLinks::Copy)).unwrap_err();
    assert!(matches!(error, StoreError::NotKept { .. }), "{error}");
    assert!(error.to_string().contains("make as much room"), "{error}");
    let connection = Connection::open(paths.database()).unwrap();
    assert_eq!(connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), 4);
}

#[test]
fn a_migration_that_is_killed_begins_again() {
    const CAPTURES: u32 = 6000;
    let folder = tempfile::tempdir().unwrap();
    let paths = DatasetPaths::at(folder.path());
    database_of(1, &paths, CAPTURES);
    let version = || {
        let connection = Connection::open(paths.database()).unwrap();
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap()
    };
    let mut between = 0;
    for kill in 0..40_u64 {
        let mut child = Command::new("/proc/self/exe")
            .args(["--ignored", "--exact", "store::schema::tests::an_opening_that_may_be_killed"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // From before it begins to after it has ended, a little later each time.
        std::thread::sleep(Duration::from_millis(10 + kill * 10));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = version();
        assert!(found == 1 || found == VERSION, "half-way: {found}");
        let copy =
            folder.path().join("index.schema-1.sqlite").exists() || folder.path().join("index.schema-1.part").exists();
        between += u32::from(found == 1 && copy);
        if found == VERSION {
            break;
        }
    }
    assert!(between > 0, "it was never killed after it began");
    drop(Store::open(&paths, StoreSettings::at_once(ImageLinks::Copy)).unwrap());
    check(&Connection::open(paths.database()).unwrap(), CAPTURES);
    assert!(!folder.path().join("index.schema-1.part").exists(), "an unfinished copy is written anew");
}

#[test]
#[ignore = "the other test runs it as a process of its own"]
fn an_opening_that_may_be_killed() {
    // The folder that it is started in: another one has no database.
    let folder = Path::new(".").canonicalize().unwrap();
    if folder.join("index.sqlite").exists() {
        drop(Store::open(&DatasetPaths::at(folder), StoreSettings::at_once(ImageLinks::Copy)).unwrap());
    }
}
