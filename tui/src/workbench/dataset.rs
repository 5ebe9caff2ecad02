//! What the Dataset screen asks beside the engine: how the dataset is divided, which pictures stay together, and exports.
//! Reads the database and writes what an export writes; every text in these types is clean.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;
use ferrule_core::{
    dataset::split::{Group, Side},
    export::{self, CaptureFile, Export, ExportError, Progress, Written},
    ids::{CaptureId, ImageId},
    names,
    store::{Reader, SplitTable, StoreError},
    worker::arguments::Limits,
    workspace::DatasetPaths,
};

use super::{event::Event, jobs::slot::Replaceable, plain::clean, rows::List};

/// Groups that are listed; `ferrule split --show` lists all.
const MOST_GROUPS: usize = 500;
/// Pictures of a group that are named.
const MOST_MEMBERS: usize = 20;
/// Between two words about how far an export is.
const PAUSE: Duration = Duration::from_millis(150);

/// How the dataset stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    pub table: SplitTable,
    pub images: u64,
    /// Train, val, test, as they are to be; `None` where nothing was divided yet.
    pub fractions: Option<[f64; 3]>,
    /// Exceptions, a line each.
    pub notes: Vec<String>,
    pub groups: Vec<Together>,
}

/// Pictures that stay on one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Together {
    pub side: Option<Side>,
    pub why: String,
    pub count: usize,
    /// Name of each, and for a near-duplicate what it is nearly the same as.
    pub members: Vec<(String, Option<Near>)>,
}

/// What a picture is nearly the same as.
#[derive(Debug, Clone, PartialEq)]
pub struct Near {
    /// The first picture's name.
    pub first: String,
    /// The share of detail that differs, 0 to 1.
    pub residual: f64,
    /// The first picture's capture, and this one's.
    pub captures: Option<[CaptureId; 2]>,
}

/// A format of other people's tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Parquet,
    Coco,
    Tfrecord,
    Yolo,
    Report,
}

impl Format {
    pub const ALL: [Self; 6] = [Self::Csv, Self::Parquet, Self::Coco, Self::Tfrecord, Self::Yolo, Self::Report];
}

/// A question. The latest of its kind wins.
#[derive(Debug, Clone)]
pub enum DatasetRequest {
    Summary,
    /// Write the captures of a list, each a line.
    List {
        number: u64,
        list: Box<List>,
        format: CaptureFile,
        /// Set when it is to end.
        stop: Arc<AtomicBool>,
    },
    /// Write the hand-over of a job.
    HandOver {
        job: String,
    },
    Export {
        number: u64,
        format: Format,
        /// Set when it is to end.
        stop: Arc<AtomicBool>,
    },
}

/// The answer.
#[derive(Debug)]
pub enum DatasetAnswer {
    Summary(Result<Box<Summary>, String>),
    /// So many captures of a list are written.
    Listing {
        number: u64,
        done: u64,
    },
    Listed {
        number: u64,
        result: Result<String, String>,
    },
    /// Where it was written, or why not.
    HandedOver {
        job: String,
        result: Result<String, String>,
    },
    /// An export is so far, of about so many.
    Exporting {
        number: u64,
        format: Format,
        done: u64,
        all: u64,
    },
    /// It ended: what was written and where, or why not.
    Exported {
        number: u64,
        format: Format,
        result: Result<String, String>,
    },
}

impl Replaceable for DatasetRequest {
    fn kind(&self) -> u8 {
        match self {
            Self::Summary => 0,
            Self::HandOver { .. } => u8::MAX,
            Self::Export { format, .. } => 1 + *format as u8,
            Self::List { .. } => u8::MAX - 1,
        }
    }

    fn urgent(&self) -> bool {
        true
    }
}

/// Answers about one dataset; exports tell how far they are through `events`.
pub fn answering(
    paths: DatasetPaths,
    limits: Limits,
    events: Sender<Event>,
) -> impl FnMut(DatasetRequest) -> DatasetAnswer + Send + 'static {
    move |request| match request {
        DatasetRequest::Summary => {
            DatasetAnswer::Summary(summary(&paths).map(Box::new).map_err(|error| clean(&error.to_string())))
        }
        DatasetRequest::List { number, list, format, stop } => {
            let mut told = Instant::now();
            let mut tell = |done: u64| {
                if told.elapsed() >= PAUSE {
                    told = Instant::now();
                    let _ = events.send(Event::Dataset(DatasetAnswer::Listing { number, done }));
                }
                if stop.load(Ordering::Relaxed) { Err(ExportError::Interrupted) } else { Ok(()) }
            };
            let result = write_list(&paths, &list, format, &mut tell);
            let result = result.map(|written| clean(&line(&written))).map_err(|error| clean(&error.to_string()));
            DatasetAnswer::Listed { number, result }
        }
        DatasetRequest::HandOver { job } => {
            let result = hand_over(&paths, limits, &job);
            let result = result.map(|written| clean(&line(&written))).map_err(|error| clean(&error.to_string()));
            DatasetAnswer::HandedOver { job: clean(&job), result }
        }
        DatasetRequest::Export { number, format, stop } => {
            let mut told = Instant::now();
            let mut tell = |done: u64, all: u64| {
                if told.elapsed() >= PAUSE {
                    told = Instant::now();
                    let _ = events.send(Event::Dataset(DatasetAnswer::Exporting { number, format, done, all }));
                }
                !stop.load(Ordering::Relaxed)
            };
            let result = write(&paths, limits, format, &mut tell);
            let result = result.map(|written| clean(&line(&written))).map_err(|error| clean(&error.to_string()));
            DatasetAnswer::Exported { number, format, result }
        }
    }
}

