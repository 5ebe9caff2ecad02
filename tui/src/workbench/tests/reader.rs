//! The screen's rows over a real database.

use std::{collections::BTreeMap, ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};

use ferrule_core::{
    filter::Filter,
    ids::ImageId,
    ingest::FileKey,
    report::Failure,
    settings::{ImageLinks, Source},
    store::{Admission, Content, Store, StoreSettings, Write},
    workspace::DatasetPaths,
};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::workbench::{
    plain::clean,
    reader::DatasetRows,
    rows::{List, Page, Place, Rows},
};

/// A dataset with 450 captures, every tenth of which failed, and one with a hostile name.
fn dataset() -> (TempDir, DatasetPaths) {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = DatasetPaths::at(folder.path());
    let (store, _) = Store::open(&paths, StoreSettings::at_once(ImageLinks::Copy)).expect("a store");
    let source = Source {
        name: "scope".into(),
        path: "/captures".into(),
        recursive: true,
        fibre: None,
        core_um: None,
        cladding_um: None,
        pixel_aspect: None,
        um_per_px: None,
        poll: false,
        name_pattern: None,
    };
    store.submit(Write::Sources(vec![source])).expect("written");
    let admissions = (0..450_u64).map(|number| {
        let path = match number {
            7 => PathBuf::from(OsStr::from_bytes(b"/captures/\x1b[31m\xff\n.png")),
            number => PathBuf::from(format!("/captures/FT2-{number:04}.png")),
        };
        let failure = Failure {
            stage: "decode".into(),
            plugin: None,
            message: "the file ends early\u{1b}[0m".into(),
            transient: false,
        };
        let content = if number % 10 == 3 {
            Content::Unreadable(failure)
        } else {
            Content::Hashed(ImageId::of(&number.to_le_bytes()))
        };
        let key = FileKey { dev: 1, inode: number, size: 10, mtime_ns: 5 };
        Admission { source: "scope".into(), path, key, seen_at: Timestamp::UNIX_EPOCH, content, tags: BTreeMap::new() }
    });
    store.submit(Write::Admit(admissions.collect())).expect("written");
    store.close().expect("closed");
    (folder, paths)
}

#[test]
fn pages_from_either_end_meet_every_row_once_and_in_order() {
    let (_folder, paths) = dataset();
    let mut rows = DatasetRows::open(&paths).expect("a database");
    let mut walk = |begin: Place, next: fn(&Page) -> Place| {
        let (mut place, mut pages) = (begin, Vec::new());
        loop {
            let page = rows.page(&List::default(), place, 100).expect("a page");
            let ends = page.ends;
            place = page.rows.first().map_or(place, |_| next(&page));
            pages.push(page.rows);
            if ends {
                return pages;
            }
        }
    };
    let down = walk(Place::First, |page| Place::After(page.rows[page.rows.len() - 1].capture)).concat();
    let mut up = walk(Place::Last, |page| Place::Before(page.rows[0].capture));
    up.reverse();
    assert_eq!(down.len(), 450);
    assert!(down.is_sorted_by(|newer, older| newer.capture > older.capture));
    assert_eq!(up.concat(), down);
}

#[test]
fn filters_reach_the_database() {
    let (_folder, paths) = dataset();
    let mut rows = DatasetRows::open(&paths).expect("a database");
    let now = Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let filter = Filter::parse("state:failed ft2-004", &now).expect("a filter");
    assert_eq!(rows.count(&filter).expect("a count"), 1);
    let page = rows.page(&List { filter, ..List::default() }, Place::First, 100).expect("a page");
    let names: Vec<_> = page.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!((names.as_slice(), page.ends), (&["FT2-0043.png"][..], true));
    let detail = rows.detail(page.rows[0].capture).expect("a detail").expect("a capture");
    let message = detail.message.expect("why it failed");
    assert!(message.contains("the file ends early") && clean(&message) == message, "{message}");
}

#[test]
fn a_hostile_name_comes_out_harmless() {
    let (_folder, paths) = dataset();
    let mut rows = DatasetRows::open(&paths).expect("a database");
    let all = rows.page(&List::default(), Place::First, 1000).expect("a page").rows;
    let hostile = all.iter().find(|row| row.name.contains("31m")).expect("the row");
    assert_eq!(clean(&hostile.name), hostile.name);
    assert!(hostile.name.contains("x1b") || hostile.name.contains("x1B"), "{}", hostile.name);
}

#[test]
fn a_missing_database_is_said_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let message = DatasetRows::open(&DatasetPaths::at(folder.path())).err().expect("no database");
    assert!(!message.contains('\n') && !message.is_empty());
}
