//! `ferrule config show | schema | keys`: the settings in force and where each comes from, and what can be set.

use clap::{Args, Subcommand};
use ferrule::workbench::key_names;
use ferrule_core::config::{self, Origin, SHIPPED};
use serde_json::json;

use crate::{failure::Failure, output::Output, place::Place};

/// Show settings and where they come from
#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Show(Show),
    /// Print the JSON schema of ferrule.toml
    Schema,
    /// List what keys of the workbench can do, by the names that [keys] of ferrule.toml takes
    Keys,
}

/// List every setting in force with its origin
#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    place: Place,
    /// Print the shipped file instead: every key, its default and why
    #[arg(long, conflicts_with = "workspace")]
    defaults: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Config {
    pub fn run(self) -> Result<(), Failure> {
        let mut output = Output::new();
        match self.what {
            What::Show(show) => show.run(&mut output)?,
            What::Keys => {
                for (name, keys, what) in key_names() {
                    output.line(&format!("{name:26} {keys:20} {what}"))?;
                }
            }
            What::Schema => {
                let schema = config::schema()?;
                output.line(&serde_json::to_string_pretty(&schema).map_err(Failure::failed)?)?;
            }
        }
        output.flush()
    }
}

impl Show {
    fn run(self, output: &mut Output) -> Result<(), Failure> {
        if self.defaults {
            return output.bytes(SHIPPED.as_bytes());
        }
        let (_, configuration) = self.place.configured()?;
        let width = configuration.values.iter().map(|shown| shown.key.len() + shown.value.len() + 3).max().unwrap_or(0);
        for shown in &configuration.values {
            if self.json {
                let (file, line) = match &shown.origin {
                    Origin::Default => (None, None),
                    Origin::File { file, line } => (Some(file.to_string_lossy().into_owned()), Some(*line)),
                };
                output.object(&json!({"key": shown.key, "value": shown.value, "file": file, "line": line}))?;
            } else {
                let setting = format!("{} = {}", shown.key, shown.value);
                output.line(&format!("{setting:width$}  {}", shown.origin, width = width.min(72)))?;
            }
        }
        Ok(())
    }
}
