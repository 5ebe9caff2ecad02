//! `ferrule review`: what people decided, out of a dataset and into one. An engine that runs stores it; else this command
//! does, under the dataset's lock.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::{Args, Subcommand, ValueEnum};
use ferrule_core::{
    client::{Client, Incoming},
    dataset::review::{self, Review, Reviewed},
    engine::lock::{self, EngineLock, Holder},
    names,
    protocol::{Answer, Event, Request},
    settings::ImageLinks,
    store::{Reader, Receipt, Store, StoreSettings, Write},
    workspace::DatasetPaths,
};
use serde_json::json;

use crate::{
    failure::{Failure, Kind},
    output::Output,
    place::DatasetPlace,
};

/// Reviews in one request: a line of the protocol is limited, and masks are long.
const BYTES: usize = 256 << 10;
/// How long the engine may take to store one request.
const PATIENCE: Duration = Duration::from_secs(60);

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
        let batches = batches(imported.reviews);
        let stored = match lock::holder(&paths) {
            Ok(Some(holder)) if !holder.is_build() => through_engine(&paths, batches)?,
            _ => directly(&paths, batches)?,
        };
        let faults: Vec<&String> = imported.faults.iter().chain(&stored.refused).collect();
        let mut output = Output::new();
        if self.json {
            output.object(&json!({"added": stored.added, "known": stored.known, "failed": faults}))?;
        } else {
            for fault in &faults {
                output.line(&format!("FAILED {}", names::visible(fault)))?;
            }
            output.line(&format!("{} reviews added, {} known, {} failed", stored.added, stored.known, faults.len()))?;
        }
        output.flush()?;
        if faults.is_empty() { Ok(()) } else { Err(Failure { kind: Kind::Failed, messages: Vec::new(), hint: None }) }
    }
}

/// In order, as many as fit into a request.
fn batches(reviews: Vec<Review>) -> Vec<Vec<Review>> {
    let (mut batches, mut bytes) = (Vec::new(), BYTES);
    for review in reviews {
        let size = 512 + review.defect.as_ref().map_or(0, |defect| 24 * defect.mask.len());
        if bytes + size > BYTES {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(batch) = batches.last_mut() {
            batch.push(review);
        }
    }
    batches
}

fn through_engine(paths: &DatasetPaths, batches: Vec<Vec<Review>>) -> Result<Reviewed, Failure> {
    let (mut requests, incoming) = Client::connect(paths)?.split();
    let unread = |error: io::Error| Failure::new(Kind::Unreachable, format!("the engine does not read: {error}"));
    requests.send(Request::Subscribe).map_err(unread)?;
    let mut all = Reviewed::default();
    for reviews in batches {
        let asked = requests.send(Request::Review { reviews }).map_err(unread)?;
        let deadline = Instant::now() + PATIENCE;
        let mut taken = false;
        loop {
            match incoming.recv_deadline(deadline) {
                Ok(Incoming::Answer { id, body: Answer::Ok { .. } }) if id == asked => taken = true,
                Ok(Incoming::Answer { id, body: Answer::Refused(refusal) }) if id == asked => {
                    return Err(Failure::failed(refusal.message).hint(refusal.hint));
                }
                Ok(Incoming::Event(Event::Reviewed(reviewed))) if taken => {
                    add(&mut all, reviewed);
                    break;
                }
                Ok(Incoming::Lost(reason)) => return Err(Failure::new(Kind::Unreachable, reason)),
                Ok(_) => {}
                Err(_) => {
                    let message = format!("the engine has not stored it within {} s", PATIENCE.as_secs());
                    return Err(Failure::new(Kind::Unreachable, message).hint("`ferrule status` says how it stands"));
                }
            }
        }
    }
    Ok(all)
}

fn directly(paths: &DatasetPaths, batches: Vec<Vec<Review>>) -> Result<Reviewed, Failure> {
    let mut lock = EngineLock::take(paths).map_err(Failure::wrong)?;
    lock.announce(&Holder::of_command()).map_err(Failure::wrong)?;
    // How pictures come in does not matter: none does.
    let settings = StoreSettings { images: ImageLinks::Copy };
    let (store, _) = Store::open(paths, settings).map_err(Failure::wrong)?;
    let mut all = Reviewed::default();
    for reviews in batches {
        store.submit(Write::Reviews(reviews)).map_err(Failure::failed)?;
        loop {
            match store.receipts().recv() {
                Ok(Receipt::Reviewed(reviewed)) => {
                    add(&mut all, *reviewed);
                    break;
                }
                Ok(Receipt::Trouble { message, hint }) => return Err(Failure::failed(message).hint(hint)),
                Ok(Receipt::Rejected { message }) => return Err(Failure::failed(message)),
                Ok(_) => {}
                Err(_) => return Err(Failure::failed("the store's writer has ended")),
            }
        }
    }
    store.close().map_err(Failure::failed)?;
    Ok(all)
}

fn add(all: &mut Reviewed, one: Reviewed) {
    all.added += one.added;
    all.known += one.known;
    all.refused.extend(one.refused);
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
