//! `ferrule export`: a dataset in the formats of other people's tools. Reads only; an engine may run.

mod pdf;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use ferrule_core::{
    export::{self, ExportError, Written},
    names,
    settings::MaskFormat,
    store::{Portion, Reader},
    words::counted,
    workspace::DatasetPaths,
};
use serde_json::json;

use super::jobs;
use crate::{
    batch::{self, absolute},
    environment::Environment,
    failure::{Failure, Kind},
    interrupt::Interrupt,
    output::Output,
    place::DatasetPlace,
    progress::Progress,
};

/// Write a dataset for other tools: CSV, masks, COCO, TFRecord, Parquet, YOLO, or a page for people
#[derive(Debug, Args)]
pub struct Export {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The tables of features as CSV, into features/
    Csv(Common),
    /// Masks of zones and of each type of defect, into masks/
    Masks(Masks),
    /// One annotations_<split>.json a split, into coco/
    Coco(Parted),
    /// Shards of tf.train.Example a split, into tfrecords/
    Tfrecord(Parted),
    /// Every table as a file, into parquet/
    Parquet(Common),
    /// Pictures, boxes and data.yaml, into yolo/
    Yolo(Parted),
    /// Changed pictures of each image, with masks and boxes that follow, into augmented/
    Augmented(Augmented),
    /// One HTML page with figures, charts and the worst pictures, and a PDF where a browser is found
    Report(Report),
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    dataset: DatasetPlace,
    /// The folder that gets the files [default: the format's own in the dataset]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Parted {
    #[command(flatten)]
    common: Common,
    /// Only these splits, or `all` images together [default: train, val and test]
    #[arg(long, value_name = "SPLIT", value_delimiter = ',')]
    split: Vec<Split>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Split {
    Train,
    Val,
    Test,
    All,
}

#[derive(Debug, Args)]
struct Masks {
    #[command(flatten)]
    common: Common,
    /// How they are written
    #[arg(long, value_name = "FORMAT", default_value = "png")]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Png,
    Npy,
    Both,
}

#[derive(Debug, Args)]
struct Augmented {
    #[command(flatten)]
    parted: Parted,
    /// Pictures made of each image
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// What is done to them is drawn from this
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Args)]
struct Report {
    #[command(flatten)]
    common: Common,
    /// The hand-over of this job instead: a page with the verdict of each end, and the same as CSV [default folder: jobs/]
    #[arg(long, value_name = "NAME", conflicts_with = "worst")]
    job: Option<String>,
    /// Worst pictures shown
    #[arg(long, value_name = "N", default_value_t = 12)]
    worst: u16,
    /// Also as PDF; fails where no browser (Chromium, Chrome, Edge) is found
    #[arg(long)]
    pdf: bool,
}

impl Export {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self.what {
            What::Csv(common) => {
                common.run("rows", DatasetPaths::features, &[], |export, progress| export::csv(export, progress))
            }
            What::Parquet(common) => {
                common.run("rows", DatasetPaths::parquet, &[], |export, progress| export::parquet(export, progress))
            }
            What::Masks(Masks { common, format }) => {
                let format = match format {
                    Format::Png => MaskFormat::Png,
                    Format::Npy => MaskFormat::Npy,
                    Format::Both => MaskFormat::Both,
                };
                common
                    .run("images", DatasetPaths::masks, &[], |export, progress| export::masks(export, format, progress))
            }
            What::Coco(parted) => parted.run(DatasetPaths::coco, |export, progress| export::coco(export, progress)),
            What::Tfrecord(parted) => {
                parted.run(DatasetPaths::tfrecords, |export, progress| export::tfrecord(export, progress))
            }
            What::Yolo(parted) => parted.run(DatasetPaths::yolo, |export, progress| export::yolo(export, progress)),
            What::Augmented(Augmented { parted, count, seed }) => {
                let augment = export::Augment { count, seed };
                parted.run(DatasetPaths::augmented, |export, progress| export::augmented(export, augment, progress))
            }
            What::Report(report) => report.run(environment),
        }
    }
}

type Write<'a> = &'a mut export::Progress<'a>;

