//! `ferrule runs …`: trainings of the past, what a person says of them, and their end. Through the workspace's engine where
//! one runs, else under the dataset's lock.

use std::time::Duration;

use clap::{Args, Subcommand};
use ferrule_core::{
    client::Client,
    config::Configuration,
    engine::lock,
    protocol::Request,
    store::{Reader, RunChange, RunRow},
    training::{Places, store_alone},
    workspace::{DatasetPaths, Workspace},
};
use serde_json::{Map, Value};

use crate::{failure::Failure, output::Output, place::Place};

const LIMIT: Duration = Duration::from_secs(30);

/// List trainings of the past, keep notes of them, remove one
#[derive(Debug, Args)]
pub struct Runs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    List(List),
    Show(Show),
    Note(Note),
    Delete(Delete),
}

/// Every run, the newest first
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    place: Place,
    /// One JSON object a run
    #[arg(long)]
    json: bool,
}

/// A run's epochs
#[derive(Debug, Args)]
struct Show {
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    place: Place,
    /// One JSON object an epoch
    #[arg(long)]
    json: bool,
}

/// Keep a sentence and tags with a run
#[derive(Debug, Args)]
struct Note {
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    place: Place,
    /// What is to be said of it [default: what is said already]
    #[arg(long, value_name = "TEXT")]
    notes: Option<String>,
    /// Words to find it by, separated by commas [default: those that it has]
    #[arg(long, value_name = "A,B")]
    tags: Option<String>,
}

/// Remove a run's rows and its folder; models that it made stay
#[derive(Debug, Args)]
struct Delete {
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    place: Place,
}

impl Runs {
    pub fn run(self) -> Result<(), Failure> {
        match self.what {
            What::List(list) => list.run(),
            What::Show(show) => show.run(),
            What::Note(note) => note.run(),
            What::Delete(delete) => delete.run(),
        }
    }
}

impl List {
    fn run(self) -> Result<(), Failure> {
        let (_, dataset) = self.place.dataset()?;
        let read = || Reader::open(&dataset).and_then(|reader| reader.runs()).map_err(Failure::wrong);
        let (mut runs, abandoned) = with_whether_abandoned(&dataset, read)?;
        if abandoned {
            runs = runs.into_iter().map(RunRow::interrupted).collect();
        }
        let mut output = Output::new();
        for run in &runs {
            if self.json {
                output.object(run)?;
            } else {
                output.line(&line(run))?;
            }
        }
        output.flush()?;
        if runs.is_empty() && !self.json {
            Failure::failed("nothing has been trained here yet").hint("`ferrule train` begins a training").warn();
        }
        Ok(())
    }
}

fn line(run: &RunRow) -> String {
    let best = run.best_epoch.map_or_else(String::new, |epoch| format!(", best epoch {epoch}"));
    let said = [&run.tags, &run.notes, run.message.as_ref().unwrap_or(&String::new())]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| format!("; {text}"))
        .collect::<String>();
    format!("{}  {} {}  {}{best}{said}", run.run, run.task, run.network, run.state)
}

/// What is read, and whether nobody works on the dataset: then no run goes on, whatever is still written of one.
fn with_whether_abandoned<T>(
    dataset: &DatasetPaths,
    read: impl FnOnce() -> Result<T, Failure>,
) -> Result<(T, bool), Failure> {
    let held = || lock::holder(dataset).map(|holder| holder.is_some()).map_err(Failure::failed);
    // Before and after: a run that ends or begins meanwhile did not die.
    let before = held()?;
    let found = read()?;
    Ok((found, !before && !held()?))
}

impl Show {
    fn run(self) -> Result<(), Failure> {
        let (_, dataset) = self.place.dataset()?;
        let reader = Reader::open(&dataset).map_err(Failure::wrong)?;
        let (mut run, abandoned) = with_whether_abandoned(&dataset, || known(&reader, &self.run))?;
        if abandoned {
            run = run.interrupted();
        }
        let mut output = Output::new();
        if !self.json {
            output.line(&line(&run))?;
        }
        for epoch in reader.epochs(&run.run).map_err(Failure::failed)? {
            let figures: Map<String, Value> = serde_json::from_str(&epoch.figures).unwrap_or_default();
            if self.json {
                let mut object = figures;
                object.insert("epoch".into(), epoch.epoch.into());
                object.insert("at".into(), epoch.at.into());
                output.object(&object)?;
                continue;
            }
            let told = ["train_loss", "val_loss", "val_accuracy", "val_f1", "val_auc", "val_dice"];
            let told = told.into_iter().filter_map(|name| Some(format!("{name} {:.4}", figures.get(name)?.as_f64()?)));
            let best = if run.best_epoch == Some(epoch.epoch) { " *" } else { "" };
            let told = told.collect::<Vec<_>>().join("  ");
            output.line(&format!("epoch {:>3}  {told}  {:.1} s{best}", epoch.epoch, epoch.seconds))?;
        }
        output.flush()
    }
}

impl Note {
    fn run(self) -> Result<(), Failure> {
        let (workspace, dataset) = self.place.dataset()?;
        let run = known(&Reader::open(&dataset).map_err(Failure::wrong)?, &self.run)?;
        let (notes, tags) = (self.notes.unwrap_or(run.notes), self.tags.unwrap_or(run.tags));
        if let Ok(mut client) = Client::connect(&dataset) {
            client.ask(Request::Note { run: run.run, notes, tags }, LIMIT)?;
            return Ok(());
        }
        write(RunChange::Note { run: run.run, notes, tags }, &workspace, &dataset)
    }
}

impl Delete {
    fn run(self) -> Result<(), Failure> {
        let (workspace, dataset) = self.place.dataset()?;
        let run = known(&Reader::open(&dataset).map_err(Failure::wrong)?, &self.run)?.run;
        if let Ok(mut client) = Client::connect(&dataset) {
            client.ask(Request::DeleteRun { run }, LIMIT)?;
            return Ok(());
        }
        write(RunChange::Delete { run }, &workspace, &dataset)
    }
}

fn write(change: RunChange, workspace: &Workspace, dataset: &DatasetPaths) -> Result<(), Failure> {
    let images = Configuration::load(workspace)?.settings.dataset.images;
    store_alone(change, &Places::below(workspace.root()), dataset, images).map_err(Failure::failed)
}

fn known(reader: &Reader, run: &str) -> Result<RunRow, Failure> {
    reader.run(run).map_err(Failure::failed)?.ok_or_else(|| {
        Failure::wrong(format!("there is no run `{run}`")).hint("`ferrule runs list` shows those that there are")
    })
}
