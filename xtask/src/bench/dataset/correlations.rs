//! The bench of correlations is a program of `tests`: it calls core, which xtask does not link.

use std::path::Path;

use anyhow::Result;

use crate::{build::Built, house::run as start};

pub fn run(built: &Built, python: &Path, rounds: u32, large: u32) -> Result<()> {
    let mut command = built.bench("correlations");
    command.arg("--").arg("--python").arg(python).args([
        "--rounds",
        &rounds.to_string(),
        "--large",
        &large.to_string(),
    ]);
    start(&mut command)
}
