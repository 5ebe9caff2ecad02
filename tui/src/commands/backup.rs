//! `ferrule backup`: a consistent copy of a dataset, made while an engine writes it.

use std::path::PathBuf;

use clap::Args;
use ferrule_core::{
    store,
    words::counted,
    workspace::{CONFIGURATION, Workspace},
};
use serde_json::json;

use crate::{
    environment, failure::Failure, interrupt::Interrupt, output::Output, place::DatasetPlace, progress::Progress,
};

/// Copy a dataset, with the settings and models around it, while an engine may run
///
/// The copy is a workspace of its own: `ferrule verify FOLDER` checks it, `ferrule FOLDER` opens it.
#[derive(Debug, Args)]
pub struct Backup {
    /// The folder that is made; its parent must be there
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    /// One JSON object at the end
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    dataset: DatasetPlace,
}

impl Backup {
    pub fn run(self) -> Result<(), Failure> {
        let dataset = self.dataset.find()?;
        let to = environment::absolute(&self.to)
            .map_err(|error| Failure::wrong(format!("{}: {error}", self.to.display())))?;
        if to.starts_with(dataset.root()) {
            return Err(Failure::wrong(format!("{} is inside of what is to be copied", to.display()))
                .hint("name a folder beside the workspace, best on another disk"));
        }
        let workspace =
            dataset.root().parent().filter(|folder| folder.join(CONFIGURATION).is_file()).map(Workspace::at);
        let interrupt = Interrupt::listen()?;
        let mut progress = Progress::new("images", 0);
        let saved = store::backup(&dataset, workspace.as_ref(), &to, &mut |done, of| {
            progress.set_of(done, of);
            !interrupt.asked()
        });
        progress.end();
        let saved = saved.map_err(Failure::failed)?;
        let mut output = Output::new();
        if self.json {
            let folder = to.display().to_string();
            output.object(
                &json!({"folder": folder, "images": saved.images, "files": saved.files, "bytes": saved.bytes}),
            )?;
        } else {
            let size = saved.bytes as f64 / 1e6;
            let (images, files) = (counted(saved.images, "image"), counted(saved.files, "file"));
            output.line(&format!("{}: {images}, {files}, {size:.1} MB", to.display()))?;
        }
        output.flush()
    }
}
