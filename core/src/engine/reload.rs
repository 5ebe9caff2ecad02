//! Configuration and plug-ins that change while the engine runs.
//!
//! Once a second, and when the kernel hints at something, the stamps of `ferrule.toml` and of every plug-in folder are
//! looked at: a few calls, no reading. What
//! changed and then stood still is read by a thread of its own (probing a library starts a child); the main loop takes
//! the finished catalogue, and a pipeline that differs becomes the next generation. A bad file or library changes
//! nothing but the list of problems.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    EngineError, EngineSettings,
    hints::Hints,
    state::{Engine, LOOK},
    swaps::Swaps,
};
use crate::{
    config::Configuration,
    host::{Catalogue, SearchPaths, assemble, parameter_files},
    pool::{Pool, PoolSettings},
    protocol::{Event, Looked},
    settings::Plugins,
    worker::{arguments::WorkerProgram, messages::Pipeline},
};

/// Between a hint and the look that it asks for.
const SWARM: Duration = Duration::from_millis(10);

/// What was seen of a file: enough to know that it changed, without opening it.
type Stamp = (PathBuf, u64, u64, i64, i64);

/// What to look at and who reads it.
#[derive(Debug)]
pub(super) struct Reload {
    orders: Sender<Order>,
    catalogues: Receiver<(u64, Catalogue)>,
    configuration: Vec<Stamp>,
    plugins: Vec<Stamp>,
    /// Of the files that parameters name, like models.
    files: Vec<Stamp>,
    /// Plug-ins changed then and have stood still since.
    changed: Option<Instant>,
    building: bool,
    next: Instant,
    hints: Hints,
    /// Looks that clients asked for, and how many of them the last order covers.
    looks: u64,
    ordered: u64,
    catalogue: Option<Catalogue>,
    pub(super) swaps: Swaps,
}

struct Order {
    look: u64,
    plugins: Plugins,
}

impl Reload {
    pub fn start(settings: &EngineSettings) -> Result<Self, EngineError> {
        let (orders, waiting) = bounded::<Order>(1);
        let (sender, catalogues) = bounded(1);
        let (search, store) = (settings.search.clone(), settings.workspace.plugin_store());
        let program: WorkerProgram = settings.program.clone();
        thread::Builder::new()
            .name("catalogue".into())
            .spawn(move || {
                for order in waiting {
                    let catalogue = Catalogue::build(
                        &search,
                        &crate::host::LibraryStore::at(&store),
                        &program,
                        crate::host::Policy::of(&order.plugins),
                    );
                    if sender.send((order.look, catalogue)).is_err() {
                        return;
                    }
                }
            })
            .map_err(|source| EngineError::Thread { what: "reading plug-ins", source })?;
        Ok(Self {
            orders,
            catalogues,
            configuration: stamp(&settings.workspace.configuration()).into_iter().collect(),
            plugins: stamps(&settings.search),
            files: Vec::new(),
            // The first catalogue is due at once.
            changed: Instant::now().checked_sub(Duration::from_secs(3600)),
            building: false,
            next: Instant::now(),
            hints: Hints::new(),
            looks: 0,
            ordered: 0,
            catalogue: None,
            swaps: Swaps::default(),
        })
    }

    /// The last one that was built.
    pub fn catalogue(&self) -> Option<&Catalogue> {
        self.catalogue.as_ref()
    }

    pub fn catalogues(&self) -> &Receiver<(u64, Catalogue)> {
        &self.catalogues
    }

    pub fn next_look(&self) -> Instant {
        self.next
    }

    pub fn stirred(&self) -> &Receiver<()> {
        self.hints.stirred()
    }

    /// The kernel hints at a change: a look is due soon. Not at once, for hints come in swarms.
    pub fn look_soon(&mut self, now: Instant) {
        self.next = self.next.min(now + SWARM);
    }