impl Common {
    /// Exports, tells what was written, and which images were left out.
    fn run(
        &self,
        items: &'static str,
        folder: impl FnOnce(&DatasetPaths) -> PathBuf,
        splits: &[&str],
        write: impl FnOnce(&export::Export<'_>, Write<'_>) -> Result<Written, ExportError>,
    ) -> Result<(), Failure> {
        let interrupt = Interrupt::listen()?;
        let dataset = self.dataset.find()?;
        let reader = Reader::open(&dataset).map_err(Failure::wrong)?;
        let count = reader.image_count().map_err(Failure::failed)?;
        let out = match &self.out {
            Some(out) => absolute(out)?,
            None => folder(&dataset),
        };
        let limits = batch::Chosen::shipped()?.settings.workers.limits();
        let splits = splits.iter().map(|split| (*split).to_owned()).collect();
        let export = export::Export { dataset: &dataset, reader: &reader, out, splits, limits };
        let mut progress = Progress::new(items, count);
        let written = write(&export, &mut |done| {
            progress.set_of(done, done.max(count));
            if interrupt.asked() { Err(ExportError::Interrupted) } else { Ok(()) }
        });
        progress.end();
        self.tell(items, &written.map_err(Failure::failed)?)
    }

    fn tell(&self, items: &str, written: &Written) -> Result<(), Failure> {
        let mut output = Output::new();
        if self.json {
            let skipped: Vec<_> =
                written.skipped.iter().map(|(image, reason)| json!({"image_id": image, "error": reason})).collect();
            let files: Vec<String> = written.files.iter().map(|file| names::display(file)).collect();
            output.object(&json!({"files": files, items: written.items, "failed": skipped, "gone": written.gone}))?;
        } else {
            for (image, reason) in &written.skipped {
                output.line(&format!("FAILED {image}: {}", names::visible(reason)))?;
            }
            for file in &written.files {
                output.line(&names::display(file))?;
            }
            output.line(&counted(written.items, items.trim_end_matches('s')))?;
            if let Some(line) = let_go(written) {
                output.line(&line)?;
            }
        }
        output.flush()?;
        let failed = || Failure { kind: Kind::Failed, messages: Vec::new(), hint: None };
        if written.skipped.is_empty() { Ok(()) } else { Err(failed()) }
    }
}

/// Images that cannot be exported any more, in one line: nobody can do anything about each.
pub fn let_go(written: &Written) -> Option<String> {
    (written.gone > 0).then(|| {
        format!(
            "{} images are left out: `ferrule tidy` let their pictures go (dataset.keep); inspected again they are back",
            written.gone
        )
    })
}

impl Parted {
    fn run(
        &self,
        folder: impl FnOnce(&DatasetPaths) -> PathBuf,
        write: impl FnOnce(&export::Export<'_>, Write<'_>) -> Result<Written, ExportError>,
    ) -> Result<(), Failure> {
        let all = self.split.contains(&Split::All);
        let wanted = |split: Split| self.split.is_empty() || self.split.contains(&split);
        let splits: Vec<&str> = [(Split::Train, "train"), (Split::Val, "val"), (Split::Test, "test")]
            .into_iter()
            .filter(|(split, _)| !all && wanted(*split))
            .map(|(_, name)| name)
            .collect();
        if !all {
            self.check(&splits)?;
        }
        self.common.run("images", folder, &splits, write)
    }

    /// Empty files would look like a success.
    fn check(&self, splits: &[&str]) -> Result<(), Failure> {
        let reader = self.common.dataset.reader()?;
        for split in splits {
            if reader.count_of(Portion::Split(split)).map_err(Failure::failed)? > 0 {
                return Ok(());
            }
        }
        Err(Failure::wrong(format!("no image is in {}", splits.join(", ")))
            .hint("`ferrule build` divides a dataset; --split all exports every image together"))
    }
}

impl Report {
    fn run(self, environment: &Environment) -> Result<(), Failure> {
        if let Some(name) = &self.job {
            let job = jobs::find(&self.common.dataset.reader()?, name)?;
            let mut page = None;
            self.common.run("ends", DatasetPaths::jobs, &[], |export, progress| {
                let written = export::job(export, &job, progress)?;
                page = written.files.first().cloned();
                Ok(written)
            })?;
            return match page.filter(|_| self.pdf) {
                Some(page) => pdf::print(&page, environment),
                None => Ok(()),
            };
        }
        let dataset = self.common.dataset.find()?;
        let shipped = dataset.report();
        let page = match (&self.common.out, shipped.file_name()) {
            (Some(out), Some(name)) => absolute(out)?.join(name),
            _ => shipped,
        };
        let (path, folder) = (page.clone(), page.parent().map(Into::into).unwrap_or_default());
        self.common.run(
            "images",
            move |_| folder,
            &[],
            |export, progress| export::report(export, path, usize::from(self.worst), progress),
        )?;
        if self.pdf { pdf::print(&page, environment) } else { Ok(()) }
    }
}
