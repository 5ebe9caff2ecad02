//! What follows when a build has its images: correlations, tables of features, and the formats that were asked for. The same
//! functions as `ferrule correlate` and `ferrule export`.

use clap::Args;
use ferrule_core::{
    correlate::{Grid, Mode},
    export::{self, Augment, Export, ExportError, Written},
    names,
    settings::Settings,
    store::Reader,
    words::counted,
    workspace::DatasetPaths,
};
use serde_json::{Map, Value, json};

use crate::{
    commands::{
        correlate::{self, ask_for_room},
        export::let_go,
    },
    failure::{Failure, Kind},
    progress::Progress,
};

/// What else is written.
#[derive(Debug, Args)]
pub struct Extras {
    /// Which pairs of pictures are compared and kept: none, all, or the K most alike of each picture
    #[arg(long, value_name = "off|full|top:K", default_value_t = Mode::default())]
    correlations: Mode,
    /// Also shards of tf.train.Example, into tfrecords/
    #[arg(long)]
    tfrecord: bool,
    /// Also COCO annotations, into coco/
    #[arg(long)]
    coco: bool,
    /// Also N changed pictures of each image, with masks and boxes that follow, into augmented/
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
    augment: u32,
    /// Write as many rows as `--correlations full` takes
    #[arg(long)]
    yes: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Told {
    pub lines: Vec<String>,
    pub object: Map<String, Value>,
    /// Some images could not take part; each is in the lines.
    pub failed: bool,
}

impl Extras {
    /// Writes it all: pairs through the dataset's engine where one runs, files beside it.
    pub fn run(
        &self,
        dataset: &DatasetPaths,
        settings: &Settings,
        stop: &dyn Fn() -> bool,
        told: &mut Told,
    ) -> Result<(), Failure> {
        // The mode is kept as it was where nothing was ever compared and nothing shall be.
        let reader = Reader::open(dataset).map_err(Failure::failed)?;
        let before = reader.correlation_settings().map_err(Failure::failed)?.is_some();
        if self.correlations != Mode::Off || before {
            self.correlate(dataset, settings, stop, told)?;
        }
        let seed = settings.dataset.split.seed;
        told.export("features", dataset.features(), dataset, settings, stop, &[], export::csv)?;
        let splits = ["train", "val", "test"];
        if self.coco {
            told.export("coco", dataset.coco(), dataset, settings, stop, &splits, export::coco)?;
        }
        if self.tfrecord {
            told.export("tfrecords", dataset.tfrecords(), dataset, settings, stop, &splits, export::tfrecord)?;
        }
        if self.augment > 0 {
            let augment = Augment { count: self.augment, seed };
            let folder = dataset.root().join("augmented");
            told.export("augmented", folder, dataset, settings, stop, &splits, |export, progress| {
                export::augmented(export, augment, progress)
            })?;
        }
        Ok(())
    }

    fn correlate(
        &self,
        dataset: &DatasetPaths,
        settings: &Settings,
        stop: &dyn Fn() -> bool,
        told: &mut Told,
    ) -> Result<(), Failure> {
        let pictures = Reader::open(dataset).and_then(|reader| reader.image_count()).map_err(Failure::failed)?;
        ask_for_room(self.correlations, pictures, self.yes)?;
        let work = correlate::work(settings, Grid::default(), self.correlations, correlate::MEMORY, None)?;
        let summary = correlate::correlate(&work, dataset, settings, stop)?;
        told.lines.push(format!(
            "correlations ({}): {} of {}",
            self.correlations,
            counted(summary.written, "pair"),
            counted(summary.pictures, "picture")
        ));
        told.object.insert(
            "correlations".into(),
            json!({"mode": self.correlations.to_string(), "pictures": summary.pictures, "fresh": summary.fresh,
                "pairs": summary.written, "removed": summary.removed}),
        );
        for (image, reason) in &summary.failed {
            told.failed = true;
            told.lines.push(format!("FAILED {image}: {}", names::visible(reason)));
        }
        if summary.interrupted { Err(interrupted()) } else { Ok(()) }
    }
}

impl Told {
    #[expect(clippy::too_many_arguments, reason = "the parts of an export, taken one by one")]
    fn export(
        &mut self,
        name: &str,
        out: std::path::PathBuf,
        dataset: &DatasetPaths,
        settings: &Settings,
        stop: &dyn Fn() -> bool,
        splits: &[&str],
        write: impl FnOnce(&Export<'_>, &mut export::Progress<'_>) -> Result<Written, ExportError>,
    ) -> Result<(), Failure> {
        let reader = Reader::open(dataset).map_err(Failure::failed)?;
        let count = reader.image_count().map_err(Failure::failed)?;
        let splits = splits.iter().map(|split| (*split).to_owned()).collect();
        let export = Export { dataset, reader: &reader, out, splits, limits: settings.workers.limits() };
        let mut progress = Progress::new("items", count);
        let written = write(&export, &mut |done| {
            progress.set_of(done, done.max(count));
            if stop() { Err(ExportError::Interrupted) } else { Ok(()) }
        });
        progress.end();
        let written = match written {
            Err(ExportError::Interrupted) => return Err(interrupted()),
            other => other.map_err(Failure::failed)?,
        };
        self.lines.push(format!(
            "{name}: {}, {}",
            counted(written.files.len() as u64, "file"),
            counted(written.items, "item")
        ));
        self.object.insert(name.into(), json!({"files": written.files.len(), "items": written.items}));
        self.lines.extend(let_go(&written));
        for (image, reason) in &written.skipped {
            self.failed = true;
            self.lines.push(format!("FAILED {image}: {}", names::visible(reason)));
        }
        Ok(())
    }
}

fn interrupted() -> Failure {
    Failure::new(Kind::Failed, "ended before everything was written").hint("the same command goes on from there")
}
