//! `ferrule inspect`: one answer a file, nothing stored. The same workers, plug-ins and settings as the engine's.

use std::{path::PathBuf, time::Instant};

use clap::Args;
use ferrule_core::{
    inspect::{self, Answered, Line, Listener, Summary},
    report::{DefectKind, Inspection, Outline},
    words::counted,
};

use crate::{
    batch::{self, Which, With},
    environment::Environment,
    failure::{Failure, Kind},
    output::{self, Output},
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
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    with: With,
}

impl Inspect {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let (mut prepared, _) = self.with.prepare(self.which.choose()?, environment)?;
        (prepared.batch.masks, prepared.batch.overlay) = (self.masks, self.overlay);
        let mut teller = Teller::new(self.json)?;
        let begun = Instant::now();
        let summary = inspect::run(prepared.batch.clone(), self.files, &batch::asked_to_stop()?, &mut teller);
        teller.end(summary.map_err(batch::ended)?, begun)
    }
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
        let (files, seconds) = (counted(answered, "file"), begun.elapsed().as_secs_f64());
        self.remark(&format!("{files} in {seconds:.1} s, {failed} failed{unsure}"));
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
        output::remark(remark);
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
