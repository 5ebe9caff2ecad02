//! `cargo xtask bench tui`: what the workbench costs a person who waits for it.

use anyhow::Result;
use clap::Args;

use crate::{
    build::{Profile, build},
    house::{cargo, run},
};

#[derive(Debug, Args)]
pub struct TuiBench {
    /// Captures in the table
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..))]
    rows: u64,
    /// How often each page is read
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    turns: u32,
}

impl TuiBench {
    /// The lists: a program of `tests`, since it needs the store, which xtask does not link.
    pub fn run(&self) -> Result<()> {
        let built = build(Profile::Release)?;
        let mut command = cargo(["bench", "--package", "ferrule-tests", "--bench", "lists"]);
        command.env("FERRULE_BENCH_ROWS", self.rows.to_string()).env("FERRULE_BENCH_TURNS", self.turns.to_string());
        run(command.current_dir(&built.house.root))
    }
}
