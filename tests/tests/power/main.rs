//! The power goes, at any moment: every change that a real engine makes to its dataset is written down in its order, syncs
//! included; then, for hundreds of moments, the disk is made as it may have been left, and opened.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests end that way")]

mod disk;
mod journal;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
};

use ferrule_core::{
    ids::ImageId,
    settings::ImageLinks,
    store::{Closeness, Store, StoreSettings, verify},
    workspace::DatasetPaths,
};
use ferrule_tests::{Lab, machine::Machine};
use ferrule_vision::augment::chance::Chance;
use serde_json::Value;

use self::{
    disk::{Disk, Unsynced},
    journal::Change,
};

/// Captures that the engine inspects.
const CAPTURES: u64 = 14;
/// Moments at which the power goes, in the short form; `FERRULE_POWER_MOMENTS` sets another number.
const MOMENTS: usize = 160;

/// What an engine did, and what it had said at which length of the journal.
struct Recorded {
    lab: Lab,
    changes: Vec<(u64, Change)>,
    told: BTreeMap<ImageId, u64>,
}

fn record() -> Option<Recorded> {
    let lab = Lab::with_settings("[dataset]\nmin_free_mb = 0");
    let machine = Machine::new(lab.root())?;
    let mut engine = lab.ferrule(&["engine"]);
    engine.arg(&lab.workspace).stdout(Stdio::null()).stderr(Stdio::null());
    let mut engine = machine.run(&mut engine, Some(&lab.dataset())).spawn().unwrap();
    lab.wait_for("the engine answers", || lab.status());
    let mut events = lab.ferrule(&["events", "--json"]).arg(&lab.workspace).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines();
    // The first line is the status: from now on everything is heard.
    lines.next().unwrap().unwrap();
    lab.simulate(&lab.captures(), CAPTURES, "burst-v1", 21);
    let mut told = BTreeMap::new();
    while (told.len() as u64) < CAPTURES {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        if event["type"] == "capture" && event["state"] == "done" {
            // What was committed before it was told stands in the journal by now.
            let image = event["image"].as_str().unwrap().parse().unwrap();
            told.entry(image).or_insert_with(|| machine.journal_length());
        }
    }
    lab.wait_for("splits", || {
        (lab.query_count("SELECT count(*) FROM images WHERE side IS NOT NULL") > 0).then_some(())
    });
    assert!(lab.run(&["stop"]).status.success());
    assert!(engine.wait().unwrap().success());
    events.kill().unwrap();
    events.wait().unwrap();
    Some(Recorded { changes: journal::read(&machine.journal()), lab, told })
}

/// Opens what is left as the next engine would, and finds everything that was told, whole.
fn check(left: &Path, told: &[ImageId], moment: &str) {
    let paths = DatasetPaths::at(left);
    let (store, _) = Store::open(&paths, StoreSettings::at_once(ImageLinks::Copy))
        .unwrap_or_else(|error| panic!("{moment}: the dataset does not open: {error}"));
    store.close().unwrap();
    let found = verify(&paths, Closeness { contents: true }, &mut |_, _| true).unwrap().unwrap();
    assert!(
        found.problems.is_empty(),
        "{moment}: {}",
        found.problems.iter().map(|it| format!("\n  {it}")).collect::<String>()
    );
    let database = rusqlite::Connection::open(paths.database()).unwrap();
    let mut row = database.prepare("SELECT 1 FROM images WHERE image_id = ?1").unwrap();
    for image in told {
        assert!(row.exists([image.to_string()]).unwrap(), "{moment}: LOST: {image} was told and is not there");
    }
    let doubled = "SELECT count(*) FROM (SELECT 1 FROM inspections GROUP BY capture_id, attempt HAVING count(*) > 1)";
    assert_eq!(database.query_row(doubled, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "{moment}: DOUBLED");
}

#[test]
fn whenever_the_power_goes_what_was_told_is_there_and_nothing_is_half_there() {
    let Some(Recorded { lab, changes, told }) = record() else { return };
    let wanted = std::env::var("FERRULE_POWER_MOMENTS").ok().map_or(MOMENTS, |text| text.parse().unwrap());
    let syncs = changes.iter().filter(|(_, change)| matches!(change, Change::Synced { .. })).count();
    assert!(syncs > 20 && changes.len() > 200, "{} changes, {syncs} syncs: the engine was not heard", changes.len());
    let mut chance = Chance::new(5);
    // Half of them right before or after a sync or a new name, where the order matters.
    let edges: Vec<usize> = (0..changes.len())
        .filter(|at| !matches!(changes[*at].1, Change::Written { .. } | Change::Opened { .. }))
        .collect();
    let mut moments: Vec<usize> = (0..wanted)
        .map(|number| {
            let any = chance.below(changes.len() + 1);
            if number % 2 == 0 { edges[chance.below(edges.len())] + chance.below(2) } else { any }
        })
        .collect();
    moments.sort_unstable();
    let dataset = lab.dataset();
    let mut disk = Disk::with_folder(&dataset);
    let mut applied = 0;
    for (number, moment) in moments.iter().enumerate() {
        changes[applied..*moment].iter().for_each(|(_, change)| disk.apply(change));
        applied = *moment;
        let length = if *moment == 0 { 0 } else { changes[*moment - 1].0 };
        let due: Vec<ImageId> = told.iter().filter(|(_, at)| **at <= length).map(|(image, _)| *image).collect();
        for unsynced in [Unsynced::Lost, Unsynced::AnyPart(number as u64)] {
            let left = lab.root().join("left");
            fs::create_dir(&left).unwrap();
            disk.write(&dataset, &left, unsynced);
            check(&left, &due, &format!("after change {moment} of {}, {unsynced:?}", changes.len()));
            fs::remove_dir_all(&left).unwrap();
        }
    }
    // With everything applied and synced it is the dataset as it is.
    changes[applied..].iter().for_each(|(_, change)| disk.apply(change));
    println!("power: {} changes, {syncs} syncs, {} moments in two ways", changes.len(), moments.len());
}

#[test]
fn a_disk_that_syncs_nothing_loses_what_was_told() {
    // The test above would find it: without syncs the very same changes lose results.
    let Some(Recorded { lab, changes, told }) = record() else { return };
    let dataset = lab.dataset();
    let mut disk = Disk::with_folder(&dataset);
    let synced = |change: &Change| matches!(change, Change::Synced { content: None, .. } | Change::FolderSynced { .. });
    changes.iter().filter(|(_, change)| !synced(change)).for_each(|(_, change)| disk.apply(change));
    let left: PathBuf = lab.root().join("left");
    fs::create_dir(&left).unwrap();
    disk.write(&dataset, &left, Unsynced::Lost);
    let there = left.join("index.sqlite").exists()
        && rusqlite::Connection::open(left.join("index.sqlite"))
            .and_then(|database| database.query_row("SELECT count(*) FROM images", [], |row| row.get::<_, i64>(0)))
            .is_ok_and(|count| count as usize >= told.len());
    assert!(!there, "without a sync nothing is promised");
}
