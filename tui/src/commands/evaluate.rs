//! `ferrule evaluate`: what the pipeline is worth by pictures of which everything is known. Nothing is stored.

mod table;

use std::path::PathBuf;

use clap::{Args, value_parser};
use ferrule_core::{
    evaluate::{self, Folders, LEGEND, Listener, Report, Task, Truth, tile},
    sheet,
};

use crate::{
    batch::{self, Which, With},
    environment::Environment,
    failure::{Failure, Kind},
    output::{self, Output},
    progress::Progress,
};

/// Score the pipeline against labelled pictures (COCO, as `ferrule simulate` writes it)
#[derive(Debug, Args)]
pub struct Evaluate {
    /// The truth file
    #[arg(value_name = "TRUTH")]
    truth: PathBuf,
    /// Where the pictures are [default: beside the truth file, in the folder it is named after or in images/]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Draw the worst pictures into this PNG: what is there and what was found
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// How many of the worst pictures are listed and drawn
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = value_parser!(u8).range(..=99))]
    worst: u8,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    with: With,
}

impl Evaluate {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let truth = Truth::read(&self.truth).map_err(|error| {
            Failure::wrong(error)
                .hint("`ferrule simulate --truth FILE` writes one; see docs/evaluate.md for what it may say")
        })?;
        let folders = match self.images {
            None => Folders::beside(&self.truth),
            Some(folder) if folder.is_dir() => Folders::only(folder),
            Some(folder) => return Err(Failure::wrong(format!("--images {}: no such folder", folder.display()))),
        };
        let (prepared, _) = self.with.prepare(self.which.choose()?, environment)?;
        let limits = prepared.batch.pool.limits;
        let batch = prepared.batch.clone();
        let mut teller = Teller(Progress::new("pictures", truth.images.len() as u64));
        let task = Task { batch, truth, file: self.truth, folders, worst: self.worst.into() };
        let evaluation = evaluate::run(task, &batch::asked_to_stop()?, &mut teller);
        teller.0.end();
        let evaluation = evaluation.map_err(batch::ended)?;
        let report = &evaluation.report;
        let mut output = Output::new();
        if self.json {
            output.object(report)?;
        } else {
            for line in table::lines(report) {
                output.line(&line)?;
            }
        }
        output.flush()?;
        if let Some(path) = &self.sheet {
            let tiles: Vec<_> = evaluation.worst.iter().map(tile).collect();
            let title = format!("{}: the worst of {} pictures", report.truth, report.pictures.scored);
            sheet::write(path, &title, LEGEND, &tiles, &limits).map_err(Failure::failed)?;
        }
        end(report, self.json)
    }
}

/// What failed is listed with the figures; where those are for a program, a person hears of it here.
fn end(report: &Report, json: bool) -> Result<(), Failure> {
    let wrong = report.failed.len() + report.faults.len();
    if report.interrupted {
        return Err(Failure::failed("interrupted before the last picture"));
    }
    if wrong == 0 {
        return Ok(());
    }
    let listed = if json { " (`failed` and `faults` say which)" } else { "" };
    let message = format!("{wrong} pictures or records of {} could not be scored{listed}", report.truth);
    Err(Failure::new(Kind::Failed, message))
}

/// Shows how far it is.
struct Teller(Progress);

impl Listener for Teller {
    fn progress(&mut self, done: u64, _of: u64) {
        self.0.set(done);
    }

    fn remark(&mut self, remark: &str) {
        output::remark(remark);
    }
}
