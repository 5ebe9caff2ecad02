//! `cargo xtask bench tui`: what the workbench costs a person who waits for it, and the line that it is drawn over.

use anyhow::Result;
use clap::Args;

use crate::{
    build::{Built, Profile, build},
    house::run,
};

#[derive(Debug, Args)]
pub struct TuiBench {
    /// Captures in the table
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..))]
    rows: u64,
    /// How often each page is read
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    turns: u32,
    /// How long the screen rests, and how long it is busy
    #[arg(long, default_value_t = 60, value_name = "S", value_parser = clap::value_parser!(u64).range(5..))]
    seconds: u64,
    /// Captures that the client is told of before its memory is looked at
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..))]
    day: u64,
    /// Only the pages of the lists, or only the screen
    #[arg(long, value_enum)]
    only: Option<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Lists,
    Screen,
}

impl TuiBench {
    pub fn run(&self) -> Result<()> {
        let built = build(Profile::Release)?;
        if self.only != Some(Part::Screen) {
            self.bench(&built, "lists")?;
        }
        if self.only != Some(Part::Lists) {
            self.bench(&built, "screen")?;
        }
        Ok(())
    }

    fn bench(&self, built: &Built, name: &str) -> Result<()> {
        let mut command = built.bench(name);
        command.env("FERRULE_BENCH_ROWS", self.rows.to_string()).env("FERRULE_BENCH_TURNS", self.turns.to_string());
        command.env("FERRULE_BENCH_SECONDS", self.seconds.to_string()).env("FERRULE_BENCH_DAY", self.day.to_string());
        run(&mut command)
    }
}
