//! The hidden command `ferrule portrait`: the Live screen of a running workspace as an SVG picture, for the README.

use clap::Args;
use ferrule::workbench;

use super::status;
use crate::{failure::Failure, output::Output, place::Place};

/// Draw the Live screen as SVG
#[derive(Debug, Args)]
pub struct Portrait {
    #[command(flatten)]
    place: Place,
    /// In characters
    #[arg(long, default_value_t = 110)]
    width: u16,
    #[arg(long, default_value_t = 36)]
    height: u16,
}

impl Portrait {
    pub fn run(self) -> Result<(), Failure> {
        let (workspace, dataset) = self.place.dataset()?;
        let glance = status::ask(&dataset)?;
        let name = workspace.root().file_name().unwrap_or(workspace.root().as_os_str());
        let svg = workbench::portrait(&dataset, &name.to_string_lossy(), glance, (self.width, self.height))
            .map_err(Failure::failed)?;
        let mut output = Output::new();
        output.line(&svg)?;
        output.flush()
    }
}
