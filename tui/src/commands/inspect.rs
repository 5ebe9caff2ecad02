//! `ferrule inspect`: one answer a file, nothing stored. The same workers, plug-ins and settings as the engine's.

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    path::PathBuf,
    thread,
    time::Instant,
};

use clap::Args;
use crossbeam_channel::Receiver;
use ferrule_core::{
    config::Configuration,
    host::{Catalogue, LibraryStore, Policy, SearchPaths, assemble},
    inspect::{self, Answered, Batch, InspectError, Line, Listener, Summary},
    pool::PoolSettings,
    report::{DefectKind, Inspection, Outline},
    settings::Settings,
    worker::{
        arguments::WorkerProgram,
        messages::{Optics, Pipeline},
    },
    workspace::Workspace,
};
use signal_hook::{consts::SIGINT, consts::SIGTERM, iterator::Signals};

use crate::{
    environment::{self, Environment},
    failure::{Failure, Kind},
    output::Output,
    place::Place,
    program::{PluginPath, worker_program},
};

/// Inspect pictures: one answer a file, in the order given, nothing stored
#[derive(Debug, Args)]
pub struct Inspect {
    /// Pictures, or folders of pictures
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Write <image_id>_defect_mask.png here: 0 where nothing is, else the defect's place in the list
    #[arg(long, value_name = "DIR")]
    masks: Option<PathBuf>,
    /// Write <image_id>_overlay.png here: the picture with zones and defects drawn
    #[arg(long, value_name = "DIR")]
    overlay: Option<PathBuf>,
    /// Worker processes [default: one a core]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Settings and plug-ins of this workspace [default: the nearest parent that is one, else what ships]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    #[command(flatten)]
    plugin_path: PluginPath,
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

impl Inspect {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let optics = self.optics()?;
        let (workspace, settings) = self.settings()?;
        let program = worker_program()?;
        // Made before the first probe writes into it, gone with the command where nothing lasting is to be had.
        let (store, _temporary) = store(workspace.as_ref(), environment)?;
        let paths = self.plugin_path.search(workspace.as_ref(), environment)?;
        let pipeline = pipeline(&settings, &paths, &store, &program)?;
        let mut pool = PoolSettings::of(program, &settings.workers, &settings.plugins, None);
        // Nothing else wants a core: this process waits for its workers.
        pool.count = self.jobs.or(thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);

        let (extensions, sources) = (settings.capture.extensions, settings.sources);
        let (masks, overlay) = (self.masks, self.overlay);
        let batch = Batch { pool, pipeline, extensions, optics, sources, masks, overlay };
        let mut teller = Teller::new(self.json)?;
        let begun = Instant::now();
        let summary = inspect::run(batch, self.files, &asked_to_stop()?, &mut teller);
        teller.end(summary.map_err(ended)?, begun)
    }