fn summary(paths: &DatasetPaths) -> Result<Summary, StoreError> {
    let reader = Reader::open(paths)?;
    let (table, images) = (reader.split_table()?, reader.image_count()?);
    let Some(settings) = reader.split_settings()? else {
        return Ok(Summary { table, images, ..Summary::default() });
    };
    let division = reader.division(&settings)?;
    let groups = division.groups.iter().filter(|group| group.images.len() > 1).take(MOST_GROUPS);
    let fractions = settings.fractions;
    Ok(Summary {
        table,
        images,
        fractions: Some([fractions.train, fractions.val, fractions.test()]),
        notes: division.notes.iter().map(|note| clean(note)).collect(),
        groups: groups.map(|group| together(&reader, group)).collect::<Result<_, _>>()?,
    })
}

fn together(reader: &Reader, group: &Group) -> Result<Together, StoreError> {
    let name = |image: ImageId| -> Result<String, StoreError> {
        Ok(clean(&reader.image_name(image)?.unwrap_or_else(|| image.to_string())))
    };
    let member = |image: &ImageId| {
        let near = match reader.near(*image)? {
            Some((first, residual)) => {
                let captures = [reader.capture_showing(first)?, reader.capture_showing(*image)?];
                let captures = if let [Some(first), Some(this)] = captures { Some([first, this]) } else { None };
                Some(Near { first: name(first)?, residual, captures })
            }
            None => None,
        };
        Ok((name(*image)?, near))
    };
    let mut why: Vec<String> = group.keys.iter().map(|key| clean(key)).collect();
    if group.near {
        why.push(super::text::NEAR.to_owned());
    }
    Ok(Together {
        side: group.side,
        why: why.join("; "),
        count: group.images.len(),
        members: group.images.iter().take(MOST_MEMBERS).map(member).collect::<Result<_, StoreError>>()?,
    })
}

/// Writes where `ferrule export` writes.
fn write(
    paths: &DatasetPaths,
    limits: Limits,
    format: Format,
    tell: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Written, ExportError> {
    let reader = Reader::open(paths)?;
    let all = reader.image_count()?;
    let out: PathBuf = match format {
        Format::Csv => paths.features(),
        Format::Parquet => paths.parquet(),
        Format::Coco => paths.coco(),
        Format::Tfrecord => paths.tfrecords(),
        Format::Yolo => paths.yolo(),
        Format::Report => paths.root().to_owned(),
    };
    let splits = match format {
        Format::Coco | Format::Tfrecord | Format::Yolo => {
            Side::ALL.iter().map(|side| side.as_str().to_owned()).collect()
        }
        Format::Csv | Format::Parquet | Format::Report => Vec::new(),
    };
    let page = paths.report();
    let export = Export { dataset: paths, reader: &reader, out, splits, limits };
    let mut progress = |done: u64| if tell(done, done.max(all)) { Ok(()) } else { Err(ExportError::Interrupted) };
    match format {
        Format::Csv => export::csv(&export, &mut progress),
        Format::Parquet => export::parquet(&export, &mut progress),
        Format::Coco => export::coco(&export, &mut progress),
        Format::Tfrecord => export::tfrecord(&export, &mut progress),
        Format::Yolo => export::yolo(&export, &mut progress),
        Format::Report => export::report(&export, page, WORST, &mut progress),
    }
}

/// One file an export: what was written before stays.
fn write_list(
    paths: &DatasetPaths,
    list: &List,
    format: CaptureFile,
    progress: &mut Progress<'_>,
) -> Result<Written, ExportError> {
    let reader = Reader::open(paths)?;
    let stamp = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    let path = paths.exports().join(format!("captures-{stamp}.{}", format.extension()));
    export::captures(&reader, (&list.filter, list.order), &path, format, progress)
}

/// Writes where `ferrule export report --job` writes.
fn hand_over(paths: &DatasetPaths, limits: Limits, name: &str) -> Result<Written, ExportError> {
    let reader = Reader::open(paths)?;
    let Some(job) = reader.job(name)? else { return Ok(Written::default()) };
    let export = Export { dataset: paths, reader: &reader, out: paths.jobs(), splits: Vec::new(), limits };
    export::job(&export, &job, &mut |_| Ok(()))
}

/// Worst pictures of the page, as many as the command shows.
const WORST: usize = 12;

fn line(written: &Written) -> String {
    let place = written.files.first().and_then(|file| file.parent()).map(names::display).unwrap_or_default();
    let left = if written.skipped.is_empty() { String::new() } else { format!(", {} left out", written.skipped.len()) };
    format!("{} written{left}: {place}", written.items)
}
