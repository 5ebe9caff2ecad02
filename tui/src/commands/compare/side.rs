//! What a person may name as one of the two that are compared, and how it becomes a batch.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use ferrule_core::{
    compare::Side,
    host::{Available, Catalogue},
    ids::PluginId,
    worker::messages::Pipeline,
    workspace::{CONFIGURATION, Workspace},
};

use super::shown;
use crate::{
    batch::{Chosen, Prepared, With, absolute},
    environment::Environment,
    failure::Failure,
};

/// The word for what ships with the binary.
const SHIPPED: &str = "shipped";

/// Shortest beginning of an id that is taken for one.
const SHORTEST_ID: usize = 4;

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Settings(PathBuf),
    Workspace(PathBuf),
    Library(PathBuf),
    Shipped,
    /// The id, or its beginning, of a pipeline whose inspections are stored.
    Stored(String),
    /// A build of a plug-in, by its first digits, whose inspections are stored.
    Build(PluginId, String),
}

impl Named {
    /// By what lies at the path; else by the word.
    pub fn of(path: &Path) -> Result<Self, Failure> {
        if path.is_dir() {
            if path.join(CONFIGURATION).is_file() {
                return Ok(Self::Workspace(path.to_owned()));
            }
            return Err(Failure::wrong(format!("{} is no workspace: it has no {CONFIGURATION}", shown(path))));
        }
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_file() {
            return match ending {
                Some("toml") => Ok(Self::Settings(path.to_owned())),
                _ if is_library(path) => Ok(Self::Library(path.to_owned())),
                _ => Err(Failure::wrong(format!("{} is neither a settings file (.toml) nor a library", shown(path)))),
            };
        }
        let word = path.to_str().unwrap_or_default();
        if word == SHIPPED {
            return Ok(Self::Shipped);
        }
        let is_hex = |word: &str| word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if let Some((id, digits)) = word.split_once('@')
            && let Ok(id) = id.parse()
            && is_hex(digits)
            && digits.len() >= SHORTEST_ID
        {
            return Ok(Self::Build(id, digits.to_owned()));
        }
        if is_hex(word) && (SHORTEST_ID..=16).contains(&word.len()) {
            return Ok(Self::Stored(word.to_owned()));
        }
        Err(Failure::wrong(format!("{}: there is no such settings file, workspace or plug-in library", shown(path)))
            .hint(
                "or write `shipped` for what ships, PLUGIN@BUILD, or the id of a pipeline that a workspace has stored",
            ))
    }

    pub fn name(&self) -> String {
        match self {
            Self::Settings(path) | Self::Workspace(path) | Self::Library(path) => shown(path),
            Self::Shipped => SHIPPED.into(),
            Self::Stored(id) => id.clone(),
            Self::Build(id, digits) => format!("{id}@{digits}"),
        }
    }

    /// The batch that it stands for, and what a report calls it.
    pub fn prepare(&self, with: &With, environment: &Environment) -> Result<(Prepared, Side), Failure> {
        let (prepared, _) = match self {
            Self::Settings(file) => with.prepare(Chosen::of_file(file)?, environment)?,
            Self::Workspace(folder) => {
                with.prepare(Chosen::of_workspace(Workspace::at(absolute(folder)?))?, environment)?
            }
            Self::Shipped | Self::Stored(_) | Self::Build(..) => with.prepare(Chosen::shipped()?, environment)?,
            Self::Library(library) => {
                let library = absolute(library)?;
                let mut with = with.clone();
                with.plugin_path = with.plugin_path.led_by(library.clone());
                let (prepared, catalogue) = with.prepare(Chosen::shipped()?, environment)?;
                check_used(&library, &catalogue, &prepared.batch.pipeline)?;
                (prepared, catalogue)
            }
        };
        let pipeline = &prepared.batch.pipeline;
        let side = Side { name: self.name(), pipeline: pipeline.id.clone(), plugins: plugins(pipeline) };
        Ok((prepared, side))
    }
}

/// By the first bytes: a library needs no ending.
fn is_library(path: &Path) -> bool {
    let mut start = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"\x7fELF"
}

/// A library that was refused, or offers nothing that the pipeline uses, would compare what ships with itself.
fn check_used(library: &Path, catalogue: &Catalogue, pipeline: &Pipeline) -> Result<(), Failure> {
    if let Some(refusal) = catalogue.refused.iter().find(|refusal| refusal.path == library) {
        return Err(Failure::wrong(format!("{}: {}", shown(library), refusal.reason)));
    }
    let offered: Vec<&Available> = catalogue.available.iter().filter(|plugin| plugin.found == library).collect();
    let stages = [&pipeline.segment, &pipeline.detect, &pipeline.measure, &pipeline.grade];
    if stages.into_iter().flatten().any(|stage| offered.iter().any(|plugin| plugin.card.id == stage.plugin)) {
        return Ok(());
    }
    let names: Vec<&str> = offered.iter().map(|plugin| plugin.card.id.as_str()).collect();
    Err(Failure::wrong(format!(
        "{} offers {}, which the shipped pipeline does not use",
        shown(library),
        names.join(", ")
    ))
    .hint("name it in the [pipeline] of a settings file, and give that file"))
}

fn plugins(pipeline: &Pipeline) -> Vec<String> {
    let stages = [&pipeline.segment, &pipeline.detect, &pipeline.measure, &pipeline.grade];
    let each = stages.into_iter().flatten();
    each.map(|stage| format!("{} {} ({})", stage.plugin, stage.version, stage.build)).collect()
}