    fn optics(&self) -> Result<Optics, Failure> {
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

    /// The workspace's, where there is one.
    fn settings(&self) -> Result<(Option<Workspace>, Settings), Failure> {
        let place = Place { workspace: self.workspace.clone() };
        match place.find() {
            Ok(workspace) => {
                let settings = Configuration::load(&workspace)?.settings;
                Ok((Some(workspace), settings))
            }
            Err(failure) if self.workspace.is_some() => Err(failure),
            Err(_) => {
                let here =
                    environment::absolute(".".as_ref()).map_err(|error| Failure::wrong(format!(".: {error}")))?;
                let mut settings = Configuration::shipped(&here)?.settings;
                // Without a workspace nothing here is a source.
                settings.sources.clear();
                Ok((None, settings))
            }
        }
    }
}

/// Where private copies of libraries lie: with the workspace, else in the user's cache, else in a folder that goes with
/// this command.
fn store(
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

fn pipeline(
    settings: &Settings,
    paths: &SearchPaths,
    store: &LibraryStore,
    program: &WorkerProgram,
) -> Result<Pipeline, Failure> {
    let plugins = &settings.plugins;
    let policy = Policy { trust: plugins.trust, pinned: &plugins.pinned };
    let catalogue = Catalogue::build(paths, store, program, policy);
    assemble(settings, &catalogue).map_err(|error| {
        let mut failure = Failure::wrong(error);
        let refused = catalogue.refused.iter();
        failure.messages.extend(refused.map(|refusal| format!("{}: {}", refusal.path.display(), refusal.reason)));
        let looked: Vec<String> = paths.iter().map(|path| path.directory.display().to_string()).collect();
        failure.hint(format!("plug-ins are looked for in {}", looked.join(", ")))
    })
}

/// Hears of it when the person, or the system, wants an end.
fn asked_to_stop() -> Result<Receiver<()>, Failure> {
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

fn ended(error: InspectError) -> Failure {
    let kind = match &error {
        InspectError::Write { .. } | InspectError::PoolGone => Kind::Failed,
        InspectError::Pool(_) | InspectError::NoWorker { .. } => Kind::Wrong,
    };
    Failure::new(kind, error)
}

/// Prints answers as they come.
struct Teller {
    output: Output,
    json: bool,
    broken: Option<Failure>,
}

impl Teller {
    fn new(json: bool) -> Result<Self, Failure> {
        let mut output = Output::new();
        if !json {
            output.line(&row("file", "answer", "core px", "cladding px", "focus", "ms", "defects"))?;
        }
        Ok(Self { output, json, broken: None })
    }

    fn end(mut self, summary: Summary, begun: Instant) -> Result<(), Failure> {
        if let Some(failure) = self.broken {
            return Err(failure);
        }
        self.output.flush()?;
        let Summary { answered, failed, incomplete, interrupted } = summary;
        let unsure = if incomplete > 0 { format!(", {incomplete} incomplete") } else { String::new() };
        self.remark(&format!("{answered} files in {:.1} s, {failed} failed{unsure}", begun.elapsed().as_secs_f64()));
        match (interrupted, failed) {
            (true, _) => Err(Failure::failed("interrupted before the last file")),
            (_, 0) => Ok(()),
            // Each is in the list.
            _ => Err(Failure { kind: Kind::Failed, messages: Vec::new(), hint: None }),
        }
    }
}

impl Listener for Teller {
    fn answer(&mut self, answer: &Answered) -> bool {
        let said = if self.json { self.output.object(&Line::of(answer)) } else { self.output.line(&line(answer)) };
        // Whoever reads along sees each answer when it is there.
        self.broken = said.and_then(|()| self.output.flush()).err();
        self.broken.is_none()
    }

    fn remark(&mut self, remark: &str) {
        // There is no further place to complain when standard error is gone.
        let _ = writeln!(io::stderr(), "ferrule: {remark}");
    }
}

fn line(answer: &Answered) -> String {
    let name = answer.shown();
    let inspection = match &answer.result {
        Ok(inspection) => inspection,
        Err(failure) => return format!("{name:<36} FAILED      {failure}"),
    };
    let radius =
        |zone: &Option<Outline>| zone.map_or_else(|| "-".into(), |outline| format!("{:.1}", outline.mean_radius()));
    let focus = inspection.quality.focus.map_or_else(|| "-".into(), |focus| format!("{focus:.2}"));
    let (core, cladding) = (radius(&inspection.zones.core), radius(&inspection.zones.cladding));
    let ms = format!("{:.1}", inspection.ms.total());
    row(&name, word(inspection), &core, &cladding, &focus, &ms, &defects(inspection))
}

fn row(name: &str, word: &str, core: &str, cladding: &str, focus: &str, ms: &str, defects: &str) -> String {
    format!("{name:<36} {word:<10} {core:>8} {cladding:>12} {focus:>6} {ms:>7}  {defects}").trim_end().to_owned()
}

fn word(inspection: &Inspection) -> &'static str {
    match inspection.has_defect {
        Some(true) => "defect",
        Some(false) => "clean",
        None if !inspection.incomplete.is_empty() => "incomplete",
        None => "no fibre",
    }
}

/// `2 scratch, 1 pit`, and what is missing.
fn defects(inspection: &Inspection) -> String {
    let count = |kind: DefectKind| inspection.defects.iter().filter(|defect| defect.kind == kind).count();
    let counts = DefectKind::ALL.iter().map(|kind| (*kind, count(*kind))).filter(|(_, count)| *count > 0);
    let mut parts: Vec<String> = counts.map(|(kind, count)| format!("{count} {kind}")).collect();
    parts.extend(inspection.incomplete.iter().map(|missing| format!("without {}", missing.plugin)));
    parts.join(", ")
}
