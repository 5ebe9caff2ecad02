//! `ferrule build`: pictures in, a training set out. The same workers, plug-ins, settings and store as the engine's.

mod beside;
mod extras;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use crossbeam_channel::Receiver;
use ferrule_core::{
    client::RequestError,
    dataset::{
        build::{self, Beside, BuildError, Listener, Outcome, Summary},
        split::Side,
    },
    ids::ImageId,
    names,
    settings::{Fractions, Settings, Split},
    store::StoreError,
    words::counted,
    workspace::DatasetPaths,
};
use serde_json::json;

use self::extras::{Extras, Told};
use crate::{
    batch::{self, Which, With},
    environment::Environment,
    failure::{Failure, Kind},
    output::Output,
    progress::Progress,
};

/// Build a dataset of pictures: inspected, stored, divided into train, val and test
///
/// Run again it does only what is new, what failed, or what another pipeline inspected; interrupted or killed it goes on
/// where it was. Where an engine has the dataset, that engine inspects the files, with its own settings.
#[derive(Debug, Args)]
pub struct Build {
    /// Pictures, folders of pictures (and what lies below them), or quoted patterns like 'raw/*.png'
    #[arg(value_name = "RAW", required = true)]
    raw: Vec<PathBuf>,
    /// The dataset's folder: a new or empty one, or a dataset
    #[arg(long, value_name = "DATASET")]
    out: PathBuf,
    /// Share of the images for training [default: dataset.train]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    train: Option<f64>,
    /// Share for validation; the rest is for the test [default: dataset.val]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    val: Option<f64>,
    /// Which images go where is drawn from this [default: dataset.seed]
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Images whose names agree in these named groups stay together [default: dataset.group_by]
    #[arg(long, value_name = "PATTERN")]
    group_by: Option<String>,
    /// One JSON object a line: each failed file, then the summary
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    extras: Extras,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    with: With,
}

impl Build {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let dataset = DatasetPaths::at(batch::absolute(&self.out)?);
        let mut teller = Teller { output: Output::new(), json: self.json, progress: None, broken: None };
        let begun = Instant::now();
        let (outcome, settings, asked) = match beside::engine_of(&dataset) {
            Some(engine) => {
                let settings = self.settings_of_engine(&dataset, &engine)?;
                let beside = Beside { dataset: &dataset, settings: &settings, given: &self.raw };
                let asked = batch::asked_to_stop()?;
                let outcome = build::run_beside(beside, &asked, &mut teller).map_err(failure)?;
                (outcome, settings, asked)
            }
            None => self.alone(&dataset, environment, &mut teller)?,
        };
        if let Some(progress) = teller.progress.take() {
            progress.end();
        }
        let mut told = Told::default();
        let more = match &outcome.error {
            None => self.extras.run(&dataset, &settings, &|| !asked.is_empty(), &mut told),
            Some(_) => Ok(()),
        };
        let failed = told.failed;
        teller.end(&outcome.summary, outcome.error, &told, begun)?;
        more?;
        // Each is in the list.
        if failed { Err(Failure { kind: Kind::Failed, messages: Vec::new(), hint: None }) } else { Ok(()) }
    }

    /// As the dataset's only writer.
    fn alone(
        &self,
        dataset: &DatasetPaths,
        environment: &Environment,
        teller: &mut Teller,
    ) -> Result<(Outcome, Settings, Receiver<()>), Failure> {
        let mut chosen = self.which.choose()?;
        chosen.settings.dataset.split = self.split(&chosen.settings.dataset.split)?;
        let settings = chosen.settings.clone();
        let (prepared, _) = self.with.prepare(chosen, environment)?;
        let batch = &prepared.batch;
        let build = build::Build {
            dataset: dataset.clone(),
            settings: settings.clone(),
            pool: batch.pool.clone(),
            pipeline: batch.pipeline.clone(),
            optics: batch.optics,
            given: self.raw.clone(),
        };
        let asked = batch::asked_to_stop()?;
        let outcome = build::run(&build, &asked, teller).map_err(failure)?;
        Ok((outcome, settings, asked))
    }

    /// What the command says, over what the settings say.
    fn split(&self, settings: &Split) -> Result<Split, Failure> {
        let (train, val) = (self.train.unwrap_or(settings.fractions.train), self.val.unwrap_or(settings.fractions.val));
        let fractions = Fractions::checked(train, val).ok_or_else(|| {
            Failure::wrong(format!(
                "--train {train} and --val {val} do not add up: each from 0 to 1, together at most 1 (the test gets the rest)"
            ))
        })?;
        let group_by = match self.group_by.as_deref() {
            Some("") => None,
            Some(pattern) => Some(Split::checked_pattern(pattern).map_err(|reason| {
                Failure::wrong(format!("--group-by {pattern:?}: {reason}"))
                    .hint("for example --group-by '^(?<connector>[^-]+)-'")
            })?),
            None => settings.group_by.clone(),
        };
        Ok(Split { fractions, seed: self.seed.map_or(settings.seed, u64::from), group_by })
    }
}

