//! `ferrule init [DIR]`: makes a workspace. Whatever is already there stays as it is, so that it can be run again.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use clap::Args;
use ferrule_core::{config::SHIPPED, workspace::Workspace};

use crate::{environment, failure::Failure, output::Output};

/// Make a workspace
#[derive(Debug, Args)]
pub struct Init {
    /// Its folder, made where it is missing
    #[arg(default_value = ".")]
    dir: PathBuf,
}

impl Init {
    pub fn run(self) -> Result<(), Failure> {
        let root = environment::absolute(&self.dir).map_err(|error| refused(&self.dir, &error))?;
        let mut output = Output::new();
        for line in make(&root, OWN)? {
            output.line(&line)?;
        }
        output.flush()
    }
}

/// The folder of captures that a workspace has by itself.
const OWN: &str = "captures";

/// Makes a workspace that watches this folder; what was made and what was there already, a line each.
pub fn make(root: &Path, captures: &str) -> Result<Vec<String>, Failure> {
    let workspace = Workspace::at(root);
    make_folder(root)?;
    let mut lines = Vec::new();
    let own = (root.join(OWN), "point the microscope here, or name its folder in ferrule.toml");
    let plugins = (workspace.plugins(), "plug-ins of your own; used before those that ship");
    let is_own = captures.trim_end_matches('/') == OWN;
    for (folder, purpose) in is_own.then_some(own).into_iter().chain([plugins]) {
        let made = if make_folder(&folder)? { "made" } else { "kept" };
        lines.push(format!("{made}  {}  ({purpose})", folder.display()));
    }
    let file = workspace.configuration();
    // A new file only: what a person wrote is never written over.
    let made = match fs::OpenOptions::new().write(true).create_new(true).open(&file) {
        Ok(mut to) => {
            io::Write::write_all(&mut to, template(captures).as_bytes()).map_err(|error| refused(&file, &error))?;
            "made"
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => "kept",
        Err(error) => return Err(refused(&file, &error)),
    };
    lines.push(format!("{made}  {}  (every setting, commented out)", file.display()));
    Ok(lines)
}

/// Makes a folder that only its owner writes, whatever the umask: plug-ins are not taken from any other.
fn make_folder(path: &Path) -> Result<bool, Failure> {
    if path.is_dir() {
        return Ok(false);
    }
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(|error| refused(parent, &error))?;
    fs::DirBuilder::new().mode(0o755).create(path).map_err(|error| refused(path, &error))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(|error| refused(path, &error))?;
    Ok(true)
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::wrong(format!("{}: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::PermissionDenied => failure.hint("choose a folder that you may write to, or ask its owner"),
        io::ErrorKind::ReadOnlyFilesystem => failure.hint("choose a folder on a file system that is not read-only"),
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            failure.hint("a file of that name is in the way: choose another folder")
        }
        io::ErrorKind::StorageFull => failure.hint("the disk is full: free some space and run it again"),
        _ => failure.hint("choose another folder"),
    }
}

/// The shipped file with every section and value commented out (`#key`) below its reason (`# why`), except the one
/// source. Sections too, so that a block pasted at the end is not a second one of its name.
fn template(captures: &str) -> String {
    let mut text = String::from(
        "# Settings of this Ferrule workspace. To change one, take away the # before it and before its [section];\n\
         # a running engine takes it up.\n",
    );
    for line in SHIPPED.lines().skip_while(|line| !line.is_empty()) {
        let says = line.starts_with(|first: char| first.is_ascii_lowercase() || first == '[');
        if says && !["[[capture]]", "path = \"captures\""].contains(&line) {
            text.push('#');
        }
        // A JSON text is a TOML text, too.
        match line {
            "path = \"captures\"" => text.push_str(&format!("path = {}", serde_json::Value::from(captures))),
            line => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use ferrule_core::config::Configuration;

    use super::*;

    #[test]
    fn the_template_says_nothing_but_the_default_source() {
        let root = Path::new("/lab/bench");
        let written = Configuration::of(&template(OWN), Path::new("ferrule.toml"), root).unwrap();
        assert_eq!(written.settings, Configuration::shipped(root).unwrap().settings);
        let own: Vec<_> = written.values.iter().filter(|shown| shown.origin.to_string() != "default").collect();
        assert_eq!(own.len(), 1, "{own:?}");
        assert_eq!(own[0].key, "capture[1].path");
    }

    #[test]
    fn the_folder_that_is_asked_for_is_the_source() {
        let root = Path::new("/lab/bench");
        let odd = "/mnt/scope \"1\"\\x";
        let written = Configuration::of(&template(odd), Path::new("ferrule.toml"), root).unwrap();
        assert_eq!(written.settings.sources[0].path, Path::new(odd));
    }

    #[test]
    fn every_commented_key_can_be_taken_as_it_stands() {
        let all = template(OWN)
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
            .collect::<String>();
        let root = Path::new("/lab/bench");
        let written = Configuration::of(&all, Path::new("ferrule.toml"), root).unwrap();
        assert_eq!(written.settings, Configuration::shipped(root).unwrap().settings);
        // Alarms after the first leave out what it says for all.
        let whole =
            written.values.iter().filter(|shown| !shown.key.starts_with("alarm[") || shown.key.starts_with("alarm[1]"));
        assert!(whole.into_iter().all(|shown| shown.origin.to_string() != "default"));
    }
}
