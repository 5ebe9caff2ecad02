//! `ferrule plugin install FILE.so`: a library into the workspace's `plugins/`, after the checks that the engine makes.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{bench::Where, taken_up::Patience};
use crate::{batch::absolute, environment::Environment, failure::Failure, output::Output};

/// Check a library, put it into the workspace's plugins/, and wait until it is in force
#[derive(Debug, Args)]
pub struct Install {
    /// The library, as the build left it, or a Python file; what that imports from beside it comes along
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Where,
    /// Its name in plugins/ [default: that of the file it replaces, else the plug-in's id]
    #[arg(long, value_name = "NAME")]
    force_name: Option<String>,
    #[command(flatten)]
    patience: Patience,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Install {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let bench = self.place.open(environment)?;
        let file = absolute(&self.file)?;
        let mut output = Output::new();
        let admitted = bench.admit(&file).and_then(|library| {
            let name = bench.name(&library, self.force_name.as_deref())?;
            Ok((library, name))
        });
        match admitted {
            Ok((library, name)) => bench.install(&library, &name, &self.patience, self.json, &mut output),
            Err(failure) => {
                if self.json {
                    let reason = failure.messages.join("; ");
                    output.object(&json!({"installed": null, "outcome": "refused", "reason": reason}))?;
                    output.flush()?;
                }
                Err(failure)
            }
        }
    }
}
