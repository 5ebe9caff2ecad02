//! `ferrule manual FOLDER`: the manual pages, for packages. Hidden: people read `man ferrule`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::failure::Failure;

/// Write the manual pages, one a command
#[derive(Debug, Args)]
pub struct Manual {
    /// A folder named man1
    folder: PathBuf,
}

impl Manual {
    pub fn run(self, mut commands: clap::Command) -> Result<(), Failure> {
        commands.build();
        fs::create_dir_all(&self.folder)
            .and_then(|()| pages(&commands, "ferrule", &self.folder))
            .map_err(|error| Failure::wrong(format!("{}: {error}", self.folder.display())))
    }
}

/// A command's page, and those of its own commands: `ferrule-plugin-list.1`.
fn pages(command: &clap::Command, name: &str, folder: &Path) -> io::Result<()> {
    let mut page = Vec::new();
    // A page's name is a file's name, and a title.
    let titled = command.clone().display_name(name.to_owned());
    clap_mangen::Man::new(titled).render(&mut page)?;
    fs::write(folder.join(format!("{name}.1")), page)?;
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        pages(inner, &format!("{name}-{}", inner.get_name()), folder)?;
    }
    Ok(())
}
