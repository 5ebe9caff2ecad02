//! A worker that does what a capture's file name tells it, e.g. `segv@det`: "end by a segmentation fault in det's turn".
//!
//! It is this test binary started again; the pool's own arguments reach the test runner as names of tests that do not
//! exist. The words before `@`: see [`Fake::misbehave`]; `once.` before them: only if nobody has before. Places: a plug-in,
//! or `decode` for before the first. What its pipeline's parameters say it does while it is configured.

use std::{
    fs,
    io::Write,
    os::{
        fd::{FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
    thread,
    time::Duration,
};

use ferrule_core::{
    ids::{ImageId, PluginId},
    report::{Defect, DefectKind, Failure, Inspection, Missing, Outcome, Quality, Severity, Timings, Verdict, Zones},
    worker::{
        arguments::WorkerProgram,
        frames::{self, read_frame, write_frame},
        messages::{Answer, ArtefactFolder, FromWorker, Job, Pipeline, StagedFile, ToWorker},
        sandbox::SandboxReport,
        turns::TurnPage,
    },
};

/// How the pool starts it.
pub fn program() -> WorkerProgram {
    let arguments = ["fake::worker", "--exact", "--include-ignored", "--nocapture", "--"].map(Into::into).to_vec();
    WorkerProgram { executable: std::env::current_exe().unwrap(), arguments, libraries: None }
}

#[test]
#[ignore = "it is the worker that the other tests start"]
fn worker() {
    if std::env::args().any(|argument| argument == "--parent") {
        // SAFETY: nothing in this process has taken standard input.
        let line = unsafe { UnixStream::from(OwnedFd::from_raw_fd(0)) };
        let turns = TurnPage::of(std::io::stdout()).unwrap();
        Fake { line, turns, pipeline: None }.live();
        std::process::exit(0);
    }
}

struct Fake {
    line: UnixStream,
    turns: TurnPage,
    pipeline: Option<Pipeline>,
}

impl Fake {
    fn live(&mut self) {
        self.say(&FromWorker::Started { sandbox: SandboxReport::default() });
        while let Ok(message) = read_frame(&mut self.line, frames::MAX_ANSWER) {
            match message {
                ToWorker::Configure(pipeline) => self.configure(*pipeline),
                ToWorker::Inspect(job) => self.inspect(&job),
                other => unreachable!("not asked of a narrow worker: {other:?}"),
            }
        }
    }

    fn say(&mut self, message: &FromWorker) {
        if write_frame(&mut self.line, message).is_err() {
            std::process::exit(0);
        }
    }

    fn configure(&mut self, pipeline: Pipeline) {
        for stage in pipeline.stages() {
            self.say(&FromWorker::Turn { plugin: stage.plugin.clone() });
            for (word, _) in &stage.parameters {
                match word.as_str() {
                    "refuse" => {
                        let (plugin, reason) = (Some(stage.plugin.clone()), "it is too old".into());
                        return self.say(&FromWorker::Refused { pipeline: pipeline.id.clone(), plugin, reason });
                    }
                    word => self.misbehave(word),
                }
            }
        }
        self.say(&FromWorker::Ready { pipeline: pipeline.id.clone() });
        self.pipeline = Some(pipeline);
    }

    fn inspect(&mut self, job: &Job) {
        let name = job.path.file_name().unwrap().to_str().unwrap().to_owned();
        let (deed, place) = name.split('#').next().unwrap().split_once('@').unwrap_or(("", ""));
        let (mut deed, mut answer) = (deed.to_owned(), sound_answer(job, self.pipeline.as_ref().unwrap()));
        if let Some(once) = deed.strip_prefix("once.").map(str::to_owned) {
            // The mark outlives the process that dies after making it.
            let mark = job.path.with_extension("done-once");
            deed = if mark.exists() { "behave".into() } else { once };
            fs::write(mark, []).unwrap();
        }
        if place == "decode" {
            self.misbehave(&deed);
        }
        let turns: Vec<PluginId> = self.pipeline.as_ref().unwrap().stages().map(|stage| stage.plugin.clone()).collect();
        let mut segmented = false;
        for (number, plugin) in turns.into_iter().enumerate() {
            let segments = plugin.as_str().starts_with("seg");
            if job.without.contains(&plugin) || (segments && segmented) {
                continue;
            }
            segmented |= segments;
            self.turns.take(number);
            if plugin.as_str() == place {
                self.misbehave(&deed);
                spoil(&deed, &mut answer);
            }
        }
        self.say(&FromWorker::Done(Box::new(answer)));
    }

    fn misbehave(&mut self, deed: &str) {
        match deed {
            "segv" => {
                eprintln!("about to read what is not there");
                // SAFETY: none; that is the point.
                unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) }
            }
            "abort" => std::process::abort(),
            "exit" => std::process::exit(0),
            "hang" => thread::sleep(Duration::from_secs(600)),
            "eat" => {
                let eaten = vec![1_u8; 400 << 20];
                thread::sleep(Duration::from_secs(600));
                drop(eaten);
            }
            "slow" => thread::sleep(Duration::from_millis(30)),
            "flood" => {
                for line in 0..40_000 {
                    eprintln!("line {line} of a flood of words that nobody asked for and that nobody will ever read");
                }
            }
            "flood-segv" => {
                self.misbehave("flood");
                self.misbehave("segv");
            }
            "garbage" => {
                self.line.write_all(&[0xff, 0xff, 0, 0]).unwrap();
                self.line.write_all(&[0xfe; 70_000]).unwrap();
                thread::sleep(Duration::from_secs(600));
            }
            "endless" => {
                self.line.write_all(&u32::MAX.to_le_bytes()).unwrap();
                thread::sleep(Duration::from_secs(600));
            }
            "half" => {
                self.line.write_all(&[40, 0, 0, 0, 1, 2, 3]).unwrap();
                std::process::abort();
            }
            "stranger" => self.say(&FromWorker::Turn { plugin: "nobody".parse().unwrap() }),
            "hangup" => {
                self.line.shutdown(std::net::Shutdown::Both).unwrap();
                thread::sleep(Duration::from_secs(600));
            }
            "restart" => self.say(&FromWorker::Started { sandbox: SandboxReport::default() }),
            _ => {}
        }
    }
}

