//! What is kept, and what goes: `[dataset.keep]`.
//!
//! A plan is made by a reader and tells beforehand what will go; the writer then carries it out step by step between its
//! other writes, so that no result waits long. Rows end in one transaction with a list of their files (table `doomed`), and
//! the files are removed after it: killed anywhere, the next step or the next start finishes what was begun. Never touches
//! a source; a picture is removed under `images/` only.
//! Called by the engine on its own and by `ferrule tidy`.

mod alone;
mod plan;
mod step;
mod sweep;

use serde::{Deserialize, Serialize};

pub use self::{
    alone::tidy_alone,
    plan::TidyPlan,
    step::{TidyStep, Tidying},
};
pub(super) use self::{
    step::step,
    sweep::{is_doomed, sweep},
};

/// What goes, or went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tidied {
    /// Former inspections, rows only.
    pub inspections: u64,
    /// Files under `masks/` and `defects/`.
    pub files: u64,
    pub pictures: u64,
    /// Of the files and pictures. Rows give room to later rows, not to the disk.
    pub bytes: u64,
}

impl Tidied {
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub fn add(&mut self, more: Self) {
        self.inspections += more.inspections;
        self.files += more.files;
        self.pictures += more.pictures;
        self.bytes += more.bytes;
    }
}

impl std::fmt::Display for Tidied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { inspections, files, pictures, bytes } = self;
        let mib = *bytes as f64 / f64::from(1 << 20);
        write!(f, "{inspections} former inspections, {files} masks and lists, {pictures} pictures ({mib:.1} MiB)")
    }
}
