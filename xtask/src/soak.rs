//! `cargo xtask soak`: a day in the lab with everything going wrong. The same program as the short form among the tests,
//! for longer, from a seed that can be given again.

use anyhow::Result;
use clap::Args;

use crate::{
    build::{Profile, build},
    house::{cargo, run},
};

#[derive(Debug, Args)]
pub struct Soak {
    /// How long faults strike
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
    /// Which faults, when, and which captures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Captures a second; 200 of these small ones are more than two cores take, and wait
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// The build that people use, not the one of the tests
    #[arg(long)]
    release: bool,
}

impl Soak {
    /// # Errors
    /// Something was lost, doubled, or half there; the last lines say what.
    pub fn run(&self) -> Result<()> {
        let built = build(Profile::of(!self.release))?;
        let mut soak = cargo(["test", "--workspace", "--test", "soak"]);
        if self.release {
            soak.arg("--release");
        }
        soak.args(&built.features).args(["--", "--nocapture"]);
        soak.env("FERRULE_SOAK_SECONDS", (self.minutes * 60).to_string());
        soak.env("FERRULE_SOAK_SEED", self.seed.to_string());
        soak.env("FERRULE_SOAK_RATE", self.rate.to_string());
        run(soak.current_dir(&built.house.root))
    }
}
