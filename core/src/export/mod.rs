//! A dataset in the formats of other people's tools. Reads the database and the files beside it, writes only what it is
//! asked for, each file whole or not at all, and the same bytes for the same rows.
//!
//! | file | idea |
//! | --- | --- |
//! | `whole` | a file under its name only when it is complete |
//! | `tables` | which columns of which tables, in which order |
//! | `csv` | features/*.csv |
//! | `parquet` | every table, one file each |
//! | `coco` | annotations of one split |
//! | `tfrecord` | shards of examples with pictures, masks and boxes |
//! | `yolo` | pictures and boxes in folders |
//! | `captures` | a list of captures, as somebody filtered and sorted it |
//! | `augmented` | changed pictures of each image, with masks and boxes that follow |
//! | `masks` | masks of zones as PNG or NPY |
//! | `picture` | files of pictures and masks, as the database names them |
//! | `report` | a page for a person |
//!
//! Memory does not grow with the dataset: rows and images pass one at a time. A name out of the database is never followed
//! out of the dataset, and no text of it is ever a formula or markup. Starts no process. Called by `ferrule export`,
//! `ferrule build` and the workbench.

mod augmented;
mod captures;
mod coco;
mod csv;
mod masks;
mod parquet;
mod picture;
mod report;
mod tables;
pub(crate) mod tfrecord;
mod whole;
mod yolo;

use std::{io, path::PathBuf};

pub use augmented::{Augment, augmented};
pub use captures::{CaptureFile, captures};
pub use coco::coco;
pub use csv::csv;
pub use masks::masks;
pub use parquet::parquet;
pub use report::{job, report};
pub use tfrecord::tfrecord;
pub use yolo::yolo;

use crate::{
    ids::ImageId,
    store::{Portion, Reader, StoreError},
    worker::arguments::Limits,
    workspace::DatasetPaths,
};

/// What is exported, and whereto.
#[derive(Debug)]
pub struct Export<'a> {
    pub dataset: &'a DatasetPaths,
    pub reader: &'a Reader,
    /// The folder of the files; made if it is not there.
    pub out: PathBuf,
    /// For formats with one file a split; empty takes all images together, as `all`.
    pub splits: Vec<String>,
    /// For pictures that have to be decoded: only ones that a worker has decoded without harm.
    pub limits: Limits,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    pub files: Vec<PathBuf>,
    /// Rows, images or records.
    pub items: u64,
    /// Images that were left out, and why.
    pub skipped: Vec<(ImageId, String)>,
    /// Images whose pictures `[dataset.keep]` let go, of a kind of export that is nothing without them.
    pub gone: u64,
}

/// Who hears how far it is, and may end it by [`ExportError::Interrupted`].
pub type Progress<'a> = dyn FnMut(u64) -> Result<(), ExportError> + 'a;

/// Why there is no export. What was there before is still there.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}: {source}; make room, or choose a folder that you can write to with --out", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("interrupted; nothing of an unfinished file is left")]
    Interrupted,
}

impl Export<'_> {
    /// Each part with its name in files.
    fn parts(&self) -> Vec<(&str, Portion<'_>)> {
        if self.splits.is_empty() {
            return vec![("all", Portion::All)];
        }
        self.splits.iter().map(|split| (split.as_str(), Portion::Split(split))).collect()
    }

    /// The same of images that still have their pictures. On a side of the split all have.
    fn pictured(&self) -> Vec<(&str, Portion<'_>)> {
        if self.splits.is_empty() { vec![("all", Portion::Pictured)] } else { self.parts() }
    }

    /// Nothing yet, but what [`Self::pictured`] leaves out.
    fn begun(&self) -> Result<Written, StoreError> {
        let gone = match self.splits.is_empty() {
            true => self.reader.count_of(Portion::All)? - self.reader.count_of(Portion::Pictured)?,
            false => 0,
        };
        Ok(Written { gone, ..Written::default() })
    }
}
