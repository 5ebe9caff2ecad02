//! `ferrule plugin history ID`: which builds of a plug-in there were, and when each was in force.

use clap::Args;
use ferrule_core::{
    config::Configuration,
    host::LibraryStore,
    ids::PluginId,
    store::{BuildRow, Reader, StoreError},
    workspace::{DatasetPaths, Workspace},
};
use serde_json::json;

use crate::{failure::Failure, output::Output, place::Place};

/// Show the builds of a plug-in, and when each was in force
#[derive(Debug, Args)]
pub struct History {
    /// The plug-in
    #[arg(value_name = "ID")]
    id: PluginId,
    #[command(flatten)]
    place: Place,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl History {
    pub fn run(self) -> Result<(), Failure> {
        let (workspace, configuration) = self.place.configured()?;
        let known = builds(&workspace, &configuration, &self.id)?;
        if known.is_empty() {
            let message = format!("no build of {} has been in a pipeline of this workspace", self.id);
            return Err(Failure::wrong(message).hint("`ferrule plugin list` names the plug-ins that there are"));
        }
        let store = LibraryStore::at(workspace.plugin_store());
        let mut output = Output::new();
        for row in &known {
            let kept = store.path(&row.build).is_file();
            if self.json {
                output.object(&json!({"build": row, "kept": kept}))?;
            } else {
                for line in lines(row, kept) {
                    output.line(&line)?;
                }
            }
        }
        output.flush()
    }
}

fn lines(row: &BuildRow, kept: bool) -> Vec<String> {
    let copy = if kept { "" } else { ", no copy kept" };
    let mut lines = vec![format!("{}  build {}, {} inspections{copy}", row.version, row.build, row.inspections)];
    for period in &row.in_force {
        let until = period.until.as_deref().unwrap_or("now");
        lines.push(format!("    generation {}: {} to {until}", period.generation, period.from));
    }
    if row.in_force.is_empty() {
        lines.push(format!("    never in force; first tried {}", row.first_at));
    }
    lines
}

/// Every build that was in a pipeline of this workspace; none where no engine has run yet.
pub fn builds(workspace: &Workspace, configuration: &Configuration, id: &PluginId) -> Result<Vec<BuildRow>, Failure> {
    let dataset = ferrule_core::engine::lock::running(workspace)
        .unwrap_or_else(|| DatasetPaths::at(&configuration.settings.dataset.path));
    match Reader::open(&dataset) {
        Ok(reader) => reader.builds(id).map_err(Failure::failed),
        Err(StoreError::Missing { .. }) => Ok(Vec::new()),
        Err(error) => Err(Failure::wrong(error)),
    }
}
