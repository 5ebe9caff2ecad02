//! A dataset in a temporary folder, with someone who hands writes over and waits for the receipts.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use ferrule_core::{
    host::card::Profile,
    ids::{BuildHash, CaptureId, ImageId, PipelineId},
    ingest::FileKey,
    report::*,
    settings::{Consensus, ImageLinks, Severities, Source},
    store::*,
    worker::messages::{ArtefactFolder, ParameterValue, Pipeline, Stage, StagedFile},
    workspace::DatasetPaths,
};

pub use crate::sample::inspection;

/// Longer than any healthy wait: only a hang takes so long.
pub const HANG: Duration = Duration::from_secs(60);

pub struct Desk {
    pub folder: tempfile::TempDir,
    pub store: Option<Store>,
    pub recovery: Recovery,
    settings: StoreSettings,
}

impl Desk {
    pub fn open() -> Self {
        Self::with_links(ImageLinks::Copy)
    }

    pub fn with_links(links: ImageLinks) -> Self {
        Self::with(StoreSettings::at_once(links))
    }

    pub fn with(settings: StoreSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("captures")).unwrap();
        let mut desk = Self { folder, store: None, recovery: Recovery::default(), settings };
        desk.reopen();
        let (sources, pipeline) = (vec![source(&desk.captures())], pipeline());
        assert_eq!(desk.ask(Write::Sources(sources)), Receipt::Sources);
        let change = PipelineChange { pipeline, generation: 1, reason: "start".into() };
        assert_eq!(desk.ask(Write::Pipeline(Box::new(change))), Receipt::Pipeline { generation: 1 });
        desk
    }

    /// What a restart does; a store that was not closed is dropped as it is.
    pub fn reopen(&mut self) {
        self.store = None;
        let (store, recovery) = Store::open(&self.paths(), self.settings).unwrap();
        (self.store, self.recovery) = (Some(store), recovery);
    }

    pub fn paths(&self) -> DatasetPaths {
        DatasetPaths::at(self.folder.path().join("dataset"))
    }

    pub fn captures(&self) -> PathBuf {
        self.folder.path().join("captures")
    }

    pub fn reader(&self) -> Reader {
        Reader::open(&self.paths()).unwrap()
    }

    pub fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.paths().database()).unwrap()
    }

    pub fn one<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.sql().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub fn submit(&self, write: Write) {
        self.store.as_ref().unwrap().submit(write).unwrap();
    }

    pub fn receipt(&self) -> Receipt {
        self.store.as_ref().unwrap().receipts().recv_timeout(HANG).expect("a receipt")
    }

    pub fn ask(&self, write: Write) -> Receipt {
        self.submit(write);
        self.receipt()
    }

    /// Writes a capture's file, and says what ingest and hasher would say of it.
    pub fn drop_file(&self, name: impl AsRef<Path>, content: &[u8]) -> Admission {
        let path = self.captures().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let key = FileKey::of(&fs::metadata(&path).unwrap());
        Admission {
            source: "bench".into(),
            path,
            key,
            seen_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            content: Content::Hashed(ImageId::of(content)),
            tags: BTreeMap::new(),
        }
    }

    pub fn admit(&self, admission: Admission) -> Admitted {
        let Receipt::Admitted(mut rows) = self.ask(Write::Admit(vec![admission])) else { panic!("not admitted") };
        rows.pop().unwrap()
    }

    pub fn run(&self, capture: CaptureId) {
        assert_eq!(self.ask(Write::Running(vec![capture])), Receipt::Running(vec![capture]));
    }

    /// Admits a new file and gives it to a worker.
    pub fn start(&self, name: &str, content: &[u8]) -> Admitted {
        let admitted = self.admit(self.drop_file(name, content));
        assert_eq!(admitted.state, CaptureState::Queued);
        self.run(admitted.capture);
        admitted
    }

    /// A worker's good answer, with two artefacts in staging.
    pub fn answer(&self, admitted: &Admitted) -> Finish {
        let image = admitted.image.unwrap();
        let staging = self.paths().staging().join("worker-1");
        fs::create_dir_all(&staging).unwrap();
        let artefacts = vec![
            StagedFile { folder: ArtefactFolder::Masks, name: format!("{image}_core_mask.png") },
            StagedFile { folder: ArtefactFolder::Defects, name: format!("{image}_defects.json") },
        ];
        for file in &artefacts {
            fs::write(staging.join(&file.name), b"made by a worker").unwrap();
        }
        Finish {
            capture: admitted.capture,
            image,
            generation: 1,
            pipeline: pipeline().id,
            result: Ok(inspection(image)),
            staging: Some(staging),
            artefacts,
            fingerprint: None,
            source_file: admitted.path.clone(),
        }
    }

    pub fn finish(&self, finish: Finish) -> Finished {
        match self.ask(Write::Finish(Box::new(finish))) {
            Receipt::Finished(finished) => *finished,
            other => panic!("not finished: {other:?}"),
        }
    }

    /// A new file all the way to `done`.
    pub fn inspect(&self, name: &str, content: &[u8]) -> Admitted {
        let admitted = self.start(name, content);
        assert_eq!(self.finish(self.answer(&admitted)).state, CaptureState::Done);
        admitted
    }

    pub fn state(&self, capture: CaptureId) -> CaptureState {
        self.reader().capture(capture).unwrap().unwrap().row.state
    }

    /// Counts add up and no row leads nowhere.
    pub fn assert_sound(&self) {
        let sql = self.sql();
        let broken: i64 = sql.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
        assert_eq!(broken, 0);
        let counts = self.reader().counts().unwrap();
        assert_eq!(counts.seen, self.one::<i64>("SELECT count(*) FROM captures").unsigned_abs());
        for state in CaptureState::ALL {
            let counted: i64 = sql
                .query_row("SELECT count(*) FROM captures WHERE state = ?1", [state.as_str()], |row| row.get(0))
                .unwrap();
            assert_eq!(counts.of(*state), counted.unsigned_abs(), "{state}");
        }
    }
}

pub fn source(path: &Path) -> Source {
    Source {
        name: "bench".into(),
        path: path.to_owned(),
        recursive: true,
        fibre: None,
        core_um: None,
        cladding_um: Some(125.0),
        pixel_aspect: None,
        um_per_px: None,
        poll: false,
        name_pattern: None,
    }
}

pub fn pipeline() -> Pipeline {
    let stage = |plugin: &str, parameters| Stage {
        plugin: plugin.parse().unwrap(),
        version: "1.2.0".into(),
        build: BuildHash::of(plugin.as_bytes()),
        library: "/nowhere/plugin.so".into(),
        script: None,
        files: Vec::new(),
        profile: Profile::Narrow,
        accepts: vec![],
        parameters,
    };
    Pipeline {
        id: PipelineId::of("a pipeline"),
        segment: vec![stage("segment-endface", vec![])],
        detect: vec![stage("detect-region", vec![("gamma".into(), ParameterValue::Real(1.5))])],
        measure: vec![stage("measure-intensity", vec![])],
        grade: vec![],
        consensus: Consensus::First,
        min_confidence: 0.5,
        label: Severities { min_confidence: 0.5, min_severity: Severity::Low },
    }
}

pub fn failure(message: &str) -> Failure {
    Failure { stage: "decode".into(), plugin: None, message: message.into(), transient: false }
}
