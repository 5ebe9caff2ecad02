//! `cargo xtask fuzz`: broken bytes for everything that strangers reach. By the mutator among the tests, which builds
//! everywhere; with `--libfuzzer` by cargo-fuzz, which finds its way by what the code does and takes minutes to build.

use std::{fs, process::Command};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    build::{Profile, build},
    house::{House, cargo, run, say},
};

/// As in `fuzz/src/targets.rs`.
const TARGETS: [&str; 7] = ["socket", "answer", "elf", "configuration", "filter", "model", "coco"];

#[derive(Debug, Args)]
pub struct Fuzz {
    /// Executions of each target
    #[arg(long, default_value_t = 1_000_000)]
    runs: u64,
    /// Which broken bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// This one only
    #[arg(long, value_parser = TARGETS)]
    target: Option<String>,
    /// Damaged pictures through `ferrule inspect`, too
    #[arg(long, default_value_t = 2000)]
    pictures: u64,
    /// With cargo-fuzz, which must be there: cargo install cargo-fuzz
    #[arg(long)]
    libfuzzer: bool,
}

impl Fuzz {
    /// # Errors
    /// A target broke; the last lines say on what.
    pub fn run(&self) -> Result<()> {
        let house = House::find()?;
        if self.libfuzzer { self.guided(&house) } else { self.blind(&house) }
    }

    fn blind(&self, house: &House) -> Result<()> {
        let built = build(Profile::Debug)?;
        let mut tests = cargo(["test", "--workspace", "--test", "fuzz"]);
        tests.args(&built.features).args(["--", "--nocapture"]);
        tests.env("FERRULE_FUZZ_RUNS", self.runs.to_string()).env("FERRULE_FUZZ_SEED", self.seed.to_string());
        tests.env("FERRULE_FUZZ_PICTURES", self.pictures.to_string());
        if let Some(target) = &self.target {
            tests.env("FERRULE_FUZZ_TARGET", target);
        }
        run(tests.current_dir(&house.root))
    }

    fn guided(&self, house: &House) -> Result<()> {
        let wanted = |target: &&&str| self.target.as_ref().is_none_or(|only| only == **target);
        for target in TARGETS.iter().filter(wanted) {
            // What is found goes below target/; the corpus in the repository stays small.
            let found = house.target.join("fuzz").join(target);
            fs::create_dir_all(&found).with_context(|| format!("{}", found.display()))?;
            say(&format!("{target}: {} executions", self.runs));
            let mut fuzz = Command::new("cargo");
            fuzz.args(["fuzz", "run", target]).arg(&found).arg(house.root.join("fuzz/corpus").join(target));
            fuzz.args(["--", "-max_len=16384", "-timeout=5", "-print_final_stats=1"]);
            fuzz.arg(format!("-runs={}", self.runs)).arg(format!("-seed={}", self.seed));
            // The flags of libFuzzer are nightly's; the compiler is this one.
            fuzz.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", house.target.join("fuzz-build"));
            run(fuzz.current_dir(&house.root))?;
        }
        Ok(())
    }
}
