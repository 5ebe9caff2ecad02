//! Nothing is lost and nothing is doubled, whenever the engine ends and whatever the disk says.

use std::{fs, time::Duration};

use ferrule_core::{
    report::CaptureState,
    settings::ImageLinks,
    store::{Reader, Receipt, Store, StoreError, StoreSettings, Write},
    workspace::DatasetPaths,
};

use crate::desk::Desk;

const COPY: StoreSettings = StoreSettings::at_once(ImageLinks::Copy);

#[test]
fn answers_of_which_nobody_waits_are_committed_with_the_next_thing_or_at_the_end() {
    let forever = Duration::from_secs(24 * 3600);
    let mut desk = Desk::with(StoreSettings { gather: forever, ..COPY });
    let (first, second, last) = (desk.start("1.png", b"1"), desk.start("2.png", b"2"), desk.start("3.png", b"3"));
    let finish = |desk: &Desk, of| desk.submit(Write::Finish(Box::new(desk.answer(of))));
    finish(&desk, &first);
    finish(&desk, &second);
    let receipts = desk.store.as_ref().unwrap().receipts().clone();
    assert!(receipts.recv_timeout(Duration::from_millis(200)).is_err(), "nothing is committed yet");
    desk.submit(Write::Mark(7));
    assert!(matches!(desk.receipt(), Receipt::Finished(done) if done.capture == first.capture));
    assert!(matches!(desk.receipt(), Receipt::Finished(done) if done.capture == second.capture));
    assert_eq!(desk.receipt(), Receipt::Mark(7));
    finish(&desk, &last);
    desk.store.take().unwrap().close().unwrap();
    assert!(matches!(receipts.recv().unwrap(), Receipt::Finished(done) if done.capture == last.capture));
    desk.reopen();
    desk.assert_sound();
}

#[test]
fn what_was_running_is_queued_again_and_only_its_files_are_swept() {
    let mut desk = Desk::open();
    let done = desk.inspect("done.png", b"done");
    let running = desk.start("running.png", b"running");
    let queued = desk.admit(desk.drop_file("queued.png", b"queued"));
    let again = desk.inspect("again.png", b"again");
    desk.ask(Write::Requeue(ferrule_core::store::Requeue::Images(vec![again.image.unwrap()])));
    desk.run(again.capture);
    // What an engine killed between publishing and commit leaves behind.
    let paths = desk.paths();
    let image = running.image.unwrap();
    let mine = [
        paths.masks().join(format!("{image}_cladding_mask.png")),
        paths.defects().join(format!("{image}_defects.json")),
        paths.defects().join(format!("{image}_scratch_mask.png")),
        paths.images().join("running.png"),
        paths.images().join(format!("running-{image}.png")),
    ];
    let others = [
        paths.masks().join(format!("{}_core_mask.png", done.image.unwrap())),
        paths.masks().join(format!("{}_core_mask.png", again.image.unwrap())),
        paths.images().join("done.png"),
        paths.images().join("again.png"),
    ];
    mine.iter().for_each(|path| fs::write(path, b"unfinished").unwrap());
    fs::create_dir_all(paths.staging().join("worker-9/job")).unwrap();
    fs::write(paths.staging().join("worker-9/job/mask.png"), b"half").unwrap();

    desk.reopen();
    assert_eq!((desk.recovery.requeued, desk.recovery.swept, desk.recovery.generation), (2, 5, 1));
    assert!(mine.iter().all(|path| !path.exists()));
    assert!(others.iter().all(|path| path.exists()));
    assert!(!paths.staging().join("worker-9").exists());
    let waiting: Vec<_> = desk
        .reader()
        .queued_page(ferrule_core::ids::CaptureId(0), 10)
        .unwrap()
        .into_iter()
        .map(|row| row.capture)
        .collect();
    assert_eq!(waiting, [running.capture, queued.capture, again.capture]);
    desk.run(running.capture);
    assert_eq!(desk.finish(desk.answer(&running)).state, CaptureState::Done);
    desk.assert_sound();
}

