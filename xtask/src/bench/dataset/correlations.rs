//! The bench of correlations is a program of `tests`: it calls core, which xtask does not link.

use std::path::Path;

use anyhow::Result;

use crate::{
    build::Built,
    house::{cargo, run as start},
};

pub fn run(built: &Built, python: &Path, rounds: u32, large: u32) -> Result<()> {
    let mut command = cargo(["bench", "--package", "ferrule-tests", "--bench", "correlations", "--"]);
    command.arg("--python").arg(python).args(["--rounds", &rounds.to_string(), "--large", &large.to_string()]);
    start(command.current_dir(&built.house.root))
}
