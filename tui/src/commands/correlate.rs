//! `ferrule correlate`: how alike the pictures of a dataset are, into its table `correlations`.

use std::{num::NonZeroUsize, thread};

use clap::Args;
use ferrule_core::{
    correlate::{self, CorrelateError, Grid, Listener, MANY, Mode, Summary},
    names,
    settings::Settings,
    store::Reader,
    words::counted,
    workspace::DatasetPaths,
};
use serde_json::json;

use crate::{
    batch,
    failure::{Failure, Kind},
    interrupt::Interrupt,
    output::Output,
    place::DatasetPlace,
    program::worker_program,
    progress::Progress,
};

/// MiB that a comparison may take where nobody says.
pub const MEMORY: u64 = 1024;

/// Compare the pictures of a dataset with each other: Pearson and Spearman, into its table correlations
///
/// A second run compares only what is new or was inspected anew. Interrupted or killed, it keeps the grids that it made. Where
/// an engine has the dataset, that engine writes the pairs, and goes on inspecting.
#[derive(Debug, Args)]
pub struct Correlate {
    /// What each picture is laid onto: cells a side of a square around its cladding, or `raw` for the whole picture
    #[arg(long, value_name = "N|raw", default_value_t = Grid::default())]
    grid: Grid,
    /// Which pairs are kept: none, all, or the K most alike of each picture
    #[arg(long, value_name = "off|full|top:K", default_value_t = Mode::default())]
    mode: Mode,
    /// MiB of memory that the comparison may take
    #[arg(long, value_name = "MiB", default_value_t = MEMORY)]
    memory: u64,
    /// Threads that compare, and workers that decode [default: one a core]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Write as many rows as `full` takes
    #[arg(long)]
    yes: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    dataset: DatasetPlace,
}

impl Correlate {
    pub fn run(self) -> Result<(), Failure> {
        let dataset = self.dataset.find()?;
        // Says what is wrong with a dataset before anything is made in its place.
        let pictures = Reader::open(&dataset).and_then(|reader| reader.image_count()).map_err(Failure::wrong)?;
        ask_for_room(self.mode, pictures, self.yes)?;
        let interrupt = Interrupt::listen()?;
        let settings = batch::settings_around(&dataset)?;
        let work = work(&settings, self.grid, self.mode, self.memory, self.jobs)?;
        let summary = correlate(&work, &dataset, &settings, &|| interrupt.asked())?;
        tell(&summary, self.json)
    }
}

/// Brings a dataset's correlations up to date, beside its engine too.
pub fn correlate(
    work: &correlate::Correlate,
    dataset: &DatasetPaths,
    settings: &Settings,
    stop: &dyn Fn() -> bool,
) -> Result<Summary, Failure> {
    let mut teller = Teller::default();
    let outcome = correlate::update(work, dataset, settings.dataset.images, stop, &mut teller);
    teller.end();
    outcome.map_err(failure)
}

/// `full` grows with the square of the pictures: above some thousands a person says so first.
pub fn ask_for_room(mode: Mode, pictures: u64, yes: bool) -> Result<(), Failure> {
    let (rows, bytes) = correlate::estimate(pictures);
    if mode == Mode::Full && pictures > MANY && !yes {
        let size = bytes as f64 / 1e9;
        return Err(Failure::wrong(format!(
            "{pictures} pictures make {rows} pairs, about {size:.1} GB in the database"
        ))
        .hint("add --yes to write them all, or keep each picture's most alike: --mode top:20"));
    }
    Ok(())
}

/// What is to be done, with the limits that the settings set for workers.
pub fn work(
    settings: &Settings,
    grid: Grid,
    mode: Mode,
    memory: u64,
    jobs: Option<NonZeroUsize>,
) -> Result<correlate::Correlate, Failure> {
    Ok(correlate::Correlate {
        grid,
        mode,
        memory: memory.saturating_mul(1 << 20),
        threads: jobs.or(thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get),
        program: worker_program()?,
        limits: settings.workers.limits(),
    })
}

fn failure(error: CorrelateError) -> Failure {
    let kind = match error {
        CorrelateError::Connect(error) => return error.into(),
        CorrelateError::Engine(error) => return error.into(),
        CorrelateError::Memory { .. } | CorrelateError::Lock(_) => Kind::Wrong,
        _ => Kind::Failed,
    };
    Failure::new(kind, error)
}

fn tell(summary: &Summary, json: bool) -> Result<(), Failure> {
    let mut output = Output::new();
    let Summary { pictures, fresh, without_fibre, written, removed, failed, interrupted } = summary;
    if json {
        let failed: Vec<_> = failed.iter().map(|(image, error)| json!({"image_id": image, "error": error})).collect();
        output.object(&json!({
            "pictures": pictures, "fresh": fresh, "without_fibre": without_fibre, "pairs": written,
            "removed": removed, "failed": failed, "complete": !interrupted,
        }))?;
    } else {
        for (image, reason) in failed {
            output.line(&format!("FAILED {image}: {}", names::visible(reason)))?;
        }
        let (pairs, of) = (counted(*written, "pair"), counted(*pictures, "picture"));
        output.line(&format!("{pairs} of {of}, {fresh} of them new or changed"))?;
        if *removed > 0 {
            output.line(&format!("{removed} former pairs are among nobody's most alike any more"))?;
        }
        if *without_fibre > 0 {
            output
                .line(&format!("{without_fibre} pictures without a fibre take no part (--grid raw takes them all)"))?;
        }
    }
    output.flush()?;
    if *interrupted {
        return Err(Failure::failed("ended before the last pair").hint("the same command goes on from there"));
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure { kind: Kind::Failed, messages: Vec::new(), hint: None }) }
}

/// Shows how far it is.
#[derive(Default)]
struct Teller {
    pictures: Option<Progress>,
    pairs: Option<Progress>,
}

impl Teller {
    fn end(&mut self) {
        for progress in [self.pictures.take(), self.pairs.take()].into_iter().flatten() {
            progress.end();
        }
    }
}

impl Listener for Teller {
    fn gridded(&mut self, done: u64, of: u64) {
        self.pictures.get_or_insert_with(|| Progress::new("pictures", of)).set_of(done, of);
    }

    fn compared(&mut self, done: u64, of: u64) {
        if let Some(pictures) = self.pictures.take() {
            pictures.end();
        }
        self.pairs.get_or_insert_with(|| Progress::new("pairs", of)).set_of(done, of);
    }
}