/// Lies in an otherwise sound answer.
fn spoil(deed: &str, answer: &mut Answer) {
    let Ok(inspection) = &mut answer.result else { return };
    match deed {
        "wrongjob" => answer.job += 1,
        "nan" => inspection.ms.decode = f64::NAN,
        "huge" => (inspection.width, inspection.height) = (u32::MAX, u32::MAX),
        "outside-mask" => inspection.defects.push(reaching_out(inspection.width)),
        "escape" => {
            answer.artefacts.push(StagedFile { folder: ArtefactFolder::Masks, name: "../../etc/passwd".into() })
        }
        "fail" => {
            let (stage, message) = ("decode".into(), "no picture".into());
            answer.artefacts.clear();
            answer.result = Err(Failure { stage, plugin: None, message, transient: false });
        }
        _ => {}
    }
}

/// Tells through `quality.flags` which process made it, and through `verdict.profile` with which parameters.
fn sound_answer(job: &Job, pipeline: &Pipeline) -> Answer {
    let left_out = |plugin: &PluginId| Missing { plugin: format!("{plugin} 1.0.0"), reason: "left out".into() };
    let stage = pipeline.stages().find(|stage| stage.plugin.as_str() == "det");
    let told = stage.map(|stage| format!("{} {:?}", stage.build, stage.parameters));
    let inspection = Inspection {
        image_id: job.expected.unwrap_or(ImageId::of(b"fake")),
        width: 40,
        height: 30,
        um_per_px: None,
        zones: Zones::default(),
        defects: vec![],
        has_defect: Some(false),
        quality: Quality { flags: vec![std::process::id().to_string()], ..Quality::default() },
        verdict: Verdict {
            profile: told,
            overall: Outcome::NotGraded,
            failed: vec![],
            zones: vec![],
            reason: String::new(),
        },
        features: vec![],
        histograms: vec![],
        incomplete: job.without.iter().map(left_out).collect(),
        ms: Timings::default(),
    };
    let mut artefacts = vec![];
    if let Some((folder, _)) = &job.staging {
        let name = format!("{}_m.png", inspection.image_id);
        fs::write(folder.join(&name), job.path.as_os_str().as_encoded_bytes()).unwrap();
        artefacts.push(StagedFile { folder: ArtefactFolder::Masks, name });
    }
    Answer { job: job.job, result: Ok(inspection), artefacts, fingerprint: None, spent: Vec::new() }
}

/// A defect that is sound but for the last pixel of its mask.
fn reaching_out(width: u32) -> Defect {
    Defect {
        id: "out".into(),
        kind: DefectKind::Pit,
        severity: Severity::Low,
        confidence: 0.5,
        bbox: [width - 2, 0, 2, 1],
        x: 0.0,
        y: 0.0,
        area_px: 3,
        length_px: 3.0,
        width_px: 1.0,
        angle_deg: 0.0,
        zone: None,
        plugin: String::new(),
        parts: vec![],
        mask: vec![[0, width - 2, 3]],
    }
}

/// The mark that a `once.` deed leaves.
pub fn was_done(path: &Path) -> bool {
    path.with_extension("done-once").exists()
}
