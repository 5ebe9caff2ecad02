//! What the commands that inspect pictures without storing have in common: which settings and plug-ins, how many workers,
//! what is known of the optics, and how such a run is stopped. Called by `inspect`, `evaluate` and `compare`,
//! and by the workbench, which tries parameters out.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use clap::Args;
use crossbeam_channel::Receiver;
use ferrule::workbench::{Learn, TryOut};
use ferrule_core::{
    change,
    config::Configuration,
    host::{Catalogue, LibraryStore, Policy, SearchPaths, assemble},
    inspect::{self, Batch, InspectError},
    pool::PoolSettings,
    reference::{self, Build},
    report::Inspection,
    settings::Settings,
    worker::{
        arguments::WorkerProgram,
        messages::{Optics, Pipeline},
    },
    workspace::{CONFIGURATION, DatasetPaths, Workspace},
};
use signal_hook::{consts::SIGINT, consts::SIGTERM, iterator::Signals};

use crate::{
    environment::{self, Environment},
    failure::{Failure, Kind},
    place::Place,
    program::{PluginPath, worker_program},
};

/// What pictures are inspected with.
#[derive(Debug, Clone, Args)]
pub struct With {
    /// Worker processes [default: one a core]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub plugin_path: PluginPath,
    #[command(flatten)]
    optics: OpticsOptions,
}

/// The settings of the workspace around a dataset, else what ships.
pub fn settings_around(dataset: &DatasetPaths) -> Result<Settings, Failure> {
    let place = Place { workspace: dataset.root().parent().map(Into::into) };
    match place.find() {
        Ok(workspace) => Ok(Configuration::load(&workspace)?.settings),
        Err(_) => Ok(Chosen::shipped()?.settings),
    }
}

/// Which settings, where a command takes one set of them.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// Settings and plug-ins of this workspace [default: the nearest parent that is one, else what ships]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Settings of this file, with the plug-ins that ship
    #[arg(long, value_name = "FILE", conflicts_with = "workspace")]
    cfg: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
struct OpticsOptions {
    /// Micrometres a pixel, along y
    #[arg(long, value_name = "UM", allow_negative_numbers = true)]
    um_per_px: Option<f64>,
    /// Width of a pixel divided by its height
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    pixel_aspect: Option<f64>,
    /// Outer diameter of the glass
    #[arg(long, value_name = "UM", allow_negative_numbers = true)]
    cladding_um: Option<f64>,
    /// Diameter of the core
    #[arg(long, value_name = "UM", allow_negative_numbers = true)]
    core_um: Option<f64>,
}

/// Settings, and the workspace that they belong to.
#[derive(Debug)]
pub struct Chosen {
    pub workspace: Option<Workspace>,
    pub settings: Settings,
}

/// A batch that is ready to run.
#[derive(Debug)]
pub struct Prepared {
    pub batch: Batch,
    /// Where the copies of plug-ins lie, if they go with this command.
    _copies: Option<tempfile::TempDir>,
}

impl Which {
    /// What of it was typed.
    pub fn typed(&self) -> Option<&'static str> {
        self.workspace.as_ref().map(|_| "--workspace").or(self.cfg.as_ref().map(|_| "--cfg"))
    }

    /// The workspace's or the file's, else what ships.
    pub fn choose(&self) -> Result<Chosen, Failure> {
        if let Some(file) = &self.cfg {
            return Chosen::of_file(file);
        }
        let place = Place { workspace: self.workspace.clone() };
        match place.find() {
            Ok(workspace) => Chosen::of_workspace(workspace),
            Err(failure) if self.workspace.is_some() => Err(failure),
            Err(_) => Chosen::shipped(),
        }
    }
}

impl Chosen {
    pub fn of_workspace(workspace: Workspace) -> Result<Self, Failure> {
        let settings = Configuration::load(&workspace)?.settings;
        Ok(Self { workspace: Some(workspace), settings })
    }

    /// A workspace's own file means the workspace, plug-ins and all.
    pub fn of_file(file: &Path) -> Result<Self, Failure> {
        let file = absolute(file)?;
        let root = file.parent().unwrap_or(Path::new("/"));
        if file.file_name().is_some_and(|name| name == CONFIGURATION) {
            return Self::of_workspace(Workspace::at(root));
        }
        let settings = Configuration::read(&file, root)?.settings;
        Ok(Self { workspace: None, settings })
    }

    pub fn shipped() -> Result<Self, Failure> {
        let mut settings = Configuration::shipped(&absolute(Path::new("."))?)?.settings;
        // Without a workspace nothing here is a source.
        settings.sources.clear();
        Ok(Self { workspace: None, settings })
    }
}

