//! `ferrule review`: what people decided, out of a dataset and into one. An engine that runs stores it; else this command
//! does, under the dataset's lock.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use ferrule_core::{
    dataset::review::{self, TakeError},
    names,
    store::{AloneError, Reader},
    words::counted,
};
use serde_json::json;

use crate::{
    failure::{Failure, Kind},
    output::Output,
    place::DatasetPlace,
};

/// What people decided about images and defects: out of a dataset, into one, and where they do not agree
#[derive(Debug, Args)]
pub struct Reviews {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write reviews: CSV with every word of everybody, or COCO with the last word about each image and defect
    Export(Export),
    /// Read reviews: CSV (at least filename and has_defect) or COCO from Label Studio, CVAT and the like
    Import(Import),
    /// List images about which reviewers do not agree
    Conflicts(Conflicts),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Coco,
}

#[derive(Debug, Args)]
struct Export {
    /// The file; COCO where its name ends in .json [default: standard output, CSV]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[arg(long)]
    format: Option<Format>,
    /// COCO: also images that nobody reviewed, with what was found in them, to begin from
    #[arg(long)]
    proposals: bool,
    #[command(flatten)]
    dataset: DatasetPlace,
}

#[derive(Debug, Args)]
struct Import {
    /// CSV, or COCO where its name ends in .json
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose decisions they are, where the file does not say
    #[arg(long, value_name = "NAME", default_value = "import")]
    reviewer: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    dataset: DatasetPlace,
}

#[derive(Debug, Args)]
struct Conflicts {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    dataset: DatasetPlace,
}

impl Reviews {
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Export(command) => command.run(),
            Command::Import(command) => command.run(),
            Command::Conflicts(command) => command.run(),
        }
    }
}

impl Export {
    fn run(self) -> Result<(), Failure> {
        let reader = self.dataset.reader()?;
        let named = |file: &PathBuf| file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let by_name = if self.out.as_ref().is_some_and(named) { Format::Coco } else { Format::Csv };
        let format = self.format.unwrap_or(by_name);
        if self.proposals && format == Format::Csv {
            return Err(Failure::wrong("--proposals is for COCO: add --format coco"));
        }
        let Some(out) = &self.out else {
            let mut buffer = Vec::new();
            write(&reader, format, self.proposals, &mut buffer, Path::new("standard output"))?;
            let mut output = Output::new();
            output.bytes(&buffer)?;
            return output.flush();
        };
        // Beside, then renamed: nobody finds half a file.
        let beside = out.with_added_extension("part");
        let trouble = |error: io::Error| Failure::failed(format!("{}: {error}", out.display()));
        let mut file = BufWriter::new(File::create(&beside).map_err(trouble)?);
        let count = write(&reader, format, self.proposals, &mut file, out)?;
        file.flush().map_err(trouble)?;
        std::fs::rename(&beside, out).map_err(trouble)?;
        let what = if format == Format::Csv { "reviews" } else { "images" };
        let _ = writeln!(io::stderr(), "{count} {what} in {}", out.display());
        Ok(())
    }
}

fn write(reader: &Reader, format: Format, proposals: bool, to: impl io::Write, path: &Path) -> Result<u64, Failure> {
    match format {
        Format::Csv => review::write_csv(reader, to, path),
        Format::Coco => review::write_coco(reader, proposals, to, path),
    }
    .map_err(Failure::failed)
}

impl Import {
    fn run(self) -> Result<(), Failure> {
        if self.reviewer.trim().is_empty() {
            return Err(Failure::wrong("--reviewer is empty"));
        }
        let paths = self.dataset.find()?;
        let reader = Reader::open(&paths).map_err(Failure::wrong)?;
        let imported = review::read(&self.file, &self.reviewer, &reader).map_err(Failure::wrong)?;
        drop(reader);
        let stored = review::take(&paths, imported.reviews).map_err(untaken)?;
        let faults: Vec<&String> = imported.faults.iter().chain(&stored.refused).collect();
        let mut output = Output::new();
        if self.json {
            output.object(&json!({"added": stored.added, "known": stored.known, "failed": faults}))?;
        } else {
            for fault in &faults {
                output.line(&format!("FAILED {}", names::visible(fault)))?;
            }
            let added = counted(stored.added, "review");
            output.line(&format!("{added} added, {} known, {} failed", stored.known, faults.len()))?;
        }
        output.flush()?;
        if faults.is_empty() { Ok(()) } else { Err(Failure { kind: Kind::Failed, messages: Vec::new(), hint: None }) }
    }
}

fn untaken(error: TakeError) -> Failure {
    let kind = match &error {
        TakeError::Connect(_) | TakeError::Unread(_) | TakeError::Lost(_) | TakeError::Late => Kind::Unreachable,
        TakeError::Alone(AloneError::Lock(_)) => Kind::Wrong,
        _ => Kind::Failed,
    };
    Failure::new(kind, error)
}

impl Conflicts {
    fn run(self) -> Result<(), Failure> {
        let conflicts = self.dataset.reader()?.review_conflicts().map_err(Failure::failed)?;
        let mut output = Output::new();
        for conflict in &conflicts {
            if self.json {
                output.object(conflict)?;
            } else {
                let words: Vec<String> = conflict
                    .words
                    .iter()
                    .map(|(who, word)| format!("{} says {}", names::visible(who), word.as_str()))
                    .collect();
                output.line(&format!("{}: {} (the last one holds)", conflict.filename, words.join(", ")))?;
            }
        }
        if conflicts.is_empty() && !self.json {
            output.line("all reviewers agree")?;
        }
        output.flush()
    }
}
