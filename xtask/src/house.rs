//! What every command needs: where the workspace is, what is in it, and how to run a program.

use std::{
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

/// The cargo workspace.
pub struct House {
    pub root: PathBuf,
    pub target: PathBuf,
    pub version: String,
    /// Packages under `plugins/` that build a library to load, by name.
    pub plugins: Vec<String>,
}

impl House {
    /// Asks cargo.
    pub fn find() -> Result<Self> {
        let output = cargo(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cargo does not start")?;
        if !output.status.success() {
            bail!("cargo metadata ended with {}", output.status);
        }
        let metadata: Json = serde_json::from_slice(&output.stdout).context("cargo metadata is no JSON")?;
        let path = |key: &str| metadata[key].as_str().map(PathBuf::from).with_context(|| format!("no {key}"));
        let root = path("workspace_root")?;
        let packages = metadata["packages"].as_array().context("no packages")?;
        let inside = root.join("plugins");
        let mut plugins: Vec<String> = packages
            .iter()
            .filter(|package| {
                package["manifest_path"].as_str().is_some_and(|path| Path::new(path).starts_with(&inside))
            })
            .filter(|package| builds_library(package))
            .filter_map(|package| package["name"].as_str().map(str::to_owned))
            .collect();
        plugins.sort();
        let version =
            packages.iter().find(|package| package["name"] == "ferrule").and_then(|it| it["version"].as_str());
        Ok(Self {
            target: path("target_directory")?,
            version: version.context("no package ferrule")?.to_owned(),
            root,
            plugins,
        })
    }
}

/// A plug-in has a `cdylib`; the interface and the kernels beside it have not.
fn builds_library(package: &Json) -> bool {
    let targets = package["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    targets
        .iter()
        .any(|target| target["crate_types"].as_array().is_some_and(|types| types.iter().any(|kind| kind == "cdylib")))
}

/// The cargo that runs us.
pub fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs to the end, with our own input and output.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{} does not start", command.get_program().display()))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// A command as a person would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Whether cargo has this subcommand.
pub fn has_cargo(subcommand: &str) -> bool {
    cargo([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A line for the developer; standard output is kept for results.
pub fn say(line: &str) {
    // Nobody is left to be told when standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
