//! `cargo xtask bench dataset`: what a training set costs: building and writing it, its figures, its correlations. One
//! file a part; each part prints its own table.

mod build;
mod correlations;
mod features;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// `ferrule build` against bare `ferrule inspect`, and against itself on four times as many pictures
    Build,
    /// The store's transactions against rows inserted one by one
    Store,
    /// Figures of zones against careful NumPy and OpenCV
    Features,
    /// Pearson and Spearman of every pair against NumPy and SciPy
    Correlations,
}

#[derive(Debug, Args)]
pub struct DatasetBench {
    /// Only this part; can be repeated [default: all of them]
    #[arg(long, value_name = "PART")]
    part: Vec<Part>,
    /// The Python that has numpy, scipy and cv2
    #[arg(long, default_value = "python3", value_name = "PATH")]
    python: PathBuf,
    /// Pictures a turn of `build`
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..))]
    count: u32,
    /// How often everybody takes a turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Small pictures for the question whether time grows with their number and memory does not
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..))]
    many: u32,
    /// Pictures of which the most alike are found, to see time and memory; 0 leaves that out
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    large: u32,
}

impl DatasetBench {
    pub fn run(&self) -> Result<()> {
        let wanted = |part| self.part.is_empty() || self.part.contains(&part);
        if wanted(Part::Build) || wanted(Part::Store) {
            let bench = build::BuildBench::prepare(self.count, self.rounds)?;
            if wanted(Part::Build) {
                bench.against_inspect()?;
                bench.against_more(self.many)?;
            }
            if wanted(Part::Store) {
                bench.store()?;
            }
        }
        if wanted(Part::Features) || wanted(Part::Correlations) {
            let built = crate::build::build(crate::build::Profile::Release)?;
            if wanted(Part::Features) {
                features::run(&built, &self.python, self.rounds)?;
            }
            if wanted(Part::Correlations) {
                correlations::run(&built, &self.python, self.rounds, self.large)?;
            }
        }
        Ok(())
    }
}
