//! `ferrule simulate`: plays the microscope. Pictures with exact truth, the same from the same seed.

use std::{num::NonZeroUsize, ops::ControlFlow, path::PathBuf};

use clap::Args;
use ferrule_core::{
    simulate::{self, Format, Preset, SimulateSettings},
    words::counted,
};
use serde_json::json;

use crate::{environment, failure::Failure, interrupt::Interrupt, output::Output, progress::Progress};

/// Draw pictures with exact truth, as a microscope would drop them
#[derive(Debug, Args)]
pub struct Simulate {
    /// The folder that gets the pictures
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many
    #[arg(long, value_name = "N")]
    count: u64,
    /// What is drawn: a name in config/simulate, or a preset file
    #[arg(long, default_value = "demo-v1")]
    preset: String,
    /// Pictures a second, each under a temporary name first and renamed; otherwise as fast as the machine can
    #[arg(long)]
    rate: Option<f64>,
    /// The same seed gives the same pictures
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// png, jpg, tif or bmp
    #[arg(long, default_value_t = Format::Png)]
    format: Format,
    /// Where the truth goes, as COCO [default: <DIR>.truth.json beside the folder]
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Drawing threads [default: one a core]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// One JSON object at the end
    #[arg(long)]
    json: bool,
}

impl Simulate {
    pub fn run(self) -> Result<(), Failure> {
        let absolute = |path: PathBuf| {
            environment::absolute(&path).map_err(|error| Failure::wrong(format!("{}: {error}", path.display())))
        };
        let settings = SimulateSettings {
            out: absolute(self.out)?,
            count: self.count,
            preset: Preset::find(&self.preset).map_err(Failure::wrong)?,
            rate: self.rate,
            seed: self.seed,
            format: self.format,
            truth: self.truth.map(absolute).transpose()?,
            threads: self.jobs,
        };
        let interrupt = Interrupt::listen()?;
        let mut progress = Progress::new("pictures", settings.count);
        let report = simulate::run(&settings, &mut |at| {
            progress.set(at.written + at.kept);
            if interrupt.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        progress.end();
        let report = report.map_err(Failure::wrong)?;
        let there = report.progress.written + report.progress.kept;
        let mut output = Output::new();
        if self.json {
            output.object(&json!({
                "written": report.progress.written, "kept": report.progress.kept, "count": report.progress.count,
                "with_defects": report.with_defects, "truth": report.truth.to_string_lossy(),
                "complete": !report.cancelled,
            }))?;
        } else {
            let kept = if report.progress.kept > 0 { " (some from an earlier run)" } else { "" };
            output.line(&format!("{}{kept}, {} with defects", counted(there, "picture"), report.with_defects))?;
            output.line(&format!("truth: {}", report.truth.display()))?;
        }
        output.flush()?;
        if report.cancelled {
            return Err(Failure::failed(format!("ended at {there} of {} pictures", settings.count))
                .hint("the same command goes on from there"));
        }
        Ok(())
    }
}
