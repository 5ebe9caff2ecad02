//! `ferrule reference`: what clean end faces of one kind look like, for `detect-anomaly` to compare with.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ferrule_core::{
    inspect,
    reference::{self, Build, Listener, Origin, ReferenceError},
};
use serde_json::json;

use crate::{
    batch::{self, COMPARES, Which, With, absolute},
    environment::Environment,
    failure::{Failure, Kind},
    output::{self, Output},
    progress::Progress,
};

/// Build and show references of clean end faces, for detect-anomaly
#[derive(Debug, Args)]
pub struct Reference {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Build(BuildReference),
    Show(Show),
}

/// Build a reference from captures of clean end faces of one kind, at least 8
#[derive(Debug, Args)]
struct BuildReference {
    /// Pictures, or folders of pictures, that a person calls clean
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write the reference here
    #[arg(long, value_name = "MODEL")]
    out: PathBuf,
    /// Leave out what the pipeline does not call clean
    #[arg(long)]
    label_clean_only: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    with: With,
}

/// Show what a reference was built from
#[derive(Debug, Args)]
struct Show {
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Reference {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self.what {
            What::Build(build) => build.run(environment),
            What::Show(show) => show.run(),
        }
    }
}

impl BuildReference {
    fn run(self, environment: &Environment) -> Result<(), Failure> {
        let out = absolute(&self.out)?;
        // Now rather than after minutes of work.
        if !out.parent().is_some_and(Path::is_dir) {
            let message = format!("--out {}: there is no such folder", self.out.display());
            return Err(Failure::wrong(message).hint("make it first, or write the reference elsewhere"));
        }
        let mut chosen = self.which.choose()?;
        chosen.settings.pipeline.detect.retain(|plugin| plugin.as_str() != COMPARES);
        let (prepared, _) = self.with.prepare(chosen, environment)?;
        let files = inspect::listed(self.files, &prepared.batch.extensions);
        let mut teller = Teller(Progress::new("pictures", files.len() as u64));
        let build = Build { batch: prepared.batch.clone(), files, clean_only: self.label_clean_only };
        let built = reference::build(build, &batch::asked_to_stop()?, &mut teller);
        teller.0.end();
        let built = built.map_err(ended)?;
        reference::write(&out, &built.model, &built.origin).map_err(ended)?;
        tell(&self.out, &built.model, &built.origin, self.json)
    }
}

impl Show {
    fn run(self) -> Result<(), Failure> {
        let (model, origin) = reference::read(&self.model).map_err(ended)?;
        tell(&self.model, &model, &origin, self.json)
    }
}

fn tell(path: &Path, model: &reference::Model, origin: &Origin, json: bool) -> Result<(), Failure> {
    let mut output = Output::new();
    if json {
        output.object(&json!({
            "path": path.to_string_lossy(),
            "format": reference::VERSION,
            "cells_per_radius": model.layout.cells,
            "core_ratio": model.core_ratio,
            "captures": model.captures,
            "origin": origin,
        }))?;
    } else {
        for line in lines(path, model, origin) {
            output.line(&line)?;
        }
    }
    output.flush()
}

fn lines(path: &Path, model: &reference::Model, origin: &Origin) -> Vec<String> {
    let core = model.core_ratio.map_or_else(|| "none".into(), |ratio| format!("{ratio:.3} of the cladding"));
    let left_out = origin.left_out.len() as u64 + origin.more_left_out;
    let mut lines = vec![
        format!("{}: format {}", ferrule_core::names::display(path), reference::VERSION),
        format!("built      {} by {}, pipeline {}", origin.built_at, origin.software, origin.pipeline),
        format!("fibre      {}", origin.fibre.as_deref().unwrap_or("not named")),
        format!("core       {core}"),
        format!("grid       {} cells a cladding radius", model.layout.cells),
        format!("pictures   {} used, {left_out} left out", origin.used.len()),
    ];
    lines.extend(origin.used.iter().map(|used| format!("  used     {}  {}", used.image_id, used.name)));
    lines.extend(origin.left_out.iter().map(|left| {
        let id = left.image_id.as_deref().unwrap_or("-");
        format!("  left out {id:<16}  {}: {}", left.name, left.reason)
    }));
    if origin.more_left_out > 0 {
        lines.push(format!("  and {} more left out", origin.more_left_out));
    }
    lines
}

fn ended(error: ReferenceError) -> Failure {
    match error {
        ReferenceError::Inspect(error) => batch::ended(error),
        ReferenceError::Interrupted | ReferenceError::Write { .. } => Failure::failed(error),
        other => Failure::new(Kind::Wrong, other),
    }
}

/// Shows how far it is.
struct Teller(Progress);

impl Listener for Teller {
    fn progress(&mut self, done: u64) {
        self.0.set(done);
    }

    fn remark(&mut self, remark: &str) {
        output::remark(remark);
    }
}