#[test]
fn a_queue_survives_a_restart_and_each_capture_is_done_once() {
    let mut desk = Desk::open();
    let files: Vec<_> =
        (0..60).map(|n| desk.drop_file(format!("{n}.png"), format!("picture {n}").as_bytes())).collect();
    let Receipt::Admitted(rows) = desk.ask(Write::Admit(files.clone())) else { panic!() };
    let mut done = 0;
    // Each life of the engine ends with some answers handed over and unconfirmed, some captures running and unanswered.
    for life in 0..10 {
        let queued = desk.reader().queued_page(ferrule_core::ids::CaptureId(0), 8).unwrap();
        let captures: Vec<_> = queued.iter().map(|row| row.capture).collect();
        desk.ask(Write::Running(captures.clone()));
        for row in rows.iter().filter(|row| captures[..captures.len() / 2].contains(&row.capture)) {
            desk.submit(Write::Finish(Box::new(desk.answer(row))));
        }
        desk.reopen();
        // Files seen again after the restart are known.
        let Receipt::Admitted(again) = desk.ask(Write::Admit(files.clone())) else { panic!() };
        assert!(again.iter().all(|row| !row.new), "life {life}");
        done = desk.reader().counts().unwrap().done;
    }
    assert!(done > 0);
    for row in desk.reader().queued_page(ferrule_core::ids::CaptureId(0), 100).unwrap() {
        desk.run(row.capture);
        let admitted = rows.iter().find(|admitted| admitted.capture == row.capture).unwrap();
        desk.finish(desk.answer(admitted));
    }
    assert_eq!(desk.reader().counts().unwrap().done, 60);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM inspections WHERE state = 'done'"), 60);
    assert_eq!(fs::read_dir(desk.paths().images()).unwrap().count(), 60);
    desk.assert_sound();
}

#[test]
fn closing_stores_what_was_handed_over() {
    let mut desk = Desk::open();
    for n in 0..200 {
        desk.submit(Write::Admit(vec![desk.drop_file(format!("{n}.png"), format!("picture {n}").as_bytes())]));
    }
    desk.store.take().unwrap().close().unwrap();
    assert_eq!(desk.reader().counts().unwrap().queued, 200);
}

#[test]
fn trouble_is_told_once_and_nothing_is_lost_when_it_is_over() {
    let desk = Desk::open();
    let admitted = desk.start("a.png", b"picture a");
    let other = desk.sql();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    desk.submit(Write::Finish(Box::new(desk.answer(&admitted))));
    let Receipt::Trouble { message, hint } = desk.receipt() else { panic!("no trouble told") };
    assert!(message.contains("locked") && hint.contains("transaction"), "{message}; {hint}");
    assert_eq!(desk.state(admitted.capture), CaptureState::Running);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(desk.receipt(), Receipt::TroubleOver);
    assert!(matches!(desk.receipt(), Receipt::Finished(_)));
    assert_eq!(desk.state(admitted.capture), CaptureState::Done);
    desk.assert_sound();
}

#[test]
fn a_store_closed_in_trouble_says_what_was_not_stored() {
    let mut desk = Desk::open();
    let admitted = desk.start("a.png", b"picture a");
    let other = desk.sql();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    desk.submit(Write::Finish(Box::new(desk.answer(&admitted))));
    assert!(matches!(desk.receipt(), Receipt::Trouble { .. }));
    let error = desk.store.take().unwrap().close().unwrap_err();
    assert!(matches!(error, StoreError::Unwritten { writes: 1, .. }), "{error}");
    drop(other);
    desk.reopen();
    assert_eq!(desk.state(admitted.capture), CaptureState::Queued);
}

#[test]
fn a_newer_schema_is_refused_untouched() {
    let mut desk = Desk::open();
    desk.inspect("a.png", b"picture a");
    desk.store.take().unwrap().close().unwrap();
    let database = desk.paths().database();
    desk.sql().execute_batch("PRAGMA user_version = 999; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let before = fs::read(&database).unwrap();
    let error = Store::open(&desk.paths(), COPY).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 999, .. }), "{error}");
    assert!(matches!(Reader::open(&desk.paths()), Err(StoreError::NewerSchema { .. })));
    assert_eq!(fs::read(&database).unwrap(), before);
}

#[test]
fn someone_elses_database_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let paths = DatasetPaths::at(folder.path());
    rusqlite::Connection::open(paths.database()).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    let before = fs::read(paths.database()).unwrap();
    assert!(matches!(Store::open(&paths, COPY), Err(StoreError::Foreign { .. })));
    assert_eq!(fs::read(paths.database()).unwrap(), before);
    fs::write(paths.database(), b"this is a text of more than a few bytes, and no database at all").unwrap();
    assert!(matches!(Store::open(&paths, COPY), Err(StoreError::Foreign { .. })));
}

#[test]
fn a_dataset_that_is_not_there_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = Reader::open(&DatasetPaths::at(folder.path())).unwrap_err();
    assert!(error.to_string().contains("ferrule engine"), "{error}");
}

#[test]
fn the_database_is_as_durable_as_promised() {
    let desk = Desk::open();
    assert_eq!(desk.one::<String>("PRAGMA journal_mode"), "wal");
    assert_eq!(desk.one::<i64>("PRAGMA user_version"), 10);
    assert_eq!(desk.one::<String>("PRAGMA integrity_check"), "ok");
}
