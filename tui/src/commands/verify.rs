//! `ferrule verify`: does a dataset hold together, and with `--repair`, as far as it can.

use clap::Args;
use ferrule_core::{
    store::{self, Closeness, Problem, Repaired, VerifyReport},
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
    progress::Progress,
};

/// Check a dataset: its database, its rows against each other, its files against their rows
///
/// Reads only, also while an engine runs. The exit status is 1 where something is wrong.
#[derive(Debug, Args)]
pub struct Verify {
    /// Do not read the pictures: a picture that is there counts as whole
    #[arg(long)]
    quick: bool,
    /// Queue again what is missing or broken, move what belongs to nobody to orphans/; no engine may run
    #[arg(long)]
    repair: bool,
    /// One JSON object a problem, then the summary
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    dataset: DatasetPlace,
}

impl Verify {
    pub fn run(self) -> Result<(), Failure> {
        let dataset = self.dataset.find()?;
        let interrupt = Interrupt::listen()?;
        let mut progress = Progress::new("images", 0);
        let looked = store::verify(&dataset, Closeness { contents: !self.quick }, &mut |done, of| {
            progress.set_of(done, of);
            !interrupt.asked()
        });
        progress.end();
        let report =
            looked.map_err(Failure::wrong)?.ok_or_else(|| Failure::failed("ended before everything was seen"))?;
        let mut output = Output::new();
        for problem in &report.problems {
            if self.json {
                output.object(&json!({"problem": word(problem), "text": problem.to_string()}))?;
            } else {
                output.line(&problem.to_string())?;
            }
        }
        let sound = report.problems.is_empty();
        let repaired = match self.repair && !sound {
            true => Some(repair(&dataset, &report)?),
            false => None,
        };
        if self.json {
            output.object(&json!({
                "images": report.images, "files": report.files, "problems": report.problems.len() as u64 + report.more,
                "queued": repaired.map(|it| it.queued), "moved": repaired.map(|it| it.moved),
                "left": repaired.map(|it| it.left),
            }))?;
        } else {
            self.summary(&report, repaired, &mut output)?;
        }
        output.flush()?;
        let mended = repaired.is_some_and(|it| it.left == 0) && report.more == 0;
        if sound || mended { Ok(()) } else { Err(Failure { kind: Kind::Failed, messages: Vec::new(), hint: None }) }
    }

    fn summary(&self, report: &VerifyReport, repaired: Option<Repaired>, output: &mut Output) -> Result<(), Failure> {
        let VerifyReport { images, files, problems, more } = report;
        let unread = if self.quick { " (contents not read)" } else { "" };
        let looked = format!("{}, {}{unread}", counted(*images, "image"), counted(*files, "file"));
        let count = problems.len() as u64 + more;
        if count == 0 {
            return output.line(&format!("{looked}: sound"));
        }
        output.line(&format!("{looked}: {}", counted(count, "problem")))?;
        match repaired {
            None => {
                output.line("`ferrule verify --repair` queues again what is missing and moves what is nobody's aside")
            }
            Some(Repaired { queued, moved, left, counted: recounted }) => {
                let more = if recounted { ", captures counted again" } else { "" };
                let (again, aside) = (counted(queued, "image"), counted(moved, "file"));
                output.line(&format!("{again} queued again, {aside} moved to orphans/{more}"))?;
                if queued > 0 {
                    output.line("the next engine, or the next `ferrule build`, inspects them")?;
                }
                if left > 0 {
                    output.line(&format!(
                        "{left} problems are left: only a backup (`ferrule backup`) has what is missing"
                    ))?;
                }
                Ok(())
            }
        }
    }
}

fn repair(dataset: &DatasetPaths, report: &VerifyReport) -> Result<Repaired, Failure> {
    store::repair(dataset, batch::settings_around(dataset)?.dataset.images, &report.problems).map_err(Failure::wrong)
}

const fn word(problem: &Problem) -> &'static str {
    match problem {
        Problem::Database(_) => "database",
        Problem::Reference { .. } => "reference",
        Problem::Count { .. } => "count",
        Problem::NoResult { .. } => "no result",
        Problem::Missing { .. } => "missing",
        Problem::Broken { .. } => "broken",
        Problem::Orphan { .. } => "orphan",
        Problem::Unreadable { .. } => "unreadable",
    }
}
