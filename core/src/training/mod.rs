//! Training: from a dataset to a run of epochs, and from a run to a model that judges captures.
//!
//! ```text
//! Plan -> samples (what the dataset says) -> Order -> a worker of its own: feed, then the plug-in's loop
//!                                                 -> Told -> record: rows, JSON lines, event files, model files
//! ```
//!
//! The engine and `ferrule train` use the same [`Session`]. This process decodes no picture and names no libtorch: the
//! worker does both, and may die at any instruction; what a run is worth lies in its folder.

mod alone;
mod board;
pub mod card;
pub(crate) mod desk;
mod feed;
mod fence;
mod folder;
mod import;
mod order;
mod plan;
mod record;
mod samples;
mod session;
mod state_dict;

pub use alone::{Alone, News, store_alone};
pub use feed::plane;
pub(crate) use fence::Fence;
pub use folder::{Places, RunFolder};
pub use import::{Imported, Incoming, with_card};
pub use order::{Crop, FromTraining, Input, Levels, Order, Outcome, Picture, Said, Steer, Task};
pub(crate) use plan::plain;
pub use plan::{Labels, Plan};
pub use record::{Ended, Told};
pub use samples::{Chosen, Samples, choose};
pub use session::{Session, Site, Wish};
pub use state_dict::read as read_state_dict;

use std::path::PathBuf;

use crate::{engine::lock::LockError, evaluate::TruthError, names, store::StoreError};

/// The plug-in that trains.
pub const TRAINER: &str = "train-torch";

/// Why a training does not begin, or ended.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("the thread of run `{0}` is gone; `ferrule train --resume {0}` goes on after its last epoch")]
    Gone(String),
    #[error("neither a plan nor a run to go on with")]
    NoWish,
    #[error(transparent)]
    Truth(#[from] TruthError),
    #[error("{}: {source}; the run needs room and a folder that can be written", names::display(path))]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: cannot be read: {source}; name a file that is there and that you may read", names::display(path))]
    Unread { path: PathBuf, source: std::io::Error },
    #[error("no plug-in `{TRAINER}`: {0}; `cargo xtask libtorch` fetches what it needs, or LIBTORCH names it")]
    NoTrainer(String),
    #[error("{TRAINER}: {0}")]
    Setting(String),
    #[error("{split}: no labelled picture has this split; `ferrule build` assigns splits, or review some captures")]
    EmptySplit { split: &'static str },
    #[error("every picture is {0}: there is nothing to tell apart; label or simulate pictures of the other class too")]
    OneClass(String),
    #[error(
        "{wanted} pictures are called defective and none has a mask under {}; inspect them again, or give --truth FILE",
        names::display(folder)
    )]
    NoMasks { wanted: usize, folder: PathBuf },
    #[error("no run `{run}` under {}; there are {known}", names::display(folder))]
    NoRun { run: String, folder: PathBuf, known: String },
    #[error("{0}; `ferrule runs list` shows those that there are")]
    Refused(String),
    #[error("run `{0}` has no checkpoint: it ended before its first epoch did; begin a new one")]
    NoCheckpoint(String),
    #[error("{}: cannot be understood: {reason}", names::display(path))]
    Malformed { path: PathBuf, reason: String },
}