/// A build that ended before its end.
fn failure(error: BuildError) -> Failure {
    let kind = match &error {
        BuildError::Connect(_) | BuildError::Lost(RequestError::Lost(_) | RequestError::Late(_)) => Kind::Unreachable,
        BuildError::Given(_)
        | BuildError::Nothing { .. }
        | BuildError::NotADataset { .. }
        | BuildError::Folder { .. }
        | BuildError::Lock(_)
        | BuildError::NoWorker { .. }
        | BuildError::NoPipeline { .. }
        | BuildError::Pool(_)
        | BuildError::Store(
            StoreError::NewerSchema { .. }
            | StoreError::Foreign { .. }
            | StoreError::NetworkFileSystem { .. }
            | StoreError::Folder { .. },
        ) => Kind::Wrong,
        _ => Kind::Failed,
    };
    Failure::new(kind, error)
}

/// Tells how it goes.
struct Teller {
    output: Output,
    json: bool,
    progress: Option<Progress>,
    broken: Option<Failure>,
}

impl Listener for Teller {
    fn progress(&mut self, done: u64, of: u64) {
        if of > 0 {
            self.progress.get_or_insert_with(|| Progress::new("pictures", of)).set_of(done, of);
        }
    }

    fn failed(&mut self, path: &Path, image: Option<ImageId>, reason: &str) {
        let reason = names::visible(reason);
        let said = if self.json {
            let object = json!({
                "failed": names::display(path), "path_b64": names::exact(path), "image_id": image, "error": reason,
            });
            self.output.object(&object)
        } else {
            self.output.line(&format!("FAILED {}: {reason}", names::display(path)))
        };
        // Whoever reads along sees each failure when it is there.
        let said = said.and_then(|()| self.output.flush());
        self.broken = self.broken.take().or(said.err());
    }

    fn remark(&mut self, remark: &str) {
        // There is no further place to complain when standard error is gone.
        let _ = writeln!(io::stderr(), "ferrule: {}", names::visible(remark));
    }
}

impl Teller {
    fn end(mut self, summary: &Summary, error: Option<BuildError>, told: &Told, begun: Instant) -> Result<(), Failure> {
        let seconds = begun.elapsed().as_secs_f64();
        if self.json {
            let mut object = object(summary, error.as_ref(), seconds);
            if let Some(object) = object.as_object_mut() {
                object.extend(told.object.clone());
            }
            self.output.object(&object)?;
        } else {
            for line in lines(summary, seconds).iter().chain(&told.lines) {
                self.output.line(line)?;
            }
        }
        self.output.flush()?;
        match (self.broken, error) {
            (Some(broken), _) => Err(broken),
            (None, Some(error)) => Err(failure(error)),
            (None, None) if summary.failed > 0 => {
                // Each is in the list.
                Err(Failure { kind: Kind::Failed, messages: Vec::new(), hint: None })
            }
            (None, None) => Ok(()),
        }
    }
}

fn object(summary: &Summary, error: Option<&BuildError>, seconds: f64) -> serde_json::Value {
    let Summary { files, known, duplicates, ignored, inspected, failed, incomplete, divided } = summary;
    let splits = divided.as_ref().map(|divided| {
        let [train, val, test] = divided.counts;
        json!({
            "train": train, "val": val, "test": test, "without": divided.without, "given": divided.given,
            "groups": divided.groups, "notes": divided.notes,
        })
    });
    json!({
        "files": files, "known": known, "duplicates": duplicates, "ignored": ignored, "inspected": inspected,
        "failed": failed, "incomplete": incomplete, "splits": splits, "seconds": seconds,
        "error": error.map(ToString::to_string),
    })
}

fn lines(summary: &Summary, seconds: f64) -> Vec<String> {
    let Summary { files, known, duplicates, ignored, inspected, failed, incomplete, divided } = summary;
    let some = |count: u64, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
    let mut lines = vec![format!(
        "{} in {seconds:.1} s: {inspected} inspected, {known} known{}{}, {failed} failed{}",
        counted(*files, "picture"),
        some(*duplicates, "duplicates"),
        some(*ignored, "other files"),
        some(*incomplete, "incomplete"),
    )];
    if let Some(divided) = divided {
        let counts: Vec<String> =
            Side::ALL.iter().map(|side| format!("{side} {}", divided.counts[*side as usize])).collect();
        lines.push(format!(
            "splits: {}{}{}",
            counts.join(", "),
            some(divided.without, "on no side (no fibre, no label or incomplete)"),
            some(divided.groups, "groups")
        ));
        lines.extend(divided.notes.iter().map(|note| format!("  {}", names::visible(note))));
    }
    lines
}
