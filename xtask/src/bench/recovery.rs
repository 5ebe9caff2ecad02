//! `cargo xtask bench recovery`: how long nobody's captures are inspected when an engine is killed.

use anyhow::Result;
use clap::Args;

use crate::{
    build::{Profile, build},
    house::run,
};

#[derive(Debug, Args)]
pub struct RecoveryBench {
    /// Captures in the database
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..))]
    rows: u64,
    /// How often the engine is killed
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// With the build that tests use, where none is optimised: slower than what is installed
    #[arg(long)]
    debug: bool,
}

impl RecoveryBench {
    pub fn run(&self) -> Result<()> {
        let built = build(Profile::of(self.debug))?;
        let mut command = built.bench("recovery");
        if self.debug {
            command.args(["--profile", "dev"]);
        }
        command.env("FERRULE_BENCH_ROWS", self.rows.to_string()).env("FERRULE_BENCH_ROUNDS", self.rounds.to_string());
        run(&mut command)
    }
}