impl With {
    /// What of it was typed.
    pub fn typed(&self) -> Vec<&'static str> {
        let OpticsOptions { um_per_px, pixel_aspect, cladding_um, core_um } = &self.optics;
        let typed = [
            ("--jobs", self.jobs.is_some()),
            ("--plugin-path", self.plugin_path.is_typed()),
            ("--um-per-px", um_per_px.is_some()),
            ("--pixel-aspect", pixel_aspect.is_some()),
            ("--cladding-um", cladding_um.is_some()),
            ("--core-um", core_um.is_some()),
        ];
        typed.into_iter().filter(|(_, is_typed)| *is_typed).map(|(name, _)| name).collect()
    }

    /// A batch with these settings, and every plug-in that was found for it.
    pub fn prepare(&self, chosen: Chosen, environment: &Environment) -> Result<(Prepared, Catalogue), Failure> {
        let optics = self.optics.checked()?;
        let Chosen { workspace, settings } = chosen;
        let program = worker_program()?;
        // Made before the first probe writes into it, gone with the command where nothing lasting is to be had.
        let (store, copies) = store(workspace.as_ref(), environment)?;
        let paths = self.plugin_path.search(workspace.as_ref(), environment)?;
        let policy = Policy::of(&settings.plugins);
        let catalogue = Catalogue::build(&paths, &store, &program, policy);
        let pipeline = pipeline(&settings, &paths, &catalogue)?;
        let mut pool = PoolSettings::of(program, &settings.workers, &settings.plugins, None);
        // Nothing else wants a core: this process waits for its workers.
        pool.count = self.jobs.or(thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let (extensions, sources) = (settings.capture.extensions, settings.sources);
        let batch = Batch { pool, pipeline, extensions, optics, sources, masks: None, overlay: None };
        Ok((Prepared { batch, _copies: copies }, catalogue))
    }
}

impl OpticsOptions {
    fn checked(&self) -> Result<Optics, Failure> {
        let lengths = [
            ("--um-per-px", self.um_per_px),
            ("--pixel-aspect", self.pixel_aspect),
            ("--cladding-um", self.cladding_um),
            ("--core-um", self.core_um),
        ];
        if let Some((name, Some(value))) = lengths.iter().find(|(_, v)| v.is_some_and(|v| !(v.is_finite() && v > 0.0)))
        {
            return Err(Failure::wrong(format!("{name} is {value}, expected a number above 0")));
        }
        let (um_per_px, pixel_aspect) = (self.um_per_px, self.pixel_aspect);
        Ok(Optics { um_per_px, pixel_aspect, cladding_um: self.cladding_um, core_um: self.core_um })
    }
}

/// The path as seen from here, or what is wrong with it.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    environment::absolute(path).map_err(|error| Failure::wrong(format!("{}: {error}", path.display())))
}

/// Where private copies of libraries lie: with the workspace, else in the user's cache, else in a folder that goes with
/// this command.
pub fn store(
    workspace: Option<&Workspace>,
    environment: &Environment,
) -> Result<(LibraryStore, Option<tempfile::TempDir>), Failure> {
    let lasting = [
        workspace.map(Workspace::plugin_store),
        environment.cache_dir.as_ref().map(|cache| cache.join("ferrule").join("store")),
    ];
    for folder in lasting.into_iter().flatten() {
        if std::fs::create_dir_all(&folder).is_ok() && rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).is_ok()
        {
            return Ok((LibraryStore::at(folder), None));
        }
    }
    let temporary = tempfile::Builder::new().prefix("ferrule-").tempdir();
    let temporary = temporary.map_err(|error| Failure::failed(format!("no folder for copies of plug-ins: {error}")))?;
    Ok((LibraryStore::at(temporary.path()), Some(temporary)))
}

fn pipeline(settings: &Settings, paths: &SearchPaths, catalogue: &Catalogue) -> Result<Pipeline, Failure> {
    assemble(settings, catalogue).map_err(|error| {
        let mut failure = Failure::wrong(error);
        let refused = catalogue.refused.iter();
        failure.messages.extend(refused.map(|refusal| format!("{}: {}", refusal.path.display(), refusal.reason)));
        let looked: Vec<String> = paths.iter().map(|path| path.directory.display().to_string()).collect();
        failure.hint(format!("plug-ins are looked for in {}", looked.join(", ")))
    })
}

