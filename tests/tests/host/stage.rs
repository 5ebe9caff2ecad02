//! What the tests of this folder share: libraries beside the test program, a worker, pictures.

use std::{
    io::{BufReader, Read},
    os::unix::{net::UnixStream, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use ferrule_core::{
    host::{LibraryStore, card::Profile},
    ids::{PipelineId, PluginId},
    report::{Inspection, Severity},
    settings::{Consensus, MaskFormat, Severities},
    worker::{
        arguments::{Arguments, Limits, WorkerProgram},
        frames::{FrameError, MAX_ANSWER, read_frame, write_frame},
        launch::launch,
        memory::SharedMemory,
        messages::{Answer, Artefacts, FromWorker, Job, Optics, ParameterValue, Pipeline, Stage, ToWorker},
        sandbox::SandboxReport,
        turns::TurnPage,
    },
};
use image::GrayImage;
use tempfile::TempDir;

/// Nothing here takes long; whoever waits longer hangs.
const HANG: Duration = Duration::from_secs(60);

pub const LIMITS: Limits = Limits { memory_mb: 1024, max_megapixels: 50.0, max_file_mb: 64 };

/// A library that cargo built for this test program, by its crate's name.
pub fn built(library: &str) -> PathBuf {
    let beside = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let path = beside.join(format!("lib{library}.so"));
    assert!(path.exists(), "{} was not built", path.display());
    path
}

pub fn program() -> WorkerProgram {
    WorkerProgram {
        executable: env!("CARGO_BIN_EXE_ferrule-test-worker").into(),
        arguments: Vec::new(),
        libraries: None,
    }
}

/// A folder with a store, staging and captures.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["staging", "captures"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A misbehaving plug-in, as a pipeline names it.
    pub fn bad(&self, slot: &str, parameters: &[(&str, &str)]) -> Stage {
        let store = LibraryStore::at(self.path("store"));
        let build = store.put_file(&built("ferrule_misbehaving")).unwrap();
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), ParameterValue::Text((*value).to_owned()));
        Stage {
            plugin: plugin(&format!("misbehaving-{slot}")),
            version: "0.1.0".into(),
            library: store.path(&build),
            build,
            script: None,
            files: Vec::new(),
            profile: if slot == "wide" { Profile::Wide } else { Profile::Narrow },
            accepts: Vec::new(),
            parameters: parameters.iter().map(text).collect(),
        }
    }

    /// Segment, detect, measure and grade, with a fault in one of them.
    pub fn pipeline(&self, faulty: &str, fault: &str) -> Pipeline {
        let stage = |slot: &str| {
            let fault = if slot == faulty { fault } else { "none" };
            vec![self.bad(slot, &[("fault", fault), ("capture", &self.path("captures/a.png").display().to_string())])]
        };
        Pipeline {
            id: PipelineId::of(&format!("{faulty} {fault}")),
            segment: stage("segment"),
            detect: stage("detect"),
            measure: stage("measure"),
            grade: stage("grade"),
            consensus: Consensus::First,
            min_confidence: 0.5,
            label: Severities { min_confidence: 0.5, min_severity: Severity::Low },
        }
    }

    /// A gray picture of that size, stored.
    pub fn capture(&self, name: &str, width: u32, height: u32) -> PathBuf {
        let path = self.path("captures").join(name);
        GrayImage::from_fn(width, height, |x, y| image::Luma([(x * 3 + y * 5) as u8])).save(&path).unwrap();
        path
    }

    pub fn worker(&self) -> Worker {
        Worker::start(Some(self.path("staging")))
    }

    /// One job that leaves artefacts.
    pub fn job(&self, path: &Path) -> Job {
        let artefacts = Artefacts { masks: MaskFormat::Png, images: ferrule_core::settings::ImageLinks::Copy };
        Job {
            job: 7,
            path: path.to_owned(),
            expected: None,
            optics: Optics { cladding_um: Some(125.0), ..Optics::default() },
            without: Vec::new(),
            staging: Some((self.path("staging/7"), artefacts)),
        }
    }
}

