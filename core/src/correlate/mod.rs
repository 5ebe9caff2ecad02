//! How alike pictures are: Pearson's and Spearman's coefficient of pairs, pixel by pixel on a grid that all share.
//!
//! | file | idea |
//! | --- | --- |
//! | `choice` | which grid, which pairs |
//! | `cache` | the grids on disk, each made once |
//! | `crew` | workers that decode pictures and lay them onto the grid |
//! | `block` | many grids in memory, with their ranks |
//! | `products` | sums of products of two blocks, as matrix products |
//! | `sweep` | all pairs, block by block, within a given memory |
//! | `matrices` | the same for grids in memory |
//! | `neighbours` | the most alike of each picture |
//! | `lay` | the grids that are missing |
//! | `plan` | who is new, changed or gone |
//! | `desk` | the way to the store |
//! | `run` | what is missing, computed and written |
//!
//! **What is computed.** A grid has `side` x `side` cells of 8 bits ([`ferrule_vision::common_grid`]): the bounding square
//! of the fitted cladding, or (`raw`) the whole picture squeezed into a square. Both coefficients are of those bytes, ties
//! by average rank. Sums are of whole numbers and exact (products of bytes in 32-bit floats, 1,024 at a time, stay below
//! 2^24; products of doubled ranks in 64-bit ones below 2^53), so every order and block size gives the same bits, and only
//! the last division and root round. A constant picture has no coefficient: NULL.
//!
//! Never decodes a picture itself, and never writes but through the store, or through the engine that has it. Called by `ferrule correlate` and by
//! `ferrule build`.

mod block;
mod cache;
mod choice;
mod crew;
mod desk;
mod lay;
mod matrices;
mod neighbours;
mod plan;
mod products;
mod run;
mod sweep;

use std::{io, path::PathBuf};

pub use choice::{Grid, InvalidChoice, Mode};
pub use matrices::matrices;
pub use run::{estimate, update};

use crate::{
    client::{ConnectError, RequestError},
    engine::lock::LockError,
    ids::ImageId,
    store::StoreError,
    worker::arguments::{Limits, WorkerProgram},
};

/// More pictures than this are correlated in full only if the person said so: rows grow with the square.
pub const MANY: u64 = 5_000;

/// Bytes of a row with its share of both indexes, roughly: two texts of 16 bytes twice, two numbers, and what SQLite adds.
pub const ROW_BYTES: u64 = 135;

/// What to compute, and with what.
#[derive(Debug, Clone)]
pub struct Correlate {
    pub grid: Grid,
    pub mode: Mode,
    /// Bytes that blocks and results may take; the lists of pictures and neighbours come out of it too.
    pub memory: u64,
    /// Threads that multiply, and workers that decode.
    pub threads: usize,
    pub program: WorkerProgram,
    pub limits: Limits,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Pictures that take part.
    pub pictures: u64,
    /// Of those, new or changed since the last time.
    pub fresh: u64,
    /// Pictures without a cladding, which an aligned grid needs.
    pub without_fibre: u64,
    /// Pairs written.
    pub written: u64,
    /// Pairs that are no longer wanted.
    pub removed: u64,
    /// Pictures that could not be laid onto the grid, and why.
    pub failed: Vec<(ImageId, String)>,
    /// Stopped before the end; the same call goes on.
    pub interrupted: bool,
}

/// Who listens.
pub trait Listener {
    /// So many of so many pictures are laid onto the grid.
    fn gridded(&mut self, done: u64, of: u64);
    /// So many of so many pairs are compared.
    fn compared(&mut self, done: u64, of: u64);
}

/// Why there are no correlations.
#[derive(Debug, thiserror::Error)]
pub enum CorrelateError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}: {source}; the grids of pictures are kept there, make room or make it writable", path.display())]
    Cache { path: PathBuf, source: io::Error },
    #[error(
        "{given} MiB of memory is too little for {pictures} pictures on this grid; give at least {least} MiB, or a smaller grid"
    )]
    Memory { given: u64, least: u64, pictures: u64 },
    #[error("a worker cannot be started: {0}")]
    Worker(io::Error),
    #[error("no thread can be started: {0}")]
    Thread(io::Error),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Engine(#[from] RequestError),
    #[error("the database did not take the pairs: {0}")]
    Refused(String),
}

#[cfg(test)]
mod tests;