    /// The pipeline in force, or the one that workers are loading.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.swaps.pipeline()
    }

    /// Its number.
    pub fn generation(&self) -> u64 {
        self.swaps.generation()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((path.to_owned(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

fn stamps(search: &SearchPaths) -> Vec<Stamp> {
    let mut stamps: Vec<Stamp> = search
        .iter()
        .map(|p| &p.directory)
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten())
        .filter_map(|entry| stamp(&entry.path()))
        .collect();
    stamps.sort();
    stamps
}

impl Engine {
    /// Looks whether configuration or plug-ins changed.
    pub fn look_for_changes(&mut self, now: Instant) {
        self.reload.next = now + LOOK;
        let folders = self.settings.search.iter().map(|path| path.directory.as_path());
        self.reload.hints.watch(folders.chain([self.settings.workspace.root()]));
        let configuration: Vec<Stamp> = stamp(&self.settings.workspace.configuration()).into_iter().collect();
        if configuration != self.reload.configuration {
            self.reload.configuration = configuration;
            self.reload.swaps.try_again();
            self.read_configuration();
        }
        let plugins = stamps(&self.settings.search);
        if plugins != self.reload.plugins {
            self.reload.plugins = plugins;
            self.reload.swaps.try_again();
            self.reload.changed = Some(now);
        }
        let files = self.parameter_files();
        if files != self.reload.files {
            self.reload.files = files;
            self.reload.swaps.try_again();
            self.reload.changed = Some(now);
        }
        let still = Duration::from_millis(self.configuration.settings.plugins.settle_ms);
        let settled = self.reload.changed.is_some_and(|changed| now.duration_since(changed) >= still);
        // Whoever asks for a look has just finished writing, and waits for it.
        let asked = self.reload.looks > self.reload.ordered;
        if (settled || asked) && !self.reload.building {
            self.reload.changed = None;
            self.order_catalogue();
        } else if let Some(changed) = self.reload.changed {
            // The moment at which it will have stood still.
            self.reload.next = self.reload.next.min((changed + still).max(now + SWARM));
        }
    }

    fn parameter_files(&self) -> Vec<Stamp> {
        let Some(catalogue) = &self.reload.catalogue else { return Vec::new() };
        let files = parameter_files(&self.configuration.settings, catalogue);
        files.iter().filter_map(|path| stamp(path)).collect()
    }

    /// Looks at once, whatever the clock says. How many looks were asked for so far.
    pub fn look_now(&mut self) -> u64 {
        self.reload.looks += 1;
        self.reload.next = Instant::now();
        self.reload.looks
    }

    fn order_catalogue(&mut self) {
        let order = Order { look: self.reload.looks, plugins: self.configuration.settings.plugins.clone() };
        self.reload.ordered = self.reload.looks;
        self.reload.building = self.reload.orders.try_send(order).is_ok();
    }

    /// The last good configuration stays in force if the new one is bad.
    fn read_configuration(&mut self) {
        let configuration = match Configuration::load(&self.settings.workspace) {
            Ok(configuration) => configuration,
            Err(error) => {
                let line = format!("{error}; the former configuration stays in force");
                self.problem("configuration", line);
                return;
            }
        };
        self.solved("configuration");
        let (old, new) = (&self.configuration.settings, &configuration.settings);
        let sources = old.sources != new.sources || old.capture != new.capture;
        let trust = old.plugins != new.plugins;
        let restart = old.workers != new.workers || old.dataset.path != new.dataset.path;
        self.configuration = configuration;
        self.alarms.take(&self.configuration.settings.alarms, Instant::now());
        self.log(tracing::Level::INFO, "the configuration was read again".into());
        if restart {
            let line = "ferrule.toml: [workers] and dataset.path take effect when the engine starts again";
            self.problem("restart", line.into());
        }
        if sources && let Err(error) = self.start_sources() {
            self.problem("sources", error.to_string());
        }
        if trust {
            self.reload.changed = Some(Instant::now());
        }
        self.take_up("configuration");
    }

    pub fn take_catalogue(&mut self, look: u64, catalogue: Catalogue) {
        self.reload.building = false;
        if self.reload.looks > self.reload.ordered {
            self.reload.next = Instant::now();
        }
        let standing: Vec<String> =
            self.problems.keys().filter(|about| about.starts_with("library ")).cloned().collect();
        let refused: Vec<(String, String)> = catalogue
            .refused
            .iter()
            .map(|refusal| (format!("library {}", refusal.path.display()), refusal.reason.clone()))
            .collect();
        for about in standing.iter().filter(|about| !refused.iter().any(|(refused, _)| refused == *about)) {
            self.solved(about);
        }
        for (about, line) in refused {
            self.problem(&about, line);
        }
        self.record_refusals(&catalogue.refused);
        self.reload.catalogue = Some(catalogue);
        let refused = self.plugin_list().refused;
        // What is read now need not be looked at again.
        self.reload.files = self.parameter_files();
        self.take_up("plug-ins");
        let about: &[&str] = if self.reload.swaps.refused().is_some() {
            &["configuration", "pipeline", "workers"]
        } else {
            &["configuration", "pipeline"]
        };
        let problem = about.iter().find_map(|about| self.problems.get(*about)).cloned();
        let generation = self.reload.generation();
        self.broadcast(Event::Looked(Looked { look, generation, problem, refused }));
    }

    /// Makes the pipeline that configuration and catalogue give, and brings it into force if it is another one.
    fn take_up(&mut self, reason: &str) {
        let Some(catalogue) = &self.reload.catalogue else { return };
        let pipeline = match assemble(&self.configuration.settings, catalogue) {
            Ok(pipeline) => pipeline,
            Err(error) => {
                let then = if self.reload.pipeline().is_some() {
                    "the former pipeline stays in force"
                } else {
                    "captures wait"
                };
                self.problem("pipeline", format!("{error}; {then}"));
                return;
            }
        };
        self.solved("pipeline");
        let known = [self.reload.pipeline().map(|in_force| &in_force.id), self.reload.swaps.refused()];
        if known.contains(&Some(&pipeline.id)) {
            return;
        }
        self.begin_swap(pipeline, reason);
    }

    /// Starts the workers with the pipeline in force.
    pub fn start_pool(&mut self) {
        let Some(pipeline) = self.reload.pipeline().cloned() else { return };
        let settings = &self.configuration.settings;
        let staging = Some(self.dataset.staging());
        let pool = PoolSettings::of(self.settings.program.clone(), &settings.workers, &settings.plugins, staging);
        match Pool::start(pool, pipeline, self.reload.generation()) {
            Ok(pool) => self.pool = Some(pool),
            Err(error) => self.problem("workers", error.to_string()),
        }
    }
}
