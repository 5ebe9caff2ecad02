//! `cargo xtask pictures`: the documentation's pictures of the workbench, drawn again from the real binary.

use anyhow::Result;

use crate::{
    build::{Profile, build},
    house::{cargo, run, say},
};

/// Writes `docs/*.svg`: by a program of `tests`, which has the pseudo-terminal.
pub fn draw(profile: Profile) -> Result<()> {
    let built = build(profile)?;
    let folder = built.house.root.join("docs");
    let mut command = cargo(["run", "--package", "ferrule-tests", "--example", "pictures"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    command.arg("--").arg(&folder);
    run(command.current_dir(&built.house.root))?;
    say(&format!("drawn: {}; look at them before they are committed", folder.display()));
    Ok(())
}
