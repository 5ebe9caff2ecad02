//! What every test here needs: a pool over the fake worker, tasks for it, and waiting for what is said.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use ferrule_core::{
    host::card::Profile,
    ids::{BuildHash, PipelineId, PluginId},
    pool::{Finished, Pool, PoolSettings, Report, Task, WorkerDeath},
    report::{Inspection, Severity},
    settings::{Consensus, ImageLinks, MaskFormat, Severities},
    worker::{
        arguments::Limits,
        messages::{Artefacts, Optics, ParameterValue, Pipeline, Stage},
    },
};

use crate::fake;

/// Nothing here takes so long unless it hangs.
pub const HANG: Duration = Duration::from_secs(60);

pub fn id(name: &str) -> PluginId {
    name.parse().unwrap()
}

/// Segmenters `seg` and `seg2`, detector `det` in that build with that word as a parameter, measurer `mea`.
pub fn pipeline(build: &str, word: &str) -> Pipeline {
    let stage = |name: &str, build: &str, word: &str| Stage {
        plugin: id(name),
        version: "1.0.0".into(),
        build: BuildHash::of(build.as_bytes()),
        library: PathBuf::from(build),
        script: None,
        files: Vec::new(),
        profile: Profile::Narrow,
        accepts: vec![],
        parameters: if word.is_empty() { vec![] } else { vec![(word.into(), ParameterValue::Bool(true))] },
    };
    Pipeline {
        id: PipelineId::of(&format!("{build} {word}")),
        segment: vec![stage("seg", "s", ""), stage("seg2", "s2", "")],
        detect: vec![stage("det", build, word)],
        measure: vec![stage("mea", "m", "")],
        grade: vec![],
        consensus: Consensus::First,
        min_confidence: 0.5,
        label: Severities { min_confidence: 0.5, min_severity: Severity::Low },
    }
}

pub struct Bench {
    pub pool: Pool,
    pub folder: tempfile::TempDir,
    next: u64,
    /// Everything said so far, but results.
    pub facts: Vec<Report>,
    pub finished: BTreeMap<u64, Finished>,
    pub returned: Vec<u64>,
}

pub fn settings(count: usize) -> PoolSettings {
    PoolSettings {
        program: fake::program(),
        count,
        limits: Limits { memory_mb: 200, max_megapixels: 10.0, max_file_mb: 10 },
        // Long enough for a machine under load; tests of deadlines say otherwise.
        deadline: Duration::from_secs(50),
        deadline_per_mpx: Duration::ZERO,
        wide_memory_mb: 2048,
        wide_deadline: Duration::from_secs(2),
        start_deadline: HANG,
        quarantine_after: 3,
        staging: None,
    }
}

impl Bench {
    pub fn new(settings: PoolSettings) -> Self {
        Self::with(settings, pipeline("d1", ""))
    }

    pub fn with(settings: PoolSettings, pipeline: Pipeline) -> Self {
        let pool = Pool::start(settings, pipeline, 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { pool, folder, next: 0, facts: vec![], finished: BTreeMap::new(), returned: vec![] }
    }

    pub fn task(&mut self, name: &str) -> Task {
        self.next += 1;
        Task {
            id: self.next,
            path: self.folder.path().join(name),
            bytes: 1000,
            expected: None,
            optics: Optics::default(),
            artefacts: None,
        }
    }

    /// Submits, waiting for room.
    pub fn submit(&mut self, task: Task) -> u64 {
        let id = task.id;
        let mut task = Some(task);
        self.until("room", |bench| match bench.pool.submit(task.take().unwrap()) {
            Ok(()) => true,
            Err(back) => {
                task = Some(*back);
                false
            }
        });
        id
    }

    /// Inspects one capture of that name.
    pub fn inspect(&mut self, name: &str) -> Finished {
        let task = self.task(name);
        let id = self.submit(task);
        self.result(id)
    }

    pub fn inspected(&mut self, name: &str) -> Inspection {
        self.inspect(name).result.unwrap()
    }

    pub fn result(&mut self, id: u64) -> Finished {
        self.until(&format!("result {id}"), |bench| bench.finished.contains_key(&id));
        self.finished.remove(&id).unwrap()
    }

    pub fn with_artefacts(mut task: Task) -> Task {
        task.artefacts = Some(Artefacts { masks: MaskFormat::Png, images: ImageLinks::Copy });
        task
    }

    /// Takes reports until the condition holds.
    pub fn until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let limit = Instant::now() + HANG;
        while !condition(self) {
            match self.pool.reports().recv_deadline(limit) {
                Ok(report) => self.take(report),
                Err(error) => panic!("waited for {what}: {error}; facts: {:#?}", self.facts),
            }
        }
    }

    pub fn take(&mut self, report: Report) {
        match report {
            Report::Finished(finished) => {
                let earlier = self.finished.insert(finished.id, *finished);
                assert!(earlier.is_none(), "finished twice: {earlier:?}");
            }
            Report::Returned { id } => self.returned.push(id),
            fact => self.facts.push(fact),
        }
    }

    pub fn deaths(&self) -> Vec<&WorkerDeath> {
        let deaths = self.facts.iter().filter_map(|fact| match fact {
            Report::Died(death) => Some(&**death),
            _ => None,
        });
        deaths.collect()
    }

    pub fn quarantined(&self) -> Vec<&PluginId> {
        let plugins = self.facts.iter().filter_map(|fact| match fact {
            Report::Quarantined { plugin, .. } => Some(plugin),
            _ => None,
        });
        plugins.collect()
    }

    pub fn is_replaced(&self, wanted: u64) -> bool {
        self.facts.iter().any(|fact| matches!(fact, Report::Replaced { generation, .. } if *generation == wanted))
    }
}

/// The process that made a fake inspection.
pub fn maker(inspection: &Inspection) -> u32 {
    inspection.quality.flags[0].parse().unwrap()
}
