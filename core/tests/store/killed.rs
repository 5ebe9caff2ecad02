//! A real engine's death: the test's own binary, killed with -9 at any moment, again and again.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use ferrule_core::{
    ids::{CaptureId, ImageId},
    ingest::FileKey,
    settings::ImageLinks,
    store::*,
    worker::messages::{ArtefactFolder, StagedFile},
    workspace::DatasetPaths,
};

use crate::desk::{Desk, inspection, pipeline, source};

/// Tells the child which folder to work in.
const FOLDER: &str = "FERRULE_TEST_KILLED_IN";

const CAPTURES: usize = 150;

#[test]
fn killed_at_ten_moments_nothing_is_lost_and_nothing_twice() {
    let desk = Desk::open();
    let folder = desk.folder.path().to_owned();
    for n in 0..CAPTURES {
        // A few contents twice, and one name in two folders.
        let content = if n % 10 == 9 { n - 1 } else { n };
        desk.drop_file(format!("{}/{}.png", n % 2, n / 2), format!("picture {content}").repeat(500).as_bytes());
    }
    let mut desk = desk;
    desk.store = None;
    let mut killed = 0;
    for life in 0..10_u64 {
        let mut child = engine(&folder);
        // Spread over the whole of a life's work, from the opening on.
        std::thread::sleep(Duration::from_millis(5 + life * life * 3));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
    }
    assert!(killed >= 3, "the engine was too fast to be killed: make more captures");
    assert!(engine(&folder).wait().unwrap().success());

    desk.assert_sound();
    let counts = desk.reader().counts().unwrap();
    let distinct = CAPTURES - CAPTURES / 10;
    assert_eq!((counts.done, counts.duplicate), (distinct as u64, (CAPTURES / 10) as u64));
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM inspections"), distinct as i64);
    assert_eq!(desk.one::<i64>("SELECT count(DISTINCT image_id) FROM inspections"), distinct as i64);
    assert_eq!(desk.one::<String>("PRAGMA integrity_check"), "ok");
    // Every picture is whole, under its own name, and no file is left over.
    let mut named = 0;
    let sql = desk.sql();
    let mut images = sql.prepare("SELECT image_id, filename FROM images").unwrap();
    let mut rows = images.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (image, filename): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let picture = fs::read(desk.paths().images().join(filename)).unwrap();
        assert_eq!(ImageId::of(&picture).to_string(), image);
        named += 1;
    }
    let files = |folder: PathBuf| fs::read_dir(folder).unwrap().count();
    assert_eq!((named, files(desk.paths().images())), (distinct, distinct));
    assert_eq!((files(desk.paths().masks()), files(desk.paths().defects())), (distinct, distinct));
}

fn engine(folder: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "killed::a_life_of_an_engine"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the engine does with the store, as fast as it can.
#[test]
#[ignore = "the other test runs it as a process of its own"]
fn a_life_of_an_engine() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let paths = DatasetPaths::at(folder.join("dataset"));
    let (store, recovery) = Store::open(&paths, StoreSettings::at_once(ImageLinks::Copy)).unwrap();
    let generation = recovery.generation + 1;
    store.submit(Write::Sources(vec![source(&folder.join("captures"))])).unwrap();
    let change = PipelineChange { pipeline: pipeline(), generation, reason: "start".into() };
    store.submit(Write::Pipeline(Box::new(change))).unwrap();
    for half in ["0", "1"] {
        for entry in fs::read_dir(folder.join("captures").join(half)).unwrap() {
            let path = entry.unwrap().path();
            let admission = Admission {
                source: "bench".into(),
                key: FileKey::of(&fs::metadata(&path).unwrap()),
                content: Content::Hashed(ImageId::of(&fs::read(&path).unwrap())),
                path,
                seen_at: jiff::Timestamp::now(),
                tags: BTreeMap::new(),
            };
            store.submit(Write::Admit(vec![admission])).unwrap();
        }
    }
    let reader = Reader::open(&paths).unwrap();
    let (mut open, mut asked) = (CAPTURES as u64, BTreeMap::new());
    while open > 0 {
        let queued = reader.queued_page(CaptureId(0), 7).unwrap();
        let counts = reader.counts().unwrap();
        open = CAPTURES as u64 - counts.done - counts.duplicate;
        store.submit(Write::Running(queued.iter().map(|row| row.capture).collect())).unwrap();
        asked.extend(queued.into_iter().map(|row| (row.capture, row)));
        while let Ok(receipt) = store.receipts().recv_timeout(Duration::from_millis(20)) {
            let Receipt::Running(taken) = receipt else { continue };
            for capture in taken {
                store.submit(Write::Finish(Box::new(answer(&paths, &asked[&capture], generation)))).unwrap();
            }
        }
    }
    store.close().unwrap();
}

fn answer(paths: &DatasetPaths, row: &QueuedCapture, generation: u64) -> Finish {
    let staging = paths.staging().join("worker-1");
    fs::create_dir_all(&staging).unwrap();
    let artefacts = vec![
        StagedFile { folder: ArtefactFolder::Masks, name: format!("{}_core_mask.png", row.image) },
        StagedFile { folder: ArtefactFolder::Defects, name: format!("{}_defects.json", row.image) },
    ];
    artefacts.iter().for_each(|file| fs::write(staging.join(&file.name), b"made by a worker").unwrap());
    Finish {
        capture: row.capture,
        image: row.image,
        generation,
        pipeline: pipeline().id,
        result: Ok(inspection(row.image)),
        staging: Some(staging),
        artefacts,
        fingerprint: None,
        source_file: row.path.clone(),
    }
}
