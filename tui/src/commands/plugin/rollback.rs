//! `ferrule plugin rollback ID`: a former build back into `plugins/`, from the store of copies.

use std::path::{Path, PathBuf};

use clap::Args;
use ferrule_core::{
    host::Script,
    ids::{BuildHash, PluginId},
    store::{BuildRow, Period},
    swap::short,
};

use super::{
    bench::{Bench, Where},
    history::builds,
    taken_up::Patience,
};
use crate::{
    environment::Environment,
    failure::Failure,
    output::{Output, remark},
};

/// Put a former build of a plug-in back into the workspace's plugins/, and wait until it is in force
#[derive(Debug, Args)]
pub struct Rollback {
    /// The plug-in
    #[arg(value_name = "ID")]
    id: PluginId,
    #[command(flatten)]
    place: Where,
    /// This build, or the first digits of it [default: the one in force before the present one]
    #[arg(long, value_name = "BUILD")]
    to: Option<String>,
    #[command(flatten)]
    patience: Patience,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Rollback {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let bench = self.place.open(environment)?;
        let known = builds(&bench.workspace, &bench.configuration, &self.id)?;
        let now = bench.catalogue.get(&self.id).map(|used| &used.build);
        let build = match &self.to {
            Some(digits) => named(&known, digits, &self.id)?,
            None => former(&known, now).ok_or_else(|| {
                Failure::wrong(format!("no other build of {} was in force before", self.id))
                    .hint(format!("`ferrule plugin history {}` lists what is known", self.id))
            })?,
        };
        let library = library(&bench, &build)?;
        let name = bench.name(&library, None)?;
        bench.install(&library, &name, &self.patience, self.json, &mut Output::new())
    }
}

/// Puts a build that the store keeps back into `plugins/`, where a running engine finds it, and says where it lies.
pub fn put_back(bench: &Bench, build: &BuildHash) -> Result<PathBuf, Failure> {
    let library = library(bench, build)?;
    let name = bench.name(&library, None)?;
    bench.put(&library, &name, &mut |_, _| Ok(()))
}

/// The build in force most recently that is not the present one.
fn former(known: &[BuildRow], now: Option<&BuildHash>) -> Option<BuildHash> {
    let others = known.iter().filter(|row| Some(&row.build) != now);
    let latest = |row: &BuildRow| row.in_force.last().map(|Period { generation, .. }| *generation);
    others
        .filter_map(|row| latest(row).map(|generation| (generation, row)))
        .max_by_key(|(generation, _)| *generation)
        .map(|(_, row)| row.build.clone())
}

/// The one that begins so.
pub fn named(known: &[BuildRow], digits: &str, id: &PluginId) -> Result<BuildHash, Failure> {
    let fitting: Vec<&BuildHash> =
        known.iter().map(|row| &row.build).filter(|build| build.as_str().starts_with(digits)).collect();
    let hint = format!("`ferrule plugin history {id}` lists the builds");
    match fitting.as_slice() {
        [one] => Ok((*one).clone()),
        // The store may hold one that never came into a pipeline.
        [] => digits.parse().map_err(|_| Failure::wrong(format!("no build of {id} begins with {digits}")).hint(hint)),
        _ => Err(Failure::wrong(format!("{} builds of {id} begin with {digits}", fitting.len())).hint(hint)),
    }
}

fn library(bench: &Bench, build: &BuildHash) -> Result<super::bench::Library, Failure> {
    if let Some(file) = Script::kept(build, &bench.store) {
        return script(bench, build, &file);
    }
    let copy = bench.store.path(build);
    if !copy.is_file() {
        let message = format!("build {} is not in the store any more ({})", short(build), copy.display());
        return Err(Failure::failed(message).hint("build it again and install it: ferrule plugin install"));
    }
    let library = bench.admit(&copy)?;
    if library.build == *build {
        Ok(library)
    } else {
        let message = format!("{} is damaged: its content is not the build that its name says", copy.display());
        Err(Failure::failed(message).hint("delete it, build it again and install it: ferrule plugin install"))
    }
}

/// A build of a Python file covers the interpreter and its packages, which nobody keeps here: with others it is another.
fn script(bench: &Bench, build: &BuildHash, file: &Path) -> Result<super::bench::Library, Failure> {
    let library = bench.admit(file)?;
    if library.build != *build {
        let (now, then) = (short(&library.build), short(build));
        remark(&format!(
            "the file is that of build {then}; the bridge, the interpreter or its packages are others now, so it is {now}"
        ));
    }
    Ok(library)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, generations: &[u64]) -> BuildRow {
        let period = |generation: &u64| Period { generation: *generation, from: String::new(), until: None };
        BuildRow {
            build: BuildHash::of(name.as_bytes()),
            version: name.into(),
            first_at: String::new(),
            in_force: generations.iter().map(period).collect(),
            inspections: 0,
        }
    }

    #[test]
    fn the_former_build_is_the_other_one_that_was_in_force_last() {
        let known = [row("a", &[1, 5]), row("b", &[3]), row("never", &[]), row("c", &[6])];
        let of = |name: &str| BuildHash::of(name.as_bytes());
        assert_eq!(former(&known, Some(&of("c"))), Some(of("a")));
        assert_eq!(former(&known, Some(&of("a"))), Some(of("c")), "and back");
        assert_eq!(former(&known, None), Some(of("c")), "where it was removed, the last one");
        assert_eq!(former(&known[1..3], Some(&of("b"))), None);
    }

    #[test]
    fn a_build_is_named_by_its_first_digits() {
        let (known, id) = ([row("a", &[1]), row("b", &[2])], "pits".parse().unwrap());
        assert_eq!(named(&known, &known[1].build.as_str()[..6], &id).unwrap(), known[1].build);
        assert!(named(&known, "xyz", &id).is_err());
        assert!(named(&known, "", &id).is_err(), "both begin so");
    }
}