pub fn plugin(id: &str) -> PluginId {
    id.parse().unwrap()
}

/// A worker process and the test's end of its line.
pub struct Worker {
    pub child: Child,
    pub line: UnixStream,
    page: TurnPage,
    stages: Vec<PluginId>,
    pub sandbox: SandboxReport,
}

/// How a conversation ended.
#[derive(Debug)]
pub struct Death {
    pub signal: Option<i32>,
    pub code: Option<i32>,
    /// Who was announced last.
    pub turn: Option<PluginId>,
}

impl Worker {
    pub fn start(staging: Option<PathBuf>) -> Self {
        let arguments = Arguments { parent: std::process::id(), profile: Profile::Narrow, staging, limits: LIMITS };
        let memory = SharedMemory::for_megapixels(0.0).unwrap();
        let page = TurnPage::of(&memory).unwrap();
        let mut launched = launch(&program(), &arguments, Some(&memory)).unwrap();
        let mut stderr = BufReader::new(launched.child.stderr.take().unwrap());
        std::thread::spawn(move || {
            let mut said = String::new();
            let _ = stderr.by_ref().take(4096).read_to_string(&mut said);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            eprint!("{said}");
        });
        launched.line.set_read_timeout(Some(HANG)).unwrap();
        let mut line = launched.line;
        let Ok(FromWorker::Started { sandbox }) = read_frame(&mut line, MAX_ANSWER) else {
            panic!("the worker did not begin with Started");
        };
        Self { child: launched.child, line, page, stages: Vec::new(), sandbox }
    }

    pub fn send(&mut self, message: &ToWorker) {
        self.page.clear();
        write_frame(&mut self.line, message).unwrap();
    }

    /// Whose turn it has been in the capture in hand, in the order of the slots.
    pub fn turns(&self) -> Vec<PluginId> {
        let places = self.stages.iter().enumerate();
        places.filter(|(place, _)| self.page.had(*place)).map(|(_, stage)| stage.clone()).collect()
    }

    /// The answer, and every `Turn` before it.
    pub fn hear(&mut self) -> Result<(Vec<PluginId>, FromWorker), Death> {
        let mut turns = Vec::new();
        loop {
            match read_frame(&mut self.line, MAX_ANSWER) {
                Ok(FromWorker::Turn { plugin }) => turns.push(plugin),
                Ok(answer) => return Ok((turns, answer)),
                Err(FrameError::Closed | FrameError::Broken | FrameError::Io(_)) => {
                    let status = self.child.wait().unwrap();
                    let in_capture = self.page.last().map(|place| self.stages[place].clone());
                    let turn = in_capture.or(turns.pop());
                    return Err(Death { signal: status.signal(), code: status.code(), turn });
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub fn configure(&mut self, pipeline: &Pipeline) -> Result<(), String> {
        self.send(&ToWorker::Configure(Box::new(pipeline.clone())));
        self.stages = pipeline.stages().map(|stage| stage.plugin.clone()).collect();
        match self.hear().unwrap().1 {
            FromWorker::Ready { pipeline: ready } => {
                assert_eq!(ready, pipeline.id);
                Ok(())
            }
            FromWorker::Refused { plugin, reason, .. } => Err(format!("{}: {reason}", plugin.unwrap())),
            other => panic!("{other:?}"),
        }
    }

    pub fn inspect(&mut self, job: &Job) -> Result<Answer, Death> {
        self.send(&ToWorker::Inspect(Box::new(job.clone())));
        match self.hear()?.1 {
            FromWorker::Done(answer) => {
                assert_eq!(answer.job, job.job);
                Ok(*answer)
            }
            other => panic!("{other:?}"),
        }
    }

    /// An inspection that must succeed.
    pub fn inspection(&mut self, job: &Job) -> Inspection {
        self.inspect(job).unwrap().result.unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
