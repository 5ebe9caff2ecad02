//! `ferrule plugin new NAME --slot SLOT`: a crate to begin a plug-in with. It builds without a network wherever cargo has
//! once downloaded what the interface needs, and this command says whether it has.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::{Args, ValueEnum};
use ferrule_core::{host::card::Slot, ids::PluginId, scaffold};
use serde_json::json;

use crate::{batch::absolute, failure::Failure, output::Output};

/// Begin a plug-in: a crate that builds, is tested, and passes `ferrule plugin check`
#[derive(Debug, Args)]
pub struct New {
    /// Its id, and the crate's name: lower-case words joined by hyphens
    #[arg(value_name = "NAME")]
    name: PluginId,
    /// What it does
    #[arg(long, value_enum)]
    slot: NewSlot,
    /// Where the crate's folder is made [default: here]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A copy of ferrule-abi that is there already, instead of one in the crate
    #[arg(long, value_name = "DIR")]
    abi: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Slots for which there are templates.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum NewSlot {
    Segment,
    Detect,
    Measure,
    Grade,
}

impl From<NewSlot> for Slot {
    fn from(slot: NewSlot) -> Self {
        match slot {
            NewSlot::Segment => Self::Segment,
            NewSlot::Detect => Self::Detect,
            NewSlot::Measure => Self::Measure,
            NewSlot::Grade => Self::Grade,
        }
    }
}

impl New {
    pub fn run(self) -> Result<(), Failure> {
        let parent = absolute(self.dir.as_deref().unwrap_or(Path::new(".")))?;
        let folder = parent.join(self.name.as_str());
        let abi = self.abi.as_deref().map(absolute).transpose()?;
        if let Some(abi) = &abi
            && !abi.join("Cargo.toml").is_file()
        {
            return Err(Failure::wrong(format!("--abi {}: there is no Cargo.toml in it", abi.display())).hint(
                "name the folder of the crate ferrule-abi, or leave --abi out and take the copy that comes along",
            ));
        }
        let files = scaffold::files(&self.name, self.slot.into(), abi.as_deref()).map_err(Failure::wrong)?;
        // Whatever somebody has begun there is theirs.
        if folder.exists() {
            return Err(Failure::wrong(format!("{} is there already", folder.display()))
                .hint("choose another name, or another folder with --dir"));
        }
        for (path, text) in &files {
            let path = folder.join(path);
            let write = || -> std::io::Result<()> {
                fs::create_dir_all(path.parent().unwrap_or(&folder))?;
                fs::write(&path, text)
            };
            write().map_err(|error| Failure::wrong(format!("{}: {error}", path.display())))?;
        }
        let missing = missing(&folder);
        let mut output = Output::new();
        let library = folder.join("target/release").join(format!("lib{}.so", self.name.as_str().replace('-', "_")));
        if self.json {
            output.object(&json!({
                "crate": folder, "slot": Slot::from(self.slot), "library": library, "builds_offline": missing.is_none(),
                "problem": missing,
            }))?;
        } else {
            output.line(&format!("made {} with {} files", folder.display(), files.len()))?;
            output.line(&format!("  cd {}", folder.display()))?;
            output.line("  cargo test")?;
            output.line("  cargo build --release --offline")?;
            output.line(&format!("  ferrule plugin check {}", library.display()))?;
            output.line(&format!("  ferrule plugin install {} WORKSPACE", library.display()))?;
            if let Some(missing) = missing {
                output.line(&format!("NOTE {missing}"))?;
            }
        }
        output.flush()
    }
}

/// Why the crate would not build without a network; `None` where it would.
fn missing(folder: &Path) -> Option<String> {
    let mut tree = Command::new("cargo");
    // Reads the manifests of everything that is compiled for this machine, and so needs all of it; compiles nothing.
    tree.args(["tree", "--offline", "--quiet", "--edges", "normal,build"]).current_dir(folder).stdin(Stdio::null());
    match tree.output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let first: String = first.chars().filter(|c| !c.is_control()).collect();
            Some(format!(
                "cargo lacks a crate that the interface needs (abi_stable, serde): with a network, run `cargo fetch` in {} \
                 once. It says: {first}",
                folder.display()
            ))
        }
        Err(error) => Some(format!(
            "cargo does not start ({error}): install Rust {} or newer from https://rustup.rs to build it",
            env!("CARGO_PKG_RUST_VERSION")
        )),
    }
}
