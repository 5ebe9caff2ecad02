//! Developer commands: `cargo xtask <command>`. Starts cargo and the built binary; links nothing of ours.

mod bare;
mod bench;
mod build;
mod checks;
mod demo;
mod fuzz;
mod house;
mod install;
mod libtorch;
mod peers;
mod pictures;
mod soak;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Developer commands", disable_help_subcommand = true)]
enum CommandLine {
    /// Build the binary and its plug-ins into target/release (or target/debug)
    Build {
        /// Without optimisation across crates, as the tests use it
        #[arg(long)]
        debug: bool,
    },
    /// Run every check and every test
    Test(checks::Checks),
    /// Have PyTorch and TensorFlow read what we write; installs them, gigabytes, outside the checkout
    Peers,
    /// Measure us against other people's tools, in one run
    Bench {
        #[command(subcommand)]
        bench: bench::Bench,
    },
    /// Let everything go wrong for some minutes, and compare what was dropped with what is held
    Soak(soak::Soak),
    /// Feed broken bytes to everything that strangers reach
    Fuzz(fuzz::Fuzz),
    /// Build all, make a workspace with a simulated microscope, and open the workbench on it
    Demo(demo::Demo),
    /// Draw the documentation's pictures of the workbench again, from the real binary: docs/*.svg
    Pictures {
        /// With the build that the tests use
        #[arg(long)]
        debug: bool,
    },
    /// Put binary and plug-ins below a prefix: bin/ and lib/ferrule/plugins/
    Install {
        #[arg(long)]
        prefix: PathBuf,
    },
    /// Fetch libtorch into the cache and link it, so that the plug-in that trains networks is built; prints where it is
    Libtorch,
    /// Pack target/dist/ferrule-VERSION-MACHINE.tar.gz, which runs without Rust
    Dist {
        /// Then run it in a bare Debian userland, made of packages (apt) in a namespace of its own
        #[arg(long = "try")]
        try_out: bool,
        /// The build that tests use: larger and slower, but soon there
        #[arg(long)]
        debug: bool,
    },
}

fn main() -> ExitCode {
    let result = match CommandLine::parse() {
        CommandLine::Build { debug } => build::build(build::Profile::of(debug)).map(|built| built.tell()),
        CommandLine::Test(checks) => checks.run(),
        CommandLine::Peers => peers::heavy(),
        CommandLine::Bench { bench } => bench.run(),
        CommandLine::Soak(soak) => soak.run(),
        CommandLine::Fuzz(fuzz) => fuzz.run(),
        CommandLine::Demo(demo) => demo.run(),
        CommandLine::Pictures { debug } => pictures::draw(build::Profile::of(debug)),
        CommandLine::Install { prefix } => install::install(&prefix),
        CommandLine::Libtorch => libtorch::tell(),
        CommandLine::Dist { try_out, debug } => install::dist(build::Profile::of(debug), try_out),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            house::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
