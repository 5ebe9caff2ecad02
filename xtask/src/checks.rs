//! `cargo xtask test`: format, lints, documentation, licences, doc tests, then every test with the runner's summary last.
//!
//! Everything is compiled with the dev profile: the end-to-end tests use the binary and the plug-ins built here, and a
//! second, release build would double the time on a small machine.

use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    build::{build_with_tests, features},
    house::{House, cargo, has_cargo, run, say},
    peers,
};

#[derive(Debug, Args)]
pub struct Checks {
    /// Only the tests, without format, lints, documentation and licences
    #[arg(long)]
    only_tests: bool,
    /// Handed to the test runner, like a part of a test's name
    #[arg(last = true)]
    runner: Vec<String>,
}

impl Checks {
    pub fn run(&self) -> Result<()> {
        let mut failed = Vec::new();
        if !self.only_tests {
            let features = features(&House::find()?)?;
            let mut documentation = cargo(["doc", "--workspace", "--no-deps", "--quiet"]);
            documentation.args(&features).env("RUSTDOCFLAGS", "-D warnings");
            let mut lints = cargo(["clippy", "--workspace", "--all-targets", "--quiet"]);
            lints.args(&features).args(["--", "--deny", "warnings"]);
            let mut steps: Vec<(&str, Command)> = vec![
                ("format", cargo(["fmt", "--all", "--check"])),
                ("lints", lints),
                ("documentation", documentation),
            ];
            if !has_cargo("deny") {
                say("== licences: SKIPPED, cargo-deny is not installed (cargo install cargo-deny --locked)");
            } else if run(&mut cargo(["fetch", "--locked", "--quiet"])).is_err() {
                // It looks at crates of all platforms, most of which a build never downloads.
                say("== licences: SKIPPED, crates for other platforms cannot be downloaded (no network?)");
            } else {
                // The advisory database is no registry and needs a network; these three do not.
                steps.push((
                    "licences",
                    cargo(["deny", "--offline", "--log-level", "error", "check", "bans", "licenses", "sources"]),
                ));
            }
            for (name, mut command) in steps {
                say(&format!("== {name}"));
                if let Err(error) = run(&mut command) {
                    say(&format!("== {name} FAILED: {error:#}"));
                    failed.push(name);
                }
            }
        }

        say("== build");
        let built = build_with_tests()?;
        built.tell();
        if !self.only_tests {
            say("== examples in the documentation");
            if run(cargo(["test", "--workspace", "--doc", "--quiet"]).args(&built.features)).is_err() {
                failed.push("examples");
            }
        }
        let peers = peers::python(&built.house).unwrap_or_else(|error| {
            say(&format!("== peers FAILED: {error:#}"));
            failed.push("peers");
            None
        });
        if !self.only_tests {
            say("== kernels, with overflow checked");
            if run(&mut kernels()).is_err() {
                failed.push("kernels");
            }
        }
        say("== tests");
        let mut runner = self.runner(&built.features);
        if let Some(python) = peers {
            runner.env(peers::VARIABLE, python);
        }
        // Last, so that its summary is what the developer sees.
        let tests = run(&mut runner);
        if !failed.is_empty() {
            bail!("failed: {}{}", failed.join(", "), if tests.is_err() { ", tests" } else { "" });
        }
        tests
    }

    /// Every test, of the kernels too.
    fn runner(&self, features: &[String]) -> Command {
        let mut command = if has_cargo("nextest") {
            cargo(["nextest", "run", "--workspace", "--no-fail-fast"])
        } else {
            cargo(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"])
        };
        // Before what is handed to the runner, which may hold a `--`.
        command.args(features).args(&self.runner);
        command
    }
}

/// The kernels' own tests as a plain debug build has them; everything else uses kernels as they ship.
fn kernels() -> Command {
    let profile = "profile.dev.package.ferrule-vision";
    let mut command = cargo(["test", "--package", "ferrule-vision", "--lib", "--quiet"]);
    command.args([
        "--config",
        &format!("{profile}.overflow-checks=true"),
        "--config",
        &format!("{profile}.opt-level=1"),
    ]);
    command
}