/// Tries parameters out on a picture, in one worker of this process, with everything else as the workspace has it.
pub fn trying(workspace: Workspace, path: &PluginPath, environment: &Environment) -> Result<TryOut, Failure> {
    let search = path.search(Some(&workspace), environment)?;
    let program = worker_program()?;
    let store = LibraryStore::at(workspace.plugin_store());
    let mut found: Option<Catalogue> = None;
    Ok(Box::new(move |trial| {
        let mut settings = Configuration::load(&workspace).map_err(|error| error.to_string())?.settings;
        // Every library is read and hashed for it: once for what is typed into one form.
        let known = found.take().filter(|_| !trial.fresh);
        let build = || Catalogue::build(&search, &store, &program, Policy::of(&settings.plugins));
        let catalogue = &*found.insert(known.unwrap_or_else(build));
        change::try_on(&mut settings, &trial.plugin, &trial.set, catalogue).map_err(|error| error.to_string())?;
        let pipeline = assemble(&settings, catalogue).map_err(|error| error.to_string())?;
        let batch = beside_an_engine(program.clone(), settings, pipeline);
        // The source's own file says most of its optics; the dataset's copy is there for certain.
        let picture = trial.pictures.iter().rev().find(|picture| picture.exists());
        let picture = picture.ok_or("the picture is no longer there")?;
        let mut heard = One::default();
        inspect::run(batch, vec![picture.clone()], &crossbeam_channel::never(), &mut heard)
            .map_err(|error| error.to_string())?;
        heard.0.unwrap_or_else(|| Err("nothing came of it".into()))
    }))
}

/// In one worker: the engine has the others.
pub fn beside_an_engine(program: WorkerProgram, settings: Settings, pipeline: Pipeline) -> Batch {
    let mut pool = PoolSettings::of(program, &settings.workers, &settings.plugins, None);
    pool.count = 1;
    let (extensions, sources) = (settings.capture.extensions, settings.sources);
    Batch { pool, pipeline, extensions, optics: Optics::default(), sources, masks: None, overlay: None }
}

/// The plug-in that a reference is for: it has no say in what one is made from.
pub const COMPARES: &str = "detect-anomaly";

/// Makes references with what the workspace has in force at that moment.
pub fn learning(workspace: Workspace, path: &PluginPath, environment: &Environment) -> Result<Learn, Failure> {
    let search = path.search(Some(&workspace), environment)?;
    let program = worker_program()?;
    let store = LibraryStore::at(workspace.plugin_store());
    Ok(Box::new(move |wanted| {
        let mut settings = Configuration::load(&workspace).map_err(|error| error.to_string())?.settings;
        settings.pipeline.detect.retain(|plugin| plugin.as_str() != COMPARES);
        let catalogue = Catalogue::build(&search, &store, &program, Policy::of(&settings.plugins));
        let pipeline = assemble(&settings, &catalogue).map_err(|error| error.to_string())?;
        let batch = beside_an_engine(program.clone(), settings, pipeline);
        let build = Build { batch, files: wanted.pictures, clean_only: false };
        let mut heard = Heard(wanted.progress);
        let built = reference::build(build, wanted.stop, &mut heard).map_err(|error| error.to_string())?;
        reference::write(wanted.out, &built.model, &built.origin).map_err(|error| error.to_string())?;
        let left_out = built.origin.left_out.len() + built.origin.more_left_out as usize;
        Ok((built.origin.used.len(), left_out))
    }))
}

/// How far a reference is. Why a picture was left out is in the reference itself.
struct Heard<'a>(&'a mut dyn FnMut(u64));

impl reference::Listener for Heard<'_> {
    fn progress(&mut self, done: u64) {
        (self.0)(done);
    }

    fn remark(&mut self, remark: &str) {
        tracing::info!("{remark}");
    }
}

/// The answer to one file.
#[derive(Default)]
struct One(Option<Result<Inspection, String>>);

impl inspect::Listener for One {
    fn answer(&mut self, answer: &inspect::Answered) -> bool {
        self.0 = Some(answer.result.clone().map_err(|failure| failure.to_string()));
        true
    }

    fn remark(&mut self, remark: &str) {
        // Why a worker ended says more than that the file has no answer.
        self.0.get_or_insert_with(|| Err(remark.to_owned()));
    }
}

/// Hears of it when the person, or the system, wants an end.
pub fn asked_to_stop() -> Result<Receiver<()>, Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Failure::failed)?;
    let (told, asked) = crossbeam_channel::unbounded();
    let wait = move || {
        for _ in signals.forever() {
            if told.send(()).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait).map_err(Failure::failed)?;
    Ok(asked)
}

/// A batch that ended before its end.
pub fn ended(error: InspectError) -> Failure {
    let kind = match &error {
        InspectError::Write { .. } | InspectError::PoolGone | InspectError::Thread(_) => Kind::Failed,
        InspectError::Pool(_) | InspectError::NoWorker { .. } => Kind::Wrong,
    };
    Failure::new(kind, error)
}
